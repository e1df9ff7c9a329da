"""The schema of a table, found out from its values."""

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dreamgen.errors import DataError, SettingsError
from dreamgen.registry import nearest
from dreamgen.tables.cells import Floats, Mask, Value, family, is_missing, numbers, one_chunk
from dreamgen.tables.extras import arrow, compute
from dreamgen.tables.grid import decimals_of, grid_of
from dreamgen.tables.notes import Notes
from dreamgen.tables.schema import KINDS, Column, Schema
from dreamgen.tables.spikes import find_spikes

if TYPE_CHECKING:
    import pyarrow as pa

ORDINAL = 20  # distinct whole numbers that are levels
KEY_ROWS = 100  # rows of which whole numbers must all differ to be a key
TEXT_KEY_ROWS = 10
KEY_SHARE = 0.9  # of texts that differ
RARE_ROWS, RARE_SHARE = 5, 0.0005
INNER = 0.005  # share of the rows beyond either of the inner bounds
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:([T ])\d\d:\d\d(:\d\d)?(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")
_SAMPLE = 100


def infer_schema(table: "pa.Table", kinds: Mapping[str, str] | None = None) -> Schema:
    """Find out what each column holds.

    Args:
        table: rows to learn from; what is missing is null or NaN.
        kinds: kinds that the caller knows better, by column.

    Raises:
        DataError: no rows, a kind for a column that is not there, values that cannot be of the kind asked for.
        SettingsError: an unknown kind.
    """
    if not table.num_rows:
        raise DataError("expected a table with rows, got none")
    kinds = dict(kinds or {})
    for name, kind in kinds.items():
        if name not in table.column_names:
            raise DataError(f"kinds: no column {name!r}: {nearest(name, table.column_names)}")
        if kind not in KINDS:
            raise SettingsError(f"kinds: unknown kind {kind!r} of {name!r}: {nearest(kind, KINDS)}")
    notes = Notes()
    columns = [_infer(name, table.column(name), kinds.get(name), notes) for name in table.column_names]
    return Schema(tuple(columns), notes)


def _infer(name: str, column: Any, kind: str | None, notes: Notes) -> Column:
    array = one_chunk(column)
    makers: dict[str, Callable[..., Column]] = {"number": _numbers, "boolean": _numbers, "datetime": _times}
    held = family(array.type)
    if kind == "identifier" or held == "other":
        if held == "other":
            notes.column(name, f"holds {array.type}, which is not modelled; left out")
        return _identifier(name, array, notes if kind is None and held != "other" else Notes())
    missing = is_missing(array)
    if missing.all():
        notes.column(name, "has no value at all; left out, and comes back empty")
        return Column(name, "constant", str(array.type), summary={"missing": 1.0})
    if kind is None and held == "number" and arrow().types.is_dictionary(array.type):
        kind = "ordinal" if array.type.ordered else "categorical"
    if kind in ("categorical", "ordinal", "boolean"):
        return _levels(name, array, kind, missing)
    if held == "text":
        return _texts(name, array, kind, missing, notes)
    return makers[held](name, array, kind, missing, notes)


def _constant(name: str, array: Any, value: Value, missing: Mask, notes: Notes) -> Column:
    gaps = f" and {int(missing.sum())} gaps" if missing.any() else ""
    notes.column(name, "holds only {s}" + gaps + "; left out, and put back", examples=[value])
    return Column(name, "constant", str(array.type), value=value, summary=_summary(missing))


def _summary(missing: Mask, **facts: Any) -> dict[str, Any]:
    return {"rows": len(missing), "missing": float(missing.mean()), **facts}


def _numbers(name: str, array: Any, kind: str | None, missing: Mask, notes: Notes) -> Column:
    everything = numbers(array)
    values = everything[np.isfinite(everything)]
    if infinite := len(everything) - int(missing.sum()) - len(values):
        notes.column(name, "{n} cells are infinite; treated as missing", infinite)
    if not len(values):
        return Column(name, "constant", str(array.type), summary={"missing": 1.0})
    distinct, counts = np.unique(values, return_counts=True)
    whole = bool((distinct == np.rint(distinct)).all()) and abs(distinct).max() < 2**53
    if kind is None:
        kind = _kind_of_numbers(name, array, values, distinct, whole)
    if kind == "identifier":
        return _identifier(name, array, notes)
    if kind == "constant":
        return _constant(name, array, as_value(distinct[counts.argmax()], array), missing, notes)
    if kind in ("ordinal", "boolean"):
        return _levels(name, array, kind, missing)
    if kind in ("positive", "count") and distinct[0] < 0:
        raise DataError(f"column {name!r}: expected no negative numbers for the kind {kind}, got {distinct[0]:g}")
    if kind == "count" and not whole:
        raise DataError(f"column {name!r}: expected whole numbers for the kind count, got others")
    decimals = decimals_of(distinct, str(array.type))
    return Column(
        name,
        kind,
        str(array.type),
        low=float(distinct[0]),
        high=float(distinct[-1]),
        decimals=decimals,
        step=grid_of(distinct, decimals, len(values)),
        spikes=find_spikes(distinct, counts),
        summary=_summary(missing, **_moments(values, len(distinct))),
    )


def _moments(values: Floats, distinct: int) -> dict[str, Any]:
    quantiles = np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95])
    edge = min(0.5, max(INNER, 4 / max(1, len(values) - 1)))
    return {
        "distinct": distinct,
        "mean": float(values.mean()),
        "sd": float(values.std()),
        "quantiles": [float(q) for q in quantiles],
        "inner": [float(q) for q in np.quantile(values, [edge, 1 - edge])],
    }


