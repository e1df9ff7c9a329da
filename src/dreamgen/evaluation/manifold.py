"""Precision and recall of a set of examples against real ones, in the space of some features.

Around each example lies a ball that reaches to its k-th nearest neighbour in its own set; the balls of a set together
estimate where its distribution is. Precision is the share of dreams within the balls of the real examples: how many
look real. Recall is the share of real examples within the balls of the dreams: how much of what is real can be
dreamt.

Improved Precision and Recall Metric for Assessing Generative Models, 2019, https://arxiv.org/abs/1904.06991.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy.typing as npt
import torch
from torch import Tensor

from dreamgen.errors import DataError, SettingsError
from dreamgen.evaluation.frechet import features_of

_PAIRS = 1 << 23  # distances held at once: 64 MiB
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
    return _covered(a - centre, b - centre, k)


def _covered(real: Tensor, fake: Tensor, k: int) -> PrecisionRecall:
    of_real, of_fake = _radii(real, k), _radii(fake, k)
    looks_real, dreamt = [], torch.zeros(len(real), dtype=torch.bool)
    for start, squares in _squares(fake, real):
        looks_real.append((squares <= of_real).any(1))
        dreamt |= (squares <= of_fake[start : start + len(squares), None]).any(0)
    return PrecisionRecall(torch.cat(looks_real).double().mean().item(), dreamt.double().mean().item())


def _radii(x: Tensor, k: int) -> Tensor:
    """Squared distance from each row of x to its k-th nearest neighbour, (n,)."""
    found = []
    for start, squares in _squares(x, x):
        squares.diagonal(start).fill_(torch.inf)  # itself
        found.append(squares.topk(k, 1, largest=False).values[:, -1])
    return torch.cat(found)


def _squares(rows: Tensor, x: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Squared distances of blocks of rows to all of x, (block, n), and where each block begins.

    |r|² - 2 r·x + |x|² is one matrix product of (r, |r|², 1) and (-2x, 1, |x|²); float64 can spare the digits.
    """
    own, theirs = (y.square().sum(1, keepdim=True) for y in (rows, x))
    left = torch.cat([rows, own, torch.ones_like(own)], dim=1)
    right = torch.cat([-2 * x, torch.ones_like(theirs), theirs], dim=1).T.contiguous()
    # Equal rows end a little beside 0, and must not lie outside a ball that reaches to an equal row.
    equal, step = _EQUAL * theirs.max().item(), max(1, _PAIRS // len(x))
    for start in range(0, len(rows), step):
        yield start, (left[start : start + step] @ right).clamp_(min=equal)
