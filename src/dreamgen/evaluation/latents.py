"""What the latents carry: active units, rate by unit, mutual information."""

import math

import torch
from torch import Tensor
from torch.distributions import Distribution, Normal

from dreamgen.devices import device_of
from dreamgen.distributions import Delta, StepNoise
from dreamgen.distributions.pairs import joint_log_prob_pairs
from dreamgen.models import VAE, Latent

ACTIVE = 0.01  # variance of the posterior mean above which a unit counts as active
_ROWS = 500


def active_units(q: Distribution) -> int:
    """Units whose posterior mean varies over the rows by more than 0.01.

    Importance Weighted Autoencoders, 2015, https://arxiv.org/abs/1509.00519, section 5.2.
    """
    loc: Tensor = q.mean
    return int((loc.var(0, correction=0) > ACTIVE).sum()) if len(loc) > 1 else 0


@torch.no_grad()
def prior_of(model: VAE, context: Tensor | None = None) -> Distribution:
    """p(z), or p(z|context) of rows of context (n, C), on the CPU, where their posteriors are."""
    told = None if context is None else context.to(device_of(model))
    prior: Distribution = model.prior(told)
    if isinstance(prior, Normal):
        return Normal(prior.loc.cpu(), prior.scale.cpu(), validate_args=False)
    return prior


def rate_per_unit(q: Distribution, prior: Distribution) -> Tensor | None:
    """KL(q ‖ p) of each unit, averaged over the rows, (D,), in nats; None where it has no closed form."""
    rates = Latent("z", q.mean.unsqueeze(0), q, prior).rate_per_unit
    return None if rates is None or isinstance(q, Delta) else rates.mean(0)


def mutual_information(q: Distribution, seed: int = 0) -> float | None:
    """I(x; z) under the encoder, in nats: E[log q(z|x) - log q(z)], q(z) the mean of q(z|x) over the rows.

    One z is drawn for each of the n rows. It is the rate less KL(q(z) ‖ p(z)) (ELBO surgery, 2016,
    http://approximateinference.org/accepted/HoffmanJohnson2016.pdf), a lower bound in expectation that cannot exceed
    log n (On Variational Bounds of Mutual Information, 2019, https://arxiv.org/abs/1905.06922). None for a point
    posterior, whose mutual information is infinite.
    """
    if not isinstance(q, Normal):
        return None
    loc, scale = q.loc.double(), q.scale.double()
    z = loc + scale * StepNoise(seed, "mutual information").normal(loc.shape).double()
    posteriors = Normal(loc, scale, validate_args=False)
    total = 0.0
    for start in range(0, len(z), _ROWS):
        joint = joint_log_prob_pairs(posteriors, z[start : start + _ROWS])
        own = joint.diagonal(start)
        total += float((own - torch.logsumexp(joint, 1) + math.log(len(z))).sum())
    return total / len(z)
