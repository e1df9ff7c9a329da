"""Data: the batch, the named sets, and a user's own files."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamgen.data.dataset import Dataset, Examples
from dreamgen.data.files import held_by, load_path
from dreamgen.data.languages import Held
from dreamgen.data.named import NAMED_SETS
from dreamgen.data.reading import Reading, silent
from dreamgen.errors import DataError
from dreamgen.registry import nearest
from dreamgen.workers import Watch

if TYPE_CHECKING:
    from dreamgen.data.batch import Batch, as_float

__all__ = ["NAMED_SETS", "Batch", "Dataset", "Examples", "as_float", "holds", "load_as", "load_data"]


def __getattr__(name: str) -> Any:
    """What needs torch, when it is asked for: the workers that decode pictures do without."""
    if name in ("Batch", "as_float"):
        from dreamgen.data import batch

        return getattr(batch, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def holds(name_or_path: str | Path) -> Held:
    """What a named set or a path holds, by its name alone."""
    named = NAMED_SETS.get(str(name_or_path))
    return held_by(Path(name_or_path)) if named is None else named.holds


def load_data(
    name_or_path: str | Path,
    *,
    size: int | None = None,
    skip_bad: bool = False,
    watch: Watch = silent,
    longest: int | None = None,
    largest_part: bool = False,
) -> Dataset:
    """Load a data set.

    Args:
        name_or_path: a named set (`mnist`, `fashion_mnist`, `omniglot`, `faces`, `digits`, `zinc250k`, ...), or a
            path: .npy, .npz, a folder of images, or one of CelebA (`img_align_celeba` with `list_attr_celeba.txt`);
            lines of text (.txt, .abc); molecules (.smi, or .csv with a column `smiles` and properties beside it).
            Lines and molecules may be gzipped (.smi.gz).
        size: side in pixels that the pictures of a folder, or faces, are brought to; None: they have one size, or 64
            for faces.
        skip_bad: leave out pictures, lines or molecules that are bad, and count them, in place of an error; named
            sets of molecules are read so always.
        watch: told how many of how many pictures or molecules are done, as `watch(done, total)`.
        longest: characters that a line or a molecule may have; None: any of a line, 120 of a molecule.
        largest_part: of a mixture, such as a salt, keep the molecule of most heavy atoms, in place of an error.

    Raises:
        DataError: it does not exist, cannot be read, or is not data; the text says expected and got.
        SettingsError: molecules need RDKit, which is not installed.
    """
    return load_as(name_or_path, Reading(size, skip_bad, watch, longest, largest_part))


def load_as(name_or_path: str | Path, reading: Reading) -> Dataset:
    """`load_data`, with how the set is to be read in one piece."""
    if str(name_or_path) in NAMED_SETS:
        return NAMED_SETS[str(name_or_path)].load(reading)
    path = Path(name_or_path)
    if os.path.exists(path):  # noqa: PTH110 - it answers for names that no file can have
        return load_path(path, reading)
    hint = nearest(str(name_or_path), NAMED_SETS)
    raise DataError(f"no data set and no file is called {str(name_or_path)!r}: {hint}, or a path")
