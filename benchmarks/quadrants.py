"""MNIST quadrants: nats for the missing part of a digit, given one, two or three quadrants, by one model.

The choice of quadrants is that of Pyro's example (https://pyro.ai/examples/cvae.html), which follows Learning
Structured Output Representation using Deep Conditional Generative Models, 2015: seen is the lower left quadrant; the
left half; all but the lower right. There one network is trained for each case. The mean over every choice of
quadrants stands beside it.

    python benchmarks/quadrants.py --quick                   a small model, a few rows: under five minutes
    python benchmarks/quadrants.py --model RUN --out FOLDER  10,000 test digits; the same command goes on

The test digits are drawn as 0 or 1 once, by a fixed seed, as `dreamgen evaluate` does. Figures are upper bounds, in
expectation, of -log p_K(missing|seen), a distribution that sums to one (`dreamgen.evaluation.conditional`).
"""

import argparse
import itertools
import json
import math
import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dreamgen import DreamGenerator, load_data
from dreamgen.config import Settings
from dreamgen.data.hiding import seen_after
from dreamgen.evaluation import binarise_rows
from dreamgen.evaluation.conditional import conditional_log_likelihood
from dreamgen.files import dump_json, make_folder, sha256, write_bytes
from dreamgen.recipes import RECIPES

CASES = {1: "124", 2: "24", 3: "4"}  # quadrants hidden, by the number seen; numbered as one reads
GOALS = {1: (72, 70), 2: (51, 49), 3: (25, 24)}
PUBLISHED = {
    "a network for each case, as published by Pyro": (100.4, 61.9, 25.4),
    "a conditional VAE for each case, as published by Pyro": (71.8, 51.0, 24.2),
}
_BLOCK = 250  # rows measured before they are written down


class Ledger:
    """What was measured so far, in a file; a figure is measured once."""

    def __init__(self, path: Path | None, identity: dict[str, Any]) -> None:
        self._path, self._identity = path, identity
        self.values: dict[str, list[list[float]]] = {}
        if path and path.exists():
            held = json.loads(path.read_text())
            if held["identity"] != identity:
                sys.exit(f"{path} holds figures of another model or seed: choose another --out")
            self.values = held["values"]

    def measure(self, generator: DreamGenerator, x: Tensor, hidden: str, samples: int) -> tuple[Tensor, Tensor]:
        """(nats by the bound, nats by the ratio) of each row, each (n,)."""
        done = self.values.setdefault(f"{hidden} K={samples}", [[], []])
        seen = seen_after(f"quadrant:{hidden}", x.shape[1:], 1)[0]
        while len(done[0]) < len(x):
            block = x[len(done[0]) : len(done[0]) + _BLOCK]
            scores = conditional_log_likelihood(generator.fitted().model, block, seen, samples)
            done[0] += (-scores.log_likelihood.double()).tolist()
            done[1] += (-scores.ratio.double()).tolist()
            self._write()
            print(
                f"hidden {hidden}, K = {samples}: {len(done[0])} of {len(x)}", end="\r", file=sys.stderr, flush=True
            )
        return torch.tensor(done[0][: len(x)]).double(), torch.tensor(done[1][: len(x)]).double()

    def _write(self) -> None:
        if self._path:
            write_bytes(self._path, dump_json({"identity": self._identity, "values": self.values}))


def figure(values: Tensor) -> str:
    """Mean and standard error."""
    return f"{values.mean():.2f} ± {values.std() / math.sqrt(len(values)):.2f}"


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main_table(ledger: Ledger, generator: DreamGenerator, x: Tensor, samples: int) -> str:
    """The row of the goals."""
    found = {seen: ledger.measure(generator, x, hidden, samples) for seen, hidden in CASES.items()}
    rows = [
        [f"one model, bound, K = {samples}", *(figure(bound) for bound, _ in found.values())],
        ["the same, difference of two bounds", *(figure(ratio) for _, ratio in found.values())],
        *([name, *map(str, values)] for name, values in PUBLISHED.items()),
        ["goal; beyond", *(f"{goal}; {beyond}" for goal, beyond in GOALS.values())],
    ]
    return table(["quadrants seen", *map(str, CASES)], rows)


