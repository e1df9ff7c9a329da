"""From nothing to codes, and from codes to examples, in blocks of one size.

A code, and a picture to its last digit, then depend on the seed and on their number, not on how many others there
are.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dreamgen.data.context import Context
from dreamgen.distributions import PortableNoise, RowNoise, draw, each_row
from dreamgen.errors import SettingsError
from dreamgen.evaluation.aggregated import TOLD_APART, fit_codes, rows_told
from dreamgen.evaluation.likelihood import blocks
from dreamgen.io import SavedModel
from dreamgen.models.blur import Blur

_ROWS = 256  # decoded at once


def _device(saved: SavedModel) -> torch.device:
    return next(saved.model.parameters()).device  # type: ignore[no-any-return]


def dream_level(saved: SavedModel) -> float:
    """How blurred the codes of dreams are: 0 unless levels of blur were asked for."""
    blur: Blur | None = saved.model.blur
    return blur.dream if blur is not None else 0.0


@torch.no_grad()
def dream_codes(saved: SavedModel, n: int, seed: int, context: Tensor | None = None, mixture: int = 0) -> Tensor:
    """n codes from the prior, (n, D), on the model's device, as blurred as `dream_level` says.

    Args:
        saved: the model.
        n: how many.
        seed: code i is a function of (seed, i).
        context: (n, C), where the model is told one.
        mixture: that many Gaussians, fitted to the kept codes of rows that were told the same, in the prior's place,
            or to all of them where fewer than 20 were (as of numbers, or of many flags at once); 0: the prior.

    Raises:
        SettingsError: a mixture where no codes are kept.
    """
    if not mixture:
        return _draw_codes(saved.model.prior, n, seed, context, _device(saved))
    level = dream_level(saved)
    if context is None:
        return _draw_codes(fit_codes(saved.codes, saved.card, mixture, level=level), n, seed).to(_device(saved))
    z, left = torch.empty(n, saved.settings.latent_dim), torch.ones(n, dtype=torch.bool)
    for told in context.unique(dim=0):
        if rows_told(saved.codes, told).sum() >= TOLD_APART:
            rows = (context == told).all(1)
            z[rows] = _draw_codes(fit_codes(saved.codes, saved.card, mixture, told, level), n, seed)[rows]
            left &= ~rows
    if left.any():
        z[left] = _draw_codes(fit_codes(saved.codes, saved.card, mixture, level=level), n, seed)[left]
    return z.to(_device(saved))


_CANDIDATES = 256  # for each dream of which something is wanted


@torch.no_grad()
def wanted_codes(
    saved: SavedModel, wanted: Mapping[str, Any], n: int, seed: int, context: Tensor | None = None, mixture: int = 0
) -> Tensor:
    """n codes of p(z | wanted properties), (n, D): each one of 256 from `dream_codes`, picked by p(wanted | z).

    Args:
        saved: a model with a reader.
        wanted: by property one value for all, or n, in its own unit.
        n, seed, context, mixture: as in `dream_codes`.

    Raises:
        SettingsError: no such property.
        DataError: a value that is none.
    """
    if saved.properties is None:
        raise SettingsError(
            f"no properties are read off this model's codes: it cannot be asked for {next(iter(wanted))}"
        )
    told = None if context is None else context.repeat_interleave(_CANDIDATES, 0)
    z = dream_codes(saved, n * _CANDIDATES, seed, told, mixture).unflatten(0, (n, _CANDIDATES))
    asked = {name: saved.properties[name].encode(values, n).to(z.device) for name, values in wanted.items()}
    level = torch.full((n, 1), dream_level(saved), device=z.device)
    weights = saved.model.reader.log_prob_of(z.transpose(0, 1), asked, level).t().softmax(1).cpu()
    uniform = torch.stack([PortableNoise(seed, "wanted", row).uniform((1,)) for row in range(n)])
    picked = (weights.cumsum(1) < uniform).sum(1).clamp(max=_CANDIDATES - 1)
    chosen: Tensor = z[torch.arange(n, device=z.device), picked.to(z.device)]
    return chosen


def _draw_codes(
    prior: nn.Module, n: int, seed: int, context: Tensor | None = None, device: torch.device | str = "cpu"
) -> Tensor:
    codes = []
    for block, start in enumerate(range(0, n, _ROWS)):
        noise = PortableNoise(seed, "dream", block, device=device)  # drawn whole, whatever n is
        told = None if context is None else _whole(context[start : start + _ROWS]).to(device)
        codes.append(draw(each_row(prior(told), _ROWS), noise, 1)[0])
    return torch.cat(codes)[:n]


def _whole(context: Tensor) -> Tensor:
    """A block filled up with copies of its first row."""
    return torch.cat([context, context[:1].expand(_ROWS - len(context), -1)])


@torch.no_grad()
def decode_rows(
    saved: SavedModel, z: Tensor, context: Tensor | None = None, seed: int | None = None, level: float = 0.0
) -> Tensor:
    """Codes (n, D), with their context (n, C) where the model is told one, to examples (n, *event), on the CPU.

    The mean of p(x|z), kept within [0, 1] where the data was, or of lines the likeliest tokens; with a seed a draw, a
    function of (seed, row). `level` is how blurred the codes are, for a decoder that is told.
    """
    typical = saved.model.decoder.likelihood.typical
    device, decoded = _device(saved), torch.empty(len(z), *saved.event_shape)
    for number, (rows, real) in enumerate(blocks(torch.arange(len(z)), _ROWS)):
        told = None if context is None else context[rows.to(context.device)].to(device)
        blur = torch.full((len(rows), 1), level, device=device)
        p = saved.model.decoder(z[rows.to(z.device)].to(device), told, blur)
        names = range(number * _ROWS, (number + 1) * _ROWS)
        x = typical(p) if seed is None else draw(p, RowNoise(f"draw {seed}", names, device), 1)[0]
        decoded[number * _ROWS :][:real] = (x.clamp_(0, 1) if saved.unit_range else x)[:real]
    return decoded


def dream_context(saved: SavedModel, n: int, given: Mapping[str, Any], seed: int) -> Tensor | None:
    """What n dreams are told, (n, C); None where the model is told nothing.

    Fields that are not given are those of training rows that agree with the given classes and flags (of any training
    rows, where none agrees).

    Raises:
        SettingsError: a field that the model does not know; one that is not given, where no training rows were kept.
        DataError: a value that it was not trained on.
    """
    context = saved.context
    if context is None:
        if given:
            raise SettingsError(f"this model is told nothing: it cannot dream of a given {next(iter(given))}")
        return None
    if all(name in given for name in context.names) or "context" not in saved.codes:
        return context.encode(given, n)
    kept = saved.codes["context"].float()
    known = {name: context[name].encode(values, n) for name, values in given.items()}
    chances = [PortableNoise(seed, "dream context", row).uniform((1,)).item() for row in range(n)]
    told = torch.stack([_agreeing(kept, context, known, row, chance) for row, chance in enumerate(chances)])
    for name, values in known.items():
        told[:, context.columns[name]] = values
    return told


def _agreeing(kept: Tensor, context: Context, known: Mapping[str, Tensor], row: int, uniform: float) -> Tensor:
    """One of the kept rows, (C,), by a number in [0, 1)."""
    agrees = torch.ones(len(kept), dtype=torch.bool)
    for name, values in known.items():
        if context[name].kind != "number":
            agrees &= (kept[:, context.columns[name]] == values[row]).all(1)
    rows = agrees.nonzero().squeeze(1) if agrees.any() else torch.arange(len(kept))
    return kept[rows[int(uniform * len(rows))]]
