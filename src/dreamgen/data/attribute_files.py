"""The lists beside CelebA's pictures: attributes, and which part each picture belongs to.

As published: the number of rows, the names of the columns, then a file's name and its values with spaces between
them; the list of parts has neither of the first two lines. As Kaggle has them: .csv with one line of names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dreamgen.errors import DataError
from dreamgen.files import check_regular
from dreamgen.registry import shorten

_LARGEST = 1 << 28  # bytes of a list


@dataclass(frozen=True)
class Attributes:
    """A list of pictures with values for each.

    Attributes:
        names: of the columns, (A,).
        files: names of the pictures, (n,).
        values: (n, A) float32; attributes are 0 or 1.
    """

    names: tuple[str, ...]
    files: tuple[str, ...]
    values: npt.NDArray[np.float32]

    def rows(self, files: Sequence[str]) -> npt.NDArray[np.float32]:
        """The values of some pictures, in their order; all of them must be listed."""
        place = {name: row for row, name in enumerate(self.files)}
        return self.values[[place[name] for name in files]]


def read_attributes(path: Path) -> Attributes:
    """A list of attributes, -1 (or 0) and 1 in the file, as 0 and 1; raises DataError with the line that is bad."""
    found = _read(path, 1)
    return Attributes(found.names, found.files, (found.values > 0).astype(np.float32))


def read_partition(path: Path) -> Attributes:
    """Which part each picture is of: 0 train, 1 validation, 2 test; raises DataError with the line that is bad."""
    return _read(path, 2)


def _read(path: Path, largest: int) -> Attributes:
    """Whole numbers up to `largest`; the smallest is -1 where that is 1, and else 0."""
    lines = _lines(path)
    comma = "," if path.suffix.lower() == ".csv" else None
    names, first = _heading(path, lines, comma)
    allowed = {"-1": -1.0, "0": 0.0, "1": 1.0} if largest == 1 else {"0": 0.0, "1": 1.0, "2": 2.0}
    files: dict[str, int] = {}
    values = np.empty((len(lines) - first, len(names)), np.float32)
    for number, line in enumerate(lines[first:], first + 1):
        name, *cells = (cell.strip() for cell in line.split(comma))
        where = f"{path}, line {number}"
        if len(cells) != len(names):
            raise DataError(f"{where}: expected a name and {len(names)} values, got {len(cells)} values")
        if name in files:
            raise DataError(f"{where}: {shorten(name)} stands in line {files[name]} already")
        files[name] = number
        try:
            values[number - first - 1] = [allowed[cell] for cell in cells]
        except KeyError as error:
            raise DataError(f"{where}: expected {', '.join(allowed)}, got {shorten(error.args[0])}") from error
    if not files:
        raise DataError(f"{path}: has no rows")
    return Attributes(names, tuple(files), values)


def _heading(path: Path, lines: Sequence[str], comma: str | None) -> tuple[tuple[str, ...], int]:
    """The names of the columns, and the number of lines before the first row."""
    head = lines[0].split(comma) if lines else []
    if comma:
        return tuple(name.strip() for name in head[1:]), 1
    if len(head) != 1:
        return ("partition",), 0
    if not head[0].isdecimal() or int(head[0]) != len(lines) - 2:
        raise DataError(f"{path}: its first line says {shorten(head[0])} rows, it has {max(len(lines) - 2, 0)}")
    return tuple(lines[1].split()), 2


def _lines(path: Path) -> list[str]:
    try:
        check_regular(path)
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path}: expected a list of pictures, got {path.stat().st_size} bytes")
        return [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a readable list: {error}") from error
