"""Odd windows of sensor logs, heart beats and engines near their end, beside IsolationForest on the same rows.

    python benchmarks/anomaly_series.py            five seeds of everything
    python benchmarks/anomaly_series.py --quick    one seed, six logs

Data: DREAMGEN_DATA/timeseries (Numenta Anomaly Benchmark, ECG5000, C-MAPSS FD001). Nothing is chosen on test labels:
the windows' length and numbers were chosen on the three logs in DEVELOPMENT, which the summary leaves out, and the
engines' windows on the half of the engines that is learned from.
"""

import argparse
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from dreamgen import AnomalyDetector
from dreamgen.tables import Windows, windows
from dreamgen.tables.cells import numbers

SEEDS = 5
DEVELOPMENT = (
    "realAWSCloudwatch__ec2_cpu_utilization_825cc2",
    "realTraffic__speed_6005",
    "realKnownCause__ec2_request_latency_system_failure",
)
QUICK = 6
WINDOW = 48
LEARNED = 0.4  # of a log: its beginning, unlabelled
FALSE_ALARMS = 0.05
CYCLES, LATE = 16, 30  # of an engine: in a window, and before its end

Rows = dict[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Task:
    """Rows to learn from and rows to judge.

    Attributes:
        train, test: columns by name.
        odd: (m,) of the test rows: 1 odd, 0 normal, -1 neither (a window that holds a little of an odd stretch).
        events: numbers of the test rows that touch each odd stretch.
    """

    name: str
    train: Rows
    test: Rows
    odd: np.ndarray[Any, Any]
    events: Sequence[np.ndarray[Any, Any]] = ()


def folder() -> Path:
    """Where the logs are."""
    return Path(os.environ["DREAMGEN_DATA"]) / "timeseries"


def nab(path: Path) -> Task | None:
    """A log of the Numenta benchmark; None where nothing odd is left to find after the part that is learned from."""
    log = pd.read_csv(path)
    known, cut = log["anomaly_window"].to_numpy(bool), int(LEARNED * len(log))
    train, test = described(log[:cut], ["value"], WINDOW, WINDOW // 12), described(log[cut:], ["value"], WINDOW)
    share = known[cut:][test.places].mean(1)
    odd = np.where(share >= 0.5, 1, np.where(share > 0, -1, 0))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], known[cut:], [0]]))).reshape(-1, 2)
    starts = test.places[:, 0]
    events = [np.flatnonzero((starts < end) & (starts + WINDOW > first)) for first, end in edges]
    if not (odd == 1).any():
        return None
    rows = varying(columns_of(train), columns_of(test))
    return Task(path.name.removeprefix("nab_").removesuffix(".csv.gz"), *rows, odd, events)


