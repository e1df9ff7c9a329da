"""Text files as UTF-8, whatever they were written in."""

import codecs
import gzip
import zlib
from pathlib import Path
from typing import Any, BinaryIO, cast

from dreamgen.errors import DataError, SettingsError
from dreamgen.files import is_bomb
from dreamgen.tables.extras import arrow
from dreamgen.tables.notes import Notes

UTF8 = "utf-8"
FALLBACK = "cp1251"
_PIECE = 1 << 20
_MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def open_bytes(path: Path) -> BinaryIO:
    """A file's bytes, unpacked if it is a .gz."""
    return cast(BinaryIO, gzip.open(path)) if path.suffix.lower() == ".gz" else path.open("rb")


def find_encoding(path: Path, notes: Notes) -> str:
    """The encoding of a text: by its mark, else UTF-8 if it is that to the end, else cp1251 with a note.

    Raises:
        DataError: it cannot be read, or unfolds as a bomb does.
    """
    decoder, unfolded = codecs.getincrementaldecoder(UTF8)(), 0
    try:
        with open_bytes(path) as file:
            piece = file.read(_PIECE)
            if marked := _by_mark(piece):
                return marked
            while piece:
                unfolded += len(piece)
                if is_bomb(unfolded, path.stat().st_size):
                    raise DataError(
                        f"{path}: {path.stat().st_size} bytes unfold to {unfolded} and more, as a bomb does"
                    )
                decoder.decode(piece)
                piece = file.read(_PIECE)
            decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        notes.add(str(path), f"is not UTF-8; read as {FALLBACK} (in Python read_frame(path, encoding=) says another)")
        return FALLBACK
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot read: {error}") from error
    return UTF8


def _by_mark(head: bytes) -> str | None:
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name
    sample = head[:4096]
    if 0 in sample:  # the other half of a comma or of a line's end
        return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"
    return None


def check_encoding(name: str) -> str:
    """The encoding, if Python knows it; raises SettingsError."""
    try:
        return codecs.lookup(name).name
    except LookupError as error:
        raise SettingsError(f"unknown encoding {name!r}: expected one such as utf-8, utf-16 or cp1251") from error


def open_utf8(path: Path, encoding: str) -> Any:
    """An Arrow stream of a text as UTF-8; a mark at its beginning is for Arrow to skip."""
    pa = arrow()
    stream = pa.input_stream(str(path))
    if encoding in (UTF8, "utf-8-sig"):
        return stream
    return pa.transcoding_input_stream(stream, encoding, UTF8)


def text_head(path: Path, encoding: str) -> str:
    """The first lines of a text, up to some hundred thousand characters."""
    with open_bytes(path) as file:
        head = file.read(_PIECE // 4)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    return text.removeprefix("\ufeff")
