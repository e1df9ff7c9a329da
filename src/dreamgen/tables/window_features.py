"""What a window of one column looks like, in a few numbers: its level, spread, trend and coarse course.

The course is told as means over equal parts. What is missing in the log leaves those numbers out that it
would decide.
"""

import warnings
from typing import Any

import numpy as np

from dreamgen.tables.cells import Floats

_PARTS = 6  # of a window, each with a mean of its own
_SEEN = 0.5  # the share of a stretch that must be observed for a number to stand for it


def features_of(cut: Floats) -> dict[str, Floats]:
    """Features of windows, (n, length), NaN where missing: each (n,), NaN where too little was observed.

    level: the mean; spread: the deviation from it; trend: the slope of the least squares line where a window is two
    long; highest, lowest: from the level; step, largest step: of the absolute first differences; part 1 .. part 6:
    means over sixths, from the level, of windows of 12 cells or more.
    """
    x = np.where(np.isfinite(cut), cut, np.nan)
    level = _mean(x)
    centred = x - level[:, None]
    seen = ~np.isnan(x)
    time = np.where(seen, np.linspace(-1, 1, x.shape[1]), np.nan)
    time = time - (np.nansum(time, 1) / np.maximum(seen.sum(1), 1))[:, None]
    squares = np.nansum(time**2, 1)
    jumps = np.abs(np.diff(x, axis=1))
    made = {
        "level": level,
        "spread": np.sqrt(_mean(centred**2)),
        "trend": np.nansum(centred * time, 1) / np.maximum(squares, 1e-12),
        "highest": _extreme(centred, np.nanmax),
        "lowest": _extreme(centred, np.nanmin),
    }
    if x.shape[1] > 1:
        made |= {"step": _mean(jumps), "largest step": _extreme(jumps, np.nanmax)}
    if x.shape[1] >= 2 * _PARTS:
        for number, part in enumerate(np.array_split(centred, _PARTS, axis=1), 1):
            made[f"part {number}"] = _mean(part)
    enough = seen.mean(1) >= _SEEN
    return {name: np.where(enough, values, np.nan) for name, values in made.items()}


def _mean(x: Floats) -> Floats:
    """The mean of what was observed in each row, NaN where that is too little."""
    seen = ~np.isnan(x)
    mean = np.where(seen, x, 0).sum(1) / np.maximum(seen.sum(1), 1)
    few: Floats = np.where(seen.mean(1) >= _SEEN, mean, np.nan)
    return few


def _extreme(x: Floats, of: Any) -> Floats:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a window with nothing in it has none
        extreme: Floats = of(x, axis=1)
    return extreme
