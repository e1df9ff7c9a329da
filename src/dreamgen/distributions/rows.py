"""A batch of which some rows come from one distribution and the others from a second one."""

import torch
from torch import Tensor
from torch.distributions import Distribution


class Rows(Distribution):
    """Rows of two distributions, in the order of one batch.

    Args:
        first: of the rows that are not among the second's, batch shape (K, B - n, *event).
        second: batch shape (K, n, *event).
        among: which of B rows are the second's, (B,).
    """

    arg_constraints = {}

    def __init__(self, first: Distribution, second: Distribution, among: Tensor) -> None:
        self.parts = ((first, ~among), (second, among))
        samples, _, *event = first.batch_shape
        super().__init__(batch_shape=torch.Size((samples, len(among), *event)), validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """log p of each element, in nats: values (..., B, *event) against the batch shape, to that shape."""
        value = value.expand(self.batch_shape)
        return self._joined([part.log_prob(value[:, rows]) for part, rows in self.parts])

    @property
    def mean(self) -> Tensor:
        """(K, B, *event)."""
        return self._joined([part.mean for part, _ in self.parts])

    def _joined(self, values: list[Tensor]) -> Tensor:
        joined = values[0].new_empty(self.batch_shape)
        for (_, rows), value in zip(self.parts, values, strict=True):
            joined[:, rows] = value
        return joined
