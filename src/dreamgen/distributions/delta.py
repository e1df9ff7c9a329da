"""A point: the posterior of a plain autoencoder."""

from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints


class Delta(Distribution):
    """All mass at `loc`, (B, D).

    It has no density, and its KL divergence to a continuous prior is infinite. A plain autoencoder leaves the rate
    out (`Latent.rate` is 0 for it), so it has no bound and no likelihood, and evaluation reports none.
    """

    arg_constraints = {"loc": constraints.real}
    support = constraints.real

    def __init__(self, loc: Tensor) -> None:
        self.loc = loc
        super().__init__(batch_shape=loc.shape, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return torch.zeros_like(self.loc)

    def expand(self, batch_shape: Any, _instance: Any = None) -> "Delta":
        return Delta(self.loc.expand(torch.Size(batch_shape)))

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        return self.loc.expand(torch.Size(sample_shape) + self.loc.shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """0 at the point and -inf elsewhere: a probability, not a density."""
        return torch.where(value == self.loc, 0.0, -torch.inf)
