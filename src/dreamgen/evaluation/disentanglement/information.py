"""What each latent tells of each factor, in nats, and the mutual information gap.

Letters: n rows, D latents, A factors, V values of one factor.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamgen.errors import DataError

Floats = npt.NDArray[np.floating[Any]]
Values = npt.NDArray[np.int64]

BINS_OF_POINTS = 20
BINS_OF_POSTERIORS = 200
_REACH = 4.0  # standard deviations beyond the outermost means; what lies farther out is in the outermost bins
_MOST_VALUES = 50  # of a factor; one with more is cut into quantiles
_QUANTILES = 20
_BLOCK = 1 << 14


@dataclass(frozen=True)
class Information:
    """What latents tell of factors.

    Attributes:
        mutual: I(z_j; v_k), (D, A), in nats.
        entropy: H(v_k), (A,), in nats: the most that there is to tell.
    """

    mutual: npt.NDArray[np.float64]
    entropy: npt.NDArray[np.float64]

    @property
    def gaps(self) -> npt.NDArray[np.float64]:
        """For each factor what the best latent tells more than the second best, as a share of its entropy, (A,).

        Not a number for a factor that does not vary.
        """
        best = -np.sort(-self.mutual, axis=0)
        second = best[1] if len(best) > 1 else np.zeros_like(best[0])
        with np.errstate(invalid="ignore", divide="ignore"):
            gaps: npt.NDArray[np.float64] = np.where(self.entropy > 0, (best[0] - second) / self.entropy, np.nan)
        return gaps

    @property
    def gap(self) -> float:
        """MIG: the mean of the gaps, from 0 to 1; 1 where one latent tells all of each factor, and no other any.

        Isolating Sources of Disentanglement in Variational Autoencoders, 2018, https://arxiv.org/abs/1802.04942.
        """
        known = self.gaps[~np.isnan(self.gaps)]
        return float(known.mean()) if len(known) else math.nan


def information(loc: Floats, factors: Floats, scale: Floats | None = None) -> Information:
    """What each latent tells of each factor.

    A latent is cut into bins of equal width: 200, over which each row's posterior is spread, so that a latent with
    more noise than signal tells nothing; or 20 for codes without a posterior, where one that hardly varies is
    stretched to all bins and may seem to tell much. Cutting loses a little, and n rows that are few beside bins x V
    tell a little too much.

    Args:
        loc: codes, or the posteriors' means, (n, D).
        factors: (n, A); one with more than 50 values is cut into 20 quantiles.
        scale: the posteriors' standard deviations, (n, D); None: there are none.

    Raises:
        DataError: the shapes do not fit, or a number is not finite.
    """
    check_codes(loc, factors)
    if scale is not None and (scale.shape != loc.shape or not (scale > 0).all()):
        raise DataError(f"scale: expected positive numbers of shape {loc.shape}, got {scale.shape}")
    values = [discrete(column) for column in factors.T]
    mutual = np.zeros((loc.shape[1], len(values)))
    for unit in range(loc.shape[1]):
        joints = _joint(loc[:, unit].astype(np.float64), None if scale is None else scale[:, unit], values)
        mutual[unit] = [_mutual(joint) for joint in joints]
    return Information(mutual, np.array([_entropy(np.bincount(v) / len(v)) for v in values]))


def discrete(factor: Floats) -> Values:
    """A factor, (n,), as whole numbers from 0: its values in order, or 20 quantiles where these are many."""
    values, place = np.unique(factor, return_inverse=True)
    if len(values) > _MOST_VALUES:
        edges = np.quantile(factor, np.linspace(0, 1, _QUANTILES + 1)[1:-1])
        place = np.unique(np.searchsorted(edges, factor), return_inverse=True)[1]
    return place.astype(np.int64)


def check_codes(loc: Floats, factors: Floats) -> None:
    """Raise DataError unless there are codes (n, D) and factors (n, A) of the same rows, all finite."""
    if loc.ndim != 2 or factors.ndim != 2 or len(loc) != len(factors) or 0 in (*loc.shape, *factors.shape):
        raise DataError(f"expected codes (n, D) and factors (n, A), got {loc.shape} and {factors.shape}")
    if not (np.isfinite(loc).all() and np.isfinite(factors).all()):
        raise DataError("expected finite codes and factors")


def _joint(loc: npt.NDArray[np.float64], scale: Floats | None, values: list[Values]) -> list[npt.NDArray[np.float64]]:
    """Shares of rows by value of a factor and bin of one latent, (V, bins), for each factor."""
    spread = 0.0 if scale is None else _REACH * scale
    low, high = float((loc - spread).min()), float((loc + spread).max())
    bins = BINS_OF_POINTS if scale is None else BINS_OF_POSTERIORS
    edges = np.linspace(low, high, bins + 1)[1:-1]
    joints = [np.zeros((int(v.max()) + 1, bins)) for v in values]
    for start in range(0, len(loc), _BLOCK):
        rows = slice(start, start + _BLOCK)
        mass = _mass(loc[rows], None if scale is None else scale[rows], edges)
        for joint, v in zip(joints, values, strict=True):
            order = np.argsort(v[rows], kind="stable")
            kinds, first = np.unique(v[rows][order], return_index=True)
            joint[kinds] += np.add.reduceat(mass[order], first, axis=0)
    return [joint / len(loc) for joint in joints]


def _mass(loc: npt.NDArray[np.float64], scale: Floats | None, edges: npt.NDArray[np.float64]) -> Floats:
    """How much of each row lies in each bin, (n, bins)."""
    from scipy.special import ndtr

    below = (edges > loc[:, None]) * 1.0 if scale is None else ndtr((edges - loc[:, None]) / scale[:, None])
    ends = np.zeros((len(loc), 1)), np.ones((len(loc), 1))
    mass: Floats = np.diff(np.concatenate([ends[0], below, ends[1]], axis=1), axis=1)
    return mass


def _mutual(joint: npt.NDArray[np.float64]) -> float:
    return max(0.0, _entropy(joint.sum(0)) + _entropy(joint.sum(1)) - _entropy(joint))


def _entropy(shares: npt.NDArray[np.float64]) -> float:
    positive = shares[shares > 0]
    return float(-(positive * np.log(positive)).sum())