def _kind_of_numbers(name: str, array: Any, values: Floats, distinct: Floats, whole: bool) -> str:
    if len(distinct) == 1:
        return "constant"
    if family(array.type) == "boolean" or (len(distinct) == 2 and distinct[0] == 0 and distinct[1] == 1):
        return "boolean"
    if whole and arrow().types.is_integer(array.type) and _is_key(name, values, distinct):
        return "identifier"
    if whole and len(distinct) <= ORDINAL and 5 * len(distinct) <= len(values):
        return "ordinal"
    if distinct[0] < 0:
        return "real"
    return "count" if whole else "positive"


def _is_key(name: str, values: Floats, distinct: Floats) -> bool:
    """Whole numbers that all differ: by their number, or fewer of them in a row or under a key's name."""
    if len(distinct) != len(values) or len(values) < TEXT_KEY_ROWS:
        return False
    called = re.search(r"(^|[_\s])(id|no|key|uid|uuid|index|nr)$|Id$|ID$", name) is not None
    in_a_row = distinct[-1] - distinct[0] == len(values) - 1
    return len(values) >= KEY_ROWS or called or bool(in_a_row)


def _times(name: str, array: Any, kind: str | None, missing: Mask, notes: Notes, form: str = "") -> Column:
    if kind not in (None, "datetime", "constant"):
        raise DataError(f"column {name!r}: expected numbers for the kind {kind}, got {array.type}")
    values = numbers(array)[~missing]
    distinct = np.unique(values)
    if len(distinct) == 1 and kind is None:
        text = one_chunk(array).drop_null()[0]
        return _constant(name, array, str(text.cast(arrow().string()).as_py()), missing, notes)
    return Column(
        name,
        "datetime",
        str(array.type),
        low=float(distinct[0]),
        high=float(distinct[-1]),
        step=grid_of(distinct, 0 if (distinct == np.rint(distinct)).all() else None, len(values)),
        format=form,
        summary=_summary(missing, **_moments(values, len(distinct))),
    )


