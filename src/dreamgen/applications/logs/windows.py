"""Windows over a log as rows of a table: what a window looks like, in a few numbers for each series.

A window's shape is told by its level, its spread, its trend and its coarse course, as means over equal parts; what
is missing in the log leaves those numbers out that it would decide, and the table's model takes rows with gaps.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamgen.errors import DataError, SettingsError

Floats = npt.NDArray[np.float64]

_PARTS = 6  # of a window, each with a mean of its own
_SEEN = 0.5  # the share of a stretch that must be observed for a number to stand for it


@dataclass(frozen=True)
class Windows:
    """Windows over a log of n moments.

    Attributes:
        starts: (w,) where each begins.
        length: moments in each.
        moments: n.
    """

    starts: npt.NDArray[np.int64]
    length: int
    moments: int

    def __len__(self) -> int:
        return len(self.starts)

    def cut(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Values of each moment, (n, ...), by window: (w, length, ...)."""
        cut: npt.NDArray[Any] = values[self.starts[:, None] + np.arange(self.length)]
        return cut

    def spread(self, scores: Floats) -> Floats:
        """A number for each window, (w,), as one for each moment, (n,): the mean over the windows that hold it.

        A moment in no window gets that of the nearest one: the end of a log whose length is no multiple of the step.
        """
        total, count = np.zeros(self.moments + 1), np.zeros(self.moments + 1)
        for array, values in ((total, scores), (count, np.ones(len(scores)))):
            np.add.at(array, self.starts, values)
            np.subtract.at(array, self.starts + self.length, values)
        total, count = np.cumsum(total)[:-1], np.cumsum(count)[:-1]
        covered = np.flatnonzero(np.rint(count) > 0)
        nearest = covered[np.clip(np.searchsorted(covered, np.arange(self.moments)), 0, len(covered) - 1)]
        spread: Floats = total[nearest] / count[nearest]
        return spread


def windows_of(moments: int, length: int, step: int | None = None) -> Windows:
    """Windows of `length` moments, a new one every `step` (by default a quarter of the length).

    The last one ends with the log, so that nothing at its end is left out.

    Raises:
        SettingsError: a length or step below 1.
        DataError: a log shorter than a window.
    """
    step = max(1, length // 4) if step is None else step
    if length < 2:
        raise SettingsError(f"window: expected 2 or more moments, got {length}")
    if step < 1:
        raise SettingsError(f"step: expected 1 or more moments, got {step}")
    if moments < length:
        raise DataError(f"expected a log of at least one window, {length} moments, got {moments}")
    starts = np.arange(0, moments - length + 1, step)
    if starts[-1] + length < moments:
        starts = np.append(starts, moments - length)
    return Windows(starts, length, moments)


def describe(windows: Windows, series: Floats, names: Sequence[str]) -> dict[str, Floats]:
    """Each window in numbers, (w,) by name; NaN where too little of it was observed.

    Args:
        windows: over the log.
        series: (n, d) the log, NaN where it was not observed.
        names: of the d series.
    """
    columns: dict[str, Floats] = {}
    for i, name in enumerate(names):
        columns |= {f"{name}: {what}": values for what, values in _shape(windows.cut(series[:, i])).items()}
    return columns


def _shape(x: Floats) -> dict[str, Floats]:
    """Windows of one series, (w, length), in numbers."""
    level = _mean(x)
    centred = x - level[:, None]
    time = np.linspace(-1, 1, x.shape[1])
    seen = ~np.isnan(x)
    squares = np.where(seen, time**2, 0).sum(1)
    slope = np.nansum(centred * time, 1) / np.maximum(squares, 1e-12)
    jumps = np.abs(np.diff(x, axis=1))
    numbers = {
        "level": level,
        "spread": np.sqrt(_mean(centred**2)),
        "trend": slope,
        "highest": _extreme(centred, np.nanmax),
        "lowest": _extreme(centred, np.nanmin),
        "step": _mean(jumps),
        "largest step": _extreme(jumps, np.nanmax),
    }
    if x.shape[1] >= 2 * _PARTS:
        for number, part in enumerate(np.array_split(centred, _PARTS, axis=1), 1):
            numbers[f"part {number}"] = _mean(part)
    enough = seen.mean(1) >= _SEEN
    return {name: np.where(enough, values, np.nan) for name, values in numbers.items()}


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
