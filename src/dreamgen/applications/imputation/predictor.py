"""What several models together say of the gaps of rows."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dreamgen.applications.imputation.filling import Block, Floats, blocks, expected
from dreamgen.applications.imputation.refine import Refiner
from dreamgen.applications.table_model import TableModel
from dreamgen.data.batch import Batch
from dreamgen.tables import Codec


@dataclass(frozen=True)
class Member:
    """One model of several.

    Attributes:
        model: trained.
        refiner: trees that go on from what it expects; None: its own means stand.
    """

    model: TableModel
    refiner: Refiner | None = None

    def expected(self, rows: Batch, samples: int, seed: int) -> tuple[Floats, dict[int, Floats]]:
        """Means of numbers in model units, (n, d), and probabilities of levels, (n, levels), by column."""
        found = expected(self.model, rows, samples, seed)
        return found if self.refiner is None else self.refiner.refined(rows, *found)

    def shift(self, block: Block) -> Floats:
        """What the trees add to the means of a block of the model's rows, in model units, (real, d)."""
        return (
            np.zeros((block.real, len(self.model.codec.shapes)))
            if self.refiner is None
            else self.refiner.shift(block)
        )


@dataclass(frozen=True)
class Predictor:
    """Models that are averaged.

    Attributes:
        models: one or more of the same codec; none where no column varies.
        codec: theirs.
        samples: K, latents for each row.
        seed: of their noise.
    """

    models: Sequence[Member]
    codec: Codec
    samples: int
    seed: int

    def expected(self, rows: Batch) -> tuple[Floats, dict[int, Floats]]:
        """Means of numbers in their own units, (n, d), and probabilities of levels, (n, levels), by column; of a row
        without gaps nothing is asked, and all are 0."""
        shapes = self.codec.shapes
        numbers = np.zeros(tuple(rows.x.shape))
        shares = {j: np.zeros((len(rows), shape.levels)) for j, shape in enumerate(shapes) if shape.levels}
        places, asked = _with_gaps(rows)
        for member in self.models if len(places) else ():
            means, own = member.expected(asked, self.samples, self.seed)
            numbers[places] += self.codec.natural(means) / len(self.models)
            for j, share in shares.items():
                share[places] += own[j] / len(self.models)
        return numbers, shares

    def quantiles(self, rows: Batch, levels: Sequence[float]) -> list[Floats]:
        """Quantiles of numbers in their own units, (n, d) for each level; those of several models are averaged, and
        of a row without gaps all are 0."""
        found = [np.zeros(tuple(rows.x.shape)) for _ in levels]
        places, asked = _with_gaps(rows)
        for member in self.models if len(places) else ():
            for here, block in _places(blocks(member.model, asked, self.samples, self.seed)):
                shift = member.shift(block)
                for one, values in zip(found, block.quantiles(levels), strict=True):
                    one[places[here]] += self.codec.natural(values + shift) / len(self.models)
        return found

    def draws(self, rows: Batch, m: int, first: int, least: int = 0, refined: bool = True) -> Floats:
        """Rows given what was observed of them, in model units, (m, n, d); the models take turns.

        Args:
            rows: n rows.
            m: how many draws.
            first: the number of the first row; see `blocks`.
            least: latents for each row, if that is more than usual.
            refined: moved by what the trees add to the means.
        """
        made = np.zeros((m, *rows.x.shape))
        for number, member in enumerate(self.models):
            mine = np.arange(m) % len(self.models) == number
            if mine.any():
                for here, block in _places(blocks(member.model, rows, max(self.samples, least), self.seed, first)):
                    shift = member.shift(block) if refined else 0.0
                    made[mine, here] = block.draws(int(mine.sum())) + shift
        return made


def _with_gaps(rows: Batch) -> tuple[NDArray[np.int64], Batch]:
    """The numbers of the rows that have gaps, and these rows."""
    if rows.mask is None:
        return np.zeros(0, np.int64), rows[:0]
    places = torch.nonzero(~rows.mask.all(1))[:, 0]
    return places.numpy(), rows[places]


def _places(parts: Iterator[Block]) -> Iterator[tuple[slice, Block]]:
    """Where the rows of each block stand."""
    start = 0
    for block in parts:
        yield slice(start, start + block.real), block
        start += block.real
