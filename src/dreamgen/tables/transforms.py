"""Monotone maps from a column's own unit to model units, about zero mean and unit scale, and back.

Each is a frozen value that can be written as JSON; `forward` and `inverse` take float64 of any shape.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from scipy.special import ndtri

from dreamgen.errors import ModelFileError
from dreamgen.registry import shorten
from dreamgen.tables.cells import Floats

HEAVY = 20.0  # kurtosis of heavy tails; a normal has 3
SKEWED = 1.0
KNOTS = 256
_TAIL = 0.05  # share of the rows that say how steep a tail is
_SAMPLE = 100_000  # numbers that decide on a logarithm
_HUGE = 80.0  # of an exponent
_MOST = 1e300  # of anything in a transform: sums and quotients stay finite


class Transform(Protocol):
    """A monotone map."""

    kind: ClassVar[str]

    def forward(self, values: Floats) -> Floats:
        """Own unit to model units."""
        ...

    def inverse(self, x: Floats) -> Floats:
        """Model units to own unit."""
        ...


@dataclass(frozen=True)
class Affine:
    """(value - loc) / scale."""

    kind: ClassVar[str] = "affine"
    loc: float
    scale: float

    def forward(self, values: Floats) -> Floats:
        return (values - self.loc) / self.scale

    def inverse(self, x: Floats) -> Floats:
        return x * self.scale + self.loc


@dataclass(frozen=True)
class Log:
    """(log(value + shift) - loc) / scale; below the least value known it goes on as a straight line."""

    kind: ClassVar[str] = "log"
    shift: float
    least: float
    loc: float
    scale: float

    def forward(self, values: Floats) -> Floats:
        bent: Floats = (np.log(np.maximum(values, self.least) + self.shift) - self.loc) / self.scale
        return bent + np.minimum(values - self.least, 0) / self._slope

    def inverse(self, x: Floats) -> Floats:
        start = (math.log(self.least + self.shift) - self.loc) / self.scale
        bent: Floats = np.exp(np.clip(np.maximum(x, start) * self.scale + self.loc, -_HUGE, _HUGE)) - self.shift
        return bent + np.minimum(x - start, 0) * self._slope

    @property
    def _slope(self) -> float:
        """Of its own unit for one model unit, at the least value."""
        return (self.least + self.shift) * self.scale


@dataclass(frozen=True)
class Knots:
    """Piecewise linear through (natural[k], model[k]), with linear tails."""

    kind: ClassVar[str] = "knots"
    natural: tuple[float, ...]
    model: tuple[float, ...]
    below: float
    above: float  # the slopes of the tails, in model units for one of its own

    def forward(self, values: Floats) -> Floats:
        natural, model = np.array(self.natural), np.array(self.model)
        x: Floats = np.interp(values, natural, model)
        x = np.where(values < natural[0], model[0] + (values - natural[0]) * self.below, x)
        high: Floats = np.where(values > natural[-1], model[-1] + (values - natural[-1]) * self.above, x)
        return high

    def inverse(self, x: Floats) -> Floats:
        natural, model = np.array(self.natural), np.array(self.model)
        values: Floats = np.interp(x, model, natural)
        values = np.where(x < model[0], natural[0] + (x - model[0]) / self.below, values)
        high: Floats = np.where(x > model[-1], natural[-1] + (x - model[-1]) / self.above, values)
        return high


_KINDS: dict[str, Any] = {part.kind: part for part in (Affine, Log, Knots)}


def to_dict(transform: Transform) -> dict[str, Any]:
    """A transform as plain values."""
    values: dict[str, Any] = asdict(transform)  # type: ignore[call-overload]
    return {"kind": transform.kind, **{k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}}


def from_dict(values: Any) -> Transform:
    """A transform from plain values; raises ModelFileError."""
    try:
        arguments = dict(values)
        part = _KINDS[arguments.pop("kind")]
        several = {"natural", "model"}
        made = part(**{k: tuple(map(float, v)) if k in several else float(v) for k, v in arguments.items()})
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ModelFileError(f"expected a transform, got {shorten(values)}") from error
    _check(made)
    return made  # type: ignore[no-any-return]


def _check(made: Any) -> None:
    flat = np.concatenate([np.atleast_1d(v) for v in asdict(made).values()])
    steep = [made.below, made.above] if isinstance(made, Knots) else [made.scale]
    ordered = not isinstance(made, Log) or made.least + made.shift > 0
    if isinstance(made, Knots):
        ordered = len(made.natural) == len(made.model) >= 2
        ordered = ordered and bool((np.diff(made.natural) > 0).all() and (np.diff(made.model) > 0).all())
    if not (np.abs(flat) < _MOST).all() or min(steep) <= 0 or not ordered:
        raise ModelFileError(f"expected a transform that rises, got {shorten(to_dict(made))}")


def standard(values: Floats) -> Affine:
    """Mean and standard deviation; median and quartiles where the tails are heavy."""
    loc, scale = float(values.mean()), float(values.std())
    if scale > 0 and math.isfinite(scale) and float(np.mean(np.square(np.square((values - loc) / scale)))) > HEAVY:
        low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
        # Not far below the deviation, so that what is common in the tails stays in sight.
        return Affine(float(median), max(float(high - low) / 1.349, scale / 10))
    return Affine(loc, scale if scale > 0 and math.isfinite(scale) else max(1.0, abs(loc)))


def _skew(values: Floats) -> float:
    spread = float(values.std())
    z = (values - values.mean()) / spread if spread > 0 else values * 0
    return float(np.mean(z * z * z))


def unbend(values: Floats, least: float) -> Transform:
    """For numbers that are never negative: a logarithm where it takes most of the skewness away, else affine.

    Args:
        values: the numbers, spikes left out.
        least: the least of all, spikes included.
    """
    plain = standard(values)
    values = values[:: max(1, len(values) // _SAMPLE)]
    before = _skew(values)
    positive = values[values > 0]
    if before < SKEWED or least < 0 or not len(positive):
        return plain
    shifts = [float(s) for s in np.quantile(positive, [0.05, 0.25, 0.5])]
    if least > 0:
        shifts.insert(0, 0.0)
    skews = [abs(_skew(np.log(values + shift))) for shift in shifts]
    best = int(np.argmin(skews))
    if skews[best] > before / 2:
        return plain
    logs = standard(np.log(values + shifts[best]))
    return Log(shifts[best], least, logs.loc, logs.scale)


def normal_scores(values: Floats) -> Transform:
    """The map that makes the numbers standard normal: through their own quantiles, at most 256 of them."""
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) < 3:
        return standard(values)
    middle = (np.cumsum(counts) - counts / 2) / counts.sum()
    model = ndtri(middle)
    if len(distinct) > KNOTS:
        grid = np.linspace(model[0], model[-1], KNOTS)
        distinct, model = np.interp(grid, model, distinct), grid
    keep = np.r_[True, np.diff(distinct) > 0]
    distinct, model = distinct[keep], model[keep]
    inner = np.quantile(values, [_TAIL, 1 - _TAIL])
    at = np.interp(inner, distinct, model)
    spread = float(values.std())
    return Knots(
        tuple(map(float, distinct)),
        tuple(map(float, model)),
        _slope(at[0] - model[0], inner[0] - distinct[0], spread),
        _slope(model[-1] - at[1], distinct[-1] - inner[1], spread),
    )


def _slope(rise: float, run: float, spread: float) -> float:
    return float(rise / run) if rise > 0 and run > 0 else 1.0 / spread
