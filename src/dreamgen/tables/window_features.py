"""What sums up a window of one column."""

import numpy as np

from dreamgen.tables.cells import Floats


def features_of(cut: Floats) -> dict[str, Floats]:
    """Features of windows, (n, length), NaN where missing: each (n,), NaN where it cannot be had.

    mean, sd, min, max; slope, by least squares, for one row; step and jump: the mean and the greatest absolute first
    difference.
    """
    there = np.isfinite(cut)
    count = there.sum(1)
    none = count == 0
    filled = np.where(there, cut, 0)
    mean = filled.sum(1) / np.maximum(count, 1)
    centred = np.where(there, cut - mean[:, None], 0)
    rows = np.where(there, np.arange(cut.shape[1]), 0)
    ahead = np.where(there, rows - (rows.sum(1) / np.maximum(count, 1))[:, None], 0)
    spread = np.square(ahead).sum(1)
    made = {
        "mean": mean,
        "sd": np.sqrt(np.square(centred).sum(1) / np.maximum(count, 1)),
        "min": np.where(there, cut, np.inf).min(1),
        "max": np.where(there, cut, -np.inf).max(1),
        "slope": (ahead * centred).sum(1) / np.where(spread > 0, spread, 1),
    }
    made = {name: np.where(none, np.nan, values) for name, values in made.items()}
    return made | _differences(cut)


def _differences(cut: Floats) -> dict[str, Floats]:
    steps = np.abs(np.diff(np.where(np.isfinite(cut), cut, np.nan), axis=1))
    there = np.isfinite(steps)
    count = there.sum(1)
    mean = np.where(there, steps, 0).sum(1) / np.maximum(count, 1)
    most = np.where(there, steps, -np.inf).max(1, initial=-np.inf)
    return {name: np.where(count == 0, np.nan, v) for name, v in (("step", mean), ("jump", most))}
