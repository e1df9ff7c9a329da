"""Molecules with the properties that a model is told or reads off codes, computed where data do not bring them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from dreamgen.chemistry.extras import rdkit
from dreamgen.chemistry.properties import PROPERTIES, properties_of
from dreamgen.config import Settings
from dreamgen.data.cache import Arrays, kept
from dreamgen.data.dataset import Dataset
from dreamgen.data.reading import silent
from dreamgen.errors import DataError
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
    if not absent or not dataset.rows.are_lines:
        return dataset
    columns = _columns(dataset.rows.x.tolist(), absent, watch)
    if not np.isfinite(columns).all():
        row = int(np.flatnonzero(~np.isfinite(columns).all(1))[0])
        raise DataError(f"{dataset.name}: {dataset.rows.x[row]} is no molecule, and has no {', '.join(absent)}")
    own = [] if dataset.rows.attributes is None else [dataset.rows.attributes]
    rows = replace(dataset.rows, attributes=np.concatenate([*own, columns.astype(np.float32)], axis=1))
    return replace(dataset, rows=rows, attribute_names=(*dataset.attribute_names, *absent))


def _columns(lines: Sequence[str], names: Sequence[str], watch: Watch) -> npt.NDArray[np.float64]:
    """Properties, (n, names), computed or computed once."""

    def unpack(arrays: Arrays) -> npt.NDArray[np.float64]:
        columns = arrays["columns"]
        if columns.shape != (len(lines), len(names)) or columns.dtype != np.float64:
            raise ValueError("expected a number for each molecule and property")
        return columns.astype(np.float64, copy=False)

    return kept(
        "properties",
        (_FORMAT, rdkit("rdBase").rdkitVersion, *names, *lines),
        lambda: properties_of(lines, names, workers=workers_for(len(lines), _FEW), watch=watch),
        lambda columns: {"columns": columns},
        unpack,
    )
