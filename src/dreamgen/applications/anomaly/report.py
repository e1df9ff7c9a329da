"""A table judged row by row: the columns that a judgement adds, and the report on it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from dreamgen.applications.anomaly.detector import AnomalyDetector
from dreamgen.applications.anomaly.features import Floats
from dreamgen.applications.anomaly.oddities import Oddity
from dreamgen.evaluation.conformal import p_values_of
from dreamgen.reports import Report
from dreamgen.reports.pictures import as_numbers
from dreamgen.reports.pictures import scores as histogram

ADDED = ("odd", "oddness", "p_value", "why")
_KEPT = 200_000  # scores of which a histogram is drawn
_LISTED = 50  # rows in a report
_ROWS_NOTE = (
    f"At most {_LISTED} rows are listed; all are in the judged table. They are counted from 1. Expected are 90% "
    "intervals of numbers and the likeliest category, given the rest of the row."
)


@dataclass
class Judged:
    """What was met so far, however many rows there were.

    Attributes:
        rows, odd: counts.
        known: rows that are equal to rows of the training.
        scores: of the first rows, for a histogram.
        columns: how many odd rows each column made odd, first or beside others.
        oddest: the oddest rows: score, p-value, number, why.
    """

    rows: int = 0
    odd: int = 0
    known: int = 0
    scores: list[Floats] = field(default_factory=list)
    columns: Counter[str] = field(default_factory=Counter)
    oddest: list[tuple[float, float, int, str]] = field(default_factory=list)

    def add(self, scores: Floats, p: Floats, why: Sequence[Sequence[Oddity]], flagged: Any) -> None:
        """Take in a batch."""
        if self.rows < _KEPT:
            self.scores.append(scores[: _KEPT - self.rows])
        for i in np.flatnonzero(flagged).tolist():
            self.columns.update(dict.fromkeys((one.column for one in why[i]), 1))
            self.oddest.append((float(scores[i]), float(p[i]), self.rows + i + 1, spoken(why[i])))
        self.oddest = sorted(self.oddest, key=lambda row: (-row[0], row[2]))[:_LISTED]
        self.rows += len(scores)
        self.odd += int(np.sum(flagged))


def spoken(why: Sequence[Oddity]) -> str:
    """Reasons as one text."""
    return "; ".join(map(str, why))


def names_for(names: Sequence[str]) -> list[str]:
    """The names of the added columns: with as many underscores as it takes to be new."""
    found = []
    for name in ADDED:
        while name in names:
            name += "_"
        found.append(name)
    return found


def judge(detector: AnomalyDetector, table: pa.Table, most: int, tally: Judged) -> pa.Table:
    """The rows with 1 or 0 for odd, the score, its p-value and the reasons of those that are odd."""
    scores = detector.judged(table)
    tally.known += int(detector.learned_from(table).sum())
    p = p_values_of(detector.held_out_scores_, scores)
    flagged = scores > detector.threshold_
    why: list[list[Oddity]] = [[] for _ in range(len(scores))]
    if most and flagged.any():
        why = detector.explain(table, rows=flagged, most=most)
    tally.add(scores, p, why, flagged)
    added = [
        pa.array(flagged.astype(np.int8)),
        pa.array(scores),
        pa.array(p),
        pa.array([spoken(one) or None for one in why], pa.string()),
    ]
    for name, column in zip(names_for(table.column_names), added, strict=True):
        table = table.append_column(name, column)
    return table


def detection_report(detector: AnomalyDetector, tally: Judged, source: str, notes: Sequence[str]) -> Report:
    """What was flagged, why, and how far the threshold can be trusted."""
    report = Report("Odd rows", source)
    rate, held_out = detector.contamination, detector.calibration_rows_
    report.facts(
        {
            "rows": tally.rows,
            "odd": tally.odd,
            "share that is odd": tally.odd / max(tally.rows, 1),
            "expected of rows like those learned from": rate,
            "learned from": f"{detector.rows_:,} rows of {detector.n_features_in_:,} columns",
            "score": detector.score,
            "threshold": detector.threshold_,
            "held-out rows it rests on": held_out,
            "seed": detector.seed_,
        }
    )
    for note in notes:
        report.warn(note)
    report.section("Scores")
    values = {"held-out rows": detector.held_out_scores_, "these rows": np.concatenate([*tally.scores, np.empty(0)])}
    values = {name: scores for name, scores in values.items() if len(scores)}
    report.figure(
        "How odd rows are",
        histogram(values, detector.threshold_, "oddness"),
        note="Oddness is surprise: about -log of the share of usual rows that score as high.",
        data=as_numbers({"oddness": values}),
    )
    if tally.columns:
        report.section("Columns")
        counts = [{"column": name, "odd rows": n} for name, n in tally.columns.most_common()]
        report.table("How many odd rows a column made odd", counts)
    if tally.oddest:
        report.section("Rows")
        rows = [{"row": n, "oddness": s, "p": p, "why": why or None} for s, p, n, why in tally.oddest]
        report.table("The oddest", rows, _ROWS_NOTE)
    return report


def facts(detector: AnomalyDetector, tally: Judged) -> dict[str, Any]:
    """The same as plain values."""
    return {
        "rows": tally.rows,
        "odd": tally.odd,
        "score": detector.score,
        "threshold": detector.threshold_,
        "held_out": detector.calibration_rows_,
        "columns": dict(tally.columns.most_common()),
        "oddest": [{"row": n, "oddness": s, "p_value": p, "why": why} for s, p, n, why in tally.oddest[:10]],
    }
