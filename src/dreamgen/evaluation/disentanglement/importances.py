"""DCI: which latents a forest needs to read off each factor.

A Framework for the Quantitative Evaluation of Disentangled Representations, 2018,
https://openreview.net/forum?id=By-7dz-AZ. Letters: n rows, D latents, A factors.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dreamgen.errors import DataError
from dreamgen.evaluation.disentanglement.information import Floats, check_codes, discrete

_TREES = 30
_LEAF = 5  # rows, so that a tree does not learn single rows by heart
_TEST_SHARE = 0.2
_FEWEST = 20


@dataclass(frozen=True)
class Importances:
    """How factors are read off latents.

    Attributes:
        weights: importance of latent j for factor k, (D, A); those of a factor add up to 1, or to 0 where it is not
            read off at all.
        accuracy: share of held-out rows whose factor is read off right, (A,).
    """

    weights: npt.NDArray[np.float64]
    accuracy: npt.NDArray[np.float64]

    @property
    def disentanglement(self) -> float:
        """1 where each latent serves one factor; the mean over latents by how much they serve."""
        served = self.weights.sum(1)
        total = served.sum()
        return float((served * _focus(self.weights)).sum() / total) if total > 0 else 0.0

    @property
    def completeness(self) -> float:
        """1 where each factor is read off one latent; the mean over the factors that are read off at all."""
        read = self.weights.sum(0) > 0
        return float(_focus(self.weights.T)[read].mean()) if read.any() else 0.0

    @property
    def informativeness(self) -> float:
        """The mean accuracy, from 0 to 1. (The paper's is an error, of which less is better.)"""
        return float(self.accuracy.mean())


def importances(loc: Floats, factors: Floats, seed: int = 0) -> Importances:
    """Train a forest for each factor on four fifths of the rows, and test it on the rest.

    Args:
        loc: codes, (n, D).
        factors: (n, A), each as a class (`discrete`).
        seed: of the rows held out and of the forests.

    Raises:
        DataError: the shapes do not fit, or there are fewer than 20 rows.
    """
    from sklearn.ensemble import RandomForestClassifier

    check_codes(loc, factors)
    if len(loc) < _FEWEST:
        raise DataError(f"expected at least {_FEWEST} rows, got {len(loc)}")
    order = np.random.default_rng(seed).permutation(len(loc))
    test, train = np.split(order, [max(1, round(_TEST_SHARE * len(order)))])
    weights, accuracy = [], []
    for column in factors.T:
        values = discrete(column)
        # Every split may look at every latent: one that knows less would be picked for want of the better one.
        forest = RandomForestClassifier(_TREES, min_samples_leaf=_LEAF, max_features=None, random_state=seed)
        forest.fit(loc[train], values[train])
        weights.append(forest.feature_importances_)
        accuracy.append(float((forest.predict(loc[test]) == values[test]).mean()))
    return Importances(np.array(weights).T, np.array(accuracy))


def _focus(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """1 - the entropy of each row's shares over that of equal shares: 1 where one share is all, (rows,)."""
    rows, columns = weights.shape
    total = weights.sum(1, keepdims=True)
    shares = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    entropy = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(1)
    focus: npt.NDArray[np.float64] = 1 - entropy / math.log(columns) if columns > 1 else np.ones(rows)
    return np.where(total[:, 0] > 0, focus, 0.0)
