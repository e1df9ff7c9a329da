"""Priors p(z)."""

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Normal

from dreamgen.distributions.bounded import at_least_float32, bound_log_variance
from dreamgen.errors import SettingsError
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


@PRIORS.register("conditional")
class ConditionalNormal(nn.Module):
    """p(z|context) = N(loc, scale²), both linear in the context: for classes, a place for each.

    It begins as the standard normal. (Learning Structured Output Representation using Deep Conditional Generative
    Models, 2015, https://papers.nips.cc/paper/5775.)
    """

    def __init__(self, latent_dim: int, context_dim: int) -> None:
        super().__init__()
        if context_dim < 1:
            raise SettingsError("prior 'conditional': expected a context, such as context = 'labels'")
        self.loc = nn.Linear(context_dim, latent_dim)
        self.log_variance = nn.Linear(context_dim, latent_dim)
        for layer in (self.loc, self.log_variance):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, context: Tensor | None = None) -> Distribution:
        """Context (B, C) to p(z) with batch shape (B, D)."""
        if context is None:
            raise SettingsError("this model's prior hangs on what it is told: expected a context")
        log_variance = bound_log_variance(at_least_float32(self.log_variance(context)))
        return Normal(at_least_float32(self.loc(context)), (0.5 * log_variance).exp(), validate_args=False)
