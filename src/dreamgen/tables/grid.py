"""The grid that numbers lie on: how many decimals they have, and the distance of neighbours."""

import numpy as np

from dreamgen.tables.cells import Floats

_MOST = 6
_SAMPLE = 1000
_TRUSTED = 50  # values from which a common divisor is no accident


def decimals_of(distinct: Floats, dtype: str) -> int | None:
    """How many decimals numbers have, 0 to 6; None where they have more.

    Args:
        distinct: the numbers, sorted.
        dtype: of the column; float and halffloat cannot hold a decimal better than their own precision.
    """
    tolerance = {"float": 2.0**-23, "halffloat": 2.0**-10}.get(dtype, 2.0**-50)
    sample = distinct[:: max(1, len(distinct) // _SAMPLE)]
    for decimals in range(_MOST + 1):
        if _rounded(sample, decimals, tolerance) and _rounded(distinct, decimals, tolerance):
            return decimals
    return None


def _rounded(values: Floats, decimals: int, tolerance: float) -> bool:
    return bool((np.abs(values - np.round(values, decimals)) <= tolerance * np.abs(values)).all())


def grid_of(distinct: Floats, decimals: int | None, count: int) -> float:
    """The distance of neighbouring values: 10^-decimals, or a multiple of it that divides all values.

    Args:
        distinct: the numbers, sorted.
        decimals: theirs.
        count: how many values there are, not only distinct ones: few are no evidence for a coarser grid.
    """
    if decimals is None:
        return 0.0
    unit = float(10.0**-decimals)
    if count < _TRUSTED or len(distinct) < 3:
        return unit
    whole = np.rint(distinct / unit)
    if np.abs(whole).max() >= 2**53:
        return unit
    return float(np.gcd.reduce(whole.astype(np.int64))) * unit
