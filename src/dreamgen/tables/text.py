"""Text files of rows: encodings, delimiters, and errors that name the line."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamgen.errors import DataError
from dreamgen.tables.extras import arrow
from dreamgen.tables.notes import Notes

if TYPE_CHECKING:
    import pyarrow as pa

MISSING = ("", "NA", "NaN", "nan", "null", "NULL", "N/A", "n/a", "#N/A")
_HEAD = 1 << 20
_BLOCK = 8 << 20


@dataclass(frozen=True)
class TextOptions:
    """How a text file is to be read; None: found out.

    Attributes:
        encoding: such as "utf-8", "utf-16", "cp1251".
        delimiter: "," ";" or a tab.
        decimal_comma: whether 1,5 is a number.
    """

    encoding: str | None = None
    delimiter: str | None = None
    decimal_comma: bool = False


def read_text(path: Path, options: TextOptions, notes: Notes) -> "pa.Table":
    """A text file as one table; raises DataError with file and line."""
    pa = arrow()
    parts = list(text_batches(path, options))
    return pa.Table.from_batches(parts)


def text_batches(path: Path, options: TextOptions) -> Iterator[Any]:
    """A text file as record batches of some megabytes."""
    pa = arrow()
    from pyarrow import csv

    try:
        with pa.input_stream(str(path)) as stream:
            head = stream.read(_HEAD)
        delimiter = options.delimiter or _delimiter(head)
        with pa.input_stream(str(path)) as stream:
            reader = csv.open_csv(
                stream,
                read_options=csv.ReadOptions(use_threads=False, block_size=_BLOCK),
                parse_options=csv.ParseOptions(
                    delimiter=delimiter,
                    newlines_in_values=True,
                    ignore_empty_lines=delimiter.encode() in head.partition(b"\n")[0],  # else it is an empty cell
                ),
                convert_options=csv.ConvertOptions(
                    null_values=list(MISSING),
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                    decimal_point="," if options.decimal_comma else ".",
                ),
            )
            yield from reader
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable text file: {error}") from error


def _delimiter(head: bytes) -> str:
    line = head.partition(b"\n")[0].decode("utf-8", "replace")
    return max(",;\t", key=line.count)
