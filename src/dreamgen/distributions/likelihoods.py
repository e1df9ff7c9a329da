"""Likelihoods p(x|z): heads that turn a decoder's output into a distribution over data.

Each says how many numbers it needs per element of x (`parameters_per_element`, or `parameters_shape` where elements
differ), which data it accepts (`check`),
for which data its `log_prob` is a probability at all (`is_likelihood`), whether it can say its mean (`has_mean`), and
whether elements are independent given z, so that some can be left out (`independent`).
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Distribution, Normal

from dreamgen.distributions.bounded import at_least_float32, bound_log_variance
from dreamgen.errors import DataError, SettingsError
from dreamgen.registry import Registry

LIKELIHOODS: Registry["Likelihood"] = Registry("likelihood")


class Likelihood(nn.Module):
    """p(x|z) from a decoder's output."""

    parameters_per_element = 1
    has_mean = True
    independent = True
    writes_tokens = False  # of lines; then there has to be a language, and with one there has to be this

    def forward(self, h: Tensor) -> Distribution:
        """Decoder output, (..., *event), to p(x|z) with batch shape (..., *event)."""
        raise TypeError(f"{type(self).__name__} must define forward")

    def check(self, low: float, high: float) -> None:
        """Raise DataError unless this likelihood can explain values from low to high, as the model sees them."""

    def is_likelihood(self, x: Tensor) -> bool:
        """Whether log_prob(x) is the logarithm of a probability or density, and not only a score."""
        return True

    def typical(self, p: Distribution) -> Tensor:
        """The example, (..., *event), that stands for p(x|z): its mean."""
        return p.mean

    def parameters_shape(self, event_shape: Sequence[int]) -> tuple[int, ...]:
        """The shape of the decoder's output for one example."""
        each = self.parameters_per_element
        return (*event_shape, each) if each > 1 else tuple(event_shape)

    def start(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """The decoder's output at which p(x|z) has the marginals of rows x, (n, *event), where `mask` is true."""
        raise SettingsError(f"start 'mean' is not written for {type(self).__name__}; use start 'random'")


def _mean(x: Tensor, mask: Tensor | None) -> Tensor:
    if mask is None:
        return x.mean(0)
    return torch.where(mask, x, 0.0).sum(0) / mask.sum(0).clamp(min=1)


# e^-50 is nothing beside 1, even in float64. Beyond, exponentials become subnormal numbers, and processors take
# twenty times as long over those; a trained decoder is that sure about most background pixels.
_LARGE = 50.0


class _CrossEntropy(torch.autograd.Function):
    """x l - log(1 + e^l) per element, with its gradient x - sigmoid(l) written out: half the passes over memory."""

    generate_vmap_rule = True  # for gradients of each example

    @staticmethod
    def forward(logits: Tensor, x: Tensor) -> Tensor:
        softplus = logits.abs().clamp(max=_LARGE).neg_().exp_().add_(1).log_().add_(logits.clamp(min=0))
        return (x * logits).sub_(softplus)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor, Tensor | None]:
        logits, x = ctx.saved_tensors
        to_x = grad[0] * logits if ctx.needs_input_grad[1] else None
        return torch.sub(x, logits.clamp(-_LARGE, _LARGE).sigmoid_()).mul_(grad[0]), to_x


class GreyBernoulli(Bernoulli):
    """A Bernoulli that also scores grey values in [0, 1] by their negative cross-entropy ("bce").

    On 0 and 1 it is the likelihood. On grey values exp(log_prob) does not integrate to 1, so it is a score only.
    """

    def __init__(self, logits: Tensor) -> None:
        super().__init__(logits=logits, validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> "GreyBernoulli":
        """The same distribution with a larger batch shape."""
        return GreyBernoulli(self.logits.expand(torch.Size(batch_shape)))

    def log_prob(self, value: Tensor) -> Tensor:
        """x log p + (1 - x) log(1 - p) per element, in nats."""
        logits, value = torch.broadcast_tensors(self.logits, value)
        log_prob: Tensor = _CrossEntropy.apply(logits, value)  # type: ignore[no-untyped-call]
        return log_prob


@LIKELIHOODS.register("bernoulli")
class BernoulliLikelihood(Likelihood):
    """Every element is 1 with its own probability, independently given z."""

    def forward(self, h: Tensor) -> Distribution:
        return GreyBernoulli(logits=at_least_float32(h))

    def check(self, low: float, high: float) -> None:
        if low < 0 or high > 1:
            raise DataError(f"for a Bernoulli likelihood: expected values in [0, 1], got [{low:g}, {high:g}]")

    def is_likelihood(self, x: Tensor) -> bool:
        return bool(((x == 0) | (x == 1)).all())

    def start(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        # An element that never changed in the rows seen is not quite certain.
        return torch.logit(_mean(x, mask), eps=1e-3)


@LIKELIHOODS.register("gaussian")
class GaussianLikelihood(Likelihood):
    """N(h, σ²) with one σ for all elements, fixed or learned.

    With σ = 1/√2 and fixed, the distortion is the squared error plus a constant. Learned, σ settles at the root mean
    squared error and calibrates the balance with the rate (Simple and Effective VAE Training with Calibrated
    Decoders, 2020, https://arxiv.org/abs/2006.13202).

    Args:
        scale: σ, or where it starts when learned.
        learned: whether σ is trained with the network.
    """

    def __init__(self, scale: float = 1.0, learned: bool = False) -> None:
        super().__init__()
        if scale <= 0:
            raise SettingsError(f"likelihood 'gaussian', scale: expected more than 0, got {scale!r}")
        log_scale = torch.tensor(math.log(scale))
        self.log_scale: Tensor
        if learned:
            self.log_scale = nn.Parameter(log_scale)
        else:
            self.register_buffer("log_scale", log_scale)

    def forward(self, h: Tensor) -> Distribution:
        log_scale = self.log_scale
        if isinstance(log_scale, nn.Parameter):
            # Bounded, so that data explained exactly cannot drive the density to infinity.
            log_scale = 0.5 * bound_log_variance(2 * log_scale)
        scale = log_scale.exp()
        return Normal(at_least_float32(h), scale, validate_args=False)

    def start(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return _mean(x, mask)
