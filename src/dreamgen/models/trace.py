"""The trace: what a model thought while it explained a batch. Objectives and uses read it; nothing else is passed.

Letters: K samples, B rows, D units of a latent, *event the shape of one example. Everything is in nats.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.distributions import Distribution, kl_divergence

from dreamgen.data.batch import Batch
from dreamgen.distributions import Delta, log_prob_sum


def _sum_event(values: Tensor, keep: int) -> Tensor:
    """Sum all dimensions but the first `keep`."""
    return values.flatten(keep).sum(-1) if values.dim() > keep else values


@dataclass(frozen=True)
class Latent:
    """One latent variable.

    Attributes:
        name: to tell the steps of a ladder apart.
        z: samples, (K, B, D).
        q: posterior, batch shape (B, D).
        p: prior, batch shape (D,), (B, D) or (K, B, D).
    """

    name: str
    z: Tensor
    q: Distribution
    p: Distribution

    @property
    def is_point(self) -> bool:
        """Whether q has no density, so that there is no rate, no weight and no bound."""
        return isinstance(self.q, Delta)

    @cached_property
    def rate_per_unit(self) -> Tensor | None:
        """KL(q ‖ p) of each unit, (B, D) or (K, B, D), where it has a closed form; left out, as 0, for a point."""
        if self.is_point:
            return torch.zeros_like(self.q.mean)
        try:
            return kl_divergence(self.q, self.p)
        except NotImplementedError:
            return None

    @cached_property
    def log_ratio(self) -> Tensor:
        """log p(z) - log q(z|x), (K, B)."""
        return _sum_event(self.p.log_prob(self.z), 2) - _sum_event(self.q.log_prob(self.z), 2)

    @cached_property
    def rate(self) -> Tensor:
        """KL(q ‖ p), (B,): the closed form, or the mean of log q - log p over the K samples."""
        closed = self.rate_per_unit
        if closed is None:
            return -self.log_ratio.mean(0)
        # A prior that depends on the samples above it gives (K, B, D).
        return _sum_event(closed, 1) if closed.dim() < self.z.dim() else _sum_event(closed, 2).mean(0)


@dataclass(frozen=True)
class Trace:
    """Everything a model inferred about a batch.

    Attributes:
        batch: the B examples.
        latents: the latents, in the order in which they are generated.
        p: p(x|z), batch shape (K, B, *event).
        read: log p(properties|z), (K, B), where the batch has properties: then they are explained with x.
    """

    batch: Batch
    latents: tuple[Latent, ...]
    p: Distribution
    read: Tensor | None = None

    @property
    def has_bound(self) -> bool:
        """Whether every posterior has a density."""
        return not any(latent.is_point for latent in self.latents)

    @cached_property
    def log_likelihood(self) -> Tensor:
        """log p(x|z) of the observed elements of each example, and of its properties, (K, B)."""
        if self.batch.mask is None:
            whole = log_prob_sum(self.p, self.batch.x)
        else:
            elements = torch.where(self.batch.mask, self.p.log_prob(self.batch.x), 0.0)  # the unobserved may be NaN
            whole = _sum_event(elements, 2)
        return whole if self.read is None else whole + self.read

    @cached_property
    def distortion(self) -> Tensor:
        """-log p(x|z), averaged over the samples, (B,)."""
        return -self.log_likelihood.mean(0)

    @cached_property
    def rate(self) -> Tensor:
        """Sum of the latents' rates, (B,)."""
        return torch.stack([latent.rate for latent in self.latents]).sum(0)

    @cached_property
    def log_weight(self) -> Tensor:
        """log p(x, z) - log q(z|x), (K, B): the importance weights of the samples."""
        return self.log_likelihood + torch.stack([latent.log_ratio for latent in self.latents]).sum(0)

    @property
    def elbo(self) -> Tensor:
        """The evidence lower bound, (B,), with the rate in closed form where it has one."""
        return -(self.distortion + self.rate)

    @property
    def iwae_bound(self) -> Tensor:
        """log (1/K) Σ_k w_k, (B,): rises with K towards log p(x) in expectation.

        Importance Weighted Autoencoders, 2015, https://arxiv.org/abs/1509.00519.
        """
        return torch.logsumexp(self.log_weight, 0) - math.log(self.log_weight.shape[0])
