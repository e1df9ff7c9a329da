"""Tables to files, as a whole or not at all."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dreamgen.errors import OutputError
from dreamgen.files import make_folder, writing
from dreamgen.tables.extras import arrow
from dreamgen.tables.formulas import neutral
from dreamgen.tables.notes import Notes

if TYPE_CHECKING:
    import pyarrow as pa

_SUFFIXES = (".csv", ".tsv", ".parquet")


def write_table(path: str | Path, table: "pa.Table") -> Notes:
    """Write a table as .parquet, .csv or .tsv (.gz too); raises OutputError.

    In a text file, a cell of text that a spreadsheet would take for a formula gets an apostrophe before it; the
    notes that come back count them.
    """
    with TableWriter(path) as writer:
        writer.write(table)
    return writer.notes


def table_kind(path: Path) -> str:
    """In which form a table is written there, ".csv", ".tsv" or ".parquet"; raises OutputError for another name."""
    kind = Path(path.name.lower().removesuffix(".gz")).suffix
    if kind not in _SUFFIXES or (kind == ".parquet" and path.suffix.lower() == ".gz"):
        raise OutputError(f"{path}: expected a name that ends in .parquet, .csv or .tsv")
    return kind


class TableWriter:
    """Writes batches of one table; the file appears under its name when all are written, and not before."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.notes = Notes()
        self._kind = table_kind(self.path)
        self._next = self.path.with_name(self.path.name + ".next")
        self._stack = contextlib.ExitStack()
        self._writer: Any = None
        self._schema: Any = None

    def __enter__(self) -> "TableWriter":
        make_folder(self.path.parent)
        with writing(self.path):
            self._next.unlink(missing_ok=True)
            self._file = self._stack.enter_context(self._next.open("xb"))
        return self

    def write(self, table: "pa.Table") -> None:
        """Write some rows; all calls need the same columns."""
        with self._writing():
            if self._kind != ".parquet":
                table = neutral(table, self.notes)
            if self._writer is None:
                self._schema = table.schema
                self._open(table.schema)
            if table.column_names != self._schema.names:
                raise OutputError(f"{self.path}: expected columns {self._schema.names}, got {table.column_names}")
            self._writer.write_table(table.cast(self._schema))

    def _open(self, schema: Any) -> None:
        if self._kind == ".parquet":
            from pyarrow.parquet import ParquetWriter

            self._writer = ParquetWriter(self._file, schema)
            return
        from pyarrow import csv

        target = self._file
        if self.path.suffix.lower() == ".gz":
            target = self._stack.enter_context(arrow().CompressedOutputStream(self._file, "gzip"))
        options = csv.WriteOptions(delimiter="\t" if self._kind == ".tsv" else ",", quoting_style="needed")
        self._writer = csv.CSVWriter(target, schema, write_options=options)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with self._writing():
                if self._writer is not None:
                    self._writer.close()
                elif kind is None:
                    raise OutputError(f"{self.path}: expected rows to write, got none")
                self._close(kind is None)
        except BaseException:
            self._drop()
            raise
        if kind is not None:
            self._drop()

    def _close(self, whole: bool) -> None:
        if not whole:
            return
        compressed = self.path.suffix.lower() == ".gz"
        if compressed:
            self._stack.close()
        else:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._stack.close()
        if compressed:
            with self._next.open("rb+") as file:
                os.fsync(file.fileno())
        self._next.replace(self.path)

    def _drop(self) -> None:
        with contextlib.suppress(OSError):
            self._stack.close()
        with contextlib.suppress(OSError):
            self._next.unlink()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        with writing(self.path):
            try:
                yield
            except arrow().ArrowException as error:
                raise OutputError(f"cannot write {self.path}: {error}") from error
