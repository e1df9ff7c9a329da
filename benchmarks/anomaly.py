"""Odd rows of tables: AnomalyDetector and its peers over the ADBench sets, both sides in one run.

    DREAMGEN_DATA=DATA python benchmarks/anomaly.py --out runs/anomaly --write docs/anomaly.md
    DREAMGEN_DATA=DATA python benchmarks/anomaly.py --quick
    ... --peer PYTHON                             PyOD's VAE too, one seed, by the Python of its own environment
    ... --only cardio --only http --seed 3        some of the sets, one seed

Duplicates are removed before the split; half of the normal rows train, the rest and all anomalies are the test; the
standardisation is the training part's. Then everything trains, unlabelled, and is judged itself. Each set and seed is
kept in --out when it is finished, and the same command goes on from there.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("GOMP_SPINCOUNT", "1000")

from anomalies import peers, sets
from anomalies.page import page
from anomalies.sets import LARGE, QUICK, SMALL, Split

SEEDS = 5
QUICK_ROWS = 1000  # of each kind
SETTINGS: dict[str, Callable[[str, int, int | None], Split]] = {
    "normal": sets.normals_only,
    "mixed": sets.unlabelled,
}


def ours(split: Split, seed: int, seen: bool, python: str | None) -> dict[str, Any]:
    """Our scores and alarms."""
    from anomalies.ours import measure

    return measure(split, seed, seen)


def theirs(split: Split, seed: int, seen: bool, python: str | None) -> dict[str, Any]:
    """scikit-learn's side."""
    from anomalies.ours import auroc

    found: dict[str, float] = {}
    for peer in peers.PEERS:
        found |= {name: auroc(split, scores) for name, scores in peer(split, seed, seen).items()}
    return {"auroc": found}


def pyod(split: Split, seed: int, seen: bool, python: str | None) -> dict[str, Any]:
    """PyOD's side."""
    from anomalies.ours import auroc

    assert python is not None
    return {"auroc": {"PyOD VAE": auroc(split, peers.pyod_vae(python, split, seed))}}


SIDES = {"peers": theirs, "ours": ours, "pyod": pyod}


def obtain(folder: Path | None, name: str, compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A result that was kept, or a new one, which is kept."""
    path = folder / f"{name}.json" if folder else None
    if path and path.is_file():
        kept: dict[str, Any] = json.loads(path.read_text())
        return kept
    started = time.perf_counter()
    result = compute()
    print(f"{name}: {time.perf_counter() - started:.1f} s", file=sys.stderr, flush=True)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".next").write_text(json.dumps(result))
        path.with_suffix(".next").replace(path)
    return result


def one(setting: str, name: str, seed: int, asked: argparse.Namespace) -> dict[str, Any]:
    """All sides of one set and seed, merged."""
    most = QUICK_ROWS if asked.quick else None
    made: list[Split] = []

    def split() -> Split:
        made[:] = made or [SETTINGS[setting](name, seed, most)]
        return made[0]

    merged: dict[str, Any] = {"seed": seed, "auroc": {}}
    for side, measure in SIDES.items():
        if side == "pyod" and (not asked.peer or seed != asked.seeds[0]):
            continue
        key = f"{setting}-{name}-{seed}-{side}" + ("-quick" if asked.quick else "")
        found = obtain(asked.out, key, lambda m=measure: m(split(), seed, setting == "mixed", asked.peer))
        merged = {**merged, **found, "auroc": merged["auroc"] | found["auroc"]}
    return merged


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="some sets, 1,000 rows of each kind, one seed")
    parser.add_argument("--only", action="append", choices=LARGE + SMALL, metavar="SET", help="repeatable")
    parser.add_argument("--setting", choices=SETTINGS, help="only this one: normal rows, or everything unlabelled")
    parser.add_argument("--seed", type=int, action="append", help=f"repeatable; by default 0 to {SEEDS - 1}")
    parser.add_argument("--peer", help="the Python of an environment with PyOD; none: that side is left out")
    parser.add_argument("--out", type=Path, help="keep each finished set and seed there, and go on from there")
    parser.add_argument("--write", type=Path, help="write the page there")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead of the page")
    asked = parser.parse_args()
    asked.seeds = asked.seed or ([0] if asked.quick else list(range(SEEDS)))
    names = asked.only or (QUICK if asked.quick else SMALL + LARGE)
    results: dict[str, dict[str, list[dict[str, Any]]]] = {setting: {} for setting in SETTINGS}
    for setting in [asked.setting] if asked.setting else SETTINGS:
        for name in names:
            results[setting][name] = [one(setting, name, seed, asked) for seed in asked.seeds]
    text = page(results["normal"], results["mixed"])
    if asked.write:
        asked.write.write_text(text)
    print(json.dumps(results) if asked.json else text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
