"""Holes: how often what is decoded looks like no real example.

A picture counts as a hole if it lies farther from its nearest training row, in Euclidean distance, than 99% of the
test rows do. So real test rows are holes one time in a hundred by construction, and structureless noise nearly
always. Two things to keep in mind. Decoded means are blurred, and a blurred picture lies nearer to everything than a
sharp one: beside the grey pixels, everything is therefore also compared in black and white, cut at one half, where
blur has no advantage. And the measure sees distance alone: a pale smear near many digits is no hole.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dreamgen.data.batch import as_float
from dreamgen.evaluation.samples import nearest_distance
from dreamgen.experiments.runs import Watch

BASE_RATE = 0.01  # of real test rows that count as holes
_ROWS = 1000  # between two looks at whether to stop


@dataclass(frozen=True)
class Share:
    """A share of n pictures, and its standard error over the draws, sqrt(p (1 - p) / n)."""

    value: float
    n: int

    @property
    def stderr(self) -> float:
        return math.sqrt(self.value * (1 - self.value) / self.n)

    def to_dict(self) -> dict[str, Any]:
        return {"share": self.value, "stderr": self.stderr, "n": self.n}


class Holes:
    """The measure for one data set, in grey or in black and white.

    Args:
        train: training rows, (n, *event), bytes or floats in [0, 1].
        test: test rows, which set the threshold.
        black_and_white: cut all pixels at one half first.
        watch: told how far the test rows are.

    Attributes:
        threshold: the 99% quantile of the test rows' distances to their nearest training row.
        test_distances: these distances, (n,).
    """

    def __init__(
        self, train: Tensor, test: Tensor, black_and_white: bool = False, watch: Watch | None = None
    ) -> None:
        self._black_and_white = black_and_white
        self._references = self._seen(train)
        self.test_distances = self.distances(test, watch or Watch(), "test rows")
        self.threshold = torch.quantile(self.test_distances, 1 - BASE_RATE).item()

    def _seen(self, x: Tensor) -> Tensor:
        x = as_float(x)
        return (x > 0.5).float() if self._black_and_white else x

    def distances(self, x: Tensor, watch: Watch, what: str) -> Tensor:
        """Distance of each row of x, (n, *event), to the nearest training row, (n,)."""
        parts = []
        for start in range(0, len(x), _ROWS):
            watch.step(f"distances, {what}", start, len(x))
            parts.append(nearest_distance(self._seen(x[start : start + _ROWS]), self._references))
        return torch.cat(parts)

    def share(self, distances: Tensor) -> Share:
        """The share of the distances that lie beyond the threshold."""
        return Share((distances > self.threshold).float().mean().item(), len(distances))
