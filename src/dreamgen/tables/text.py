"""Text files of rows: streamed by Arrow, with errors that name the line."""

import contextlib
import csv
import dataclasses
import io
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamgen.errors import DataError, SettingsError
from dreamgen.registry import shorten
from dreamgen.tables.dialect import (
    DELIMITERS,
    find_codes,
    find_delimiter,
    find_ragged,
    has_decimal_commas,
    line_of_row,
)
from dreamgen.tables.encodings import check_encoding, find_encoding, open_utf8, text_head
from dreamgen.tables.extras import arrow
from dreamgen.tables.gaps import MISSING, without_words
from dreamgen.tables.notes import Notes

if TYPE_CHECKING:
    import pyarrow as pa

_BLOCK = 8 << 20
_RESTARTS = 16  # after which every column of whole numbers is one of numbers
_FAILED = re.compile(r"In CSV column #(\d+): (?:Row #(\d+): )?.*conversion error to ([^:]+): (.*)", re.DOTALL)
_TEXT = "string"
# What a column is read as when a later cell does not fit what the first block promised; else text.
_WIDER = {"null": "int64", "int64": "double", "date32[day]": "timestamp[s]", "timestamp[s]": "timestamp[us]"}
_NUMBERS = ("int64", "double")


@dataclass(frozen=True)
class TextOptions:
    """How a text file is to be read; None: found out.

    Attributes:
        encoding: such as "utf-8", "utf-16", "cp1251".
        delimiter: a comma, a semicolon or a tab.
        decimal_comma: whether 1,5 is a number.
        types: Arrow types that columns must have, such as those of a schema.
    """

    encoding: str | None = None
    delimiter: str | None = None
    decimal_comma: bool | None = None
    types: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.delimiter is not None and self.delimiter not in DELIMITERS:
            raise SettingsError(f"delimiter: expected a comma, a semicolon or a tab, got {shorten(self.delimiter)}")
        if self.encoding is not None:
            check_encoding(self.encoding)


@dataclass(frozen=True)
class TextFile:
    """A text file and how it is read.

    Attributes:
        names: its columns.
        types: Arrow types by column, as texts; others are inferred from the first block.
        fixed: columns whose type was asked for.
    """

    path: Path
    encoding: str
    delimiter: str
    decimal_comma: bool
    names: tuple[str, ...]
    types: Mapping[str, str]
    fixed: frozenset[str]

    def typed(self, types: Mapping[str, str]) -> "TextFile":
        """The same file with more types."""
        return dataclasses.replace(self, types={**self.types, **types})


def find_text(path: Path, options: TextOptions, notes: Notes) -> TextFile:
    """How a text is to be read; raises DataError."""
    encoding = options.encoding or find_encoding(path, notes)
    try:
        head = text_head(path, encoding)
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot read: {error}") from error
    if not head.strip():
        raise DataError(f"{path}: expected a header and rows, got an empty file")
    delimiter = options.delimiter or find_delimiter(head)
    found = options.decimal_comma is None and has_decimal_commas(head, delimiter)
    if found:
        notes.add(str(path), "has numbers such as 1,5; read as 1.5 (decimal_comma= says otherwise)")
    names = tuple(next(csv.reader(io.StringIO(head.lstrip("\r\n"), newline=""), delimiter=delimiter)))
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(f"{path}: expected columns of different names, got {twice[0]!r} more than once")
    asked = {name: kind for name, kind in options.types.items() if name in names}
    types = {**_codes(head, delimiter, names, asked, notes), **asked}
    return TextFile(path, encoding, delimiter, found or bool(options.decimal_comma), names, types, frozenset(asked))


def _codes(
    head: str, delimiter: str, names: tuple[str, ...], asked: Mapping[str, str], notes: Notes
) -> dict[str, str]:
    """The columns of digits that are texts, though they look like numbers."""
    codes = {names[place]: cell for place, cell in find_codes(head, delimiter).items() if place < len(names)}
    for name, cell in codes.items():
        if name not in asked:
            notes.column(name, f"holds codes such as {cell}; read as text, for a number would lose digits")
    return dict.fromkeys(codes, _TEXT)


