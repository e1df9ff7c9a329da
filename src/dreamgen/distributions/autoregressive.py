"""A likelihood in which every element knows those before it: p(x|z) = Π_i p(x_i | x_0 ... x_{i-1}, z).

So strong a decoder can explain pictures without z. It is here to show, and to cure, posterior collapse (Variational
Lossy Autoencoder, 2016, https://arxiv.org/abs/1611.02731).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, constraints

from dreamgen.distributions.bounded import at_least_float32
from dreamgen.distributions.draw import draw
from dreamgen.distributions.likelihoods import LIKELIHOODS, BernoulliLikelihood, GreyBernoulli
from dreamgen.distributions.noise import Noise
from dreamgen.errors import SettingsError
from dreamgen.nn.masked import MaskedNetwork


class Autoregressive(Distribution):
    """Binary elements in raster order; the logit of x_i is logits_i + network(x)_i.

    Args:
        logits: what z says of each element, (..., *event); in bfloat16, the network multiplies in it too.
        network: what the elements before say; one for all.
        dimensions: of the event.
    """

    arg_constraints = {}
    support = constraints.boolean

    def __init__(self, logits: Tensor, network: MaskedNetwork, dimensions: int) -> None:
        # log_prob is asked for where mixed precision has ended; what it began with is seen here alone.
        self._bfloat16 = logits.dtype == torch.bfloat16
        self.logits, self.network, self.dimensions = at_least_float32(logits), network, dimensions
        super().__init__(batch_shape=logits.shape, validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(x_i | x_0 ... x_{i-1}, z) of each element, in nats; their sum is log p(x|z)."""
        with torch.autocast(value.device.type, torch.bfloat16, enabled=self._bfloat16):
            before = self.network(value.flatten(-self.dimensions)).reshape(value.shape)
        return GreyBernoulli(self.logits + at_least_float32(before)).log_prob(value)

    @property
    def mean(self) -> Tensor:
        """It has none in closed form; raises SettingsError."""
        raise SettingsError(
            "an autoregressive likelihood has no mean in closed form: draw from it (--sample, or sample=True)"
        )


@draw.register
def _(distribution: Autoregressive, noise: Noise, samples: int) -> Tensor:
    """Element by element, each given those drawn before it."""
    uniform = noise.uniform((samples, *distribution.batch_shape)).flatten(-distribution.dimensions)
    logits = distribution.logits.flatten(-distribution.dimensions)
    x = torch.zeros_like(uniform)
    for i in range(x.shape[-1]):
        p = torch.sigmoid(logits[..., i] + distribution.network.one(x, i))
        x[..., i] = (uniform[..., i] < p).to(x.dtype)
    return x.reshape(samples, *distribution.batch_shape)


@LIKELIHOODS.register("autoregressive")
class AutoregressiveLikelihood(BernoulliLikelihood):
    """Every element is 1 with a probability that z and the elements before it decide, in raster order.

    Args:
        event_shape: shape of one example.
        width: hidden units of the network over the elements before.
    """

    has_mean = False
    independent = False

    def __init__(self, event_shape: Sequence[int], width: int = 400) -> None:
        super().__init__()
        if not 1 <= width <= 1 << 16:
            raise SettingsError(f"likelihood 'autoregressive', width: expected 1 to {1 << 16}, got {width}")
        self.dimensions = len(event_shape)
        self.network = MaskedNetwork(math.prod(event_shape), width)

    def forward(self, h: Tensor) -> Distribution:
        return Autoregressive(h, self.network, self.dimensions)
