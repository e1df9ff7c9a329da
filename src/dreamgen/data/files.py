"""A user's own data: arrays, a folder of images, lines of text, or molecules."""

import os
from pathlib import Path

import numpy as np

from dreamgen.data.arrays import as_examples, pick_array, read_arrays
from dreamgen.data.celeba import find_celeba, read_celeba
from dreamgen.data.dataset import Array, Dataset, Labels, split_by_content
from dreamgen.data.images import read_folder
from dreamgen.data.languages import Held
from dreamgen.data.lines import kind, read_lines
from dreamgen.data.molecules import read_molecules
from dreamgen.data.pictures import read_sized_folder
from dreamgen.data.reading import USUAL, Reading
from dreamgen.errors import DataError

_LARGEST_LABEL = 10_000
_LINES = (".txt", ".abc")
_MOLECULES = (".smi", ".smiles", ".csv")
_KINDS = ".npy, .npz, .txt, .smi, .csv with a column smiles, or a folder of images"


def load_path(path: Path, reading: Reading = USUAL) -> Dataset:
    """Load .npy, .npz, lines (.txt, .abc), molecules (.smi, .csv), a folder of images, or one of CelebA.

    Lines and molecules may be gzipped. Raises DataError.
    """
    held = held_by(path)
    _refuse_options(path, reading, held)
    if held != "pictures":
        return read_lines(path, reading) if held == "lines" else read_molecules(path, reading)
    if path.is_dir():
        if found := find_celeba(path):
            return read_celeba(found, reading)
        if reading.size is not None:
            return read_sized_folder(path, reading.size, reading)
        if reading.skip_bad:
            raise DataError(f"{path}: --skip-bad needs --size, which pictures are brought to")
        x, labels, classes = read_folder(path)
        return split_by_content(path.name, x, labels, classes=classes, source=str(path))
    if reading.size is not None or reading.skip_bad:
        raise DataError(f"{path}: --size and --skip-bad are for faces and for folders of pictures")
    if path.suffix not in (".npy", ".npz"):
        raise DataError(f"{path}: expected {_KINDS}, got {path.suffix or 'no suffix'}")
    arrays = read_arrays(path)
    given = next((arrays.pop(name) for name in ("labels", "y", "label") if name in arrays), None)
    x = as_examples(pick_array(path, arrays, ("x", "images", "data", "X")), str(path))
    if given is None:
        return split_by_content(path.stem, x, None, source=str(path))
    if given.shape != x.shape[:1]:
        raise DataError(f"{path}: expected {len(x)} labels, got shape {given.shape}")
    labels, classes = _number(given)
    return split_by_content(path.stem, x, labels, classes=classes, source=str(path))


def held_by(path: Path) -> Held:
    """What a path holds, by its name."""
    if os.path.isdir(path):  # noqa: PTH112 - it answers for names that no file can have
        return "pictures"
    return "lines" if kind(path) in _LINES else "molecules" if kind(path) in _MOLECULES else "pictures"


def _refuse_options(path: Path, reading: Reading, held: Held) -> None:
    """Raise DataError for what is asked for and cannot be done to such data."""
    if held != "pictures" and reading.size is not None:
        raise DataError(f"{path}: --size is for faces and for folders of pictures")
    if held == "pictures" and reading.longest is not None:
        raise DataError(f"{path}: --longest is for lines and molecules")
    if reading.largest_part and held != "molecules":
        raise DataError(f"{path}: --largest-part is for molecules")


def _number(labels: Array) -> tuple[Labels, tuple[str, ...]]:
    """Labels as numbers, and their names: small whole numbers stand for themselves."""
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels.astype(np.bytes_), "utf-8", "replace")
    if labels.dtype.kind in "ui" and labels.min() >= 0 and labels.max() < _LARGEST_LABEL:
        return labels.astype(np.int64), tuple(map(str, range(int(labels.max()) + 1)))
    names, numbers = np.unique(labels, return_inverse=True)
    return numbers.astype(np.int64), tuple(map(str, names))
