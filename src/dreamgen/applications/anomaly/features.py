"""Rows of mixed columns as points of one Euclidean space, where distances mean something.

A number is standardised. A category of k levels becomes k indicators, each divided by the square root of its
frequency times k - 1 (the chi-squared metric of correspondence analysis), so that a column of any kind varies by 1 in
all and rare levels lie far out; two levels are one number. An unobserved cell lies at the mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dreamgen.data.batch import Batch
from dreamgen.data.columns import ColumnShape
from dreamgen.distributions.columns import Columns

Floats = NDArray[np.float64]
WIDEST = 2000  # features whose covariance is still worth its time


@dataclass(frozen=True)
class RowSpace:
    """Where rows lie: D features of d columns.

    Attributes:
        shapes: of the columns.
        loc, scale: of each feature, (D,).
        columns: the column of each feature, (D,).
    """

    shapes: tuple[ColumnShape, ...]
    loc: Floats
    scale: Floats

    @classmethod
    def of(cls, shapes: Sequence[ColumnShape], rows: Batch) -> "RowSpace":
        """The space of some rows, in which each column has mean 0 and variance 1."""
        raw, seen = _indicators(tuple(shapes), rows)
        count = np.maximum(seen.sum(0), 1)
        loc = np.where(seen, raw, 0.0).sum(0) / count
        scale = np.sqrt(np.where(seen, np.square(raw - loc), 0.0).sum(0) / count)
        start = 0
        for shape in shapes:
            width = _width(shape)
            if width > 1:
                share = np.maximum(loc[start : start + width], 0.5 / count[start : start + width])
                scale[start : start + width] = np.sqrt(share * (width - 1))
            elif shape.levels:
                scale[start] = max(scale[start], 0.5 / np.sqrt(count[start]))
            start += width
        scale[scale == 0] = 1.0
        return cls(tuple(shapes), loc, scale)

    @property
    def columns(self) -> NDArray[np.int64]:
        """The column of each feature, (D,)."""
        return np.repeat(np.arange(len(self.shapes)), [_width(shape) for shape in self.shapes])

    def points(self, rows: Batch) -> Floats:
        """Rows as points, (n, D)."""
        raw, seen = _indicators(self.shapes, rows)
        return np.where(seen, (raw - self.loc) / self.scale, 0.0)

    def expected(self, p: Columns, rows: Batch) -> Floats:
        """Where p(x|z) expects each row, (B, D), from a p of batch shape (1, B, d); unobserved cells at the mean."""
        raw = np.zeros((p.batch_shape[1], len(self.loc)))
        first = np.searchsorted(self.columns, np.arange(len(self.shapes)))
        mean = p.mean[0].double().cpu().numpy()
        for j, shape in enumerate(self.shapes):
            if not shape.levels:
                raw[:, first[j]] = mean[:, j]
                continue
            probs = p.probs(j)[0].double().cpu().numpy()
            raw[:, first[j] : first[j] + _width(shape)] = probs[:, 1:2] if shape.levels == 2 else probs
        seen = rows.observed.cpu().numpy()[:, self.columns]
        return np.where(seen, (raw - self.loc) / self.scale, 0.0)


def feature_count(shapes: Sequence[ColumnShape]) -> int:
    """D, how many features columns have."""
    return sum(map(_width, shapes))


def _width(shape: ColumnShape) -> int:
    return shape.levels if shape.levels > 2 else 1


def _indicators(shapes: tuple[ColumnShape, ...], rows: Batch) -> tuple[Floats, NDArray[np.bool_]]:
    """Numbers and indicators, (n, D), and which come from an observed cell."""
    x, mask = rows.x.double().cpu().numpy(), rows.observed.cpu().numpy()
    parts, widths = [], []
    for j, shape in enumerate(shapes):
        column = x[:, j : j + 1]
        parts.append(column if _width(shape) == 1 else (column == np.arange(shape.levels)).astype(np.float64))
        widths.append(_width(shape))
    return np.concatenate(parts, axis=1), np.repeat(mask, widths, axis=1)


def whitening(points: Floats) -> tuple[Floats, Floats]:
    """A mean (D,) and a matrix (D, D) after which points have no covariance; small sets are shrunk.

    Of more than `WIDEST` features the covariance is left as it is: ones (D,) in the place of the matrix.

    Ledoit and Wolf, A well-conditioned estimator for large-dimensional covariance matrices, 2004.
    """
    from sklearn.covariance import ledoit_wolf

    loc = points.mean(0)
    if points.shape[1] > WIDEST:
        return loc, np.ones(points.shape[1])
    covariance, _ = ledoit_wolf(points - loc, assume_centered=True)
    values, vectors = np.linalg.eigh(covariance)
    # Directions in which nothing varies would outweigh all others.
    values = np.maximum(values, 1e-3 * max(float(values.mean()), 1e-12))
    return loc, vectors / np.sqrt(values)


def as_tensor(values: Floats) -> Tensor:
    """Numbers as files keep them."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))
