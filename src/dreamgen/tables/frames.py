"""Any frame to an Arrow table and back: the caller gets the same kind, columns, index and dtypes."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dreamgen.errors import DataError
from dreamgen.registry import nearest
from dreamgen.tables.extras import arrow, narwhals
from dreamgen.tables.notes import Notes

if TYPE_CHECKING:
    import pyarrow as pa

Like = Callable[["pa.Table", Sequence[int] | None], Any]


@dataclass(frozen=True)
class Frame:
    """A table as Arrow, and the way back to the caller's kind.

    Attributes:
        table: the columns; their names are texts.
        notes: what reading changed.
        source: where it came from, for messages.
    """

    table: "pa.Table"
    back: Like
    notes: Notes = field(default_factory=Notes)
    source: str = "table"

    def like(self, table: "pa.Table", rows: Sequence[int] | None = None) -> Any:
        """A table as the caller's kind: its dtypes, and its index where the rows are the same ones.

        Args:
            table: any columns; those that the caller had get the caller's dtypes, if they still fit.
            rows: which of the caller's rows these are, for the index; by default all, where the number fits.
        """
        return self.back(table, rows)

    def __len__(self) -> int:
        return int(self.table.num_rows)


def read_frame(source: Any, columns: Sequence[str] | None = None, **options: Any) -> Frame:
    """A table out of anything that holds one.

    Args:
        source: a pandas or polars frame, an Arrow table, any eager frame that narwhals knows, a numpy array of
            shape (n, d), a mapping of columns, or files: a path, a glob, or a list of paths (.csv, .tsv, .parquet,
            .npz, .npy, and the first two with .gz).
        columns: which to take, in this order; by default all.
        options: for text files, see `dreamgen.tables.text.TextOptions`.

    Raises:
        DataError: duplicate or missing columns, a damaged file (with the line), no table.
        SettingsError: the extra `table` is not installed.
    """
    frame = _read(source, options)
    names = frame.table.column_names
    _check_names(names, frame.source)
    if columns is None:
        return frame
    for name in columns:
        if name not in names:
            raise DataError(f"{frame.source} has no column {name!r}: {nearest(name, names)}")
    return Frame(frame.table.select(list(columns)), frame.back, frame.notes, frame.source)


def _read(source: Any, options: Mapping[str, Any]) -> Frame:
    from dreamgen.tables.files import is_path, read_files

    pa = arrow()
    if is_path(source):
        return read_files(source, **options)
    if isinstance(source, Frame):
        return source
    if isinstance(source, pa.Table):
        return Frame(source, _arrow_like(source.schema))
    if isinstance(source, pa.RecordBatch):
        return Frame(pa.Table.from_batches([source]), _arrow_like(source.schema))
    if isinstance(source, Mapping):
        return _from_mapping(source)
    if isinstance(source, np.ndarray) and source.dtype.names:
        return _from_mapping({name: source[name] for name in source.dtype.names})
    if isinstance(source, np.ndarray | list | tuple):
        return _from_array(source)
    return _from_native(source)


def _check_names(names: Sequence[object], source: str) -> None:
    twice = [name for name, count in Counter(map(str, names)).items() if count > 1]
    if twice:
        raise DataError(f"{source}: expected columns of different names, got {twice[0]!r} more than once")
    if not names:
        raise DataError(f"{source}: expected a table with columns, got none")


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


def _from_mapping(source: Mapping[Any, Any]) -> Frame:
    notes = Notes()
    _check_names(list(source), "mapping")
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


def _from_array(source: Any) -> Frame:
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
        return _floats(column).astype(dtype)
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


def _floats(column: Any) -> Any:
    from dreamgen.tables.cells import numbers

    return numbers(column)


def _arrow_like(schema: Any) -> Like:
    def back(table: Any, rows: Sequence[int] | None) -> Any:
        pa = arrow()
        for i, name in enumerate(table.column_names):
            found = schema.get_field_index(name)
            if found >= 0 and table.schema.field(i).type != schema.field(found).type:
                try:
                    table = table.set_column(i, schema.field(found), table.column(i).cast(schema.field(found).type))
                except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
                    continue  # it no longer fits, such as a mean in a column of whole numbers
        return table

    return back


def _from_native(source: Any) -> Frame:
    nw = narwhals()
    if nw.dependencies.is_pandas_dataframe(source):
        from dreamgen.tables.frames_pandas import from_pandas

        _check_names(list(source.columns), "frame")
        return from_pandas(source)
    if nw.dependencies.is_polars_dataframe(source):
        from dreamgen.tables.frames_polars import from_polars

        return from_polars(source)
    if nw.dependencies.is_polars_lazyframe(source):
        raise DataError("expected an eager frame, got a LazyFrame: call .collect() first")
    frame = nw.from_native(source, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        raise DataError(
            f"expected a pandas or polars frame, an Arrow table, an array (n, d), a mapping of columns, "
            f"or a path, got {type(source).__name__}"
        )

    def back(table: Any, rows: Sequence[int] | None) -> Any:
        return nw.from_arrow(table, backend=frame.implementation).to_native()

    return Frame(frame.to_arrow(), back)


def as_path_frame(table: Any, notes: Notes, paths: Sequence[Path]) -> Frame:
    """A table that came out of files; it goes back as an Arrow table."""
    name = str(paths[0]) if len(paths) == 1 else f"{paths[0]} and {len(paths) - 1} more"
    return Frame(table, _arrow_like(table.schema), notes, name)
