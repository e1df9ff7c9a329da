"""Values that were never there in training: they have no code, and yet say much."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dreamgen.tables import Codec, Frame, Schema, infer_schema
from dreamgen.tables.cells import family
from dreamgen.tables.check import differs
from dreamgen.tables.extras import arrow
from dreamgen.tables.schema import Column

if TYPE_CHECKING:
    import pyarrow as pa

Mask = NDArray[np.bool_]
_STEP = 0.05  # model units


def without_levels(frame: Frame) -> Schema:
    """The schema of a table in which numbers stay numbers: one that was never seen is near others or far from them,
    and a level would be neither. Arrays have no keys."""
    schema = infer_schema(frame.table)
    kinds = {}
    for column in schema.columns:
        dtype = frame.table.schema.field(column.name).type
        held = None if arrow().types.is_dictionary(dtype) else family(dtype)  # a frame's own categories stay such
        key = column.kind == "identifier" and frame.source == "array"
        if held == "number" and (column.kind == "ordinal" or key):
            kinds[column.name] = "real"
    return infer_schema(frame.table, kinds) if kinds else schema


def of_one_measure(codec: Codec) -> Codec:
    """The codec with a fine grid for columns that have both spikes and a continuous rest.

    A spike has a probability and the rest a density, which may be greater than 1: a rare number beside the spike
    would look likelier than the spike itself. On a grid both are probabilities.
    """
    codings = tuple(
        replace(coding, shape=replace(coding.shape, step=_STEP))
        if coding.shape.atoms and not coding.shape.step
        else coding
        for coding in codec.codings
    )
    return replace(codec, codings=codings)


def constants_of(codec: Codec) -> list[Column]:
    """The columns that held one value in training."""
    return [column for column in codec.schema.columns if column.kind == "constant" and column.value is not None]


def strange_cells(codec: Codec, table: "pa.Table") -> Mask:
    """Where a cell holds what was never there: of the modelled columns, then of the constant ones, (n, d + c)."""
    constants = [differs(column, table) for column in constants_of(codec)]
    return np.column_stack([codec.unseen(table), *constants])
