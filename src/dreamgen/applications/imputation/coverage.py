"""Intervals that hold what they promise: measured, and widened or narrowed, on held-out cells.

In rows that were not trained on, observed numbers are hidden and predicted. A cell is inside the central interval of
every level from s = max(1 - 2 F(x), 2 F(x-) - 1) on, so the share of cells with s <= a is the coverage of level a,
and an interval that is to hold 90% of the cells is the central one of the level that 90% of the s do not exceed
(Conformalized Quantile Regression, 2019, https://arxiv.org/abs/1905.03222, with the level in place of a margin).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dreamgen.applications.imputation.gaps import in_order
from dreamgen.applications.imputation.predictor import Predictor
from dreamgen.applications.imputation.training import Trained
from dreamgen.data.batch import Batch
from dreamgen.distributions import generator
from dreamgen.errors import ModelFileError
from dreamgen.tables import Codec

Floats = NDArray[np.float64]
LEVEL = 0.9  # of the coverage that is reported
_CELLS, _ROUNDS, _ROWS = 3000, 20, 1000
_FEWEST = 20  # cells that say anything about a level of 90%
_TRUSTED = 500  # cells, at which half of what they would narrow intervals by is believed
_KNOTS = 200


@dataclass(frozen=True)
class Coverage:
    """What held-out cells say of the model's own intervals.

    Attributes:
        levels: s at evenly spaced ranks from 0 to 1, rising; empty: nothing was held out, levels are taken as given.
        cells: how many were hidden, each counted once.
        raw: share of them in the model's own 90% intervals.
        calibrated: the same after calibration by the other half of the rows.
        columns: the same of each column.
    """

    levels: tuple[float, ...] = ()
    cells: int = 0
    raw: float | None = None
    calibrated: float | None = None
    columns: dict[str, float] | None = None

    def level(self, wanted: float) -> float:
        """The level whose central intervals hold a share `wanted` of the cells."""
        if not self.levels:
            return wanted
        # The rank of conformal prediction: one more than there are, so that few cells make for wide intervals.
        rank = min(1.0, wanted * (1 + 1 / self.cells))
        found = float(np.interp(rank, np.linspace(0, 1, len(self.levels)), self.levels))
        if found < wanted:
            # Cells of few rows go wrong together: they may widen intervals, but narrow them only by and by.
            found = wanted + (found - wanted) * self.cells / (self.cells + _TRUSTED)
        return float(np.clip(found, 0.0, 0.9999))

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {**self.__dict__, "levels": list(self.levels)}

    @classmethod
    def from_dict(cls, values: Any) -> "Coverage":
        """From plain values; raises ModelFileError."""
        try:
            made = cls(**{**values, "levels": tuple(map(float, values["levels"]))})
            if made.levels and made.cells < 1:
                raise ValueError("levels of no cells")
            if made.levels and not (
                (np.diff(made.levels) >= 0).all() and 0 <= made.levels[0] <= made.levels[-1] <= 1
            ):
                raise ValueError("levels that do not rise from 0 to 1")
            shares = [made.raw, made.calibrated, *dict(made.columns or {}).values()]
            if type(made.cells) is not int or not all(share is None or 0 <= share <= 1 for share in shares):
                raise ValueError("shares that are none")
            return made
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise ModelFileError(f"expected the coverage of intervals: {error}") from error


def measure(
    codec: Codec,
    trained: Trained,
    share: float,
    samples: int,
    seed: int,
    asked: Sequence[str] | None = None,
) -> Coverage:
    """Hide a share of the observed numbers of held-out rows, predict them, and see where they lie.

    Args:
        codec: of the models.
        trained: the models that did not see the held-out rows are asked, together, as those that fill will be.
        share: of the cells that is hidden, as in the table to be filled.
        samples: K.
        seed: of the holes.
        asked: the columns whose numbers are hidden; by default all, levels that are numbers in order among them.
    """
    numbers = torch.tensor(
        [
            (not coding.shape.levels or in_order(coding.column)) and (asked is None or coding.column.name in asked)
            for coding in codec.codings
        ]
    )
    if not len(trained.held_out):
        return Coverage()
    predictor = Predictor(trained.witnesses, codec, samples, seed)
    score, column, row = _scores(predictor, trained.held_out[:_ROWS], numbers, share)
    return summary(score, column, trained.places[row], codec.names)


def summary(scores: Floats, columns: NDArray[np.int64], rows: NDArray[np.int64], names: Sequence[str]) -> Coverage:
    """Coverage from the scores of cells, their columns and rows."""
    if len(scores) < _FEWEST:
        return Coverage()
    odd = rows % 2 == 1
    inside = np.zeros(len(scores), bool)
    for half in (odd, ~odd):
        if half.any() and (~half).any():
            other = Coverage(_knots(scores[~half]), _distinct(columns[~half], rows[~half]))
            inside[half] = scores[half] <= other.level(LEVEL)
    each = {names[j]: round(float(inside[columns == j].mean()), 4) for j in np.unique(columns)}
    return Coverage(
        _knots(scores),
        _distinct(columns, rows),
        round(float((scores <= LEVEL).mean()), 4),
        round(float(inside.mean()), 4) if odd.any() and not odd.all() else None,
        each,
    )


def _distinct(columns: NDArray[np.int64], rows: NDArray[np.int64]) -> int:
    """How many cells there are: those of a small table are asked several times, which tells no more of other rows."""
    return len(np.unique(np.stack([columns, rows]), axis=1).T)


def _knots(scores: Floats) -> tuple[float, ...]:
    return tuple(float(s) for s in np.quantile(scores, np.linspace(0, 1, min(_KNOTS, len(scores)) + 1)))


def _scores(
    predictor: Predictor, rows: Batch, numbers: torch.Tensor, share: float
) -> tuple[Floats, NDArray[np.int64], NDArray[np.int64]]:
    """s of each hidden cell, its column and its row."""
    mask = rows.observed
    wanted = float((mask & numbers).sum()) * share
    rounds = int(np.clip(np.ceil(_CELLS / max(wanted, 1.0)), 1, _ROUNDS))  # a small table is asked several times
    x, mask = rows.x.repeat(rounds, 1), mask.repeat(rounds, 1)
    hidden = mask & (torch.rand(mask.shape, generator=generator(predictor.seed, "holes")) < share)
    score = scores_of(predictor, Batch(torch.where(hidden, 0.0, x), mask & ~hidden), x)
    row, column = np.nonzero((hidden & numbers).numpy())
    return score[row, column], column, row % len(rows.x)


def scores_of(predictor: Predictor, seen: Batch, x: torch.Tensor) -> Floats:
    """s of every cell, (n, d), of values x in model units, given what was seen."""
    high, low = predictor.below(seen, x)
    return np.maximum(np.maximum(1 - 2 * high, 2 * low - 1), 0.0)
