"""The FactorVAE score: whether the latent that varies least tells which factor was held fixed.

Disentangling by Factorising, 2018, https://arxiv.org/abs/1802.05983, section 3.
"""

import numpy as np
import numpy.typing as npt

from dreamgen.errors import DataError
from dreamgen.evaluation.disentanglement.information import Floats, check_codes, discrete
from dreamgen.evaluation.latents import ACTIVE

_VOTES, _ROWS = 800, 100


def factor_score(loc: Floats, factors: Floats, seed: int = 0, votes: int = _VOTES, rows: int = _ROWS) -> float:
    """The accuracy of a majority vote, from 0 to 1; by chance 1/A, where A is the number of factors.

    One vote: a factor and a value of it are drawn, then rows with that value, and the active latent with the smallest
    variance, in units of its variance over all rows, votes for the factor. The classifier says, for each latent,
    which factor it was most often the smallest for. It learns from one set of votes and is tested on another. The
    rows are drawn, with repetition, out of those at hand, so a value of few rows is told by their being the same.

    Args:
        loc: codes, (n, D).
        factors: (n, A).
        seed: of what is drawn.
        votes: to learn from, and as many again to test on.
        rows: of each vote.

    Returns:
        The accuracy; 0 where no latent is active (their variance over all rows is at most 0.01).

    Raises:
        DataError: the shapes do not fit, or no factor varies.
    """
    check_codes(loc, factors)
    variance = loc.var(0)
    active = variance > ACTIVE
    groups = [_rows_by_value(column) for column in factors.T]
    free = [factor for factor, by_value in enumerate(groups) if len(by_value) > 1]
    if not free:
        raise DataError("expected a factor that varies")
    if not active.any():
        return 0.0
    random = np.random.default_rng(seed)
    codes = loc[:, active] / np.sqrt(variance[active])
    counts = np.zeros((2, codes.shape[1], len(groups)))
    for number in range(2 * votes):
        factor = free[random.integers(len(free))]
        by_value = groups[factor]
        members = by_value[random.integers(len(by_value))]
        drawn = codes[members[random.integers(len(members), size=rows)]]
        counts[number % 2, drawn.var(0).argmin(), factor] += 1
    learnt, tested = counts
    return float(tested[np.arange(len(tested)), learnt.argmax(1)].sum() / votes)


def _rows_by_value(factor: Floats) -> list[npt.NDArray[np.int64]]:
    values = discrete(factor)
    order = np.argsort(values, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(values[order])) + 1)
