"""Priors p(z)."""

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Normal

from dreamgen.registry import Registry

PRIORS: Registry[nn.Module] = Registry("prior")


@PRIORS.register("normal")
class StandardNormal(nn.Module):
    """p(z) = N(0, I), whatever the context."""

    zero: Tensor

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        # A buffer follows the model to its device.
        self.register_buffer("zero", torch.zeros(latent_dim), persistent=False)

    def forward(self, context: Tensor | None = None) -> Distribution:
        """p(z) with batch shape (D,)."""
        return Normal(self.zero, torch.ones_like(self.zero), validate_args=False)
