"""How well the posterior of one row explains the sample of another: what an aggregated posterior is made of."""

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
    # -½ ((z - loc) / scale)² as a product of (z², z, 1) with coefficients of the rows: one pass over all the pairs.
    precision = q.scale.pow(-2)
    constant = -0.5 * q.loc.square() * precision - q.scale.log() - 0.5 * math.log(2 * math.pi)
    rows = torch.stack([-0.5 * precision, q.loc * precision, constant])  # (3, B, D)
    samples = torch.stack([flat.square(), flat, torch.ones_like(flat)])  # (3, K B, D)
    return torch.bmm(samples.permute(2, 1, 0), rows.permute(2, 0, 1))
