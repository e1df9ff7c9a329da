"""A codec that may be handed over: what single rows would give away is left out of it.

What stays: categories of many rows, constants that all or many rows hold, spikes (values that many rows share), the
number of decimals, and rounded means, scales and quantiles that have many rows between them.
"""

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from dreamgen.tables.infer_levels import RARE_ROWS
from dreamgen.tables.schema import LEVELS, Column, Schema
from dreamgen.tables.transforms import Affine, Knots, Log, Transform

if TYPE_CHECKING:
    from dreamgen.tables.codec import Codec
    from dreamgen.tables.coding import Coding

KNOT_ROWS = 20  # between two knots of a quantile map, and beyond the outermost
_DIGITS = 3
_SCORES = ndtri((np.arange(64) + 0.5) / 64)


def shareable(codec: "Codec") -> "Codec":
    """The codec without rare categories (their level stays, unnamed), exact extremes and facts.

    Bounds become the 0.5% and 99.5% quantiles, and at least the fifth value from either end, rounded to a thousandth
    of their distance; where the quantiles are not known there are no bounds. Knots of a quantile map are thinned out
    until there are 20 rows between them.
    """
    columns = {column.name: _column(column) for column in codec.schema.columns}
    codings = tuple(_coding(coding, columns[coding.column.name]) for coding in codec.codings)
    return dataclasses.replace(codec, schema=Schema(tuple(columns.values())), codings=codings)


def _column(column: Column) -> Column:
    """Only what the column's kind needs: a kind that was changed by hand leaves facts of the one before."""
    kept = Column(column.name, "identifier", column.dtype, format=column.format)
    if column.kind == "identifier":
        return dataclasses.replace(kept, pattern=column.pattern)
    if column.kind == "constant":
        # What one row alone has, beside gaps, is that row's and no constant.
        return dataclasses.replace(kept, kind=column.kind, value=column.value if _is_common(column) else None)
    if column.kind in LEVELS:
        numbers = [float(value) for value in column.categories if not isinstance(value, str)] if column.step else []
        return dataclasses.replace(
            kept,
            kind=column.kind,
            categories=column.categories,
            other=column.other or bool(column.rare),
            low=min(numbers, default=None),
            high=max(numbers, default=None),
            decimals=column.decimals,
            step=column.step,
        )
    low, high = inner_bounds(column)
    bounded = math.isfinite(low)
    return dataclasses.replace(
        kept,
        kind=column.kind,
        low=min([low, *column.spikes]) if bounded else None,
        high=max([high, *column.spikes]) if bounded else None,
        decimals=column.decimals,
        step=column.step,
        spikes=column.spikes,
    )


def _is_common(column: Column) -> bool:
    """Whether all rows hold a constant's value, or as many as a category needs to be named."""
    rows, held = (column.summary.get(name) for name in ("rows", "held"))
    return isinstance(held, int) and held > 0 and (held == rows or held >= RARE_ROWS)


def inner_bounds(column: Column) -> tuple[float, float]:
    """Rounded quantiles in place of a column's least and greatest value; infinite where they are not known."""
    if not column.inner:
        return -math.inf, math.inf
    low, high = column.inner
    return round_to(low, high - low), round_to(high, high - low)


def round_to(value: float, spread: float) -> float:
    """A value to a thousandth of a spread, or to three digits of its own where there is no spread."""
    spread = spread if spread > 0 else abs(value)
    return round(value, _DIGITS - 1 - math.floor(math.log10(spread))) if spread > 0 else value


def _coding(coding: "Coding", column: Column) -> "Coding":
    made = coding.transform
    if made is not None:
        made = _transform(made, *inner_bounds(coding.column), coding.rows)
    return dataclasses.replace(coding, column=column, transform=made, rows=0)


def _transform(made: Transform, low: float, high: float, rows: int) -> Transform:
    if isinstance(made, Affine):
        return _affine(made.loc, made.scale)
    if isinstance(made, Log):
        shift, loc, scale = round_to(made.shift, 0.0), round_to(made.loc, made.scale), round_to(made.scale, 0.0)
        # What is least has no logarithm to spare: it stays above -shift.
        usual = math.exp(min(max(loc - 2.5 * scale, -80.0), 80.0))
        least = low if math.isfinite(low) and low + shift > 0 else round_to(usual, 0.0) - shift
        return Log(shift, least, loc, scale) if least + shift > 0 else _affine(*_moments(made))
    assert isinstance(made, Knots)
    return _inner_knots(made, low, high, rows)


def _affine(loc: float, scale: float) -> Affine:
    return Affine(round_to(loc, scale), round_to(scale, 0.0))


def _moments(made: Transform) -> tuple[float, float]:
    """Mean and deviation of what the map takes to a standard normal."""
    values = made.inverse(_SCORES)
    return float(values.mean()), float(values.std())


def _inner_knots(made: Knots, low: float, high: float, rows: int) -> Transform:
    """Knots with many rows between them: the scores rounded, and the quantiles that the map has there."""
    # Unless it is known: the outermost score is that of half a row, or of more.
    rows = rows or int(0.5 / max(min(ndtr(made.model[0]), ndtr(-made.model[-1])), 1e-9))
    loc, scale = _moments(made)
    spread = high - low if 0 < high - low < math.inf else scale
    kept: dict[float, float] = {}
    below, last = 0.0, -math.inf
    for score in dict.fromkeys(round(score, _DIGITS) for score in made.model):
        place = round_to(float(made.inverse(np.array(score))), spread)
        enough = (ndtr(score) - below) * rows >= KNOT_ROWS <= ndtr(-score) * rows
        if enough and max(low, math.nextafter(last, math.inf)) <= place <= high:
            kept[place] = score
            below, last = float(ndtr(score)), place
    if len(kept) < 2:
        return _affine(loc, scale)
    # Beyond the last knots straight lines through the bounds, which leave too.
    slopes = [_slope(made, list(kept.items()), bound) for bound in (low, high)]
    return Knots(tuple(kept), tuple(kept.values()), *slopes)


def _slope(made: Knots, knots: list[tuple[float, float]], bound: float) -> float:
    """Of the tail that ends at a bound; of the outermost knots where there is none."""
    (first, score), (other, score_of_other) = knots[:2] if bound <= knots[0][0] else knots[:-3:-1]
    rise = abs(round(float(made.forward(np.array(bound))), _DIGITS) - score) if math.isfinite(bound) else 0.0
    if rise > 0 and bound != first:
        return round_to(rise / abs(bound - first), 0.0)
    return round_to((score - score_of_other) / (first - other), 0.0)
