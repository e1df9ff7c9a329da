"""Many pictures decoded in their order by worker processes, a piece at a time, so that memory stays flat."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from dreamgen.data.dataset import Array
from dreamgen.data.framing import Framing
from dreamgen.data.images import decode_image, size_of
from dreamgen.errors import DataError
from dreamgen.workers import in_order, workers_for

PIECE = 256  # pictures that one task of a worker holds
FEW = 4096  # pictures that one process decodes before another has started


@dataclass(frozen=True)
class Sources:
    """Pictures that are not decoded yet.

    Attributes:
        items: for each a file, or what a file holds.
        name: of one of them, for messages, by its number.
    """

    items: Sequence[Path | bytes]
    name: Callable[[int], str]

    @classmethod
    def of_files(cls, files: Sequence[Path]) -> "Sources":
        """Pictures in files of their own."""
        return cls(files, lambda number: str(files[number]))

    def __len__(self) -> int:
        return len(self.items)


@dataclass(frozen=True)
class Piece:
    """Successive pictures, decoded.

    Attributes:
        seen: how many pictures it is made of, bad ones among them.
        x: the good ones, (k, *shape) bytes.
        bad: number among the `seen`, and what is wrong with it.
    """

    seen: int
    x: Array
    bad: dict[int, str]


def decode_pieces(
    sources: Sources, framing: Framing, shape: tuple[int, ...], start: int = 0, workers: int | None = None
) -> Iterator[Piece]:
    """Decode pictures from number `start` on, in order.

    Args:
        sources: the pictures.
        framing: what each is brought to.
        shape: (height, width) or (height, width, 3), which each then must have.
        start: the first that is decoded.
        workers: processes; None: as many as there are processors, and for a few thousand pictures none but this one.

    Raises:
        DataError: a worker was killed.
    """
    begins = range(start, len(sources), PIECE)
    tasks = ([(item, sources.name(b + i)) for i, item in enumerate(sources.items[b : b + PIECE])] for b in begins)
    if workers is None:
        workers = workers_for(len(sources) - start, FEW)
    yield from in_order(partial(decode_piece, framing=framing, shape=shape), tasks, workers, "decoded pictures")


def decode_piece(task: Sequence[tuple[Path | bytes, str]], framing: Framing, shape: tuple[int, ...]) -> Piece:
    """Decode some pictures, each with its name; a bad one is named and left out."""
    good: list[Array] = []
    bad: dict[int, str] = {}
    for number, (source, name) in enumerate(task):
        try:
            picture = _framed(source, name, framing)
            if picture.shape != shape:
                raise DataError(f"{name}: expected {size_of(shape)}, as the first has, got {size_of(picture.shape)}")
            good.append(picture)
        except DataError as error:
            bad[number] = str(error)
    return Piece(len(task), np.stack(good) if good else np.empty((0, *shape), np.uint8), bad)


def _framed(source: Path | bytes, name: str, framing: Framing) -> Array:
    picture = decode_image(source, name)
    try:
        return framing(picture)
    except (ValueError, OSError, MemoryError) as error:
        raise DataError(f"{name}: cannot be brought to {framing.width} x {framing.height}: {error}") from error
