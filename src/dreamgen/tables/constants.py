"""Columns of one value: which rows hold it."""

from typing import Any

import numpy as np

from dreamgen.tables.cells import Mask, one_chunk
from dreamgen.tables.extras import arrow, compute
from dreamgen.tables.restore import made_anew
from dreamgen.tables.schema import Column


def holding(column: Column, array: Any) -> Mask:
    """Where an array holds the value of a constant, (n,), whatever type it has by now."""
    nowhere = np.zeros(len(array), bool)
    if column.value is None:
        return nowhere
    plain, one = _decoded(one_chunk(array)), _decoded(made_anew(column, 1))
    try:
        same = compute().equal(plain, one.cast(plain.type)[0]).fill_null(False)
    except arrow().ArrowException:  # the table holds something else by now
        return nowhere
    return np.asarray(same.to_numpy(zero_copy_only=False), bool)


def _decoded(array: Any) -> Any:
    return array.dictionary_decode() if arrow().types.is_dictionary(array.type) else array
