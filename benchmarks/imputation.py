"""Gaps filled by us and by the peers, in one run, over the same holes.

    python benchmarks/imputation.py --out runs/imputation             everything, resumable
    python benchmarks/imputation.py --quick                           under five minutes on two cores
    python benchmarks/imputation.py --only wdbc --json -

Three tasks. `wdbc`: half of the cells of a table missing, and filled in that same table, as MIWAE measured it (MIWAE:
Deep Generative Modelling and Imputation of Incomplete Data, 2018, https://arxiv.org/abs/1812.02633). `tables`: ten
tables, 30% and 50% missing completely at random in the train and in the test part, both filled after a fit on the
train part alone. `logs`: blocks of sensor logs hidden.
"""

import argparse
import functools
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from imputing import logs, measures, page, peers, tables
from imputing.cache import Cache, Found
from imputing.ours import Ours

SHARES = (0.3, 0.5)
QUICK_TABLES = ("banknote", "concrete", "heart")


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    Attributes:
        seed: of the split and of the holes, the same for everybody.
        seeds: of our models.
        quick: fewer and smaller tables and shorter trainings.
        rows: of each table, at most.
        settings: of our model, beside its defaults.
    """

    seed: int
    seeds: tuple[int, ...]
    quick: bool
    rows: int
    settings: dict[str, Any]

    @property
    def names(self) -> tuple[str, ...]:
        return QUICK_TABLES if self.quick else tuple(tables.SOURCES)

    def methods(self) -> dict[str, Callable[[], Any]]:
        """Ours once for each seed, then the peers, by the name of the result."""
        ours = {f"dreamgen {seed}": functools.partial(Ours, seed, **self.settings) for seed in self.seeds}
        return ours | {name: functools.partial(make, self.seed) for name, make in peers.PEERS.items()}


def wdbc(plan: Plan, cache: Cache) -> list[Found]:
    """MSE of the hidden cells of the matrix that was fitted."""
    whole = tables.wdbc()
    hidden = whole.hide(0.5, np.random.default_rng([plan.seed, 2]))

    def measure(make: Callable[[], Any]) -> Found:
        rmse = measures.errors(whole, hidden, make().fit(hidden).fill(hidden))["rmse"]
        return {"mse": float(rmse or 0) ** 2}

    return [
        {"task": "wdbc", "method": name, **cache.get(f"wdbc {plan.seed} {name}", functools.partial(measure, make))}
        for name, make in plan.methods().items()
    ]


def tables_task(plan: Plan, cache: Cache) -> list[Found]:
    """RMSE, error rate and coverage, on the train part and on rows never seen."""
    found = []
    for name in plan.names:
        train, test = tables.load(name, plan.seed, plan.rows)
        for share in SHARES:
            random = np.random.default_rng([plan.seed, 2, round(100 * share)])
            holes = train.hide(share, random), test.hide(share, random)
            for method, make in plan.methods().items():
                measured = cache.get(
                    f"{name} {share} {plan.seed} {method}", functools.partial(_table, make, (train, test), holes)
                )
                found.append({"task": "tables", "table": name, "share": share, "method": method, **measured})
    return found


def _table(
    make: Callable[[], Any], whole: tuple[tables.Table, tables.Table], hidden: tuple[tables.Table, tables.Table]
) -> Found:
    method = make().fit(hidden[0])
    found: Found = {}
    for part, x, gaps in zip(("train", "test"), whole, hidden, strict=True):
        found[part] = measures.errors(x, gaps, method.fill(gaps))
    if isinstance(method, Ours):
        found["intervals"] = measures.coverage(whole[1], hidden[1], *method.bounds(hidden[1], 0.9))
    return found


def logs_task(plan: Plan, cache: Cache) -> list[Found]:
    """RMSE of the hidden blocks."""
    found = []
    for name, read in logs.LOGS.items():
        log = read(2000 if plan.quick else 20_000)
        hidden = log.hide(np.random.default_rng([plan.seed, 3]))
        ours = {f"dreamgen {seed}": logs.ours(seed, **plan.settings) for seed in plan.seeds}
        for method, fill in (ours | logs.peers(plan.seed)).items():
            measured = cache.get(
                f"{name} {plan.seed} {method}",
                functools.partial(
                    lambda fill, log, hidden: logs.score(log, hidden, fill(log, hidden)), fill, log, hidden
                ),
            )
            found.append({"task": "logs", "table": name, "method": method, **measured})
    return found


TASKS: dict[str, Callable[[Plan, Cache], list[Found]]] = {"wdbc": wdbc, "tables": tables_task, "logs": logs_task}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=TASKS, action="append", help="one of the tasks; by default all")
    parser.add_argument("--quick", action="store_true", help="three small tables, one seed of ours, short trainings")
    parser.add_argument("--seed", type=int, default=0, help="of the split and the holes")
    parser.add_argument("--seeds", type=int, default=5, help="how many models of ours")
    parser.add_argument("--rows", type=int, help=f"of each table, at most; by default {tables.MOST_ROWS:,}")
    parser.add_argument("--out", type=Path, help="a folder that keeps what is measured; a run takes up what is there")
    parser.add_argument("--json", type=Path, help="write all figures there; - for the screen")
    asked = parser.parse_args()
    peers.quiet()
    settings = {"steps": 500, "samples": 100} if asked.quick else {}
    rows = asked.rows or (600 if asked.quick else tables.MOST_ROWS)
    plan = Plan(asked.seed, (0,) if asked.quick else tuple(range(asked.seeds)), asked.quick, rows, settings)
    cache = Cache(asked.out / f"{'quick' if asked.quick else 'full'}-{rows}" if asked.out else None)
    found = [row for task in asked.only or TASKS for row in TASKS[task](plan, cache)]
    text = page.markdown(found)
    if asked.json == Path("-"):
        print(json.dumps(found))
    else:
        if asked.json:
            asked.json.write_text(json.dumps(found, indent=1))
        print(text)
    if asked.out:
        (asked.out / "imputation.md").write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