def _texts(name: str, array: Any, kind: str | None, missing: Mask, notes: Notes) -> Column:
    if kind in ("real", "positive", "count"):
        raise DataError(f"column {name!r}: expected numbers for the kind {kind}, got text")
    if kind in (None, "datetime") and not arrow().types.is_dictionary(array.type) and (form := _date_format(array)):
        try:
            return _times(name, array, kind, missing, notes, form)
        except arrow().ArrowInvalid:  # not all of them are dates
            pass
    if kind == "datetime":
        raise DataError(f"column {name!r}: expected dates such as 2024-01-31 for the kind datetime, got other texts")
    present = int((~missing).sum())
    found = compute().value_counts(array.drop_null())
    distinct = len(found)
    if distinct == 1 or kind == "constant":
        return _constant(name, array, str(found[0]["values"].as_py()), missing, notes)
    ordered = arrow().types.is_dictionary(array.type) and array.type.ordered
    keyed = arrow().types.is_dictionary(array.type) or present < TEXT_KEY_ROWS
    if not keyed and (distinct == present or (distinct > KEY_SHARE * present and present >= KEY_ROWS)):
        return _identifier(name, array, notes)
    return _levels(name, array, "ordinal" if ordered else "categorical", missing)


def _date_format(array: Any) -> str:
    """The format of the texts, if the first of them are ISO dates; else nothing."""
    texts = array.drop_null()[:_SAMPLE].to_pylist()
    found = [_DATE.fullmatch(text) for text in texts]
    if not texts or not all(found) or any(match[4] for match in found if match):
        return ""
    first = found[0]
    assert first is not None
    if not first[1]:
        return "%Y-%m-%d"
    return f"%Y-%m-%d{first[1]}%H:%M" + (":%S" if first[2] else "")


def as_value(value: float, array: Any) -> Value:
    """A number as the kind of value that an array holds."""
    if family(array.type) == "boolean":
        return bool(value)
    return int(value) if value == np.rint(value) and abs(value) < 2**53 else float(value)


def _levels(name: str, array: Any, kind: str, missing: Mask) -> Column:
    """Categories, those of few rows apart from the others."""
    if family(array.type) == "text":
        values, counts = count_texts(array)
    else:
        held = numbers(array)
        found, each = np.unique(held[np.isfinite(held)], return_counts=True)
        values, counts = [as_value(v, array) for v in found], [int(n) for n in each]
    if kind == "boolean" and len(values) > 2:
        raise DataError(f"column {name!r}: expected two values for the kind boolean, got {len(values)}")
    least = max(RARE_ROWS, RARE_SHARE * len(missing))
    few = [i for i, n in enumerate(counts) if n < least] if kind != "boolean" else []
    few.sort(key=lambda i: -counts[i])
    top = sorted(range(len(values)), key=lambda i: -counts[i])[:10]
    return Column(
        name,
        kind,
        str(array.type),
        categories=tuple(v for i, v in enumerate(values) if i not in set(few)),
        rare=tuple(values[i] for i in few),
        rare_counts=tuple(counts[i] for i in few),
        summary=_summary(missing, distinct=len(values), top=[[values[i], counts[i]] for i in top]),
    )


def count_texts(array: Any) -> tuple[list[Value], list[int]]:
    """Texts in order, and how many rows each has: the order of an ordered category, else the alphabet's."""
    ordered = arrow().types.is_dictionary(array.type) and array.type.ordered
    found = compute().value_counts(array.drop_null())
    counts = {str(v): int(n) for v, n in zip(found.field(0).to_pylist(), found.field(1).to_pylist(), strict=True)}
    names = [str(v) for v in array.dictionary.to_pylist()] if ordered else sorted(counts)
    return list(names), [counts.get(name, 0) for name in names]


def _identifier(name: str, array: Any, notes: Notes) -> Column:
    notes.column(name, "is a key, each value in one row only; left out of the model, and made anew or copied")
    text = family(array.type) == "text"
    return Column(name, "identifier", str(array.type), pattern=f"{name}-{{n:06d}}" if text else "")
