"""Columns that the model does not see, and the facts about any column."""

from typing import Any

import numpy as np

from dreamgen.tables.cells import Floats, Mask, Value, coded, family, is_missing
from dreamgen.tables.check import times
from dreamgen.tables.notes import Notes
from dreamgen.tables.schema import LEVELS, Column

TOP = 10  # categories in a summary
INNER = 0.005  # share of the rows beyond either of the inner bounds


def summarise(column: Column, array: Any) -> dict[str, Any]:
    """The entries `summary` and `inner` of a modelled column, where its schema came without, as a file's does."""
    missing = is_missing(array)
    if column.kind in LEVELS:
        listed = [*column.categories, *column.rare]
        codes = coded(array, listed).codes
        counts = np.bincount(codes[codes >= 0], minlength=len(listed))
        top = [[listed[i], int(counts[i])] for i in np.argsort(-counts, kind="stable")[:TOP]]
        return {"summary": summary(missing, distinct=int((counts > 0).sum()), top=top)}
    values = times(array, column)
    values = values[np.isfinite(values)]
    return number_facts(values, len(np.unique(values)), missing) if len(values) else {"summary": summary(missing)}


def constant(name: str, array: Any, value: Value, missing: Mask, notes: Notes) -> Column:
    empty = int(missing.sum())
    gaps = f" and {empty} gap{'s' * (empty > 1)}" if empty else ""
    notes.column(name, "holds only {s}" + gaps + "; left out, and put back", examples=[value])
    return Column(name, "constant", str(array.type), value=value, summary=summary(missing))


def identifier(name: str, array: Any, notes: Notes) -> Column:
    what = "is taken for a key: nearly every row has a value of its own"
    notes.column(name, f"{what}; left out of the model, and made anew or copied")
    text = family(array.type) == "text"
    facts = summary(is_missing(array))
    return Column(name, "identifier", str(array.type), summary=facts, pattern=name + "-{n:06d}" if text else "")


def summary(missing: Mask, **facts: Any) -> dict[str, Any]:
    return {"rows": len(missing), "missing": float(missing.mean()), **facts}


def number_facts(values: Floats, distinct: int, missing: Mask) -> dict[str, Any]:
    """The entries `summary` and `inner` of a column of numbers: the values there are, and how many differ."""
    edge = min(0.5, max(INNER, 4 / max(1, len(values) - 1)))
    quantiles = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95, edge, 1 - edge])
    found = [float(q) for q in quantiles]
    mean, sd = float(values.mean()), float(values.std())
    facts = summary(missing, distinct=distinct, mean=mean, sd=sd, quantiles=found[:5])
    return {"summary": facts, "inner": tuple(found[5:])}
