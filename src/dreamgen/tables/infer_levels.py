"""What columns of categories hold."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dreamgen.errors import DataError
from dreamgen.tables.cells import Floats, Mask, Value, family, numbers
from dreamgen.tables.extras import arrow, compute
from dreamgen.tables.grid import decimals_of, grid_of
from dreamgen.tables.infer_plain import TOP, summary
from dreamgen.tables.notes import Notes
from dreamgen.tables.schema import Column

RARE_ROWS, RARE_SHARE = 5, 0.0005
FEW_LEVELS = 50  # kept where no category has its share of the rows


def infer_levels(name: str, array: Any, kind: str, missing: Mask, notes: Notes) -> Column:
    """Categories, those of few rows apart from the others."""
    if family(array.type) == "text":
        values, counts = count_texts(array)
    else:
        held = numbers(array)
        found, each = np.unique(held[np.isfinite(held)], return_counts=True)
        values, counts = [as_value(v, array) for v in found], [int(n) for n in each]
    if kind == "boolean" and len(values) > 2:
        raise DataError(f"column {name!r}: expected two values for the kind boolean, got {len(values)}")
    few = [] if kind == "boolean" else _few(counts, len(missing))
    if few:
        what = f"{{n}} values of few rows, {sum(counts[i] for i in few)} in all, are one level: {{s}}"
        notes.column(name, what, len(few), [values[i] for i in few[:4]])
    as_number = kind == "ordinal" and family(array.type) == "number" and not arrow().types.is_dictionary(array.type)
    facts = _number_facts(np.array(values, np.float64), array, sum(counts)) if as_number else {}
    apart, top = set(few), sorted(range(len(values)), key=lambda i: -counts[i])[:TOP]
    return Column(
        name,
        kind,
        str(array.type),
        categories=tuple(v for i, v in enumerate(values) if i not in apart),
        rare=tuple(values[i] for i in few),
        rare_counts=tuple(counts[i] for i in few),
        **facts,
        summary=summary(missing, distinct=len(values), top=[[values[i], counts[i]] for i in top]),
    )


def _few(counts: Sequence[int], rows: int) -> list[int]:
    """Which categories have too few rows for a level of their own, the commonest first."""
    least = max(RARE_ROWS, RARE_SHARE * rows)
    few = sorted((i for i, n in enumerate(counts) if n < least), key=lambda i: -counts[i])
    if len(counts) - len(few) >= 2:
        return few
    # No value has its share of the rows: the commonest will do.
    return [i for rank, i in enumerate(few) if rank >= FEW_LEVELS or counts[i] < RARE_ROWS]


def _number_facts(distinct: Floats, array: Any, count: int) -> dict[str, Any]:
    decimals = decimals_of(distinct, str(array.type))
    step = grid_of(distinct, decimals, count)
    return {"low": float(distinct[0]), "high": float(distinct[-1]), "decimals": decimals, "step": step}


def count_texts(array: Any) -> tuple[list[Value], list[int]]:
    """Texts in order, and how many rows each has: the order of an ordered category, else the alphabet's."""
    ordered = arrow().types.is_dictionary(array.type) and array.type.ordered
    found = compute().value_counts(array.drop_null())
    counts = {str(v): int(n) for v, n in zip(found.field(0).to_pylist(), found.field(1).to_pylist(), strict=True)}
    # An order may name categories that no row holds: after a split, say.
    names = [name for v in array.dictionary.to_pylist() if (name := str(v)) in counts] if ordered else sorted(counts)
    return list(names), [counts[name] for name in names]


def as_value(value: float, array: Any) -> Value:
    """A number as the kind of value that an array holds."""
    if family(array.type) == "boolean":
        return bool(value)
    return int(value) if value == np.rint(value) and abs(value) < 2**53 else float(value)
