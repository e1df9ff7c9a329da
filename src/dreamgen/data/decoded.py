"""Pictures decoded once into one file of bytes, which is mapped into memory and trained from as an array is.

Two files in the user's cache: KEY.bytes, to which decoded pictures are appended in order, and KEY.json, which says
how many of them are safely there. The second is written after the first was flushed, so a run that was killed is gone
on with where it was, and what it had appended since is dropped.
"""

import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import filelock
import numpy as np

from dreamgen.data.cache import cache_folder
from dreamgen.data.dataset import Array
from dreamgen.data.decoding import Piece, Sources, decode_pieces
from dreamgen.data.framing import Framing
from dreamgen.data.images import decode_image
from dreamgen.errors import DataError, ModelFileError, OutputError, SettingsError
from dreamgen.files import dump_json, make_folder, parse_json, write_bytes, writing
from dreamgen.registry import check_type
from dreamgen.workers import Watch

_FORMAT = 1
_BETWEEN = 4096  # pictures between two notes of what is safe
_SMALL = 1 << 28  # bytes of pictures that memory may hold where no cache can be written


@dataclass(frozen=True)
class Decoded:
    """Pictures as rows.

    Attributes:
        x: (n, height, width[, 3]) bytes; read-only where mapped.
        skipped: numbers of the sources that are not among them, and what is wrong with each.
        place: the file that they are mapped from; None: they are in memory.
    """

    x: Array
    skipped: dict[int, str] = field(default_factory=dict)
    place: Path | None = None


def decode_into_memory(sources: Sources, framing: Framing, skip_bad: bool, watch: Watch) -> Decoded:
    """Decode pictures into an array; raises DataError for a bad one, or for all of them."""
    shape = _shape(sources, framing, skip_bad)
    pieces: list[Array] = []
    skipped: dict[int, str] = {}
    seen = 0
    for piece in decode_pieces(sources, framing, shape):
        skipped |= _checked(piece, seen, skip_bad)
        pieces.append(piece.x)
        seen += piece.seen
        watch(seen, len(sources))
    return Decoded(np.concatenate(pieces), skipped)


def decode_into_cache(
    sources: Sources, framing: Framing, skip_bad: bool, watch: Watch, folder: Path, facts: Sequence[str]
) -> Decoded:
    """Decode pictures into a file, or find that it was done.

    Args:
        sources: the pictures.
        framing: what each is brought to.
        skip_bad: leave out, and remember, those that cannot be decoded.
        watch: told how far it is.
        folder: of all such files.
        facts: what tells these pictures from others: name, size and time of each file.

    Raises:
        DataError: a bad picture, the first of them named.
        OutputError: the folder cannot be written, or is full.
    """
    key = hashlib.sha256("\n".join([repr((_FORMAT, framing)), *facts]).encode("utf-8", "surrogateescape"))
    place = make_folder(folder) / f"{key.hexdigest()[:32]}.bytes"
    with writing(place), _alone(place):
        note = _read_note(place) or _Note(_shape(sources, framing, skip_bad))
        if note.seen < len(sources):
            _append(place, note, sources, framing, skip_bad, watch)
    if note.skipped and not skip_bad:
        raise _bad(note.skipped[min(note.skipped)])
    return Decoded(np.memmap(place, np.uint8, "r", shape=(note.rows, *note.shape)), note.skipped, place)


def decode(sources: Sources, framing: Framing, skip_bad: bool, watch: Watch, facts: Sequence[str]) -> Decoded:
    """`decode_into_cache` of the user; in memory where pictures are few and that cannot be written."""
    try:
        return decode_into_cache(sources, framing, skip_bad, watch, cache_folder() / "pictures", facts)
    except OutputError as error:
        if len(sources) * framing.height * framing.width * 3 > _SMALL:
            raise OutputError(f"{error}; XDG_CACHE_HOME names another place for decoded pictures") from error
        return decode_into_memory(sources, framing, skip_bad, watch)


def facts_of(files: Sequence[Path], root: Path) -> list[str]:
    """What tells files below a folder from others: where it is, and the name, size and time of each."""
    facts = [str(root.resolve())]
    for file in files:
        try:
            about = file.stat()
        except OSError as error:
            raise DataError(f"{file}: {error.strerror}") from error
        facts.append(f"{file.relative_to(root).as_posix()} {about.st_size} {about.st_mtime_ns}")
    return facts


@dataclass
class _Note:
    """How far a file of pictures is: what stands in KEY.json."""

    shape: tuple[int, ...]
    seen: int = 0
    skipped: dict[int, str] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return self.seen - len(self.skipped)

    @property
    def bytes(self) -> int:
        return self.rows * math.prod(self.shape)


def _append(place: Path, note: _Note, sources: Sources, framing: Framing, skip_bad: bool, watch: Watch) -> None:
    """Decode what is missing; `note` says how far it is, on disk after every few thousand and at the end."""
    with place.open("ab") as file:
        file.truncate(note.bytes)
        noted = note.seen
        watch(noted, len(sources))
        try:
            for piece in decode_pieces(sources, framing, note.shape, noted):
                bad = _checked(piece, note.seen, skip_bad)
                file.write(piece.x.tobytes())
                note.seen, note.skipped = note.seen + piece.seen, note.skipped | bad
                watch(note.seen, len(sources))
                if note.seen - noted >= _BETWEEN:
                    noted = note.seen
                    _flush(place, file, note)
        finally:
            _flush(place, file, note)


def _flush(place: Path, file: IO[bytes], note: _Note) -> None:
    file.flush()
    os.fsync(file.fileno())
    write_bytes(place.with_suffix(".json"), dump_json(asdict(note)))


def _read_note(place: Path) -> _Note | None:
    """What is safe, or None where nothing is, or what says so is damaged."""
    try:
        values = parse_json(place.with_suffix(".json").read_bytes(), "")
        check_type("", values, dict[str, Any])
        check_type("", values["shape"], list[int])
        check_type("", values["skipped"], dict[str, str])
        skipped = {int(number): reason for number, reason in values["skipped"].items()}
        note = _Note(tuple(values["shape"]), int(values["seen"]), skipped)
        return note if place.stat().st_size >= note.bytes else None
    except (OSError, ModelFileError, SettingsError, LookupError, TypeError, ValueError):
        return None


def _alone(place: Path) -> filelock.BaseFileLock:
    """Held by the process that decodes these pictures; another one waits, and then finds them done."""
    return filelock.FileLock(place.with_suffix(".lock"))


def _shape(sources: Sources, framing: Framing, skip_bad: bool) -> tuple[int, ...]:
    """Height, width and channels of the first good picture."""
    reason = "no pictures"
    for number, item in enumerate(sources.items):
        try:
            return framing(decode_image(item, sources.name(number))).shape
        except DataError as error:
            reason = str(error)
            if not skip_bad:
                raise _bad(reason) from None
    raise DataError(f"none of {len(sources)} pictures can be read, the last because: {reason}")


def _checked(piece: Piece, start: int, skip_bad: bool) -> dict[int, str]:
    """The bad pictures by their numbers among all; raises DataError for the first, unless they are to be skipped."""
    if piece.bad and not skip_bad:
        raise _bad(min(piece.bad.items())[1])
    return {start + number: reason for number, reason in piece.bad.items()}


def _bad(reason: str) -> DataError:
    return DataError(f"{reason}; --skip-bad leaves such pictures out and counts them")


def keep(skipped: dict[int, str], n: int) -> Array:
    """Which of n sources became rows, bool, (n,)."""
    kept = np.ones(n, bool)
    kept[list(skipped)] = False
    return kept
