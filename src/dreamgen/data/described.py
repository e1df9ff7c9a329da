"""Molecules with the properties that a model is told or reads off codes, computed where data do not bring them."""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dreamgen.chemistry.extras import rdkit
from dreamgen.chemistry.properties import PROPERTIES, properties_of
from dreamgen.config import Settings
from dreamgen.data.arrays import read_arrays
from dreamgen.data.cache import cache_folder
from dreamgen.data.dataset import Dataset
from dreamgen.data.reading import silent
from dreamgen.errors import DataError, OutputError
from dreamgen.files import make_folder, write_bytes
from dreamgen.workers import Watch, workers_for

_FEW = 2000  # molecules that this process alone looks at
_FORMAT = "1"


def describe(dataset: Dataset, settings: Settings, watch: Watch = silent) -> Dataset:
    """A set of molecules with the properties that some settings name, as attributes beside its own.

    What the set brings already, and names that are no property of a molecule, stay as they are. Properties are kept
    in the user's cache.

    Args:
        dataset: of lines; any other comes back as it is.
        settings: whose `context` and `properties` name them.
        watch: told how many molecules are done.

    Raises:
        DataError: a line that is no molecule.
    """
    asked = [name for part in (settings.context, settings.properties) if not isinstance(part, str) for name in part]
    absent = [name for name in dict.fromkeys(asked) if name in PROPERTIES and name not in dataset.attribute_names]
    if not absent or dataset.rows.x.dtype.kind != "U":
        return dataset
    columns = _kept(dataset.rows.x.tolist(), absent, watch)
    if not np.isfinite(columns).all():
        row = int(np.flatnonzero(~np.isfinite(columns).all(1))[0])
        raise DataError(f"{dataset.name}: {dataset.rows.x[row]} is no molecule, and has no {', '.join(absent)}")
    own = [] if dataset.rows.attributes is None else [dataset.rows.attributes]
    rows = replace(dataset.rows, attributes=np.concatenate([*own, columns.astype(np.float32)], axis=1))
    return replace(dataset, rows=rows, attribute_names=(*dataset.attribute_names, *absent))


def _kept(lines: Sequence[str], names: Sequence[str], watch: Watch) -> npt.NDArray[np.float64]:
    """Properties, (n, names), from the cache, or computed and put there."""
    facts = [_FORMAT, rdkit("rdBase").rdkitVersion, *names, *lines]
    place = cache_folder() / "properties" / f"{hashlib.sha256(chr(10).join(facts).encode()).hexdigest()[:32]}.npy"
    if (found := _read(place, len(lines), len(names))) is not None:
        return found
    columns = properties_of(lines, names, workers=workers_for(len(lines), _FEW), watch=watch)
    buffer = io.BytesIO()
    np.save(buffer, columns, allow_pickle=False)
    try:
        make_folder(place.parent)
        write_bytes(place, buffer.getvalue())
    except OutputError:
        pass  # they are computed again next time
    return columns


def _read(place: Path, rows: int, names: int) -> npt.NDArray[np.float64] | None:
    try:
        found = read_arrays(place)["x"] if place.is_file() else None
    except DataError:
        return None
    good = found is not None and found.shape == (rows, names) and found.dtype == np.float64
    return found if good else None  # type: ignore[return-value]
