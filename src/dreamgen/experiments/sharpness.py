"""How sharp pictures are, and how their neighbouring pixels hang together. Letters: n pictures, H rows, W columns."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.distributions import Distribution, Normal

from dreamgen.data.batch import as_float
from dreamgen.distributions import GreyBernoulli

Pictures = npt.NDArray[np.floating[Any]]


def neighbour_correlation(x: Pictures, centre: Pictures) -> float:
    """Correlation of the deviations d = x - centre of two pixels side by side or one above the other.

    Σ d d' / sqrt(Σ d² · Σ d'²) over all such pairs (d the left or upper one) of all pictures, (n, H, W). With the
    mean picture as the centre, (H, W), it says how smooth pictures are; with the decoder's mean for the code of each,
    (n, H, W), it is what the decoder's independent pixels leave unexplained, and 0 for draws from p(x|z).
    """
    d = np.asarray(x, np.float64) - centre
    pairs = ((d[:, :, :-1], d[:, :, 1:]), (d[:, :-1], d[:, 1:]))
    product = sum((first * second).sum() for first, second in pairs)
    squares = [sum(np.square(pair[side]).sum() for pair in pairs) for side in (0, 1)]
    return float(product / math.sqrt(squares[0] * squares[1]))


def edge_energy(x: Tensor) -> float:
    """Squared differences between neighbouring pixels, summed over each picture, averaged over the pictures.

    x is bytes or floats, (n, height, width[, channels]). Sharp edges raise it, and so do long strokes: compare
    pictures of the same kind only.
    """
    x = as_float(x)
    across, down = x.diff(dim=2), x.diff(dim=1)
    return (across.square().flatten(1).sum(1) + down.square().flatten(1).sum(1)).double().mean().item()


def edge_strength(x: Pictures) -> float:
    """The length of the gradient, by differences to the next pixel, averaged over pixels and pictures."""
    right, down = x[:, :-1, 1:] - x[:, :-1, :-1], x[:, 1:, :-1] - x[:, :-1, :-1]
    return float(np.hypot(right, down).mean())


def laplacian_variance(x: Pictures) -> float:
    """Variance over a picture of the sum of its four neighbours less four times the pixel, averaged over pictures."""
    inside = x[:, 1:-1, 1:-1]
    around = x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]
    return float((around - 4 * inside).var(axis=(1, 2)).mean())


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
