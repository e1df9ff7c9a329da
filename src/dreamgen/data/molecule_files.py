"""Molecules as a file writes them: SMILES one a line, or a table with a column of them beside their properties."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dreamgen.data.lines import blank_notes, find_lines, kind, text_of
from dreamgen.data.reading import listed
from dreamgen.errors import DataError
from dreamgen.registry import shorten

_SMILES, _READ = "smiles", "_read"
_DELIMITERS = ",;\t"
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Written:
    """Molecules as they are written.

    Attributes:
        texts: one for each row, not read yet.
        lines: on which each stands, from 1.
        names: of their properties.
        values: (n, A) properties, NaN in what is bad; None: there are none.
        bad: what is wrong with rows whose cells are no properties, by number.
        notes: what is to be said.
    """

    texts: list[str]
    lines: list[int]
    names: tuple[str, ...] = ()
    values: npt.NDArray[np.float32] | None = None
    bad: dict[int, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def written(path: Path, skip_bad: bool = False) -> Written:
    """What a .smi or a .csv holds; raises DataError.

    Args:
        path: the file.
        skip_bad: leave out columns of a table that hold no number at all.
    """
    return _table(path, skip_bad) if kind(path) == ".csv" else _smi(path)


def _smi(path: Path) -> Written:
    """A SMILES a line; what follows it after white space is a name, which is not read. `smiles` is a header."""
    lines = find_lines(path)
    words = [text.split(None, 1)[0] for text in lines.texts]
    start = int(words[0].lower() == _SMILES)
    if start == len(words):
        raise DataError(f"{path}: expected molecules below the header, got none")
    return Written(words[start:], lines.numbers[start:], notes=blank_notes(lines.blank))


def _table(path: Path, skip_bad: bool) -> Written:
    rows = _rows(path)
    head = next(rows, (0, []))[1]
    place, columns = _columns(path, head)
    texts: list[str] = []
    lines: list[int] = []
    cells: list[list[str]] = []
    bad: dict[int, str] = {}
    for line, row in rows:
        if len(row) != len(head):
            bad[len(texts)] = f"expected {len(head)} cells, as the header has, got {len(row)}"
            row = [""] * len(head)
        texts.append(row[place].strip())
        lines.append(line)
        cells.append([row[column].strip() for column in columns.values()])
    if not texts:
        raise DataError(f"{path}: expected molecules below the header, got none")
    names, values, wrong, notes = _properties(tuple(columns), cells, skip_bad)
    return Written(texts, lines, names, values, wrong | bad, notes)


def _columns(path: Path, head: Sequence[str]) -> tuple[int, dict[str, int]]:
    """Where the SMILES stand, and where each property; what has no name, such as numbers of the rows, is none."""
    names = [name.strip() for name in head]
    places = [place for place, name in enumerate(names) if name.lower() == _SMILES]
    if not places:
        got = listed(names, 10) or "none"
        raise DataError(f"{path}: expected a column called smiles, got {got}; dreamgen synthesize takes other tables")
    twice = [name for name in names if name and names.count(name) > 1]
    if twice or len(places) > 1:
        raise DataError(
            f"{path}: expected columns of different names, got {twice[0] if twice else _SMILES} more than once"
        )
    own = {name: place for place, name in enumerate(names) if name and place != places[0]}
    # What a model read off codes stands beside what is true: `dreamgen dream --out new.csv`.
    read = {f"{name}{_READ}" for name in own}
    return places[0], {name: place for name, place in own.items() if name not in read}


def _properties(
    names: tuple[str, ...], cells: list[list[str]], skip_bad: bool
) -> tuple[tuple[str, ...], npt.NDArray[np.float32] | None, dict[int, str], tuple[str, ...]]:
    """Names and values of the properties, what is wrong with rows, by number, and what is to be said."""
    values = np.array([[_number(cell) for cell in row] for row in cells], np.float64).reshape(len(cells), len(names))
    good = np.isfinite(values)
    kept = np.flatnonzero(good.any(axis=0)) if skip_bad else np.arange(len(names))
    notes = [f"column {name!r} left out: it holds no numbers" for i, name in enumerate(names) if i not in kept]
    wrong = {}
    for row in np.flatnonzero(~good[:, kept].all(1)).tolist():
        column = kept[np.argmin(good[row, kept])]
        cell = cells[row][column]
        wrong[row] = f"column {names[column]!r}: expected a number, got {shorten(cell) if cell else 'nothing'}"
    if not len(kept):
        return (), None, wrong, tuple(notes)
    return tuple(names[column] for column in kept), values[:, kept].astype(np.float32), wrong, tuple(notes)


def _number(cell: str) -> float:
    """What a cell says, or NaN where that is no finite float32."""
    try:
        value = float(cell)
    except ValueError:
        return np.nan
    return value if abs(value) <= _LARGEST and "_" not in cell else np.nan


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The line on which each row begins, and its cells; blank lines are passed over."""
    text = text_of(path)
    reader, begins = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True), 1
    try:
        for row in reader:
            if row:
                yield begins, row
            begins = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}, line {begins}: not a row of a table: {error}") from error


def _delimiter(text: str) -> str:
    """What separates the cells of the header."""
    head = text.lstrip().partition("\n")[0]
    return max(_DELIMITERS, key=head.count)
