"""A Gaussian around a picture whose noise has a scale for each frequency.

What a decoder leaves over is no white noise: neighbours err together, and so do the three colours. In frequencies,
by the cosine transform over height, width and channels, those errors are nearly independent, and each frequency has a
scale of its own. The transform keeps lengths, so the density is the same product of normal densities as before,
written in other coordinates (Discrete Cosine Transform, 1974, https://doi.org/10.1109/T-C.1974.223784); that scales
are learned calibrates each frequency as one shared scale calibrates all (Simple and Effective VAE Training with
Calibrated Decoders, 2020, https://arxiv.org/abs/2006.13202).
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Normal, constraints

from dreamgen.distributions.bounded import at_least_float32, bound_log_variance
from dreamgen.distributions.draw import draw
from dreamgen.distributions.likelihoods import LIKELIHOODS, Likelihood
from dreamgen.distributions.noise import Noise
from dreamgen.errors import SettingsError

_LEAST = 1e-3  # a scale to start from, for a frequency that no row has: a quarter of a grey level
_GAIN = 10.0  # an optimiser moves every number by about its rate, and logarithms of scales have far to go


def cosines(n: int) -> Tensor:
    """The orthonormal cosine transform of n numbers (DCT-II), (n, n): row k is frequency k."""
    place, frequency = torch.arange(n, dtype=torch.float64), torch.arange(n, dtype=torch.float64)[:, None]
    basis = torch.cos(math.pi / n * (place + 0.5) * frequency) * math.sqrt(2 / n)
    basis[0] /= math.sqrt(2)
    return basis.float()


def transformed(x: Tensor, bases: Sequence[Tensor]) -> Tensor:
    """x (..., *event) by a matrix for each dimension of the event."""
    for dimension, basis in enumerate(bases, start=-len(bases)):
        x = torch.tensordot(x, basis.to(x), dims=([dimension], [1])).movedim(-1, dimension)
    return x


class SpectralNormal(Distribution):
    """N(loc, Tᵀ diag(scale²) T), where T is the cosine transform of an event.

    Args:
        loc: (..., *event).
        scale: of each frequency, (*event).
        bases: the transform of each dimension of the event.
    """

    arg_constraints = {}
    support = constraints.real

    def __init__(self, loc: Tensor, scale: Tensor, bases: Sequence[Tensor]) -> None:
        self.loc, self.scale, self.bases = loc, scale, bases
        super().__init__(loc.shape, validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> "SpectralNormal":
        return SpectralNormal(self.loc.expand(batch_shape), self.scale, self.bases)

    @property
    def mean(self) -> Tensor:
        return self.loc

    def log_prob(self, value: Tensor) -> Tensor:
        """In nats, (..., *event): a number for each frequency, not for each place; their sum is the density's."""
        left = transformed(value - self.loc, self.bases)
        log_prob: Tensor = Normal(0.0, self.scale, validate_args=False).log_prob(left)
        return log_prob


@draw.register
def _(distribution: SpectralNormal, noise: Noise, samples: int) -> Tensor:
    epsilon = noise.normal((samples, *distribution.batch_shape)).to(distribution.loc)
    return distribution.loc + transformed(distribution.scale * epsilon, [basis.T for basis in distribution.bases])


@LIKELIHOODS.register("spectral")
class SpectralLikelihood(Likelihood):
    """N(h, Σ) with a learned scale for each frequency of height, width and channels, the same for all z.

    Args:
        event_shape: shape of one example.
        scale: where the scales start; with start 'mean', at those of the data.
    """

    independent = False

    def __init__(self, event_shape: Sequence[int], scale: float = 1.0) -> None:
        super().__init__()
        if scale <= 0:
            raise SettingsError(f"likelihood 'spectral', scale: expected more than 0, got {scale!r}")
        self.log_scale = nn.Parameter(torch.full(tuple(event_shape), math.log(scale) / _GAIN))
        for dimension, n in enumerate(event_shape):
            self.register_buffer(f"basis_{dimension}", cosines(n), persistent=False)

    @property
    def bases(self) -> list[Tensor]:
        """The transform of each dimension of the event."""
        return [getattr(self, f"basis_{dimension}") for dimension in range(self.log_scale.dim())]

    def forward(self, h: Tensor) -> Distribution:
        # Bounded, so that data explained exactly cannot drive the density to infinity.
        scale = (0.5 * bound_log_variance(2 * _GAIN * self.log_scale)).exp()
        return SpectralNormal(at_least_float32(h), scale, self.bases)

    @torch.no_grad()
    def start(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is not None:
            raise SettingsError("likelihood 'spectral', start 'mean': expected data without gaps; use start 'random'")
        mean = x.mean(0)
        spread = transformed(x - mean, self.bases).square().mean(0).sqrt()
        self.log_scale.copy_(spread.clamp(min=_LEAST).log() / _GAIN)
        return mean
