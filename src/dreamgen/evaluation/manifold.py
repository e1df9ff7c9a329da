"""Precision and recall of a set of examples against real ones, in the space of some features.

Around each example lies a ball that reaches to its k-th nearest neighbour in its own set; the balls of a set together
estimate where its distribution is. Precision is the share of dreams within the balls of the real examples: how many
look real. Recall is the share of real examples within the balls of the dreams: how much of what is real can be
dreamt.

Improved Precision and Recall Metric for Assessing Generative Models, 2019, https://arxiv.org/abs/1904.06991.
"""

from typing import NamedTuple

import numpy.typing as npt
import torch
from torch import Tensor

from dreamgen.errors import DataError, SettingsError
from dreamgen.evaluation.frechet import features_of

_PAIRS = 1 << 24  # distances held at once: 128 MiB
_EQUAL = 1e-13  # of the largest square: nearer rows are equal


class PrecisionRecall(NamedTuple):
    """Two shares, each from 0 to 1."""

    precision: float
    recall: float


def precision_recall(real: npt.ArrayLike, fake: npt.ArrayLike, k: int = 3) -> PrecisionRecall:
    """How much of `fake`, (m, F), lies where `real`, (n, F), does, and how much of `real` where `fake` does.

    Both shares rise with the number of examples: compare only what has equally many.

    Args:
        real, fake: features; more than k rows each.
        k: which neighbour a ball reaches to, not counting the example itself.

    Raises:
        SettingsError: k below 1.
        DataError: too few rows, other shapes, NaN or infinity.
    """
    if k < 1:
        raise SettingsError(f"k: expected 1 or more, got {k}")
    a, b = (torch.from_numpy(features_of(x, n, k + 1)) for x, n in ((real, "real"), (fake, "fake")))
    if a.shape[1] != b.shape[1]:
        raise DataError(f"expected features of one width, got {a.shape[1]} and {b.shape[1]}")
    # Distances do not change with the origin, and near the centre they lose the fewest digits.
    centre = a.mean(0)
    a, b = a - centre, b - centre
    return PrecisionRecall(_covered(b, a, _radii(a, k)), _covered(a, b, _radii(b, k)))


def _squares(rows: Tensor, x: Tensor) -> Tensor:
    """Squared distances, (rows, n): one matrix product in float64 does for a hundred subtractions of float32."""
    own, theirs = rows.square().sum(1, keepdim=True), x.square().sum(1)
    squares = torch.addmm(own + theirs, rows, x.T, alpha=-2.0)
    # Equal rows end a little beside 0, and must not lie outside a ball that reaches to an equal row.
    return squares.clamp_(min=_EQUAL * float(theirs.max()))


def _radii(x: Tensor, k: int) -> Tensor:
    """Squared distance from each row of x to its k-th nearest neighbour, (n,)."""
    found = []
    step = max(1, _PAIRS // len(x))
    for start in range(0, len(x), step):
        squares = _squares(x[start : start + step], x)
        squares.diagonal(start).fill_(torch.inf)  # itself
        found.append(squares.kthvalue(k, 1).values)
    return torch.cat(found)


def _covered(rows: Tensor, x: Tensor, radii: Tensor) -> float:
    """The share of rows that lie within a ball around one of x."""
    step, inside = max(1, _PAIRS // len(x)), 0
    for start in range(0, len(rows), step):
        inside += int((_squares(rows[start : start + step], x) <= radii).any(1).sum())
    return inside / len(rows)