def choices_table(ledger: Ledger, generator: DreamGenerator, x: Tensor, samples: int) -> str:
    """The mean over every choice of quadrants."""
    means, spreads = [], []
    for seen in CASES:
        hidden = ["".join(choice) for choice in itertools.combinations("1234", 4 - seen)]
        each = [ledger.measure(generator, x, choice, samples)[0] for choice in hidden]
        means.append(figure(torch.stack(each).mean(0)))
        extremes = sorted((float(values.mean()), choice) for values, choice in zip(each, hidden, strict=True))
        spreads.append(f"{extremes[0][0]:.1f} to {extremes[-1][0]:.1f}")
    return table(["quadrants seen", *map(str, CASES)], [["mean of all choices", *means], ["range", *spreads]])


def samples_table(ledger: Ledger, generator: DreamGenerator, x: Tensor, numbers: list[int]) -> str:
    """How both estimates go with K."""
    rows = []
    for samples in numbers:
        both = [ledger.measure(generator, x, hidden, samples) for hidden in CASES.values()]
        rows.append([str(samples), *(f"{bound.mean():.2f} / {ratio.mean():.2f}" for bound, ratio in both)])
    return table(["K", *(f"{seen} seen: bound / difference" for seen in CASES)], rows)


def quick_model(seed: int) -> DreamGenerator:
    """A small model, trained in about a minute."""
    small: Settings = RECIPES["mnist-pieces"].settings.replace(
        epochs=12, hidden_dim=[256, 256], latent_dim=20, objective="elbo", average=0.99
    )
    return DreamGenerator.from_settings(small, device="cpu", random_state=seed).fit(load_data("mnist").train.x)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few rows, and a small model unless --model")
    parser.add_argument("--model", type=Path, help="folder of a model trained with the recipe mnist-pieces")
    parser.add_argument("--rows", type=int, help="test digits; by default 10,000, and 200 with --quick")
    parser.add_argument("--samples", type=int, help="K; by default 500, and 50 with --quick")
    parser.add_argument("--most", type=int, default=5000, help="the largest K of the last table, but for --quick")
    parser.add_argument("--part", choices=["test", "validation"], default="test", help="validation: to choose by")
    parser.add_argument("--out", type=Path, help="folder for figures; a second call goes on")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if not given.quick and given.model is None:
        parser.error("expected --model or --quick")
    rows, samples = given.rows or (200 if given.quick else 10_000), given.samples or (50 if given.quick else 500)

    started, digits = time.perf_counter(), load_data("mnist")
    generator = DreamGenerator.load(given.model, "cpu") if given.model else quick_model(given.seed)
    x = digits.test.x if given.part == "test" else validation_rows(generator, digits.train.x)
    x = binarise_rows(torch.from_numpy(x[:rows].copy()), given.seed)
    weights = sha256((given.model / "model.safetensors").read_bytes()) if given.model else "quick"
    identity = {"weights": weights, "seed": given.seed, "part": given.part}
    ledger = Ledger(make_folder(given.out) / "quadrants.json" if given.out else None, identity)

    few = x[: max(len(x) // 20, 50)]
    pages = [
        f"{len(x):,} {given.part} digits, drawn as 0 or 1 once with seed {given.seed}; nats, ± standard error.",
        main_table(ledger, generator, x, samples),
        f"Every choice of quadrants, {len(few):,} digits:",
        choices_table(ledger, generator, few, samples),
        f"Samples, {len(few):,} digits:",
        samples_table(ledger, generator, few, sorted({1, 10, samples, *([] if given.quick else [given.most])})),
        f"{time.perf_counter() - started:.0f} s at {torch.get_num_threads()} threads.",
    ]
    page = "\n\n".join(pages) + "\n"
    print(page)
    if given.out:
        write_bytes(given.out / "quadrants.md", page.encode())


def validation_rows(generator: DreamGenerator, train: Any) -> Any:
    """The rows that training held out."""
    from dreamgen.training.fit import split_rows

    settings = generator.fitted().settings
    held_out, _ = split_rows(len(train), settings.validation, int(generator.seed_ or 0))
    return train[held_out.numpy()]


if __name__ == "__main__":
    main()
