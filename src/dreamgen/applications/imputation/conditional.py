"""Some columns of rows, given others: which they are, and draws of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from dreamgen.applications.imputation.predictor import Predictor
from dreamgen.data.batch import Batch
from dreamgen.distributions import derive_seed
from dreamgen.errors import DataError, SettingsError
from dreamgen.registry import nearest
from dreamgen.tables import Frame

_SAMPLES = 500  # given few columns, few latents of q explain them well


def conditional_draws(
    predictor: Predictor, frame: Frame, columns: Sequence[str] | None, given: Sequence[str] | None, m: int
) -> list[Any]:
    """m draws; see `Imputer.conditional`."""
    codec = predictor.codec
    known, drawn = _chosen(codec.names, frame, columns, given)
    x, mask = codec.encode(frame.table.select(known) if known else frame.table, partial=True)
    mask &= np.array([name in known for name in codec.names])
    rows = Batch(torch.from_numpy(np.where(mask, x, 0)), torch.from_numpy(mask))
    made = []
    for number, values in enumerate(predictor.draws(rows, m, 0, _SAMPLES, refined=False)):
        table = frame.table.select(known)
        decoded = codec.decode(values, noise=derive_seed(predictor.seed, "rare", number))
        for name in drawn:
            table = table.append_column(name, decoded.column(name))
        made.append(frame.like(table))
    return made


def _chosen(
    names: Sequence[str], frame: Frame, columns: Sequence[str] | None, given: Sequence[str] | None
) -> tuple[list[str], list[str]]:
    """The columns that are given and those that are drawn; raises DataError, SettingsError."""
    there = [name for name in names if name in frame.table.column_names]
    known = [name for name in there if name not in (columns or ())] if given is None else list(given)
    drawn = [name for name in names if name not in known] if columns is None else list(columns)
    for name in [*known, *drawn]:
        if name not in names:
            there_too = name in frame.table.column_names
            why = "it is not modelled, as keys and constants are not" if there_too else nearest(name, names)
            raise DataError(f"no column {name!r} in the model: {why}")
    for name in known:
        if name not in there:
            raise DataError(f"{frame.source} has no column {name!r}: {nearest(name, frame.table.column_names)}")
    if both := [name for name in drawn if name in known]:
        raise SettingsError(f"column {both[0]!r}: expected to be given or drawn, got both")
    return known, drawn
