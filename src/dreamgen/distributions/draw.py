"""Reparameterised draws: a sample as a differentiable function of a distribution's parameters and explicit noise.

z = loc + scale · ε with ε ~ N(0, I) keeps the randomness outside, so gradients reach loc and scale
(Auto-Encoding Variational Bayes, 2013, https://arxiv.org/abs/1312.6114, section 2.4).
"""

from functools import singledispatch

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Normal

from dreamgen.distributions.delta import Delta
from dreamgen.distributions.noise import Noise
from dreamgen.errors import SettingsError


@singledispatch
def draw(distribution: Distribution, noise: Noise, samples: int) -> Tensor:
    """Draw from a distribution over rows.

    Args:
        distribution: batch shape (B, *event).
        noise: the source of randomness.
        samples: K.

    Returns:
        (K, B, *event), differentiable in the parameters where the distribution is continuous.

    Raises:
        SettingsError: nobody has registered how to draw from this kind.
    """
    raise SettingsError(f"no draw is written for {type(distribution).__name__}; register one with draw.register")


def each_row(prior: Distribution, rows: int) -> Distribution:
    """A prior that is one for all, batch shape (D,) or (), for each of some rows; as it is where it has rows."""
    if len(prior.batch_shape) + len(prior.event_shape) > 1:
        return prior
    each: Distribution = prior.expand(torch.Size((rows, *prior.batch_shape)))
    return each


@draw.register
def _(distribution: Normal, noise: Noise, samples: int) -> Tensor:
    return distribution.loc + distribution.scale * noise.normal((samples, *distribution.batch_shape))


@draw.register
def _(distribution: Bernoulli, noise: Noise, samples: int) -> Tensor:
    uniform = noise.uniform((samples, *distribution.batch_shape))
    return (uniform < distribution.probs).to(distribution.probs.dtype)


@draw.register
def _(distribution: Delta, noise: Noise, samples: int) -> Tensor:
    return distribution.loc.expand(torch.Size((samples, *distribution.batch_shape)))
