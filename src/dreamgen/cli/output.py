"""Where results go: arrays or sheets of pictures, told apart by the file's name."""

import io
import os
from pathlib import Path
from typing import Any

from dreamgen.errors import OutputError
from dreamgen.files import make_folder, write_bytes

ARRAYS = (".npz", ".npy")
PICTURES = (".png", ".jpg", ".jpeg", ".webp")


REPORTS = (".html", ".htm", ".json")


def check_table_out(out: Path | None, default: str) -> Path:
    """The path of a table, refused before any work is done if it is a folder or no kind of table."""
    from dreamgen.tables.write import table_kind

    path = _no_folder(out or Path(default), default)
    table_kind(path)
    return path


def check_out(out: Path | None, default: str, kinds: tuple[str, ...] = ARRAYS + PICTURES) -> Path:
    """The output's path, refused before any work is done if it is a folder or its kind does not fit."""
    path = _no_folder(out or Path(default), default)
    if path.suffix.lower() not in kinds:
        raise OutputError(f"{path}: expected a name that ends in {' or '.join(kinds)}")
    return path


def _no_folder(path: Path, default: str) -> Path:
    if os.path.isdir(path):  # noqa: PTH112 - it answers for names that no file can have
        raise OutputError(f"{path} is a folder; expected a file's name, such as {path / default}")
    return path


def is_array(path: Path) -> bool:
    """Whether the file holds numbers and not a picture."""
    return path.suffix.lower() in ARRAYS


def write_out(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all, and the folders above it."""
    make_folder(path.parent)
    write_bytes(path, content)


def write_arrays(path: Path, **arrays: Any) -> None:
    """Write an .npz (all arrays) or .npy (the first) as a whole."""
    import numpy as np

    buffer = io.BytesIO()
    if path.suffix.lower() == ".npy":
        np.save(buffer, next(iter(arrays.values())), allow_pickle=False)
    else:
        np.savez_compressed(buffer, **arrays)
    write_out(path, buffer.getvalue())


def write_examples(path: Path, x: Any, columns: int | None = None) -> None:
    """Examples as an array `x`, float32, or as a sheet of pictures."""
    from dreamgen.plots import save_sheet

    if is_array(path):
        write_arrays(path, x=(x / 255 if x.dtype == "uint8" else x).astype("float32"))
    else:
        save_sheet(x, path, columns)
