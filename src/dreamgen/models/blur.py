"""Blurred codes: one model at every rate, from all that a code says of an example down to nothing.

    q_t(z|x) = N(√(1 - t²) loc, (1 - t²) scale² + t²),   0 <= t <= 1

At t = 0 it is the posterior itself, at t = 1 the standard normal, and in between each level gives a bound of log p(x)
with a rate of its own. Blurred codes have a decoder of their own, which is told the level. A code that says
everything comes back exactly, but such codes fill so little of the latent space that no prior finds them; a blurred
one leaves the details to its decoder, and is easily found. Multi-Rate VAE: Train Once, Get the Full Rate-Distortion
Curve, 2022, https://arxiv.org/abs/2212.03905, has one network for many weights of the rate; the noise is that of
Denoising Diffusion Probabilistic Models, 2020, https://arxiv.org/abs/2006.11239.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Normal

from dreamgen.distributions import Noise
from dreamgen.errors import SettingsError
from dreamgen.registry import Registry

BLURS: Registry["Blur | None"] = Registry("blur")


@BLURS.register("none")
def _none() -> None:
    """Codes as they are."""


@BLURS.register("levels")
class Blur(nn.Module):
    """Levels of blur; codes are blurred while this is in training mode.

    Args:
        share: of the rows of a training step whose codes are blurred, each to a level of its own.
        least: the least of these levels.
        dream: the level of the codes that dreams are written from.
        likelihood: of examples given blurred codes; None: the same kind as given codes as they are.

    Raises:
        SettingsError: a number out of range.
    """

    def __init__(
        self, share: float = 0.5, dream: float = 0.8, least: float = 0.0, likelihood: dict[str, Any] | None = None
    ) -> None:
        for name, value in (("share", share), ("dream", dream), ("least", least)):
            if not 0 <= value <= 1:
                raise SettingsError(f"blur, {name}: expected 0 to 1, got {value}")
        if not least <= dream:
            raise SettingsError(f"blur, dream: expected the least level, {least}, or more, got {dream}")
        super().__init__()
        self.share, self.dream, self.least, self.likelihood = share, dream, least, likelihood

    def levels(self, rows: int, noise: Noise) -> Tensor:
        """Levels for the rows of a training step, (rows, 1): 0, or the noise's share t² is even over least² to 1."""
        uniform = noise.uniform((1, rows, 1))[0]
        squares = self.least**2 + (1 - self.least**2) * uniform / max(self.share, 1e-9)
        return torch.where(uniform < self.share, squares.sqrt(), 0.0)


def blurred(q: Distribution, level: Tensor) -> Normal:
    """q_t of a normal posterior, batch shape (B, D), at levels (B, 1); raises SettingsError for another posterior."""
    if not isinstance(q, Normal):
        raise SettingsError("blur: expected a normal posterior, such as 'gaussian'")
    kept = 1 - level.square()
    scale = (kept * q.scale.square() + level.square()).sqrt()
    return Normal(kept.sqrt() * q.loc, scale, validate_args=False)


def sharpened(z: Tensor, level: Tensor) -> Tensor:
    """The mean of a code z_0 given z_t (..., B, D) at levels (B, 1), where codes are standard normal: √(1 - t²) z_t.

    What a blurred code does not say is no noise to whoever reads it then, and at level 1 there is nothing to read.
    """
    return (1 - level.square()).clamp(min=0).sqrt() * z
