"""Whether a table fits a schema: errors for what cannot be used, counts for what is changed."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np

from dreamgen.errors import DataError
from dreamgen.registry import nearest, shorten
from dreamgen.tables.cells import Floats, Mask, coded, family, is_missing, numbers, one_chunk
from dreamgen.tables.constants import holding
from dreamgen.tables.extras import arrow
from dreamgen.tables.notes import Notes
from dreamgen.tables.schema import LEVELS, Column, Schema
from dreamgen.tables.types import parse_type

if TYPE_CHECKING:
    import pyarrow as pa

_WORDS = {
    "number": "numbers",
    "boolean": "truths",
    "text": "text",
    "datetime": "points in time",
    "null": "nothing",
    "other": "other things",
}
_ALSO = {("boolean", "number"), ("number", "boolean"), ("datetime", "text"), ("text", "datetime")}


def take(table: "pa.Table", column: Column) -> Any:
    """A column of a table as one Arrow array, of the kind that was fitted; raises DataError."""
    place = table.schema.get_field_index(column.name)  # no list of names, which would be built for every column
    if place < 0:
        raise DataError(f"the table has no column {column.name!r}: {nearest(column.name, table.column_names)}")
    array = one_chunk(table.column(place))
    now, before = family(array.type), family(parse_type(column.dtype))
    also = (before, now) in _ALSO and ("text" not in (before, now) or column.kind == "datetime")
    if now not in (before, "null") and not also and column.modelled:
        raise DataError(
            f"column {column.name!r}: expected {_WORDS[before]} ({column.dtype}), as in training, "
            f"got {_WORDS[now]} ({array.type})"
        )
    return array


def times(array: Any, column: Column) -> Floats:
    """Numbers of a column, (n,); a text that is no date raises DataError."""
    try:
        return numbers(array)
    except arrow().ArrowInvalid as error:
        expected = "dates such as 2024-01-31" if column.kind == "datetime" else f"numbers ({column.kind})"
        raise DataError(f"column {column.name!r}: expected {expected}: {error}") from error


def check_table(schema: Schema, table: "pa.Table", as_numbers: Collection[str] = ()) -> Notes:
    """Count what of a table does not fit a schema.

    Args:
        schema: of the training.
        table: of now.
        as_numbers: columns that are read as numbers though they have levels.

    Raises:
        DataError: a missing column, or one that holds another kind of values than in training.
    """
    notes, known, there = Notes(), set(schema.names), set(table.column_names)
    for name in table.column_names:
        if name not in known:
            notes.column(name, "was not there in training; ignored")
    empty = np.ones(table.num_rows, bool)
    for column in schema.columns:
        if column.modelled:
            leveled = column.kind in LEVELS and column.name not in as_numbers
            empty &= _check(column, take(table, column), leveled, notes)
        elif column.name not in there:
            notes.column(column.name, f"is not there; it is {_article(column.kind)}, and not needed")
        elif column.kind == "constant" and column.value is not None:
            _note_changed(column, table, notes)
    if empty.any() and schema.modelled:
        notes.add("rows", "{n} rows have no value that the model can see", int(empty.sum()))
    return notes


def differs(column: Column, table: "pa.Table") -> Mask:
    """Where a column that held one value in training has another one, (n,)."""
    if column.name not in table.column_names:
        return np.zeros(table.num_rows, bool)
    array = one_chunk(table.column(column.name))
    return ~is_missing(array) & ~holding(column, array)


def _note_changed(column: Column, table: "pa.Table", notes: Notes) -> None:
    changed = np.flatnonzero(differs(column, table))
    if len(changed):
        examples = table.column(column.name).take(arrow().array(changed[:1000])).to_pylist()
        what = f"{{n}} cells hold {{s}}, all held {_braced(column.value)} in training; kept as they are"
        notes.column(column.name, what, len(changed), examples)


def _braced(value: object) -> str:
    """A value within a text to be formatted."""
    return shorten(value).replace("{", "{{").replace("}", "}}")


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _check(column: Column, array: Any, leveled: bool, notes: Notes) -> Any:
    """Notes on one column; where it has no usable value, (n,)."""
    if leveled:
        found = coded(array, [*column.categories, *column.rare])
        if found.unseen.any():
            where = np.flatnonzero(found.unseen)
            examples = array.take(arrow().array(where[:1000])).to_pylist()
            notes.column(
                column.name,
                "{n} cells hold {s}, never seen in training; kept as they are, missing to the model",
                len(where),
                examples,
            )
        gone = found.missing | found.unseen
    else:
        values = times(array, column)
        infinite = np.isinf(values)
        if infinite.any():
            notes.column(column.name, "{n} cells are infinite; treated as missing", int(infinite.sum()))
        gone = ~np.isfinite(values)
        _check_bounds(column, values[~gone], notes)
    if len(gone) and is_missing(array).all():
        notes.column(column.name, "has no value at all, in {n} rows", len(gone))
    return gone


def _check_bounds(column: Column, values: Floats, notes: Notes) -> None:
    if column.low is not None and (below := int((values < column.low).sum())):
        least = column.spoken(column.low)
        notes.column(column.name, f"{{n}} cells lie below {least}, the least in training", below)
    if column.high is not None and (above := int((values > column.high).sum())):
        most = column.spoken(column.high)
        notes.column(column.name, f"{{n}} cells lie above {most}, the greatest in training", above)
