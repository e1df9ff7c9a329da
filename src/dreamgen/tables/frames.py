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
"""A table to the caller's kind, and which of the caller's rows it has; None: none of them."""


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
        if rows is None and table.num_rows == len(self):
            rows = range(len(self))
        return self.back(table, rows)

    @property
    def new(self) -> Callable[["pa.Table"], Any]:
        """Rows that are none of the caller's to the caller's kind: its dtypes, and an index of their own."""
        back = self.back  # and not this frame, which has the rows
        return lambda table: back(table, None)

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
    check_names(names, frame.source)
    if columns is None:
        return frame
    for name in columns:
        if name not in names:
            raise DataError(f"{frame.source} has no column {name!r}: {nearest(name, names)}")
    return Frame(frame.table.select(list(columns)), frame.back, frame.notes, frame.source)


def _read(source: Any, options: Mapping[str, Any]) -> Frame:
    from dreamgen.tables.files import is_path, read_files
    from dreamgen.tables.frames_arrays import from_array, from_mapping

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
        return from_mapping(source)
    if isinstance(source, np.ndarray) and source.dtype.names:
        return from_mapping({name: source[name] for name in source.dtype.names})
    if isinstance(source, np.ndarray | list | tuple):
        return from_array(source)
    return _from_native(source)


def check_names(names: Sequence[object], source: str) -> None:
    """Raise DataError unless there are names and all differ."""
    twice = [name for name, count in Counter(map(str, names)).items() if count > 1]
    if twice:
        raise DataError(f"{source}: expected columns of different names, got {twice[0]!r} more than once")
    if not names:
        raise DataError(f"{source}: expected a table with columns, got none")


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

        check_names(list(source.columns), "frame")
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
