"""Where downloaded, decoded and computed data is kept."""

import contextlib
import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import filelock
import numpy as np

from dreamgen.data.arrays import read_arrays
from dreamgen.data.dataset import Array
from dreamgen.errors import DataError, OutputError
from dreamgen.files import make_folder, write_bytes, writing

Arrays = dict[str, Array]
Found = TypeVar("Found")


def cache_folder() -> Path:
    """The user's cache of data."""
    import pooch

    return Path(pooch.os_cache("dreamgen"))


def kept(
    folder: str,
    facts: Sequence[str],
    make: Callable[[], Found],
    pack: Callable[[Found], Arrays],
    unpack: Callable[[Arrays], Found],
) -> Found:
    """What `make` finds, or found once: it is kept in the user's cache as arrays.

    Where it cannot be kept it is found again the next time; where what is kept is damaged, now. A second process that
    wants the same waits for the first.

    Args:
        folder: of the cache.
        facts: everything that it depends on.
        make: finds it, at length.
        pack: to arrays of numbers or bytes.
        unpack: back; raises KeyError or ValueError where the arrays are not those.
    """
    key = hashlib.sha256("\n".join(facts).encode("utf-8", "surrogateescape")).hexdigest()
    place = cache_folder() / folder / f"{key[:32]}.npz"
    with contextlib.suppress(DataError, KeyError, ValueError):
        return unpack(read_arrays(place))
    try:
        make_folder(place.parent)
        with writing(place), filelock.FileLock(place.with_suffix(".lock")):
            with contextlib.suppress(DataError, KeyError, ValueError):
                return unpack(read_arrays(place))
            found = make()
            with contextlib.suppress(OutputError):
                write_bytes(place, _packed(pack(found)))
            return found
    except OutputError:
        return make()


def _packed(arrays: Arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()
