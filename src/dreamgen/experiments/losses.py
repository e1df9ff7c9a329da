"""What the losses of a pixel are, and what they do to it."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution, Normal

from dreamgen.distributions import GreyBernoulli


def loss_of(p: Distribution, x: Tensor) -> Tensor:
    """-log p(x) of each element, less what does not depend on the output: cross-entropy, or error² / 2σ²."""
    loss = -p.log_prob(x)
    return loss - p.scale.log() - 0.5 * math.log(2 * math.pi) if isinstance(p, Normal) else loss


def loss_gradients(output: Tensor, x: float) -> dict[str, Tensor]:
    """What the losses do to a pixel that should be x, at outputs in (0, 1), (n,), by automatic differentiation.

    Returns:
        Derivatives, (n,), of cross-entropy and of squared error: with respect to the output, and to the logit whose
        sigmoid the output is. The library's Gaussian has no sigmoid: its output is the network's own.
    """
    logit = torch.logit(output.double()).requires_grad_()
    p = torch.sigmoid(logit)
    cross = -GreyBernoulli(logit).log_prob(torch.full_like(logit, x))
    squared = -Normal(p, math.sqrt(0.5)).log_prob(torch.full_like(logit, x))
    slope = p * (1 - p)
    found = {}
    for name, loss in (("cross-entropy", cross), ("squared error", squared)):
        (to_logit,) = torch.autograd.grad(loss.sum(), logit, retain_graph=True)
        found[f"{name}, by output"] = (to_logit / slope).detach()
        found[f"{name}, by logit"] = to_logit
    return found