def read_text(file: TextFile, notes: Notes) -> "pa.Table":
    """A text as one table; raises DataError with file and line."""
    kept: list[Any] = []
    _, schema = _settle(file, kept)
    return without_words(arrow().Table.from_batches(kept, schema), notes)


def settled(file: TextFile) -> TextFile:
    """The file with a type for each column that all its cells fit; reads it once."""
    file, schema = _settle(file, None)
    return file.typed({name: str(kind) for name, kind in zip(schema.names, schema.types, strict=True)})


def text_batches(file: TextFile, notes: Notes) -> "Iterator[pa.Table]":
    """A settled text as tables of some megabytes each; raises DataError with file and line."""
    try:
        with _open(file) as reader:
            for batch in reader:
                yield without_words(arrow().Table.from_batches([batch]), notes)
    except _errors() as error:
        _wider(file, error, 0)
        raise DataError(f"{file.path}: changed while it was read") from error


def _settle(file: TextFile, kept: list[Any] | None) -> tuple[TextFile, Any]:
    """Read a text to its end, widening types where they do not fit; the batches go to `kept`."""
    restarts = 0
    while True:
        try:
            with _open(file) as reader:
                times = [f.name for f in reader.schema if arrow().types.is_time(f.type)]
                if times:  # of the day: no number and no date
                    file = file.typed(dict.fromkeys(times, _TEXT))
                    continue
                for batch in reader:
                    if kept is not None:
                        kept.append(batch)
                return file, reader.schema
        except _errors() as error:
            file = _wider(file, error, restarts)
        restarts += 1
        if kept is not None:
            kept.clear()


def _errors() -> tuple[type[BaseException], ...]:
    return (arrow().ArrowException, OSError, EOFError, UnicodeError)


@contextlib.contextmanager
def _open(file: TextFile) -> Iterator[Any]:
    from pyarrow import csv as arrow_csv

    from dreamgen.tables.types import parse_type

    with open_utf8(file.path, file.encoding) as stream:
        yield arrow_csv.open_csv(
            stream,
            read_options=arrow_csv.ReadOptions(use_threads=False, block_size=_BLOCK),
            parse_options=arrow_csv.ParseOptions(
                delimiter=file.delimiter,
                newlines_in_values=True,
                ignore_empty_lines=len(file.names) > 1,  # else they are empty cells
            ),
            convert_options=arrow_csv.ConvertOptions(
                null_values=list(MISSING),
                quoted_strings_can_be_null=True,
                decimal_point="," if file.decimal_comma else ".",
                column_types={name: parse_type(kind) for name, kind in file.types.items()},
            ),
        )


def _wider(file: TextFile, error: BaseException, restarts: int) -> TextFile:
    """The file with a wider type for the column that did not fit; raises DataError where nothing helps."""
    found = _FAILED.search(str(error))
    if not found:
        raise _explain(file, error) from error
    name, kind = file.names[int(found[1])], found[3]
    if name in file.fixed and not (kind in _NUMBERS and file.types[name] != "double"):
        line = _line(file, found[2])
        raise DataError(
            f"{file.path}{line}: column {name!r}: expected {file.types[name]}, as in training, got {found[4].strip()}"
        ) from error
    types = {name: "double" if name in file.fixed else _WIDER.get(kind, _TEXT)}
    if restarts >= _RESTARTS:
        types = {**dict.fromkeys((n for n in file.names if file.types.get(n) == "int64"), "double"), **types}
    return file.typed(types)


def _line(file: TextFile, row: str | None) -> str:
    line = line_of_row(file.path, file.encoding, file.delimiter, int(row)) if row else None
    return f", line {line}" if line else ""


def _explain(file: TextFile, error: BaseException) -> DataError:
    if isinstance(error, UnicodeError):
        return DataError(f"{file.path}: is not {file.encoding}: {error}")
    if "Expected" in str(error) and (ragged := find_ragged(file.path, file.encoding, file.delimiter)):
        line, expected, width = ragged
        return DataError(f"{file.path}, line {line}: expected {expected} cells, as the header has, got {width}")
    return DataError(f"{file.path}: not a readable text file: {error}")
