"""Tables larger than memory: scored and filled in one pass, a batch at a time.

Inside, rows are computed in blocks of one shape, the last one of a batch padded, and all rows meet the same noise:
what comes out for a row depends neither on the batch it came in nor on the rows about it.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dreamgen.applications.table_model import TableModel, rows_of
from dreamgen.distributions import StepNoise
from dreamgen.errors import DataError, SettingsError
from dreamgen.evaluation.likelihood import batches
from dreamgen.models import Trace
from dreamgen.tables.extras import compute

if TYPE_CHECKING:
    import pyarrow as pa

_DECODED = 16_384  # (sample, row) pairs decoded at once


class Streamed(NamedTuple):
    """A batch of n rows.

    Attributes:
        score: -log p of the observed cells of each row, (n,), in nats, by the importance-weighted bound.
        table: the rows with their gaps filled, in the dtypes of the schema; observed cells as they were.
    """

    score: npt.NDArray[np.float64]
    table: "pa.Table"


class SharedNoise:
    """Noise that is the same for every row, a function of the seed alone: K draws, not K for each of the rows."""

    def __init__(self, seed: int, device: torch.device) -> None:
        self._seed, self._device = seed, device

    def normal(self, shape: Sequence[int]) -> Tensor:
        return StepNoise(self._seed, "shared").normal((shape[0], 1, *shape[2:])).to(self._device)

    def uniform(self, shape: Sequence[int]) -> Tensor:
        return StepNoise(self._seed, "shared").uniform((shape[0], 1, *shape[2:])).to(self._device)


@torch.no_grad()
def stream(model: TableModel, tables: "Iterable[pa.Table]", samples: int = 8, seed: int = 0) -> Iterator[Streamed]:
    """Score and fill tables of any number of rows, one after another; no more than one is held.

    Numbers are filled with their conditional mean on the model's scale, categories with their likeliest level.

    Args:
        model: fitted.
        tables: with the model's columns, as `dreamgen.tables.read_batches` yields them.
        samples: K, latents drawn for each row, the same noise for all rows.
        seed: of the noise.

    Raises:
        SettingsError: fewer than one sample.
        DataError: a batch lacks a column, or has one of another type.
    """
    if samples < 1:
        raise SettingsError(f"samples: expected 1 or more, got {samples}")
    noise = SharedNoise(seed, model.device)
    for number, table in enumerate(tables):
        if not table.num_rows:
            continue
        try:
            rows = rows_of(model.codec, table)
        except DataError as error:
            raise DataError(f"batch {number}: {error}") from None
        scores, values = [], []
        for block, real in batches(rows, max(1, _DECODED // samples), model.device):
            vae = model.saved.model
            trace = vae.explain(block, vae.encoder(block), noise, samples)
            scores.append(-trace.iwae_bound[:real].double().cpu().numpy())
            values.append(_expected(trace, model)[:real].cpu().numpy())
        yield Streamed(np.concatenate(scores), _fill(model, table, np.concatenate(values)))


def _expected(trace: Trace, model: TableModel) -> Tensor:
    """What is expected in each cell, in model units, (B, d): the mean of a number, the likeliest level's code."""
    weights = trace.log_weight.softmax(0)
    values = (weights.unsqueeze(-1) * trace.p.mean).sum(0)
    for j, shape in enumerate(model.codec.shapes):
        if shape.levels:
            shares = (weights.unsqueeze(-1) * trace.p.probs(j)).sum(0)  # type: ignore[attr-defined]
            values[:, j] = shares.argmax(-1).to(values.dtype)
    return values


def _fill(model: TableModel, table: "pa.Table", values: npt.NDArray[Any]) -> "pa.Table":
    """The table with decoded values where a cell has none, or one that is no finite number."""
    made = model.codec.decode(values)
    for name in model.codec.names:
        place, new = table.column_names.index(name), made.column(name)
        own = table.column(place)
        kind = str(own.type)
        if kind in ("float", "double", "halffloat"):
            own = compute().if_else(compute().is_finite(own), own, None)
        if own.null_count:
            if new.type != own.type:
                new = new.cast(own.type, safe=False)
            table = table.set_column(place, name, compute().coalesce(own, new))
    return table
