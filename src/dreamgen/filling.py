"""Filling in: what may have stood in the missing part of an example, given the part that is seen.

Latents are drawn from p(z|x_seen) by importance resampling: K candidates from q(z|x_seen), weighed by
p(x_seen, z) / q(z|x_seen). `dreamgen.evaluation.conditional` measures just this. (MIWAE, 2018,
https://arxiv.org/abs/1812.02633, section 3.)
"""

import torch
from torch import Tensor

from dreamgen.data.batch import Batch
from dreamgen.devices import device_of
from dreamgen.distributions import derive_seed, draw
from dreamgen.evaluation.conditional import require_independent
from dreamgen.evaluation.likelihood import batches, noise_of
from dreamgen.models import VAE, Trace

_DECODED = 1024  # (sample, row) pairs decoded at once


@torch.no_grad()
def fill_rows(
    model: VAE, parts: Batch, m: int = 1, seed: int = 0, sample: bool = False, samples: int = 100
) -> Tensor:
    """Examples with their missing elements filled in; what was seen comes back as it was.

    A row's filling is a function of the seed and of what is seen of the row.

    Args:
        model: in evaluation mode; its likelihood's elements are independent given z.
        parts: n examples, bytes or floats, with the mask of what is seen; what stands elsewhere is not read.
        m: how many fillings.
        seed: of the draws.
        sample: draw elements from p(x|z) instead of taking its mean.
        samples: K, the candidates for each row.

    Returns:
        Floats. With m = 1 and without `sample` the conditional mean, (1, n, *event): the mean of p(x|z) over all
        candidates by their weights. Else m fillings, (m, n, *event), each from a latent of its own.

    Raises:
        SettingsError: a likelihood whose elements depend on each other.
    """
    require_independent(model)
    mask = parts.observed
    filled = torch.empty(m, *parts.x.shape)
    start, rows = 0, max(1, _DECODED // samples)
    for seen, real in batches(Batch(parts.x, mask, parts.context), rows, device_of(model)):
        if m == 1 and not sample:
            block = _mean(model, seen, samples, seed)
        else:
            block = _draws(model, seen, m, samples, seed, sample)
        assert seen.mask is not None
        filled[:, start : start + real] = torch.where(seen.mask, seen.x, block)[:, :real].float().cpu()
        start += real
    return filled


def _candidates(model: VAE, seen: Batch, samples: int, seed: int) -> tuple[Trace, Tensor]:
    """K candidates for each row, and their normalised weights, (K, B)."""
    trace = model.infer(seen, noise_of(seen, f"fill {seed}"), samples)
    log_weight = trace.log_weight if trace.has_bound else torch.zeros_like(trace.log_likelihood)
    return trace, log_weight.softmax(0)


def _mean(model: VAE, seen: Batch, samples: int, seed: int) -> Tensor:
    """(1, B, *event)."""
    trace, weights = _candidates(model, seen, samples, seed)
    mean: Tensor = trace.p.mean
    return (weights.reshape(*weights.shape, *[1] * (mean.dim() - 2)) * mean).sum(0, keepdim=True)


def _draws(model: VAE, seen: Batch, m: int, samples: int, seed: int, sample: bool) -> Tensor:
    """(m, B, *event)."""
    fillings = []
    for number in range(m):
        # Fresh candidates for each, so that filling i does not depend on how many there are, nor repeats another.
        own = derive_seed(seed, "filling", number)
        trace, weights = _candidates(model, seen, samples, own)
        uniform = noise_of(seen, f"pick {own}").uniform((1, len(seen)))[0]
        pick = (weights.cumsum(0) < uniform).sum(0).clamp(max=samples - 1)  # (B,)
        z = trace.latents[0].z[pick, torch.arange(len(seen), device=pick.device)]
        p = model.decoder(z, seen.context)
        fillings.append(draw(p, noise_of(seen, f"elements {own}"), 1)[0] if sample else p.mean)
    return torch.stack(fillings)
