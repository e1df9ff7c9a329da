"""Arrays and mappings of them: numbers come back as numbers, NaN for what is missing."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dreamgen.errors import DataError
from dreamgen.tables.cells import numbers
from dreamgen.tables.extras import arrow
from dreamgen.tables.frames import Frame, check_names
from dreamgen.tables.notes import Notes


def to_arrow(values: Any, name: str, notes: Notes) -> Any:
    """One column as Arrow; what mixes kinds becomes text, and a note says so."""
    pa = arrow()
    values = _plain_array(name, values) if isinstance(values, np.ndarray) else values
    try:
        return pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        texts = [None if v is None or v != v else str(v) for v in values]
        notes.column(name, "holds values of several kinds; all are read as text")
        return pa.array(texts, pa.string())


def _plain_array(name: str, values: Any) -> Any:
    """An array of a dtype that Arrow knows."""
    kind = values.dtype.kind
    if kind == "c":
        raise DataError(f"column {name!r}: expected real numbers, got {values.dtype}. Complex data not supported")
    if kind == "S":
        return np.char.decode(values, "utf-8", "replace")
    return values.astype(np.float64) if kind == "f" and values.dtype.itemsize > 8 else values


def from_mapping(source: Mapping[Any, Any]) -> Frame:
    """A mapping of columns, each (n,)."""
    notes = Notes()
    check_names(list(source), "mapping")
    columns = {str(name): np.asarray(values) for name, values in source.items()}
    lengths = {name: values.shape for name, values in columns.items()}
    if any(len(shape) != 1 for shape in lengths.values()) or len(set(lengths.values())) > 1:
        raise DataError(f"mapping: expected columns of one length, got shapes {lengths}")
    table = arrow().table({name: to_arrow(_missing_as_nan(v), name, notes) for name, v in columns.items()})
    names = {str(name): name for name in source}
    kinds = {name: values.dtype for name, values in columns.items()}

    def back(table: Any, rows: Sequence[int] | None) -> dict[Any, Any]:
        return {names.get(name, name): _as_numpy(table.column(name), kinds.get(name)) for name in table.column_names}

    return Frame(table, back, notes, "mapping")


def from_array(source: Any) -> Frame:
    """An array of shape (n, d), or rows of one length; its columns are called "0", "1", ..."""
    try:
        array = np.asarray(source)
    except ValueError as error:
        raise DataError(f"expected rows of one length: {error}") from error
    if array.ndim != 2:
        raise DataError(f"expected an array of shape (rows, columns), got shape {array.shape}")
    notes = Notes()
    if not array.shape[1]:
        raise DataError(f"expected a table with columns, got an array of shape {array.shape}")
    cells = {str(i): to_arrow(_missing_as_nan(array[:, i]), str(i), notes) for i in range(array.shape[1])}

    def back(table: Any, rows: Sequence[int] | None) -> Any:
        parts = [_as_numpy(table.column(name), array.dtype) for name in table.column_names]
        return np.column_stack(parts) if parts else np.empty((table.num_rows, 0), array.dtype)

    return Frame(arrow().table(cells), back, notes, "array")


def _missing_as_nan(values: Any) -> Any:
    return list(values) if values.dtype == object else np.ascontiguousarray(values)


def _as_numpy(column: Any, dtype: Any) -> Any:
    """A column as the caller's dtype, or the nearest that can hold what it holds now."""
    if dtype is not None and dtype.kind == "f" and arrow().types.is_floating(column.type):
        return numbers(column).astype(dtype)
    values = column.to_numpy()
    if dtype is None or values.dtype == dtype:
        return values
    if dtype.kind in "iub" and values.dtype.kind in "fO":  # whole numbers or truths, with gaps or made fractional
        whole = column.null_count == 0 and arrow().types.is_boolean(column.type) and dtype.kind == "b"
        return values.astype(dtype) if whole else values
    try:
        return values.astype(dtype)
    except (TypeError, ValueError):
        return values
