"""A user's lines of text: a text file, plain or gzipped, each line of it an example."""

import codecs
import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from dreamgen.data.dataset import Dataset, Examples, is_for_test
from dreamgen.data.reading import USUAL, Reading, leave_out
from dreamgen.errors import DataError
from dreamgen.files import check_regular, is_bomb

_PIECE = 1 << 20
_MOST = 4 << 30  # bytes of an array of texts, in which each takes as much room as the longest
_OTHERS = {codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


@dataclass(frozen=True)
class TextLines:
    """The lines of a file that are not blank.

    Attributes:
        texts: without the white space at their ends.
        numbers: of each in the file, from 1.
        blank: how many were left out.
    """

    texts: list[str]
    numbers: list[int]
    blank: int


def read_lines(path: Path, reading: Reading = USUAL) -> Dataset:
    """The different lines of a file, (n,) texts, in its order; a tenth, chosen by what they say, is the test part.

    Blank lines, repeated ones, and white space at the end of a line are left out.

    Raises:
        DataError: it is not UTF-8, not whole, empty, or has a line of more than `reading.longest` characters.
    """
    lines = find_lines(path)
    n = len(lines.texts)
    bad = {}
    if reading.longest is not None:
        reason = f"longer than {reading.longest} characters"
        bad = {row: f"{path}, line {lines.numbers[row]}: {reason}" for row in _longer(lines.texts, reading.longest)}
    notes = leave_out(bad, n, reading, "lines")
    kept = [text for row, text in enumerate(lines.texts) if row not in bad]
    texts = list(dict.fromkeys(kept))
    return split_texts(
        stem(path),
        texts,
        source=str(path),
        notes=(*blank_notes(lines.blank), *notes, *repeat_notes(len(kept) - len(texts), len(kept), "lines")),
        skipped=tuple(bad.values()),
    )


def find_lines(path: Path) -> TextLines:
    """The lines of a text file; raises DataError if it cannot be read, is not UTF-8, or has none but blank ones."""
    every = text_of(path).replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")
    texts, numbers = [], []
    for number, line in enumerate(every, 1):
        if text := line.rstrip():
            texts.append(text)
            numbers.append(number)
    if not texts:
        raise DataError(f"{path}: expected lines of text, got {len(every)} blank ones")
    return TextLines(texts, numbers, len(every) - len(texts))


def text_of(path: Path) -> str:
    """All of a text, unpacked if it is a .gz.

    Raises:
        DataError: it is empty, not whole, not UTF-8 (the line is named), or unfolds as a bomb does.
    """
    content = _unfolded(path)
    if not content:
        raise DataError(f"{path}: expected text, got an empty file")
    other = next((name for mark, name in _OTHERS.items() if content.startswith(mark)), None)
    if other:
        raise DataError(f"{path}: is {other}, expected UTF-8")
    place = content.find(0)
    if place >= 0:
        raise DataError(f"{path}, line {_line(content, place)}: a NUL byte, expected text in UTF-8")
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}, line {_line(content, error.start)}: is not UTF-8; iconv -f cp1251 -t utf-8 rewrites a text of "
            "Windows"
        ) from error


def split_texts(name: str, texts: Sequence[str], attributes: Any = None, **facts: Any) -> Dataset:
    """Texts as a data set, a tenth of them, chosen by what they say, as the test part; raises DataError."""
    is_test = is_for_test(text.encode() for text in texts)  # not by their bytes in an array: these tell the longest
    return Dataset(name, Examples(as_texts(texts, name), attributes=attributes), is_test, **facts)


def as_texts(texts: Sequence[str], name: str) -> "np.ndarray[Any, np.dtype[np.str_]]":
    """Texts as an array, (n,), each with the room of the longest; raises DataError where that is too much."""
    longest = max(map(len, texts), default=0)
    if len(texts) * longest * 4 > _MOST:
        raise DataError(
            f"{name}: {len(texts)} lines, the longest of {longest} characters, need {len(texts) * longest * 4 >> 30} "
            "GiB; expected shorter ones, which --longest asks for"
        )
    return np.array(texts, np.str_)


def blank_notes(blank: int) -> tuple[str, ...]:
    """What is to be said of blank lines."""
    return (f"{blank} blank lines left out",) if blank else ()


def repeat_notes(repeated: int, n: int, what: str) -> tuple[str, ...]:
    """What is to be said of lines or molecules that were there before."""
    return (f"{repeated} of {n} {what} left out, which repeat others",) if repeated else ()


def stem(path: Path) -> str:
    """The name of a file without .txt, .smi.gz and the like."""
    return Path(path.name[:-3] if path.name.lower().endswith(".gz") else path.name).stem


def kind(path: Path) -> str:
    """What the name of a file says it holds: ".smi" of "drugs.SMI.gz"."""
    return Path(path.name.lower().removesuffix(".gz")).suffix


def _longer(texts: Sequence[str], longest: int) -> list[int]:
    return [row for row, text in enumerate(texts) if len(text) > longest]


def _line(content: bytes, place: int) -> int:
    before = content[:place]
    return 1 + before.count(b"\n") + before.count(b"\r") - before.count(b"\r\n")


def _unfolded(path: Path) -> bytes:
    """A file's bytes; a .gz is first unpacked without being kept, so that a bomb takes no memory."""
    try:
        check_regular(path)
        if path.suffix.lower() != ".gz":
            return path.read_bytes()
        with _open(path) as file:
            unfolded = 0
            while piece := file.read(_PIECE):
                unfolded += len(piece)
                if is_bomb(unfolded, path.stat().st_size):
                    raise DataError(
                        f"{path}: {path.stat().st_size} bytes unfold to {unfolded} and more, as a bomb does"
                    )
        with _open(path) as file:
            return file.read()
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{path}: cannot be read: {reason}") from error


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path))
