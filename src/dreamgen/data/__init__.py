"""Data: the batch, the named sets, and a user's own files."""

import os
from pathlib import Path

from dreamgen.data.batch import Batch, as_float
from dreamgen.data.dataset import Dataset, Examples
from dreamgen.data.files import load_path
from dreamgen.data.named import NAMED_SETS
from dreamgen.errors import DataError
from dreamgen.registry import nearest

__all__ = ["NAMED_SETS", "Batch", "Dataset", "Examples", "as_float", "load_data"]


def load_data(name_or_path: str | Path) -> Dataset:
    """Load a data set.

    Args:
        name_or_path: a named set (`mnist`, `fashion_mnist`, `omniglot`, `digits`), or a path: .npy, .npz, or a folder
            of images.

    Raises:
        DataError: it does not exist, cannot be read, or is not data; the text says expected and got.
    """
    if str(name_or_path) in NAMED_SETS:
        return NAMED_SETS[str(name_or_path)].load()
    path = Path(name_or_path)
    if os.path.exists(path):  # noqa: PTH110 - it answers for names that no file can have
        return load_path(path)
    hint = nearest(str(name_or_path), NAMED_SETS)
    raise DataError(f"no data set and no file is called {str(name_or_path)!r}: {hint}, or a path")
