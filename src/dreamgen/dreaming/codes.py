"""From nothing to codes, and from codes to examples, in blocks of one size.

A code, and a picture to its last digit, then depend on the seed and on their number, not on how many others there
are.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dreamgen.data.context import Context
from dreamgen.devices import device_of
from dreamgen.distributions import PortableNoise, RowNoise, draw, each_row
from dreamgen.errors import SettingsError
from dreamgen.evaluation.aggregated import TOLD_APART, fit_codes, rows_told
from dreamgen.evaluation.likelihood import blocks
from dreamgen.io import SavedModel
from dreamgen.models.blur import Blur
from dreamgen.registry import nearest

BLOCK = 256  # rows that are drawn and decoded at once


def dream_level(saved: SavedModel) -> float:
    """How blurred the codes of dreams are: 0 unless levels of blur were asked for."""
    blur: Blur | None = saved.model.blur
    return blur.dream if blur is not None else 0.0


def dream_codes(saved: SavedModel, n: int, seed: int, context: Tensor | None = None, mixture: int = 0) -> Tensor:
    """`CodeSource(saved, mixture).codes(n, seed, context)`."""
    return CodeSource(saved, mixture).codes(n, seed, context)


class CodeSource:
    """Where codes of dreams come from, a block of 256 at a time, each drawn whole, however many are wanted.

    Args:
        saved: the model.
        mixture: that many Gaussians, fitted to the kept codes of rows that were told the same, in the prior's place,
            or to all of them where fewer than 20 were (as of numbers, or of many flags at once), each fitted once;
            0: the prior.
    """

    def __init__(self, saved: SavedModel, mixture: int = 0) -> None:
        self._saved, self._mixture = saved, mixture
        self._device = device_of(saved.model)
        self._fitted: dict[tuple[float, ...] | None, nn.Module] = {}

    @torch.no_grad()
    def codes(self, n: int, seed: int, context: Tensor | None = None) -> Tensor:
        """n codes, (n, D), on the model's device, as blurred as `dream_level` says.

        Args:
            n: how many.
            seed: code i is a function of (seed, i).
            context: (n, C), where the model is told one.

        Raises:
            SettingsError: a mixture where no codes are kept.
        """
        numbers = range(-(-n // BLOCK))
        if not self._mixture or context is None:
            whole = [None if context is None else _whole(context[BLOCK * number :][:BLOCK]) for number in numbers]
            return torch.cat([self.block(seed, number, whole[number]) for number in numbers])[:n]
        z = torch.empty(n, self._saved.settings.latent_dim, device=self._device)
        rows_of: dict[nn.Module, Tensor] = {}  # of each mixture: of numbers all rows share one
        for one in context.unique(dim=0):
            mixed, rows = self.mixture_of(one), (context == one).all(1)
            rows_of[mixed] = rows_of[mixed] | rows if mixed in rows_of else rows
        for rows in rows_of.values():
            told = context[rows][:1].expand(BLOCK, -1)
            rows = rows.to(z.device)
            z[rows] = torch.cat([self.block(seed, number, told) for number in numbers])[:n][rows]
        return z

    def block(self, seed: int, number: int, told: Tensor | None = None) -> Tensor:
        """Codes (256, D), a function of both numbers, of rows that are told something, (256, C).

        What rows are told is the same for all of them, where codes come from a mixture.
        """
        noise = PortableNoise(seed, "dream", number, device=self._device)
        if self._mixture:
            p = self.mixture_of(None if told is None else told[0])(None)
        else:
            p = self._saved.model.prior(None if told is None else told.to(self._device))
        return draw(each_row(p, BLOCK), noise, 1)[0]

    def mixture_of(self, told: Tensor | None) -> nn.Module:
        """Fitted to codes of rows that were told the same, (C,), or to all where those are too few."""
        saved = self._saved
        if told is not None and rows_told(saved.codes, told).sum() < TOLD_APART:
            told = None
        key = None if told is None else tuple(told.tolist())
        if key not in self._fitted:
            fitted = fit_codes(saved.codes, saved.card, self._mixture, told, dream_level(saved))
            self._fitted[key] = fitted.to(self._device)
        return self._fitted[key]


def _whole(context: Tensor) -> Tensor:
    """A block filled up with copies of its first row."""
    return torch.cat([context, context[:1].expand(BLOCK - len(context), -1)])


@torch.no_grad()
def decode_rows(
    saved: SavedModel, z: Tensor, context: Tensor | None = None, seed: int | None = None, level: float = 0.0
) -> Tensor:
    """Codes (n, D), with their context (n, C) where the model is told one, to examples (n, *event), on the CPU.

    The mean of p(x|z), kept within [0, 1] where the data was, or of lines the likeliest tokens; with a seed a draw, a
    function of (seed, row). `level` is how blurred the codes are, for a decoder that is told.
    """
    typical = saved.model.decoder.likelihood_at(level).typical
    device, decoded = device_of(saved.model), torch.empty(len(z), *saved.event_shape)
    for number, (rows, real) in enumerate(blocks(torch.arange(len(z)), BLOCK)):
        told = None if context is None else context[rows.to(context.device)].to(device)
        blur = torch.full((len(rows), 1), level, device=device)
        p = saved.model.decoder(z[rows.to(z.device)].to(device), told, blur)
        names = range(number * BLOCK, (number + 1) * BLOCK)
        x = typical(p) if seed is None else draw(p, RowNoise(f"draw {seed}", names, device), 1)[0]
        decoded[number * BLOCK :][:real] = (x.clamp_(0, 1) if saved.unit_range else x)[:real]
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
            raise SettingsError(f"this model cannot be given {next(iter(given))}{_read_instead(saved, given)}")
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


def _read_instead(saved: SavedModel, given: Mapping[str, Any]) -> str:
    """What dreams can be asked for in place of what they cannot."""
    names = saved.properties.names if saved.properties else []
    return f": {nearest(next(iter(given)), names)}" if names else ": it is told nothing"


def _agreeing(kept: Tensor, context: Context, known: Mapping[str, Tensor], row: int, uniform: float) -> Tensor:
    """One of the kept rows, (C,), by a number in [0, 1)."""
    agrees = torch.ones(len(kept), dtype=torch.bool)
    for name, values in known.items():
        if context[name].kind != "number":
            agrees &= (kept[:, context.columns[name]] == values[row]).all(1)
    rows = agrees.nonzero().squeeze(1) if agrees.any() else torch.arange(len(kept))
    return kept[rows[int(uniform * len(rows))]]
