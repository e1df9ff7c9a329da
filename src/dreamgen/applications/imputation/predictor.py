"""What several models together say of the gaps of rows: the mean of their distributions."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dreamgen.applications.imputation.filling import Block, Floats, blocks, expected, weighted_quantiles
from dreamgen.applications.imputation.gaps import in_order
from dreamgen.applications.imputation.refine import Refiner
from dreamgen.applications.table_model import TableModel
from dreamgen.data.batch import Batch
from dreamgen.tables import Codec

_ROWS = 64  # whose values under all models are looked at at once
_JUST_BELOW = 2e-4  # model units, beyond what a spike covers; of columns without a grid


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
    """Models whose distributions are averaged.

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
        """Quantiles of numbers in their own units, (n, d) for each level; of a row without gaps all are 0."""
        found = [np.zeros(tuple(rows.x.shape)) for _ in levels]
        places, asked = _with_gaps(rows)
        for start in range(0, len(places), _ROWS):
            here = slice(start, start + _ROWS)
            each = [self._values(member, asked[here]) for member in self.models]
            values, weights = (torch.cat(parts) for parts in zip(*each, strict=True))
            quantiles = weighted_quantiles(values, weights / len(each), levels)
            for one, ends in zip(found, quantiles, strict=True):
                one[places[here]] = self.codec.natural(ends)
        return found

    def _values(self, member: Member, rows: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Values (V, n, d) that one of the models draws in model units, moved by its trees, and weights (V, n)."""
        each = []
        for block in blocks(member.model, rows, self.samples, self.seed):
            values, weights = block.values(len(self.models))
            each.append((values + _shift(member, block), weights))
        values, weights = (torch.cat(parts, 1) for parts in zip(*each, strict=True))
        return values, weights

    def below(self, seen: Batch, x: torch.Tensor) -> tuple[Floats, Floats]:
        """F(x) and F just below x, (n, d), given the seen cells of rows; 1 and 0 of levels that have no order.

        Args:
            seen: n rows.
            x: values in model units, (n, d), on the grid of a column that has one.
        """
        high, low = np.zeros((2, *x.shape))
        step = torch.tensor([shape.step for shape in self.codec.shapes])
        for member in self.models:
            for here, block in _places(blocks(member.model, seen, self.samples, self.seed)):
                own = x[here] - _shift(member, block)
                high[here] += block.cdf(own) / len(self.models)
                # What is below a value of a grid is the value before it.
                before = own - torch.where(step > 0, step, _JUST_BELOW * (1 + own.abs()))
                low[here] += block.cdf(before) / len(self.models)
        self._below_levels(seen, x, high, low)
        return high, low

    def _below_levels(self, seen: Batch, x: torch.Tensor, high: Floats, low: Floats) -> None:
        """The same of the columns of levels, in place: those have shares, which trees have a say in."""
        codings = self.codec.codings
        columns = [j for j, coding in enumerate(codings) if coding.shape.levels]
        ordered = [j for j in columns if in_order(codings[j].column)]
        high[:, columns], low[:, columns] = 1.0, 0.0
        high[:, ordered] = 0.0
        for member in self.models if ordered else ():
            shares = member.expected(seen, self.samples, self.seed)[1]
            for j in ordered:
                column, own = codings[j].column, x[:, j].long().numpy()
                named = np.array(column.categories, np.float64)
                if column.rare:  # one level, told by the commonest
                    named = np.append(named, float(column.rare[0]))
                cumulative = np.cumsum(shares[j][:, np.argsort(named)], 1) / len(self.models)
                place, every = np.argsort(np.argsort(named))[own], np.arange(len(own))
                high[:, j] += cumulative[every, place]
                low[:, j] += np.where(place > 0, cumulative[every, np.maximum(place - 1, 0)], 0.0)

    def draws(self, rows: Batch, m: int, first: int, least: int = 0, refined: bool = True) -> Floats:
        """Rows given what was observed of them, in model units, (m, n, d); the models take turns.

        Args:
            rows: n rows.
            m: how many draws.
            first: the number of the first row; see `blocks`.
            least: latents for each row, if that is more than usual.
            refined: moved by what the trees add to the means.
        """
        made, count = np.zeros((m, *rows.x.shape)), len(self.models)
        turns = -(-m // count)
        for number, member in enumerate(self.models):
            for here, block in _places(blocks(member.model, rows, max(self.samples, least), self.seed, first)):
                drawn = block.draws(turns) + (member.shift(block) if refined else 0.0)
                row = np.arange(here.start, here.stop)
                for turn in range(turns):
                    # The models take turns, and rows begin with different ones: one draw is not one model's.
                    which = (number - first - row) % count + turn * count
                    mine = which < m
                    made[which[mine], row[mine]] = drawn[turn, mine]
        return made


def _shift(member: Member, block: Block) -> torch.Tensor:
    return torch.from_numpy(member.shift(block)).float()


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
