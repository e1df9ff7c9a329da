"""What columns of times hold."""

from typing import Any

import numpy as np

from dreamgen.errors import DataError
from dreamgen.tables.cells import Mask, numbers, one_chunk
from dreamgen.tables.extras import arrow
from dreamgen.tables.grid import grid_of
from dreamgen.tables.infer_plain import constant, number_facts
from dreamgen.tables.notes import Notes
from dreamgen.tables.schema import Column


def infer_times(name: str, array: Any, kind: str | None, missing: Mask, notes: Notes, form: str = "") -> Column:
    if kind not in (None, "datetime", "constant"):
        raise DataError(f"column {name!r}: expected numbers for the kind {kind}, got {array.type}")
    values = numbers(array)[~missing]
    distinct = np.unique(values)
    if len(distinct) == 1 and kind is None:
        text = one_chunk(array).drop_null()[0]
        return constant(name, array, str(text.cast(arrow().string()).as_py()), missing, notes)
    return Column(
        name,
        "datetime",
        str(array.type),
        low=float(distinct[0]),
        high=float(distinct[-1]),
        step=grid_of(distinct, 0 if (distinct == np.rint(distinct)).all() else None, len(values)),
        format=form,
        **number_facts(values, len(distinct), missing),
    )
