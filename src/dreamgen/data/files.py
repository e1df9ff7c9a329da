"""A user's own files: .npy, .npz and folders of images. Nothing in them is ever run.

Headers are read and compared with the file's size before any array is, so a file that promises more than it holds,
or that would need unpickling, is refused without memory being taken.
"""

import math
import warnings
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from PIL import Image

from dreamgen.data.dataset import Array, Dataset, split_by_content
from dreamgen.errors import DataError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
_LARGEST = 64 << 30  # bytes of one array
_MAX_HEADER = 10_000


def load_path(path: Path) -> Dataset:
    """Load .npy, .npz or a folder of images; raises DataError."""
    if path.is_dir():
        return _load_folder(path)
    if path.suffix in (".npy", ".npz"):
        arrays = read_arrays(path)
        x = pick_array(path, arrays, ("x", "images", "data", "X"))
        labels = next((arrays[k] for k in ("labels", "y", "label") if k in arrays), None)
        return _dataset(path, x, labels)
    raise DataError(f"{path}: expected .npy, .npz or a folder of images, got {path.suffix or 'no suffix'}")


def read_arrays(path: Path) -> dict[str, Array]:
    """All plain arrays of an .npy or .npz file, by name ("x" for .npy); raises DataError."""
    try:
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                return {info.filename.removesuffix(".npy"): _member(archive, info) for info in archive.infolist()}
        with path.open("rb") as file:
            return {"x": _read_array(file, path.stat().st_size)}
    except (OSError, zipfile.BadZipFile, EOFError, ValueError, RuntimeError, NotImplementedError) as error:
        if isinstance(error, DataError):
            raise DataError(f"{path}: {error}") from None
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DataError(f"{path}: cannot be read as {path.suffix[1:]}: {reason}") from error


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    with archive.open(info) as file:
        return _read_array(file, info.file_size)


def _read_array(file: IO[bytes], size: int) -> Array:
    version = npy.read_magic(file)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise DataError(f"npy format {version} is not supported")
    shape, fortran, dtype = readers[version](file, max_header_size=_MAX_HEADER)
    if dtype.hasobject:
        raise DataError("holds pickled objects, which could run code; expected plain numbers")
    promised = math.prod(shape) * dtype.itemsize
    if promised > min(size - file.tell(), _LARGEST) or min(shape, default=0) < 0:
        raise DataError(f"its header promises {promised} bytes, the file holds {size - file.tell()}")
    content = file.read(promised)
    if len(content) != promised:
        raise DataError(f"its header promises {promised} bytes, the file holds {len(content)}")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


def pick_array(path: Path, arrays: dict[str, Array], names: tuple[str, ...]) -> Array:
    """The array with the first of the names that is there, or the only one; raises DataError."""
    for name in names:
        if name in arrays:
            return arrays[name]
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    raise DataError(f"{path}: expected an array called {' or '.join(names[:2])}, got {', '.join(arrays) or 'none'}")


def as_examples(x: Any, name: str = "x") -> Array:
    """Examples as bytes or float32, (n, *event), checked: numbers, not empty, finite. Raises DataError."""
    x = np.asarray(x)
    if x.dtype == bool:
        x = x.astype(np.float32)
    if x.dtype.kind not in "uif":
        raise DataError(f"{name}: expected numbers, got {x.dtype}")
    if x.ndim < 2:
        raise DataError(f"{name}: expected one row an example, (n, ...), got shape {x.shape}")
    if not x.size:
        raise DataError(f"{name}: expected at least one example, got shape {x.shape}")
    if x.dtype == np.uint8:
        return np.asarray(x)
    bad = ~np.isfinite(x)
    if bad.any():
        rows = np.flatnonzero(bad.reshape(len(x), -1).any(1))
        raise DataError(f"{name}: NaN or infinity in {len(rows)} of {len(x)} rows, the first is row {rows[0]}")
    with np.errstate(over="ignore"):
        x = x.astype(np.float32)
    if not np.isfinite(x).all():
        raise DataError(f"{name}: holds numbers too large for float32")
    return np.asarray(x)


def _dataset(path: Path, x: Array, labels: Array | None) -> Dataset:
    x = as_examples(x, str(path))
    classes: tuple[str, ...] = ()
    numbers = None
    if labels is not None:
        if labels.shape != x.shape[:1]:
            raise DataError(f"{path}: expected {len(x)} labels, got shape {labels.shape}")
        names, inverse = np.unique(labels, return_inverse=True)
        classes, numbers = tuple(str(name) for name in names), inverse.astype(np.int64)
        if labels.dtype.kind in "ui" and labels.min() >= 0 and labels.max() < 10_000:
            classes, numbers = tuple(map(str, range(int(labels.max()) + 1))), labels.astype(np.int64)
    return split_by_content(path.stem, x, numbers, classes=classes, source=str(path))


def _load_folder(path: Path) -> Dataset:
    files = sorted(f for f in path.rglob("*") if f.suffix.lower() in IMAGE_SUFFIXES and f.is_file())
    if not files:
        raise DataError(f"{path}: the folder holds no images ({', '.join(IMAGE_SUFFIXES)})")
    pictures = [read_image(file) for file in files]
    for file, picture in zip(files, pictures, strict=True):
        if picture.shape != pictures[0].shape:
            raise DataError(
                f"images of mixed sizes: {files[0]} is {_size(pictures[0])}, {file} is {_size(picture)}; "
                "resize them to one size first"
            )
    folders = sorted({file.parent.name for file in files if file.parent != path})
    labels = None
    if folders and all(file.parent != path for file in files):
        labels = np.array([folders.index(file.parent.name) for file in files])
    return split_by_content(path.name, np.stack(pictures), labels, classes=tuple(folders), source=str(path))


def _size(picture: Array) -> str:
    return "x".join(map(str, picture.shape))


def read_image(path: Path) -> Array:
    """One image as bytes: (height, width) if grey, (height, width, 3) if coloured. Raises DataError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return np.asarray(image.convert("L" if image.mode in ("1", "L", "I;16", "LA") else "RGB"))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"{path}: refused, its header asks for more memory than a picture needs: {error}") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise DataError(f"{path}: not a readable image: {error}") from error
