"""Pictures of any sizes as one data set: brought to a size, decoded by workers, mapped into memory."""

import hashlib
from pathlib import Path

import numpy as np

from dreamgen.data.dataset import Dataset, Examples, is_for_test
from dreamgen.data.decoded import decode, decode_into_memory, facts_of, keep
from dreamgen.data.decoding import FEW, Sources
from dreamgen.data.framing import Framing
from dreamgen.data.images import image_files, labels_by_folder
from dreamgen.data.reading import Reading, notes_of
from dreamgen.errors import DataError

_HEAD = 1 << 16  # bytes at the beginning of a file that tell it from others of its size


def read_sized_folder(path: Path, size: int, reading: Reading) -> Dataset:
    """All pictures below a folder, (n, size, size[, 3]) bytes: the largest centred square of each, resized.

    A tenth is the test part, chosen by the files' own bytes, so that copies of a file lie on the same side; it comes
    last. Subfolders are classes, where all pictures lie in one.

    Raises:
        DataError: no pictures, one that cannot be read, or grey ones among coloured ones; the first is named.
    """
    files = image_files(path)
    for_test = is_for_test([_head(file) for file in files])
    order = np.argsort(for_test, kind="stable")  # so that both parts are slices of a file mapped into memory
    files = [files[row] for row in order]
    sources, framing = Sources.of_files(files), Framing.square(size)
    if len(files) <= FEW:
        decoded = decode_into_memory(sources, framing, reading.skip_bad, reading.watch)
    else:
        decoded = decode(sources, framing, reading.skip_bad, reading.watch, facts_of(files, path))
    kept = keep(decoded.skipped, len(files))
    labels, classes = labels_by_folder(path, files)
    return Dataset(
        path.name,
        Examples(decoded.x, None if labels is None else labels[kept]),
        for_test[order][kept],
        classes=classes,
        source=str(path),
        size=size,
        notes=(
            f"the largest centred square of each picture, resized to {size}x{size}",
            *notes_of(decoded.skipped, len(files)),
        ),
        skipped=tuple(decoded.skipped.values()),
    )


def _head(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return hashlib.blake2b(opened.read(_HEAD)).digest() + str(file.stat().st_size).encode()
    except OSError as error:
        raise DataError(f"{file}: {error.strerror or error}") from error
