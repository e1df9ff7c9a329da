"""log p(x|z) of whole examples, where only the sum over the elements is wanted."""

from functools import singledispatch

import torch
from torch import Tensor
from torch.distributions import Distribution

from dreamgen.distributions.likelihoods import GreyBernoulli

_GROUP = 4  # probabilities multiplied before a logarithm is taken of their product
_SMALLEST = 1e-36  # float32 has full precision above it


@singledispatch
def log_prob_sum(p: Distribution, x: Tensor) -> Tensor:
    """Σ log p(x|z) over the elements of each example.

    Args:
        p: batch shape (K, B, *event).
        x: (B, *event).

    Returns:
        (K, B), in nats.
    """
    return _elementwise(p, x)


@log_prob_sum.register
def _(p: GreyBernoulli, x: Tensor) -> Tensor:
    # x · l - Σ log(1 + e^l), the second part as the logarithm of products: a quarter of the logarithms.
    logits = p.logits
    if logits.requires_grad or logits.dtype != torch.float32 or logits.dim() < 3:
        return _elementwise(p, x)
    logits = logits.flatten(2)
    off = torch.neg(logits).sigmoid_()
    for _ in range(_GROUP // 2):
        if off.shape[-1] % 2 == 0:
            off = torch.mul(*off.chunk(2, dim=-1))
    if off.numel() and off.min() < _SMALLEST:  # so sure of so many elements that their product leaves float32
        return _elementwise(p, x)
    return torch.einsum("kbe,be->kb", logits, x.flatten(1)) + off.log_().sum(-1)


def _elementwise(p: Distribution, x: Tensor) -> Tensor:
    elements = p.log_prob(x)
    return elements.flatten(2).sum(-1) if elements.dim() > 2 else elements
