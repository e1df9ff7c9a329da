"""Speed against peers and against the machine, both sides in one run.

    make bench                                   everything, into docs/benchmarks.md
    python benchmarks/bench.py --only nll        one table, on the screen

Take no figure while something else runs: the sides run one after the other, and the ratios are what counts.
"""

import argparse
import dataclasses
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import mean, median
from typing import Any

import measures
import numpy as np

HERE = Path(__file__).parent
SEEDS = 5
WITHOUT_TORCH = "import dreamgen, sys; assert 'torch' not in sys.modules"
GOAL = 105.55  # nats: the test loss of the plain loop after ten epochs


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a table: what was measured, and what was hoped for."""

    work: str
    ours: str
    against: str
    theirs: str
    ratio: float
    goal: float
    beyond: float | None = None

    def cells(self) -> list[str]:
        verdict = (
            "beyond" if self.beyond and self.ratio >= self.beyond else "met" if self.ratio >= self.goal else "MISSED"
        )
        goal = f"{self.goal:.3g}" + (f" / {self.beyond:.3g}" if self.beyond else "")
        return [self.work, self.ours, self.against, self.theirs, f"{self.ratio:.2f}", goal, verdict]


def run(*command: str | Path) -> dict[str, Any]:
    """The JSON object on the last line that a command prints.

    Every side waits for its threads in the same way, the one that dreamgen sets for itself.
    """
    environment = {"GOMP_SPINCOUNT": "1000", **os.environ}
    done = subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True, env=environment)
    result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return result


def dreamgen(*arguments: str) -> dict[str, Any]:
    """One verb as a process of its own."""
    return run(sys.executable, "-m", "dreamgen", *arguments, "--json")


def train(recipe: str, seed: int, *options: str) -> dict[str, Any]:
    """A training from the command line, with its test loss, which is taken after the clock has stopped."""
    with tempfile.TemporaryDirectory() as folder:
        return dreamgen("train", "mnist", "--recipe", recipe, "--seed", str(seed), "--out", f"{folder}/run", *options)


def training(peer: str | None, rows: Path) -> list[Row]:
    """mnist-fast and the mission's ten epochs, against the plain loop, pythae and the machine."""
    before = measures.matrix_rate()
    fast, loops = [], []
    for seed in range(SEEDS):  # in turn, for a machine's speed drifts
        fast.append(train("mnist-fast", seed))
        if seed % 2 == 0:
            loops.append(run(sys.executable, HERE / "plain_loop.py", "10"))
    plain = sorted(loops, key=lambda loop: float(loop["seconds"]))[len(loops) // 2]
    usual = [train("mnist", seed, "-o", "epochs=10") for seed in range(3)]
    seconds, loss = median(r["seconds"] for r in fast), mean(r["test_loss"] for r in fast)
    worst = max(r["test_loss"] for r in fast)
    ours = f"{seconds:.2f} s, test loss {loss:.2f} (mean of {SEEDS} seeds, {worst:.2f} at most)"
    table = [
        Row(
            f"`mnist-fast`, to a test loss of {GOAL}",
            ours,
            "plain loop, 10 epochs",
            f"{plain['seconds']:.1f} s, {plain['test_loss']:.2f}",
            plain["seconds"] / seconds if loss <= GOAL else 0.0,
            12,
            20,
        )
    ]
    if peer:
        theirs = run(peer, HERE / "pythae_loop.py", rows, "train", "10")
        table.append(
            Row(
                "the same",
                ours,
                "pythae 0.1.2, 10 epochs",
                f"{theirs['seconds']:.1f} s, {theirs['test_loss']:.2f}",
                theirs["seconds"] / seconds if loss <= GOAL else 0.0,
                8,
                12,
            )
        )
    rate = max(before, measures.matrix_rate())
    floor = measures.flops_per_epoch() / rate
    epoch = seconds / fast[0]["epochs"]
    table.append(
        Row(
            "an epoch of it, all costs of the run shared out",
            f"{epoch:.2f} s",
            f"its matrix products at {rate / 1e9:.0f} GFLOP/s (bfloat16)",
            f"{floor:.2f} s",
            floor / epoch,
            1 / 3,
            1 / 2,
        )
    )
    seconds, loss = median(r["seconds"] for r in usual), mean(r["test_loss"] for r in usual)
    table.append(
        Row(
            "`mnist` for 10 epochs",
            f"{seconds:.2f} s, test loss {loss:.2f} (mean of 3 seeds)",
            "plain loop, 10 epochs",
            f"{plain['seconds']:.1f} s, {plain['test_loss']:.2f}",
            plain["seconds"] / seconds,
            3,
            6,
        )
    )
    return table


def dreams(peer: str | None, rows: Path) -> list[Row]:
    """Dreams per second, means, against the decoder's matrix products in the same precision."""
    found = measures.dreams()
    return [
        Row(
            "dreams, means, `mnist`",
            f"{found['dreams']:,.0f} a second",
            "its matrix products, float32",
            f"{found['floor']:,.0f} a second",
            found["dreams"] / found["floor"],
            0.5,
        )
    ]


def nll(peer: str | None, rows: Path) -> list[Row]:
    """log p(x) from 5,000 samples, for each image and sample."""
    ours = measures.nll(images=500)
    table = [
        Row(
            "log p(x), 5,000 samples, each image and sample",
            f"{ours['seconds'] * 1e6:.2f} µs ({ours['seconds'] * 5e7:.0f} s for 10,000 images)",
            "its matrix products, float32",
            f"{ours['floor'] * 1e6:.2f} µs",
            ours["floor"] / ours["seconds"],
            0.5,
        )
    ]
    if peer:
        theirs = run(peer, HERE / "pythae_loop.py", rows, "nll", "50")
        each = theirs["seconds_per_image_and_sample"]
        table.insert(
            0,
            dataclasses.replace(
                table[0],
                against="pythae 0.1.2, `get_nll`, 50 images",
                theirs=f"{each * 1e6:.1f} µs",
                ratio=each / ours["seconds"],
                goal=100,
                beyond=300,
            ),
        )
    return table


def rows_and_memory(peer: str | None, rows: Path) -> list[Row]:
    """Cost of a row and peak memory, from 10,000 to a million rows."""
    found = [run(sys.executable, HERE / "measures.py", str(n)) for n in (10_000, 100_000, 1_000_000)]
    table = []
    for one in found:
        own = one["peak_bytes"] - one["data_bytes"]
        table.append(
            Row(
                f"one epoch of {one['rows']:,} rows",
                f"{one['seconds']:.2f} s, {one['seconds'] / one['rows'] * 1e6:.1f} µs a row",
                "10,000 rows",
                f"{found[0]['seconds'] / found[0]['rows'] * 1e6:.1f} µs a row",
                found[0]["seconds"] / found[0]["rows"] / (one["seconds"] / one["rows"]),
                0.9,
            )
        )
        table.append(
            Row(
                "its peak memory",
                f"{one['peak_bytes'] / 1e6:.0f} MB",
                "the data and 600 MB",
                f"{one['data_bytes'] / 1e6 + 600:.0f} MB",
                600e6 / own,
                1,
            )
        )
    return table


def startup(peer: str | None, rows: Path) -> list[Row]:
    """Whole processes, as a person waits for them."""
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "`dreamgen --help`": ([sys.executable, "-m", "dreamgen", "--help"], 0.3),
            "`dreamgen dream mnist`": (
                [sys.executable, "-m", "dreamgen", "dream", "mnist", "--seed", "1", "--out", f"{folder}/dreams.png"],
                3.0,
            ),
            "`import dreamgen`": (
                [sys.executable, "-c", WITHOUT_TORCH],
                0.15,
            ),
        }
        table = []
        for name, (command, goal) in commands.items():
            seconds = median(measures.whole_process(command) for _ in range(5))
            table.append(Row(name, f"{seconds:.2f} s", "the goal", f"{goal:g} s", goal / seconds, 1))
    return table


