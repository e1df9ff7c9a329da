"""Dreams of which the best are kept: of several written for each, one is picked by what is read off it.

Sampling-importance-resampling (Bayesian Statistics Without Tears: A Sampling-Resampling Perspective, 1992,
https://doi.org/10.1080/00031305.1992.10475856): a draw in proportion to a weight, which is a product of

- p(wanted | x) / p(wanted | z), of properties that are wanted, where z was drawn by p(wanted | z) already: a blurred
  code leaves much of them open, and the model's reader tells them from what was written;
- p(real | x) / p(dreamt | x), by the codes of both (`RealOrDreamt`): the decoder's slips give a dream away.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from dreamgen.devices import device_of
from dreamgen.distributions import PortableNoise, RowNoise, derive_seed
from dreamgen.dreaming.codes import BLOCK, CodeSource, decode_rows, dream_level
from dreamgen.dreaming.real_or_dreamt import RealOrDreamt, read_again
from dreamgen.errors import SettingsError
from dreamgen.io import SavedModel
from dreamgen.workers import Watch

_WANTED = 16  # examples written for each dream of which something is wanted
_NEVER = -1e9  # the weight of what the model cannot read again: it is kept where there is nothing else


@torch.no_grad()
def picked_dreams(
    saved: SavedModel,
    n: int,
    seed: int,
    context: Tensor | None = None,
    *,
    mixture: int = 0,
    sample: bool = False,
    wanted: Mapping[str, Any] | None = None,
    odds: RealOrDreamt | None = None,
    tries: int = 1,
    watch: Watch | None = None,
) -> Tensor:
    """n examples, each picked from several, (n, *event), on the CPU.

    Args:
        saved: the model.
        n, context, mixture: as in `dream_codes`.
        seed: dream i is a function of (seed, i).
        sample: draw each candidate from p(x|z) in place of its mean.
        wanted: by property one value for all, or n, in its own unit; it takes a reader, and 16 tries or more.
        odds: of being real; None: that is not asked.
        tries: examples written for each dream.
        watch: told how many examples are written and how many there will be.

    Raises:
        SettingsError: no such property.
        DataError: a value that is none.
    """
    source = CodeSource(saved, mixture)
    level, asked = dream_level(saved), _asked(saved, wanted, n) if wanted else {}
    if asked:
        tries = max(tries, _WANTED)
        attempts = _wanted_codes(saved, source, asked, n, tries, seed, context)
    else:
        attempts = _any_codes(source, n, tries, seed, context)
    best, chosen = torch.full((n,), -torch.inf), torch.zeros(n, *saved.event_shape)
    for attempt, (codes, known) in enumerate(attempts):
        own = derive_seed(seed, "written", attempt)
        x = decode_rows(saved, codes, context, own if sample else None, level)
        z, readable = read_again(saved, x, context)
        weight = -known
        if asked:
            codes = z.to(device_of(saved.model)).unsqueeze(0)
            weight = weight + saved.model.reader.log_prob_of(codes, asked)[0].cpu()
        if odds is not None:
            weight = weight + odds.log_odds(z, context)
        # The largest of weights with Gumbel noise is a draw in proportion to them, and needs one candidate at a time.
        uniform = RowNoise(f"picked {own}", range(n)).uniform((1, n))[0]
        gumbel = -(-uniform.clamp(1e-12, 1 - 1e-7).log()).log()
        weight = torch.where(readable, weight.nan_to_num(_NEVER), _NEVER) + gumbel
        better = (weight > best) | (attempt == 0)
        best, chosen[better] = torch.where(better, weight, best), x[better]
        if watch is not None:
            watch(n * (attempt + 1), n * tries)
    return chosen


def _asked(saved: SavedModel, wanted: Mapping[str, Any], n: int) -> dict[str, Tensor]:
    if saved.properties is None:
        raise SettingsError(
            f"no properties are read off this model's codes: it cannot be asked for {next(iter(wanted))}"
        )
    device = device_of(saved.model)
    return {name: saved.properties[name].encode(value, n).to(device) for name, value in wanted.items()}


def _any_codes(
    source: CodeSource, n: int, tries: int, seed: int, context: Tensor | None
) -> Iterator[tuple[Tensor, Tensor]]:
    """Codes for n dreams, (n, D), time after time, with a 0 for each, (n,)."""
    for attempt in range(tries):
        own = derive_seed(seed, "again", attempt)
        yield source.codes(n, own, context), torch.zeros(n)


def _wanted_codes(
    saved: SavedModel,
    source: CodeSource,
    asked: Mapping[str, Tensor],
    n: int,
    tries: int,
    seed: int,
    context: Tensor | None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """The same, drawn by p(wanted | z), each dream's of a block of its own, and log p(wanted | z), (n,)."""
    level = torch.full((1, 1), dream_level(saved), device=device_of(saved.model))
    codes, known = torch.empty(n, tries, saved.settings.latent_dim), torch.empty(n, tries)
    for row in range(n):
        z = source.block(seed, row, None if context is None else context[row].expand(BLOCK, -1))
        one = {name: values[row : row + 1] for name, values in asked.items()}
        log_prob = saved.model.reader.log_prob_of(z.unsqueeze(1), one, level)[:, 0].cpu()
        uniform = PortableNoise(seed, "wanted", row).uniform((tries,))
        drawn = torch.searchsorted(log_prob.softmax(0).cumsum(0), uniform).clamp(max=len(z) - 1)
        codes[row], known[row] = z.cpu()[drawn], log_prob[drawn]
    yield from zip(codes.unbind(1), known.unbind(1), strict=True)
