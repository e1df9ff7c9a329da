"""Holes: how often what is decoded looks like no real example.

A picture counts as a hole if it lies farther from its nearest training row than 99% of the test rows do. So real test
rows are holes one time in a hundred by construction, and structureless noise always. There are two views:

- `grey`: Euclidean distance of pixels. Blurred and faint pictures lie near to everything in it, the blank one too.
- `shape`: cut to black and white at one half and brought to one length first, so that the squared distance is
  2 - 2 cos, and neither blur nor paleness helps: what counts is the share of ink that falls on the same pixels. A
  picture with no pixel above one half is at distance 1 from everything.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dreamgen.data.batch import as_float
from dreamgen.evaluation.samples import nearest_distance
from dreamgen.experiments.runs import Observer

VIEWS = ("grey", "shape")
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
    """The measure for one data set in one view.

    Args:
        train: training rows, (n, *event), bytes or floats in [0, 1].
        test: test rows, which set the threshold.
        view: one of VIEWS.
        watch: told how far the test rows are.

    Attributes:
        threshold: the 99% quantile of the test rows' distances to their nearest training row.
        test_distances: these distances, (n,).
    """

    def __init__(self, train: Tensor, test: Tensor, view: str = "grey", watch: Observer | None = None) -> None:
        self.view = view
        self._references = self._seen(train)
        self.test_distances = self.distances(test, watch or Observer(), "test rows")
        self.threshold = torch.quantile(self.test_distances, 1 - BASE_RATE).item()

    def _seen(self, x: Tensor) -> Tensor:
        x = as_float(x)
        if self.view == "grey":
            return x
        ink = (x > 0.5).float().flatten(1)
        one_length: Tensor = ink / ink.norm(dim=1, keepdim=True).clamp(min=1)
        return one_length

    def distances(self, x: Tensor, watch: Observer, what: str) -> Tensor:
        """Distance of each row of x, (n, *event), to the nearest training row, (n,)."""
        parts = []
        for start in range(0, len(x), _ROWS):
            watch.step(f"{what}, {self.view} distances", start, len(x))
            parts.append(nearest_distance(self._seen(x[start : start + _ROWS]), self._references))
        return torch.cat(parts)

    def share(self, distances: Tensor) -> Share:
        """The share of the distances that lie beyond the threshold."""
        return Share((distances > self.threshold).float().mean().item(), len(distances))
