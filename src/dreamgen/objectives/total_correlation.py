"""The rate taken apart, and an objective that weighs one of its parts.

With x one of N data and q(z) the mean of q(z|x) over them, the aggregated posterior,

    E KL(q(z|x) ‖ p(z)) = I(x; z)                        what the code tells of its example: index-code information
                        + KL(q(z) ‖ Π_j q(z_j))          how far the units depend on each other: total correlation
                        + Σ_j KL(q(z_j) ‖ p(z_j))        how far each strays from the prior: dimension-wise KL

where p(z) = Π_j p(z_j). A heavier rate (beta-VAE) makes units independent and silences them; a heavier total
correlation only makes them independent (Isolating Sources of Disentanglement in Variational Autoencoders, 2018,
https://arxiv.org/abs/1802.04942).

q(z) needs all N posteriors, and a step has those of its B rows:

- weighted:   q(z_i) ≈ 1/(N B) Σ_j q(z_i|x_j), which needs no more than the batch and is too small on average;
- stratified: the row that z_i came from counts 1/N, as in q(z) itself, and the B - 1 others stand for the rest, which
  is unbiased. The paper gives one of the others, whichever, a weight of its own; its mean over the choices is
  (N - 1) / (N (B - 1)) for each, has the same mean and less variance, and is exact where the batch is the data set.

One row alone tells nothing of q(z): it is then taken for all there are, q(z) for its posterior.

Letters: K samples, B rows, D units. Everything is in nats.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from dreamgen.distributions.pairs import log_prob_pairs
from dreamgen.errors import SettingsError
from dreamgen.models.trace import Latent, Trace
from dreamgen.objectives.bounds import OBJECTIVES, Terms
from dreamgen.objectives.schedules import SCHEDULES, Schedule

Sampling = Literal["weighted", "stratified"]


@dataclass(frozen=True)
class RateParts:
    """What the rate is made of, (B,) each, in nats; with these posteriors and samples they add up to log q - log p.

    Attributes:
        index_code: log q(z|x) - log q(z), whose mean is the mutual information of examples and codes.
        total_correlation: log q(z) - Σ_j log q(z_j).
        dimension_wise: Σ_j (log q(z_j) - log p(z_j)).
    """

    index_code: Tensor
    total_correlation: Tensor
    dimension_wise: Tensor


def take_apart(latent: Latent, rows: int | None = None, sampling: Sampling = "stratified") -> RateParts:
    """The parts of the rate at the samples of a latent, averaged over the K samples.

    Args:
        latent: of B rows; its posterior and prior know each unit apart.
        rows: N, how many rows the B were drawn from; None: the B are all there are.
        sampling: how q(z) is estimated.

    Raises:
        SettingsError: the posterior is a point, or the prior has no density for each unit.
    """
    if latent.is_point:
        raise SettingsError("total correlation: expected a posterior with a density, got a point")
    log_prior = latent.p.log_prob(latent.z)
    if log_prior.shape != latent.z.shape:
        raise SettingsError("total correlation: expected a prior whose units are independent")
    samples, batch, _ = latent.z.shape
    pairs = log_prob_pairs(latent.q, latent.z)
    own = torch.eye(batch, dtype=torch.bool, device=pairs.device).repeat(samples, 1)
    weights = _log_weights(own, max(rows or batch, batch), sampling, pairs)
    log_q = torch.logsumexp(pairs.sum(0) + weights, 1)
    log_units = torch.logsumexp(pairs + weights, 2).sum(0)
    parts = (pairs.sum(0)[own] - log_q, log_q - log_units, log_units - log_prior.sum(-1).flatten())
    return RateParts(*(part.unflatten(0, (samples, batch)).mean(0) for part in parts))


def _log_weights(own: Tensor, rows: int, sampling: Sampling, like: Tensor) -> Tensor:
    """The logarithm of what each row's posterior counts in q(z) at each sample, (K B, B)."""
    batch = own.shape[1]
    if batch == 1:
        return torch.zeros_like(like[0])
    if sampling == "weighted":
        return like.new_full(own.shape, -math.log(rows * batch))
    others = like.new_tensor((rows - 1) / (rows * (batch - 1)))
    return torch.where(own, 1 / rows, others).log()


@OBJECTIVES.register("tcvae")
class TotalCorrelation:
    """distortion + rest · (index-code information + dimension-wise KL) + beta · total correlation, as in beta-TCVAE.

    At beta = rest = 1 its mean is the plain loss of one sample, with either sampling.

    Args:
        beta: weight of the total correlation over time.
        free_bits: must be 0.
        rows: N, the training rows; None: those of a batch.
        rest: weight of the other two parts of the rate over time, a number or a schedule; 1 in the paper.
        sampling: how the aggregated posterior is estimated.
    """

    couples_rows: ClassVar[bool] = True
    samples = 1

    def __init__(
        self,
        beta: Schedule,
        free_bits: float,
        rows: int | None = None,
        rest: float | dict[str, Any] = 1.0,
        sampling: Sampling = "stratified",
    ) -> None:
        if free_bits:
            raise SettingsError(f"objective 'tcvae': expected free_bits = 0, got {free_bits}")
        self.beta = beta
        self.rest = SCHEDULES.build(rest)
        self.rows = rows
        self.sampling = sampling

    def weight(self, step: int, total: int) -> float:
        return self.beta(step, total)

    def __call__(self, trace: Trace, step: int, total: int) -> Terms:
        beta, rest = self.weight(step, total), self.rest(step, total)
        correlation = sum(take_apart(z, self.rows, self.sampling).total_correlation for z in trace.latents)
        # The three parts add up to the rate, which has a closed form, and so less noise than their sum.
        loss = trace.distortion + rest * trace.rate + (beta - rest) * correlation
        return Terms(loss, trace.distortion, trace.rate)
