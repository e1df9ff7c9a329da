"""Climbing among codes beside a genetic algorithm on graphs: the same starts, wall, size, oracle and calls.

    python benchmarks/molecules_climb.py --model RUN                 800 starts, hours
    python benchmarks/molecules_climb.py --model RUN --starts 20     minutes
    python benchmarks/molecules_climb.py --starts 20 --apart         by each way of making molecules alone

The task is that of Junction Tree Variational Autoencoder, 2018, https://arxiv.org/abs/1802.04364: raise penalised
logP of the 800 molecules of ZINC250k's test part that have least of it, and stay at a similarity of 0.4 or more.
There it is .84 ± 1.45 with 83.6% success, which is not from this run and cannot be held beside it: the authors' code
raises logP - SA as they are, without the penalty of rings, and measures similarity on counts that are not folded to
2048 bits. Two things hold here for both sides: every molecule whose true value was asked counts as a call, and none
may have more than 38 heavy atoms (or than its start), for similarity alone does not stop a chain of carbon from
growing. The genetic algorithm makes no ring of more than six atoms where its start has none, as is usual with it.

Each start is climbed from on its own: nothing that was asked for one is known to another. A start that the model
cannot write stays where it is, and counts as a failure.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from molecule_ga import search

from dreamgen import DreamGenerator, load_data
from dreamgen.applications.molecules.climb import ATOMS, CALLS, SIMILARITY, climb
from dreamgen.applications.molecules.oracle import Goal, Oracle
from dreamgen.applications.molecules.proposals import USUAL_WAYS, WAYS
from dreamgen.chemistry.properties import properties_of

GOAL = "penalised_logP_normalised"
_LOWEST = 800
_CURVE = (50, 100, 200, 500)
Row = tuple[float, float, int, list[float]]  # improvement, similarity, calls, improvement after fewer calls


def lowest(n: int, file: Path | None) -> list[str]:
    """n of the 800 lowest test molecules, spread evenly from the lowest to the highest of them."""
    test = file.read_text().split() if file else load_data("zinc250k").test.x.tolist()
    order = np.argsort(properties_of(test, [GOAL])[:, 0], kind="stable")[:_LOWEST]
    return [test[row] for row in order[np.linspace(0, len(order) - 1, min(n, len(order))).astype(int)]]


def curve(values: Sequence[float]) -> list[float]:
    """The improvement after some calls, of values in the order of the calls."""
    return [max(values[:calls]) - values[0] for calls in _CURVE]


def climbed(
    generator: DreamGenerator,
    starts: list[str],
    calls: int,
    similarity: float,
    seed: int,
    ways: Sequence[str] = USUAL_WAYS,
) -> list[Row]:
    """What climbing among codes finds from each."""
    can = generator.can_read(starts)
    readable = [start for start, good in zip(starts, can, strict=True) if good]
    found = climb(generator, readable, GOAL, similarity=similarity, calls=calls, seed=seed, ways=ways, watch=_watch)
    rows: list[Row] = []
    for one in found:
        after = [max(s.value for s in one.path if s.calls <= n) - one.start_value for n in _CURVE]
        rows.append((one.improvement, one.similarity, one.calls, after))
    left: Row = (0.0, 1.0, 0, [0.0] * len(_CURVE))
    return rows + [left] * (len(starts) - len(readable))


def evolved(starts: list[str], calls: int, similarity: float, seed: int) -> list[Row]:
    """What the genetic algorithm finds from each."""
    rows: list[Row] = []
    for number, start in enumerate(starts):
        oracle = Oracle(Goal(GOAL))
        found = search(start, oracle, similarity=similarity, calls=calls, atoms=ATOMS, seed=seed + number)
        values = list(oracle.answers.values())
        rows.append((found.value - values[0], found.similarity, found.calls, curve(values)))
        _watch(number + 1, len(starts))
    return rows


def _watch(done: int, most: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{done} of {most}", end="", file=sys.stderr)


def summary(rows: Sequence[Row], seconds: float) -> dict[str, Any]:
    """Means over the starts."""
    gain = np.array([row[0] for row in rows])
    return {
        "starts": len(rows),
        "gain": float(gain.mean()),
        "sd": float(gain.std()),
        "success": float((gain > 0).mean()),
        "similarity": float(np.mean([row[1] for row in rows])),
        "calls": float(np.mean([row[2] for row in rows])),
        **{f"gain@{n}": float(np.mean([row[3][i] for row in rows])) for i, n in enumerate(_CURVE)},
        "seconds": seconds,
    }


def table(report: dict[str, dict[str, Any]]) -> str:
    """The same for a person."""
    names = list(next(iter(report.values())))
    lines = [f"{'':<18}" + "".join(f"{name:>11}" for name in names)]
    for side, figures in report.items():
        lines.append(f"{side:<18}" + "".join(f"{figures[name]:>11.4g}" for name in names))
    return "\n".join(lines)


def main() -> None:
    """Parse, climb, evolve, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="zinc250k", help="a folder, or a model that ships")
    parser.add_argument("--starts", type=int, default=_LOWEST, help="of the 800 lowest, how many")
    parser.add_argument("--smiles", type=Path, help="a file of SMILES, one a line, in place of the test part")
    parser.add_argument("--similarity", type=float, default=SIMILARITY)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--apart", action="store_true", help="also by each way of making molecules alone")
    parser.add_argument("--json", action="store_true", help="one JSON object in place of the table")
    arguments = parser.parse_args()
    generator, starts = DreamGenerator.load(arguments.model), lowest(arguments.starts, arguments.smiles)
    how = (arguments.calls, arguments.similarity, arguments.seed)
    report = {}
    sides: dict[str, Callable[[], list[Row]]] = {
        "codes": lambda: climbed(generator, starts, *how),
        "graphs": lambda: evolved(starts, *how),
    }
    if arguments.apart:
        sides |= {f"{way} alone": partial(climbed, generator, starts, *how, ways=(way,)) for way in WAYS}
    for side, run in sides.items():
        began = time.perf_counter()
        report[side] = summary(run(), time.perf_counter() - began)
        print(table({side: report[side]}), file=sys.stderr)
    print(json.dumps(report) if arguments.json else table(report))


if __name__ == "__main__":
    main()
