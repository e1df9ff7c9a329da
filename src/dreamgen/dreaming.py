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
    priors, device = _Priors(saved, mixture), _device(saved)
    if not mixture or context is None:
        return _draw_codes(priors.of(None), n, seed, context, device)
    z = torch.empty(n, saved.settings.latent_dim, device=device)
    for told in context.unique(dim=0):
        rows = (context == told).all(1).to(device)
        z[rows] = _draw_codes(priors.of(told), n, seed, device=device)[rows]
    return z


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
    device, priors = _device(saved), _Priors(saved, mixture)
    asked = {name: saved.properties[name].encode(values, n).to(device) for name, values in wanted.items()}
    level = torch.full((1, 1), dream_level(saved), device=device)
    chosen = torch.empty(n, saved.settings.latent_dim, device=device)
    for row in range(n):  # one block of candidates for each: what is held does not grow with n
        told = None if context is None else context[row]
        whole = None if told is None or mixture else told.expand(_ROWS, -1)
        z = _draw_block(priors.of(told), seed, row, whole, device)
        one = {name: values[row : row + 1] for name, values in asked.items()}
        weights = saved.model.reader.log_prob_of(z.unsqueeze(1), one, level)[:, 0].softmax(0).cpu()
        uniform = PortableNoise(seed, "wanted", row).uniform((1,))
        chosen[row] = z[int((weights.cumsum(0) < uniform).sum().clamp(max=_ROWS - 1))]
    return chosen


class _Priors:
    """Where codes are drawn from: the model's prior, or mixtures fitted to the kept codes, each fitted once."""

    def __init__(self, saved: SavedModel, mixture: int) -> None:
        self._saved, self._mixture = saved, mixture
        self._fitted: dict[tuple[float, ...] | None, nn.Module] = {}

    def of(self, told: Tensor | None) -> nn.Module:
        """For what one row is told, (C,): of rows that were told the same, or of all where those are too few."""
        if not self._mixture:
            return self._saved.model.prior  # type: ignore[no-any-return]
        saved = self._saved
        if told is not None and rows_told(saved.codes, told).sum() < TOLD_APART:
            told = None
        key = None if told is None else tuple(told.tolist())
        if key not in self._fitted:
            fitted = fit_codes(saved.codes, saved.card, self._mixture, told, dream_level(saved))
            self._fitted[key] = fitted.to(_device(saved))
        return self._fitted[key]


def _draw_codes(
    prior: nn.Module, n: int, seed: int, context: Tensor | None = None, device: torch.device | str = "cpu"
) -> Tensor:
    codes = []
    for block, start in enumerate(range(0, n, _ROWS)):
        told = None if context is None else _whole(context[start : start + _ROWS])
        codes.append(_draw_block(prior, seed, block, told, device))
    return torch.cat(codes)[:n]


def _draw_block(prior: nn.Module, seed: int, block: int, told: Tensor | None, device: torch.device | str) -> Tensor:
    """Codes of one block, (256, D), drawn whole, however many are wanted."""
    noise = PortableNoise(seed, "dream", block, device=device)
    return draw(each_row(prior(None if told is None else told.to(device)), _ROWS), noise, 1)[0]


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