TABLES: dict[str, Callable[[str | None, Path], list[Row]]] = {
    "training": training,
    "dreams": dreams,
    "nll": nll,
    "rows": rows_and_memory,
    "startup": startup,
}
HEADINGS = ["work", "here", "against", "theirs", "ratio", "goal / beyond", ""]


def markdown(rows: list[Row]) -> str:
    """A table; a ratio is theirs by ours for times, ours by theirs for rates: more is better."""
    lines = [HEADINGS, ["---"] * len(HEADINGS), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def machine() -> str:
    import torch

    model = next((x for x in Path("/proc/cpuinfo").read_text().splitlines() if x.startswith("model name")), "")
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return (
        f"{datetime.date.today()}, {os.cpu_count()} cores ({model.partition(':')[2].strip() or platform.machine()}), "
        f"{gpu}, Python {platform.python_version()}, torch {torch.__version__}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=TABLES, action="append", help="one of the tables; by default all")
    parser.add_argument("--peer", help="the Python of an environment with pythae 0.1.2; none: that side is left out")
    parser.add_argument("--out", type=Path, help="write the page there")
    asked = parser.parse_args()
    text = [f"Measured {machine()}."]
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "mnist.npz"
        from dreamgen import load_data

        data = load_data("mnist")
        np.savez(rows, train=data.train.x, test=data.test.x)
        for name in asked.only or TABLES:
            print(f"{name} ...", file=sys.stderr)
            text += ["", f"## {name.capitalize()}", "", markdown(TABLES[name](asked.peer, rows))]
            print("\n".join(text[-3:]), flush=True)
        if measures.has_gpu():
            text += ["", "## GPU", "", measures.gpu()]
    if asked.out:
        head = (HERE / "page.md").read_text()
        asked.out.write_text(head + "\n".join(text) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
