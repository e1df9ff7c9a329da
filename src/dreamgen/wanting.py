"""Dreams of which a property is wanted: draws from p(x | property), found by weighing draws from p(x).

A code is picked from many by p(wanted | z), an example is written from it, and of several examples one is picked by
p(wanted | x) / p(wanted | z), which reads the property off what was written: a blurred code leaves much of it open.
That is sampling-importance-resampling (Bayesian Statistics Without Tears: A Sampling-Resampling Perspective, 1992,
https://doi.org/10.1080/00031305.1992.10475856) with the model's own reader as the likelihood.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from dreamgen.data.batch import Batch
from dreamgen.distributions import PortableNoise, derive_seed
from dreamgen.dreaming import BLOCK, CodeSource, decode_rows, device_of, dream_level
from dreamgen.errors import SettingsError
from dreamgen.evaluation.likelihood import encode_rows
from dreamgen.io import SavedModel

_TRIES = 16  # examples written for each dream, of which one is picked


@torch.no_grad()
def wanted_dreams(
    saved: SavedModel,
    wanted: Mapping[str, Any],
    n: int,
    seed: int,
    context: Tensor | None = None,
    mixture: int = 0,
    sample: bool = False,
) -> Tensor:
    """n examples that are likely to have what is wanted, (n, *event), on the CPU.

    Args:
        saved: a model with a reader.
        wanted: by property one value for all, or n, in its own unit.
        n, context, mixture: as in `dream_codes`.
        seed: dream i is a function of (seed, i).
        sample: draw each candidate from p(x|z) in place of its mean.

    Raises:
        SettingsError: no such property.
        DataError: a value that is none.
    """
    if saved.properties is None:
        raise SettingsError(
            f"no properties are read off this model's codes: it cannot be asked for {next(iter(wanted))}"
        )
    device, level = device_of(saved), dream_level(saved)
    asked = {name: saved.properties[name].encode(values, n).to(device) for name, values in wanted.items()}
    codes, known = _wanted_codes(saved, asked, n, seed, context, mixture)
    best, chosen = torch.full((n,), -torch.inf), torch.empty(n, *saved.event_shape)
    for attempt in range(_TRIES):
        own = derive_seed(seed, "written", attempt)
        x = decode_rows(saved, codes[:, attempt], context, own if sample else None, level)
        z = encode_rows(saved.model, Batch(x, context=context)).mean.to(device)
        weight = saved.model.reader.log_prob_of(z.unsqueeze(0), asked)[0].cpu() - known[:, attempt]
        # The largest of weights with Gumbel noise is a draw in proportion to them, and needs one candidate at a time.
        uniform = torch.cat([PortableNoise(own, "picked", row).uniform((1,)) for row in range(n)])
        weight -= (-uniform.clamp(1e-12, 1 - 1e-7).log()).log()
        better = weight > best
        best, chosen[better] = torch.where(better, weight, best), x[better]
    return chosen


def _wanted_codes(
    saved: SavedModel, asked: Mapping[str, Tensor], n: int, seed: int, context: Tensor | None, mixture: int
) -> tuple[Tensor, Tensor]:
    """16 codes for each dream of a block of its own, drawn by p(wanted | z), (n, 16, D), and its logarithm."""
    source = CodeSource(saved, seed, mixture)
    level = torch.full((1, 1), dream_level(saved), device=device_of(saved))
    codes, known = torch.empty(n, _TRIES, saved.settings.latent_dim), torch.empty(n, _TRIES)
    for row in range(n):
        told = None if context is None else context[row].expand(BLOCK, -1)
        z = source.block(row, told)
        one = {name: values[row : row + 1] for name, values in asked.items()}
        log_prob = saved.model.reader.log_prob_of(z.unsqueeze(1), one, level)[:, 0].cpu()
        uniform = PortableNoise(seed, "wanted", row).uniform((_TRIES,))
        picked = torch.searchsorted(log_prob.softmax(0).cumsum(0), uniform).clamp(max=len(z) - 1)
        codes[row], known[row] = z.cpu()[picked], log_prob[picked]
    return codes, known
