"""How well the posterior of one row explains the sample of another: what an aggregated posterior is made of.

The square in -½ ((z - loc) / scale)² is written out, as a product of (z², z, 1) with coefficients of the rows: all
pairs are then one matrix product. Its terms nearly cancel where a posterior is much narrower than the codes lie
apart, so they are taken from the mean of the rows and in float64.
"""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution, Normal


def log_prob_pairs(q: Distribution, z: Tensor) -> Tensor:
    """log q(z_ij | x_k) of every sample under every row's posterior, apart for each unit.

    Args:
        q: batch shape (B, D).
        z: samples, (K, B, D).

    Returns:
        (D, K B, B), in nats: the samples of all rows, and beside each the B posteriors.
    """
    flat = z.flatten(0, 1)
    if not isinstance(q, Normal):
        return q.log_prob(flat.unsqueeze(1)).permute(2, 0, 1)
    samples, rows = _factors(q, flat)
    return torch.bmm(samples.permute(2, 0, 1), rows.permute(2, 1, 0)).to(z.dtype)


def joint_log_prob_pairs(q: Normal, z: Tensor) -> Tensor:
    """The same of some samples, summed over the units without a number for each: z (n, D) to (n, B), in nats."""
    samples, rows = _factors(q, z)
    return (samples.flatten(1) @ rows.flatten(1).T).to(z.dtype)


def _factors(q: Normal, z: Tensor) -> tuple[Tensor, Tensor]:
    """(z², z, 1) of samples (n, D), as (n, 3, D), and what posteriors weigh them by, (B, 3, D)."""
    digits = torch.float32 if z.device.type == "mps" else torch.float64  # Apple's has no float64
    loc, scale, away = q.loc.to(digits), q.scale.to(digits), z.to(digits)
    middle = loc.detach().mean(0)
    loc, away = loc - middle, away - middle
    precision = scale.pow(-2)
    constant = -0.5 * loc.square() * precision - scale.log() - 0.5 * math.log(2 * math.pi)
    rows = torch.stack([-0.5 * precision, loc * precision, constant], 1)
    return torch.stack([away.square(), away, torch.ones_like(away)], 1), rows
