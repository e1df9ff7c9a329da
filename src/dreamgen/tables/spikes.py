"""Spikes: numbers that many rows share and that stand out from a continuous rest."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamgen.tables.cells import Floats

SHARE = 0.05
CAP_SHARE = 0.01  # at the least and the greatest value, where a limit cuts the rest off
LEAST = 20  # rows; fewer are heaping by chance
MOST_SHARE = 0.5  # where there are too few values to stand out from
STANDS_OUT = 5.0  # times as many rows as its neighbours
_MOST = 8
_AROUND = 10


def find_spikes(distinct: Floats, counts: NDArray[np.int64]) -> tuple[float, ...]:
    """The spikes of a column, in order.

    Args:
        distinct: its values, sorted, (m,).
        counts: how many rows each has, (m,).
    """
    total = counts.sum()
    if len(distinct) < 2 * _AROUND:
        most = int(counts.argmax())
        alone = len(distinct) > 2 and counts[most] >= max(MOST_SHARE * total, LEAST)
        return (float(distinct[most]),) if alone else ()
    share = np.full(len(distinct), SHARE)
    share[[0, -1]] = CAP_SHARE
    found = [i for i in np.flatnonzero(counts >= np.maximum(share * total, LEAST)) if _stands_out(counts, i)]
    found = sorted(found, key=lambda i: -counts[i])[:_MOST]
    return tuple(float(distinct[i]) for i in sorted(found))


def _stands_out(counts: NDArray[np.int64], i: int | np.integer[Any]) -> bool:
    around = np.r_[counts[max(0, i - _AROUND) : i], counts[i + 1 : i + 1 + _AROUND]]
    return bool(counts[i] >= STANDS_OUT * max(1.0, float(np.median(around))))
