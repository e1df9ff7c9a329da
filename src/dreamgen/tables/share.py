"""A codec that may be handed over: what single rows would give away is left out of it.

What stays: categories of many rows, constants that all or many rows hold, spikes (values that many rows share), the number of decimals, and
rounded means, scales and inner quantiles.
"""

import dataclasses
import math
from typing import TYPE_CHECKING

from dreamgen.tables.infer_levels import RARE_ROWS
from dreamgen.tables.schema import LEVELS, Column, Schema
from dreamgen.tables.transforms import Affine, Knots, Log, Transform

if TYPE_CHECKING:
    from dreamgen.tables.codec import Codec
    from dreamgen.tables.coding import Coding

_DIGITS = 3


def shareable(codec: "Codec") -> "Codec":
    """The codec without rare categories (their level stays, unnamed), exact extremes and facts.

    Bounds become the 0.5% and 99.5% quantiles, and at least the fifth value from either end, rounded to a thousandth
    of their distance; so do the knots of a quantile map.
    """
    columns = {column.name: _column(column) for column in codec.schema.columns}
    codings = tuple(_coding(coding, columns[coding.column.name]) for coding in codec.codings)
    return dataclasses.replace(codec, schema=Schema(tuple(columns.values())), codings=codings)


def _column(column: Column) -> Column:
    if column.kind == "constant" and not _is_common(column):
        # What one row alone has, beside gaps, is that row's and no constant.
        return dataclasses.replace(column, value=None, summary={})
    if column.kind in LEVELS:
        other = column.other or bool(column.rare)
        kept = [float(value) for value in column.categories if not isinstance(value, str)] if column.step else []
        low, high = min(kept, default=None), max(kept, default=None)
        return dataclasses.replace(column, low=low, high=high, rare=(), rare_counts=(), other=other, summary={})
    if column.low is None or column.high is None:
        return dataclasses.replace(column, inner=(), summary={})
    low, high = inner_bounds(column)
    low, high = min([low, *column.spikes]), max([high, *column.spikes])
    return dataclasses.replace(column, low=low, high=high, inner=(), summary={})


def _is_common(column: Column) -> bool:
    """Whether all rows hold a constant's value, or as many as a category needs to be named."""
    rows, held = (column.summary.get(name) for name in ("rows", "held"))
    return isinstance(held, int) and held > 0 and (held == rows or held >= RARE_ROWS)


def inner_bounds(column: Column) -> tuple[float, float]:
    """Rounded quantiles in place of a column's least and greatest value."""
    assert column.low is not None
    assert column.high is not None
    low, high = column.inner or (column.low, column.high)
    return round_to(low, high - low), round_to(high, high - low)


def round_to(value: float, spread: float) -> float:
    """A value to a thousandth of a spread, or to three digits of its own where there is no spread."""
    spread = spread if spread > 0 else abs(value)
    return round(value, _DIGITS - 1 - math.floor(math.log10(spread))) if spread > 0 else value


def _coding(coding: "Coding", column: Column) -> "Coding":
    if coding.transform is None or column.low is None or column.high is None:
        return dataclasses.replace(coding, column=column)
    low, high = inner_bounds(coding.column)
    return dataclasses.replace(coding, column=column, transform=_transform(coding.transform, low, high))


def _transform(made: Transform, low: float, high: float) -> Transform:
    if isinstance(made, Affine):
        return Affine(round_to(made.loc, made.scale), round_to(made.scale, made.scale))
    if isinstance(made, Log):
        # What was least has no logarithm to spare: it stays above -shift.
        least = low if low + made.shift > 0 else -made.shift + round_to(made.shift + made.least, 0.0)
        return Log(round_to(made.shift, 0.0), least, made.loc, made.scale)
    assert isinstance(made, Knots)
    return _inner_knots(made, low, high)


def _inner_knots(made: Knots, low: float, high: float) -> Transform:
    spread = high - low
    kept: dict[float, float] = {}
    for natural, model in zip(made.natural, made.model, strict=True):
        place = round_to(natural, spread)
        if low <= place <= high:
            kept.setdefault(place, model)
    if len(kept) < 2:
        middle = (low + high) / 2
        return Affine(middle, 1 / made.below)
    return Knots(tuple(kept), tuple(kept.values()), round_to(made.below, 0.0), round_to(made.above, 0.0))
