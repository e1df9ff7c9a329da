"""Several files as one table: the same columns, and types that all of them fit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamgen.errors import DataError
from dreamgen.registry import nearest
from dreamgen.tables.cells import family
from dreamgen.tables.extras import arrow
from dreamgen.tables.notes import Notes
from dreamgen.tables.text import TextFile, TextOptions, find_text, read_text, settled, text_batches
from dreamgen.tables.types import parse_type

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class TableFile:
    """One file of a table.

    Attributes:
        path: of the file.
        names: the columns of the table, in its order.
        types: Arrow types of the table; empty where one file decides.
        text: how it is read, if it is a text.
    """

    path: Path
    names: tuple[str, ...]
    types: Mapping[str, Any]
    text: TextFile | None

    def read(self, notes: Notes) -> "pa.Table":
        """All of it."""
        if self.text is not None:
            return self._as_table(read_text(self.text, notes), self.names)
        with _parquet(self.path) as file:
            return self._as_table(file.read(), self.names)

    def stream(self, rows: int, columns: Sequence[str] | None, notes: Notes) -> "Iterator[pa.Table]":
        """A few rows at a time."""
        for name in columns or ():
            if name not in self.names:
                raise DataError(f"{self.path} has no column {name!r}: {nearest(name, self.names)}")
        names = self.names if columns is None else columns
        if self.text is not None:
            for table in text_batches(self.text, notes):
                yield self._as_table(table, names)
            return
        with _parquet(self.path) as file:
            # A scanner would read row groups ahead; this holds one at a time.
            for batch in file.iter_batches(batch_size=rows, columns=list(names), use_threads=False):
                yield self._as_table(arrow().Table.from_batches([batch]), names)

    def _as_table(self, table: "pa.Table", names: Sequence[str]) -> "pa.Table":
        pa = arrow()
        table = table.select(list(names))
        wanted = pa.schema([pa.field(n, self.types.get(n, table.schema.field(n).type)) for n in names])
        try:
            return table.cast(wanted)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise DataError(f"{self.path}: {error}") from error


_BUFFER = 1 << 16  # bytes of each column that are read ahead; else a whole row group would be


class _parquet:
    """An open Parquet file, whose errors name it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> Any:
        from pyarrow.parquet import ParquetFile

        try:
            self._file = ParquetFile(self.path, pre_buffer=False, buffer_size=_BUFFER)
        except (arrow().ArrowException, OSError) as error:
            raise self._said(error) from error
        return self._file

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._file.close()
        if isinstance(error, arrow().ArrowException | OSError) and not isinstance(error, DataError):
            raise self._said(error) from error

    def _said(self, error: BaseException) -> DataError:
        return DataError(f"{self.path}: not a readable Parquet file: {error}")


def find_parts(paths: Sequence[Path], options: TextOptions, notes: Notes, stream: bool) -> list[TableFile]:
    """The files as parts of one table.

    Args:
        paths: of .csv or .parquet files.
        options: of text files.
        notes: gets what was found out.
        stream: whether types have to be known before the first row is handed out.

    Raises:
        DataError: columns that are not the same, or types without a common one; the file is named.
    """
    parts = [_part(path, options, notes, stream or len(paths) > 1) for path in paths]
    first = parts[0]
    for part in parts[1:]:
        _check_names(first.path, first.names, part.path, part.names)
    if len(parts) == 1:
        return parts
    types = {name: _common(name, parts) for name in first.names}
    return [_of_types(part, first.names, types) for part in parts]


def _part(path: Path, options: TextOptions, notes: Notes, typed: bool) -> TableFile:
    if path.suffix.lower() == ".parquet":
        with _parquet(path) as file:
            schema = file.schema_arrow
        _check_different(path, schema.names)
        return TableFile(path, tuple(schema.names), dict(zip(schema.names, schema.types, strict=True)), None)
    text = find_text(path, options, notes)
    if not typed:
        return TableFile(path, text.names, {}, text)
    text = settled(text)
    return TableFile(path, text.names, {name: parse_type(text.types[name]) for name in text.names}, text)


def _check_different(path: Path, names: Sequence[str]) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            raise DataError(f"{path}: expected columns of different names, got {name!r} more than once")


def _check_names(first: Path, expected: Sequence[str], path: Path, got: Sequence[str]) -> None:
    for name in expected:
        if name not in got:
            raise DataError(f"{path} has no column {name!r}, which {first} has: {nearest(name, got)}")
    for name in got:
        if name not in expected:
            raise DataError(f"{path} has a column {name!r}, which {first} has not")


def _common(name: str, parts: Sequence[TableFile]) -> Any:
    """The type that a column has in all parts, or the narrowest that holds them all."""
    kinds = list(dict.fromkeys(part.types[name] for part in parts if not arrow().types.is_null(part.types[name])))
    if len(kinds) <= 1:
        return kinds[0] if kinds else arrow().null()
    families = {family(kind) for kind in kinds}
    if families == {"number"}:
        return arrow().int64() if all(arrow().types.is_integer(kind) for kind in kinds) else arrow().float64()
    if families == {"datetime"}:
        return arrow().timestamp("us", tz=next((k.tz for k in kinds if getattr(k, "tz", None)), None))
    if families == {"text"} or all(part.text for part in parts):
        return arrow().string()
    other = next(part for part in parts if part.types[name] != kinds[0])
    raise DataError(f"{other.path}: column {name!r}: expected {kinds[0]}, as in {parts[0].path}, got {kinds[1]}")


def _of_types(part: TableFile, names: Sequence[str], types: Mapping[str, Any]) -> TableFile:
    """The part with the table's types; a text is read again as them, so that no digit is lost on the way."""
    text = part.text
    if text is not None:
        text = text.typed({name: str(kind) for name, kind in types.items() if kind != part.types[name]})
    return replace(part, names=tuple(names), types=types, text=text)
