"""Posteriors q(z|x): heads that turn a network's features into a distribution over latents."""

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Normal

from dreamgen.distributions.bounded import at_least_float32, bound_log_variance
from dreamgen.distributions.delta import Delta
from dreamgen.errors import SettingsError
from dreamgen.registry import Registry

POSTERIORS: Registry[nn.Module] = Registry("posterior")


@POSTERIORS.register("gaussian")
class DiagonalGaussian(nn.Module):
    """q(z|x) = N(loc, scale²) with one linear head for the mean and one for the log-variance.

    Predicting log σ² keeps the variance positive without a constraint on the network (Auto-Encoding
    Variational Bayes, 2013, https://arxiv.org/abs/1312.6114, appendix C).
    """

    def __init__(self, features: int, latent_dim: int) -> None:
        super().__init__()
        self.loc = nn.Linear(features, latent_dim)
        self.log_variance = nn.Linear(features, latent_dim)

    def forward(self, h: Tensor) -> Distribution:
        """Features (B, F) to q with batch shape (B, D)."""
        log_variance = bound_log_variance(at_least_float32(self.log_variance(h)))
        return Normal(at_least_float32(self.loc(h)), (0.5 * log_variance).exp(), validate_args=False)


@POSTERIORS.register("point")
class Point(nn.Module):
    """A deterministic code, as in a plain autoencoder: no noise and no rate."""

    def __init__(self, features: int, latent_dim: int) -> None:
        super().__init__()
        self.loc = nn.Linear(features, latent_dim)

    def forward(self, h: Tensor) -> Distribution:
        """Features (B, F) to a point with batch shape (B, D)."""
        return Delta(at_least_float32(self.loc(h)))


@POSTERIORS.register("absent")
class Absent(nn.Module):
    """No head, where there is no encoder (`dreamgen.nn.AbsentEncoder`); raises SettingsError at every call."""

    def forward(self, h: Tensor) -> Distribution:
        raise SettingsError("this model has no posterior: it can dream and decode, and read no examples")


@POSTERIORS.register("fixed-noise")
class FixedNoise(nn.Module):
    """q(z|x) = N(loc, scale²) with one scale for every unit and row, which is not learned.

    With beta = 0 it is an autoencoder with noise on its codes. Nothing then keeps the codes from spreading until
    the noise is small beside them, so the scale sets their unit more than their blur.

    Args:
        scale: the standard deviation, more than 0; 1 is the standard normal prior's.
    """

    def __init__(self, features: int, latent_dim: int, scale: float = 1.0) -> None:
        super().__init__()
        if scale <= 0:
            raise SettingsError(f"posterior 'fixed-noise', scale: expected more than 0, got {scale!r}")
        self.loc = nn.Linear(features, latent_dim)
        self.scale = scale

    def forward(self, h: Tensor) -> Distribution:
        """Features (B, F) to q with batch shape (B, D)."""
        loc = at_least_float32(self.loc(h))
        return Normal(loc, torch.full_like(loc, self.scale), validate_args=False)
