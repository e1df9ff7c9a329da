"""From scores of held-out rows to a threshold and p-values that hold for new rows like them.

Ranks of exchangeable rows: Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World, 2005.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def threshold_at(held_out: Floats, rate: float) -> float:
    """The held-out score of rank ceil((n + 1)(1 - rate)), or the greatest where there is no such rank.

    Args:
        held_out: ascending, (n,), n of 1 or more.
        rate: of a new row like them to lie above.
    """
    # What should be a whole number is often a little more: (19 + 1)(1 - 0.1) must be rank 18.
    rank = math.ceil((len(held_out) + 1) * (1 - rate) - 1e-9)
    return float(held_out[min(rank, len(held_out)) - 1])


def too_few(held_out: int, rate: float, what: str = "rows") -> str:
    """That a threshold of so many held-out scores promises nothing, as a line; empty where it does."""
    if (held_out + 1) * rate >= 1 - 1e-9:  # else no rank is high enough
        return ""
    return f"the threshold rests on {held_out:,} held-out {what}, too few to promise {rate:.1%} false alarms"


def p_values_of(held_out: Floats, scores: Floats) -> Floats:
    """(r + 1) / (n + 1), where r of the n held-out scores are as high or higher, (m,)."""
    higher = len(held_out) - np.searchsorted(held_out, scores, side="left")
    found: Floats = (higher + 1) / (len(held_out) + 1)
    return found
