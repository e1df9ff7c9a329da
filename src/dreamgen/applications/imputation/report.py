"""What filling did to a table, column by column, collected while its rows go by."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dreamgen.applications.imputation.imputer import Imputer
from dreamgen.reports import Report
from dreamgen.tables.cells import Floats, family, is_missing, numbers, one_chunk

_KEPT = 20_000  # numbers of a column that a histogram is drawn from
_PANELS = 24
_VALUES = 1000  # of a column of categories that are counted; one of more holds names or notes


@dataclass
class ColumnTally:
    """Counts of one column, and some of its numbers."""

    missing: int = 0
    left: int = 0
    observed: list[Floats] = field(default_factory=list)
    filled: list[Floats] = field(default_factory=list)
    words: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))

    def keep(self, kept: list[Floats], values: Floats) -> None:
        """The first numbers, up to a limit."""
        room = _KEPT - sum(map(len, kept))
        if room > 0 and len(values):
            kept.append(values[:room])

    def count(self, old: Any, new: Any, gone: NDArray[np.bool_]) -> None:
        """Categories that were observed, and those that were filled in."""
        for counter, values, where in ((self.words[0], old, ~gone), (self.words[1], new, gone)):
            if len(counter) <= _VALUES and where.any():
                found = pc.value_counts(one_chunk(values).filter(pa.array(where)))
                counter.update({str(one["values"]): one["counts"] for one in found.to_pylist()[: _VALUES + 1]})

    @property
    def shares(self) -> dict[str, dict[str, float]]:
        """Shares of categories observed and filled in; empty where nothing was filled or values are too many."""
        if not self.words[1] or max(map(len, self.words)) > _VALUES:
            return {}
        named = zip(("observed", "filled"), self.words, strict=True)
        return {name: {word: n / held.total() for word, n in held.items()} for name, held in named if held}


@dataclass
class Filled:
    """What came in and what went out, over all batches."""

    rows: int = 0
    columns: dict[str, ColumnTally] = field(default_factory=dict)

    def add(self, before: Any, after: Any) -> None:
        """Count a batch: Arrow tables before and after."""
        self.rows += before.num_rows
        for name in before.column_names:
            tally = self.columns.setdefault(name, ColumnTally())
            old, new = before.column(name), after.column(name)
            is_number = family(one_chunk(old).type) == "number"
            gone = is_missing(old) | np.isinf(numbers(old)) if is_number else is_missing(old)
            tally.missing += int(gone.sum())
            tally.left += int(is_missing(new).sum())
            if is_number:
                values = numbers(new)
                tally.keep(tally.observed, values[~gone & np.isfinite(values)])
                tally.keep(tally.filled, values[gone & np.isfinite(values)])
            elif family(one_chunk(old).type) in ("text", "boolean"):
                tally.count(old, new, gone & ~is_missing(new))

    @property
    def missing(self) -> int:
        """Empty cells that came in, and infinite ones."""
        return sum(column.missing for column in self.columns.values())

    @property
    def left(self) -> int:
        """Empty cells that went out."""
        return sum(column.left for column in self.columns.values())

    def to_dict(self) -> dict[str, Any]:
        """Counts, ready for JSON."""
        return {
            "rows": self.rows,
            "missing": self.missing,
            "filled": self.missing - self.left,
            "left": self.left,
            "missing_by_column": {name: column.missing for name, column in self.columns.items() if column.missing},
        }


def imputation_report(imputer: Imputer, tally: Filled, source: str, notes: list[str], draws: int | None) -> Report:
    """A report: what was missing and filled, whether intervals hold, and the numbers before and after."""
    report = Report("Gaps filled", source)
    facts: Mapping[str, Any] = {
        "rows": tally.rows,
        "columns": len(tally.columns),
        "empty cells": tally.missing,
        "filled": tally.missing - tally.left,
        "still empty": tally.left,
        "with": "the mean of numbers, the likeliest category" if draws is None else f"{draws} draws",
        "seed": imputer.seed_,
    }
    report.facts(facts)
    if not tally.missing:
        report.say("No cell was empty: the rows are as they came.")
    for note in notes:
        report.warn(note)
    _intervals(report, imputer)
    _columns(report, imputer, tally)
    _pictures(report, tally)
    return report


def _intervals(report: Report, imputer: Imputer) -> None:
    """Whether they hold what they are meant to."""
    coverage = imputer.coverage_
    report.section("Intervals")
    if coverage.raw is None:
        report.warn("Too few numbers were held out to say how far the intervals can be trusted.")
    else:
        whose = "Numbers of rows that no training saw" if imputer.log_ is None else "Numbers of the log learned from"
        report.say(f"{whose} were hidden and predicted. Intervals meant for 90% of them held:")
        if imputer.log_ is not None:
            report.warn("Of another log they will hold fewer: what fills these gaps has seen the numbers about them.")
        report.facts(
            {
                "as the model gives them": coverage.raw,
                "after calibration": coverage.calibrated,
                "hidden numbers": coverage.cells,
            }
        )


def _columns(report: Report, imputer: Imputer, tally: Filled) -> None:
    """What was empty in each, and what is there now."""
    report.section("Columns")
    rows = [
        {
            "column": name,
            "missing": column.missing,
            "share": round(column.missing / max(tally.rows, 1), 4),
            "still empty": column.left,
            "90% intervals held": (imputer.coverage_.columns or {}).get(name),
            "mean observed": _mean(column.observed),
            "mean filled": _mean(column.filled),
        }
        for name, column in tally.columns.items()
    ]
    report.table("What was empty, and what is there now", rows)


def _pictures(report: Report, tally: Filled) -> None:
    """Numbers and categories, observed beside filled."""
    panels = {
        name: {"observed": np.concatenate(column.observed), "filled": np.concatenate(column.filled)}
        for name, column in tally.columns.items()
        if column.observed and column.filled
    }
    if panels:
        from dreamgen.reports.pictures import as_numbers, histograms

        shown = dict(list(panels.items())[:_PANELS])
        note = (
            "" if len(shown) == len(panels) else f"The first {_PANELS} of {len(panels)} columns of numbers with gaps."
        )
        alt = "Histograms of numbers, observed and filled"
        report.figure("Observed and filled", histograms(shown), alt, note, as_numbers(shown))
    if shares := {name: tally.columns[name].shares for name in tally.columns if tally.columns[name].shares}:
        from dreamgen.reports.pictures import bars

        shown_shares = dict(list(shares.items())[:_PANELS])
        title, alt = "Categories, observed and filled", "Shares of categories"
        report.figure(title, bars(shown_shares), alt, data=shown_shares)


def _mean(values: list[Floats]) -> float | None:
    return float(np.concatenate(values).mean()) if values else None
