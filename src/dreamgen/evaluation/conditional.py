"""log p(x_missing | x_seen): what a model says of one part of an example, given another.

What is measured is the distribution that filling in draws from, and not a difference of two bounds, which could come
out too well. To fill in, K candidates z_1 ... z_K are drawn from q(z|x_seen), one is picked by the weights
w(z) = p(x_seen, z) / q(z|x_seen), and x_missing is drawn from p(x_missing|z). The density of what is picked is
(Reinterpreting Importance-Weighted Autoencoders, 2017, https://arxiv.org/abs/1704.02916)

    q_K(z|x_seen) = p(x_seen, z) E[ 1 / ((w(z) + w(z_2) + ... + w(z_K)) / K) ],    z_2 ... z_K ~ q(z|x_seen),

which sums to one, and so does p_K(x_missing|x_seen) = ∫ q_K(z|x_seen) p(x_missing|z) dz. With z'_1 ... z'_K drawn
from q(z|x), where all of x is known, an unbiased estimate of it is

    (1/K) Σ_l  p(x, z'_l) / q(z'_l|x)  /  ((w(z'_l) + w(z_2) + ... + w(z_K)) / K).

By Jensen's inequality its logarithm is, in expectation, a lower bound of log p_K(x_missing|x_seen). At K = 1 this is
the conditional VAE whose prior is q(z|x_seen); with K p_K goes to the model's own p(x_missing|x_seen).
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from dreamgen.data.batch import Batch
from dreamgen.devices import device_of
from dreamgen.distributions import Delta, Noise
from dreamgen.errors import DataError, SettingsError
from dreamgen.evaluation.likelihood import batches, noise_of
from dreamgen.models import VAE, Latent, Trace

_ROWS = 64  # rows encoded at once
_DECODED = 1024  # (sample, row) pairs decoded at once


@dataclass(frozen=True)
class ConditionalScores:
    """Of n rows, each (n,), in nats.

    Attributes:
        log_likelihood: a lower bound, in expectation, of log p_K(x_missing|x_seen), the distribution of what is
            filled in.
        ratio: the bound of log p(x) less that of log p(x_seen), each with K samples. As the second is a lower bound
            too, this may be too large; it goes to log p(x_missing|x_seen) with K.
    """

    log_likelihood: Tensor
    ratio: Tensor


@torch.no_grad()
def conditional_log_likelihood(
    model: VAE,
    x: Tensor,
    mask: Tensor,
    samples: int = 1000,
    seed: int = 0,
    progress: Callable[[int], None] = lambda done: None,
) -> ConditionalScores:
    """What a model says of the missing elements of each row, given those seen.

    A row's figure depends on the seed and the row alone, and on no other row.

    Args:
        model: in evaluation mode; its likelihood's elements are independent given z.
        x: all of each row, (n, *event), bytes or floats, already binarised if it should be.
        mask: the elements that are seen, bool, (n, *event), or (*event) for all rows alike.
        samples: K.
        seed: of the samples.
        progress: told the number of rows done.

    Raises:
        SettingsError: fewer than one sample, or a likelihood whose elements depend on each other.
        DataError: a mask of another shape, or a posterior without density.
    """
    if samples < 1:
        raise SettingsError(f"samples: expected 1 or more, got {samples}")
    require_independent(model)
    rows = max(1, min(_ROWS, _DECODED // samples))
    done, parts = 0, []
    for part, real in batches(Batch(x, rows_mask(mask, x)), rows, device_of(model)):
        parts.append([values[:real].cpu() for values in _score_block(model, part, samples, seed)])
        done += real
        progress(done)
    return ConditionalScores(*(torch.cat(column) for column in zip(*parts, strict=True)))


def require_independent(model: VAE) -> None:
    """Raise SettingsError where a part of an example has no likelihood of its own."""
    if not model.decoder.likelihood.independent:
        raise SettingsError("filling in: expected a likelihood whose elements are independent given the latents")


def rows_mask(mask: Tensor, x: Tensor) -> Tensor:
    """A mask for each row, (n, *event); raises DataError for another shape or type."""
    if mask.dtype != torch.bool or mask.shape not in (x.shape, x.shape[1:]):
        raise DataError(
            f"mask: expected bool of shape {tuple(x.shape)} or {tuple(x.shape[1:])}, "
            f"got {str(mask.dtype).removeprefix('torch.')} of shape {tuple(mask.shape)}"
        )
    return mask.expand(x.shape)


def _score_block(model: VAE, seen: Batch, samples: int, seed: int) -> tuple[Tensor, Tensor]:
    """(bound, ratio) of a block, each (B,)."""
    whole = Batch(seen.x, None, seen.context, seen.properties)
    q_seen, q_whole = model.encoder(seen), model.encoder(whole)
    if isinstance(q_seen, Delta):
        raise DataError("the posterior is a point: an autoencoder has no likelihood")
    size = max(1, _DECODED // len(seen))
    # The candidates may not know what is missing, nor does their noise.
    others = _log_sum(
        model.explain(seen, q_seen, noise, k).log_weight
        for noise, k in _with_noise(seen, f"candidates {seed}", samples - 1, size)
    )
    bound, evidence = [], []
    for noise, k in _with_noise(whole, f"whole {seed}", samples, size):
        trace = model.explain(whole, q_whole, noise, k)
        own = _reweighted(trace, seen, q_seen)
        sums = own if others is None else torch.logaddexp(own, others)
        bound.append(torch.logsumexp(trace.log_weight - sums, 0))
        evidence.append(torch.logsumexp(trace.log_weight, 0))
    # (1/K) Σ ... / (sum / K): the two K cancel.
    log_likelihood = torch.logsumexp(torch.stack(bound), 0)
    if others is None:
        return log_likelihood, log_likelihood
    ratio = torch.logsumexp(torch.stack(evidence), 0) - math.log(samples) - others + math.log(samples - 1)
    return log_likelihood, ratio


def _with_noise(batch: Batch, seed: str, samples: int, size: int) -> Iterator[tuple[Noise, int]]:
    noise = noise_of(batch, seed)
    return ((noise, min(size, samples - start)) for start in range(0, samples, size))


def _reweighted(trace: Trace, seen: Batch, q: Distribution) -> Tensor:
    """log w of a trace's samples as if they had come from q(z|x_seen), (K, B)."""
    latents = tuple(Latent(latent.name, latent.z, q, latent.p) for latent in trace.latents)
    return Trace(seen, latents, trace.p).log_weight


def _log_sum(parts: Iterator[Tensor]) -> Tensor | None:
    """log Σ_k exp of parts (k, B), over all of them; None where there are none."""
    sums = [torch.logsumexp(part, 0) for part in parts]
    return torch.logsumexp(torch.stack(sums), 0) if sums else None
