"""What separates the cells of a text, and what the fractions of its numbers; and which line is the ragged one."""

import csv
import io
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from dreamgen.tables.encodings import open_bytes
from dreamgen.tables.gaps import MISSING

DELIMITERS = (",", ";", "\t")
_ROWS = 100
_DIGITS = 18  # of an integer of 64 bits
_COMMA = re.compile(r"[+-]?\d+,\d+")
_POINT = re.compile(r"[+-]?\d+\.\d+")


def find_delimiter(head: str) -> str:
    """The delimiter that gives the most rows the header's number of cells, and the most cells of those."""
    best, choice = (0.0, 1), ","
    for delimiter in DELIMITERS:
        rows = _rows(head, delimiter)
        if not rows:
            continue
        widths = Counter(map(len, rows))
        clean = sum('"' not in cell for row in rows for cell in row)  # a quote is left where a cell was cut in two
        score = (clean * widths[len(rows[0])] / len(rows) / sum(map(len, rows)), len(rows[0]))
        if len(rows[0]) > 1 and score > best:
            best, choice = score, delimiter
    return choice


def has_decimal_commas(head: str, delimiter: str) -> bool:
    """Whether numbers are written 1,5: some are, and none is written 1.5."""
    if delimiter == ",":
        return False
    cells = [cell.strip() for row in _rows(head, delimiter)[1:] for cell in row]
    return any(map(_COMMA.fullmatch, cells)) and not any(map(_POINT.fullmatch, cells))


def find_codes(head: str, delimiter: str) -> dict[int, str]:
    """The columns whose digits are no number, by place, each with such a cell.

    Numbers would lose something of them: zeros that they begin with, as postal codes do, all of one length, or
    digits of which there are more than 18.
    """
    cells: dict[int, list[str]] = {}
    for row in _rows(head, delimiter, len(head))[1:]:
        for place, cell in enumerate(row):
            if (stripped := cell.strip()) not in MISSING:
                cells.setdefault(place, []).append(stripped)
    found = {}
    for place, column in cells.items():
        if all(cell.isascii() and cell.isdigit() for cell in column):
            padded = next((cell for cell in column if len(cell) > 1 and cell[0] == "0"), None)
            long = next((cell for cell in column if len(cell) > _DIGITS), None)
            if long or (padded and len({len(cell) for cell in column}) == 1):
                found[place] = long or str(padded)
    return found


def _rows(head: str, delimiter: str, most: int = _ROWS) -> list[list[str]]:
    lines = head.splitlines(keepends=True)
    if len(lines) > 1 and not head.endswith("\n"):
        lines.pop()  # cut off in the middle
    try:
        rows = [row for row in itertools.islice(csv.reader(lines, delimiter=delimiter), most) if row]
    except csv.Error:
        return []
    return rows


def line_of_row(path: Path, encoding: str, delimiter: str, number: int) -> int | None:
    """The line, from 1, on which a row begins, counted from 1 without empty lines; a quoted cell can span lines."""
    for count, (line, _) in enumerate(_numbered(path, encoding, delimiter), 1):
        if count == number:
            return line
    return None


def find_ragged(path: Path, encoding: str, delimiter: str) -> tuple[int, int, int] | None:
    """The first row whose number of cells is not the header's: its line, the number expected, the number it has."""
    rows = _numbered(path, encoding, delimiter)
    expected = next((width for _, width in rows), 0)
    return next(((line, expected, width) for line, width in rows if width != expected), None)


def _numbered(path: Path, encoding: str, delimiter: str) -> Iterator[tuple[int, int]]:
    """The line on which each row begins, and its number of cells."""
    with open_bytes(path) as file, io.TextIOWrapper(file, encoding, errors="replace", newline="") as text:
        reader, begins = csv.reader(text, delimiter=delimiter), 1
        try:
            for row in reader:
                if row:
                    yield begins, len(row)
                begins = reader.line_num + 1
        except csv.Error:
            return
