"""Arrays out of .npy and .npz files, without running or trusting anything in them.

A header is read and compared with the file's size before any array is, so a file that promises more than it holds,
or that would need unpickling, is refused without memory being taken.
"""

import lzma
import math
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from dreamgen.data.dataset import Array
from dreamgen.errors import DataError
from dreamgen.files import check_regular

_LARGEST = 64 << 30  # bytes of one array
_FREE, _RATIO = 1 << 30, 250  # an archive may unfold to a gibibyte, or to so many times its own size
_PIECE = 1 << 20
_MAX_HEADER = 10_000
_READERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}

_DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)
# numpy reads a header as a Python literal, and a damaged one fails in as many ways as Python's grammar has.
_BAD_HEADER = (ValueError, SyntaxError, TypeError, IndexError, MemoryError, RecursionError, tokenize.TokenError)


def read_arrays(path: Path) -> dict[str, Array]:
    """All plain arrays of an .npy or .npz file, by name ("x" for .npy); raises DataError."""
    try:
        check_regular(path)
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as archive:
                _refuse_bomb(sum(info.file_size for info in archive.infolist()), path.stat().st_size)
                return {info.filename.removesuffix(".npy"): _member(archive, info) for info in archive.infolist()}
        with path.open("rb") as file:
            return {"x": _read_array(file, path.stat().st_size)}
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    except _DAMAGE as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise DataError(f"{path}: cannot be read as {path.suffix[1:]}: {reason}") from error


def _refuse_bomb(unfolded: int, size: int) -> None:
    if unfolded > max(_FREE, _RATIO * size):
        raise ValueError(f"{size} bytes unfold to {unfolded}, as a bomb does; numpy.savez stores without compression")


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    with archive.open(info) as file:
        return _read_array(file, info.file_size)


def _read_array(file: IO[bytes], size: int) -> Array:
    version = npy.read_magic(file)
    if version not in _READERS:
        raise DataError(f"npy format {version} is not supported")
    try:
        shape, fortran, dtype = _READERS[version](file, max_header_size=_MAX_HEADER)
    except _BAD_HEADER as error:
        raise DataError(f"its header is damaged ({type(error).__name__})") from error
    if not all(type(n) is int and n >= 0 for n in shape):
        raise DataError(f"its header is damaged: expected a shape, got {shape}")
    if dtype.hasobject:
        raise DataError("holds pickled objects, which could run code; expected plain numbers")
    promised, held = math.prod(shape) * dtype.itemsize, size - file.tell()
    if promised > min(held, _LARGEST):
        raise DataError(f"its header promises {promised} bytes, the file holds {held}")
    content = _read_pieces(file, promised)
    if len(content) != promised:
        raise DataError(f"its header promises {promised} bytes, the file holds {len(content)}")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran else "C")


def _read_pieces(file: IO[bytes], size: int) -> bytes:
    """Up to `size` bytes. In pieces, since a zip's directory can lie about sizes: memory follows what is there."""
    content = bytearray()
    while len(content) < size and (piece := file.read(min(_PIECE, size - len(content)))):
        content += piece
    return bytes(content)


def pick_array(path: Path, arrays: dict[str, Array], names: tuple[str, ...]) -> Array:
    """The array with the first of the names that is there, or the only one; raises DataError."""
    for name in names:
        if name in arrays:
            return arrays[name]
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    expected = " or ".join(names[:2])
    raise DataError(f"{path}: expected an array called {expected}, got {', '.join(arrays) or 'none'}")


def as_examples(x: Any, name: str = "x") -> Array:
    """Examples as bytes or float32, (n, *event), checked: numbers, not empty, finite. Raises DataError."""
    try:
        x = np.asarray(x)
    except ValueError as error:
        raise DataError(f"{name}: expected rows of one shape: {error}") from error
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
