"""The schema of a table, found out from its values."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dreamgen.errors import DataError, SettingsError
from dreamgen.registry import nearest
from dreamgen.tables.cells import family, is_missing, one_chunk
from dreamgen.tables.extras import arrow
from dreamgen.tables.infer_levels import infer_levels
from dreamgen.tables.infer_numbers import infer_numbers
from dreamgen.tables.infer_plain import identifier
from dreamgen.tables.infer_texts import infer_texts
from dreamgen.tables.infer_times import infer_times
from dreamgen.tables.notes import Notes
from dreamgen.tables.schema import KINDS, Column, Schema

if TYPE_CHECKING:
    import pyarrow as pa


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
    held = family(array.type)
    if kind == "identifier" or held == "other":
        if held == "other":
            notes.column(name, f"holds {array.type}, which is not modelled; left out")
        return identifier(name, array, notes if kind is None and held != "other" else Notes())
    missing = is_missing(array)
    if missing.all():
        notes.column(name, "has no value at all; left out, and comes back empty")
        return Column(name, "constant", str(array.type), summary={"missing": 1.0})
    if kind is None and held == "number" and arrow().types.is_dictionary(array.type):
        kind = "ordinal" if array.type.ordered else "categorical"
    if kind in ("categorical", "ordinal", "boolean"):
        return infer_levels(name, array, kind, missing, notes)
    if held == "text":
        return infer_texts(name, array, kind, missing, notes)
    if held == "datetime":
        return infer_times(name, array, kind, missing, notes)
    return infer_numbers(name, array, kind, missing, notes)