def described(log: pd.DataFrame, columns: Sequence[str], length: int, stride: int = 0, **beside: str) -> Windows:
    """Windows in numbers, a new one every quarter of the length by default."""
    return windows(log, length, stride or length // 4, columns=columns, values=False, features=True, **beside)


def columns_of(made: Windows) -> Rows:
    """The numbers by name."""
    return {name: numbers(made.table.column(name)) for name in made.table.column_names}


def ecg() -> Task:
    """Heart beats of 140 points: half of the normal ones (class 1) are learned from."""
    with np.load(folder() / "ecg5000_train.npz") as file:
        series, label = file["series"].astype(float), file["label"]
    normal = np.random.default_rng(0).permutation(np.flatnonzero(label == 1))
    train, held = normal[: len(normal) // 2], np.flatnonzero(label != 1)
    test = np.concatenate([normal[len(normal) // 2 :], held])
    columns = {f"t{i}": series[:, i] for i in range(series.shape[1])}
    rows = ({name: x[part] for name, x in columns.items()} for part in (train, test))
    return Task("ECG5000, class 1 normal", *varying(*rows), (label[test] != 1).astype(int))


def cmapss() -> Task:
    """Engines: windows of the early halves of half of them are learned from; of the others, the end is odd."""
    log = pd.read_csv(folder() / "cmapss_fd001_train.csv.gz")
    sensors = [name for name in log.columns if name not in ("unit", "cycle") and log[name].nunique() > 1]
    units = np.random.default_rng(0).permutation(log["unit"].unique())
    place = pd.Series(np.arange(len(units)), index=units)
    made = described(log, sensors, CYCLES, group="unit", time="cycle")
    unit, end = (made.beside.column(name).to_numpy() for name in ("group", "end"))
    life, place_of = log.groupby("unit").size()[unit].to_numpy(), place[unit].to_numpy()
    early, late = end <= life // 2, end - CYCLES >= life - LATE
    order, learned = np.argsort(place_of, kind="stable"), place_of < len(units) // 2
    train, test = (order[chosen[order]] for chosen in (learned & early, ~learned & (early | late)))
    rows = ({name: x[part] for name, x in columns_of(made).items()} for part in (train, test))
    return Task("C-MAPSS FD001, late life", *varying(*rows), late[test].astype(int))


def varying(train: Rows, test: Rows) -> tuple[Rows, Rows]:
    """Rows without the columns that are constant where a model learns."""
    names = [name for name, x in train.items() if len(np.unique(x[~np.isnan(x)])) > 1]
    return {name: train[name] for name in names}, {name: test[name] for name in names}


def forest(train: Rows, test: Rows, seed: int) -> np.ndarray[Any, Any]:
    """scikit-learn's IsolationForest as it comes."""
    x, y = (np.column_stack(list(rows.values())) for rows in (train, test))
    return -IsolationForest(random_state=seed).fit(x).score_samples(y)


def detector(train: Rows, test: Rows, seed: int) -> np.ndarray[Any, Any]:
    """Ours as it comes."""
    scores: np.ndarray[Any, Any] = AnomalyDetector(random_state=seed).fit(train).decision_function(test)
    return scores


def measure(task: Task, scores: np.ndarray[Any, Any]) -> dict[str, float]:
    """AUROC; and where 5% of the normal rows are flagged, the share of odd rows and of odd stretches that are."""
    known = task.odd >= 0
    threshold = np.quantile(scores[task.odd == 0], 1 - FALSE_ALARMS)
    found = {
        "auroc": float(roc_auc_score(task.odd[known], scores[known])),
        "recall": float((scores[task.odd == 1] > threshold).mean()),
    }
    if task.events:
        found["stretches"] = float(np.mean([(scores[rows] > threshold).any() for rows in task.events]))
    return found


def tasks(quick: bool) -> list[Task]:
    """The tasks in the order of their names; quick: six logs, ECG5000 and C-MAPSS."""
    paths = sorted(folder().glob("nab_*.csv.gz"))
    logs = [task for path in paths if (task := nab(path)) is not None]
    chosen = [task for task in logs if task.name not in DEVELOPMENT]
    if quick:
        chosen = chosen[:: -(-len(chosen) // QUICK)]
        logs = chosen
    return [*logs, ecg(), cmapss()]


def run(quick: bool = False, seeds: int = SEEDS) -> list[dict[str, Any]]:
    """A row for each task: means over seeds of ours and of IsolationForest's.

    Args:
        quick: fewer logs, and one seed.
        seeds: of both sides.
    """
    rows = []
    for task in tasks(quick):
        row: dict[str, Any] = {
            "data": task.name,
            "rows": len(next(iter(task.train.values()))),
            "judged": len(task.odd),
        }
        row["development"] = task.name in DEVELOPMENT
        for side, score in (("ours", detector), ("forest", forest)):
            each = [measure(task, score(task.train, task.test, seed)) for seed in range(1 if quick else seeds)]
            row |= {f"{name} {side}": float(np.mean([one[name] for one in each])) for name in each[0]}
        rows.append(row)
        print(" ".join(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()), flush=True)
    return rows


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """On how many tasks that chose nothing ours is at least as good, and the means over the logs among them."""
    judged = [row for row in rows if not row["development"]]
    logs = [row for row in judged if "stretches ours" in row]
    found: dict[str, Any] = {"tasks": len(judged)}
    for name in ("auroc", "recall"):
        found[f"{name}: as good or better"] = sum(row[f"{name} ours"] >= row[f"{name} forest"] for row in judged)
    for name in ("auroc", "recall", "stretches"):
        for side in ("ours", "forest"):
            found[f"{name} {side}, mean of {len(logs)} logs"] = float(
                np.mean([row[f"{name} {side}"] for row in logs])
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed, six logs")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--json", type=Path, help="write the rows there")
    options = parser.parse_args()
    rows = run(options.quick, options.seeds)
    print(json.dumps(summary(rows), indent=2))
    if options.json:
        options.json.write_text(json.dumps({"rows": rows, "summary": summary(rows)}, indent=2))


if __name__ == "__main__":
    main()
