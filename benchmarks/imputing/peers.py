"""The peers, all of scikit-learn. Each learns from a train part with gaps and fills any rows.

Mean and neighbours get a category as one indicator a level, and it comes back as the level with the highest value.
The iterated ones predict a category by a classifier, as missForest does: indicators that are missing together would
predict each other and never leave their start.
"""

import warnings
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import BayesianRidge, LogisticRegression
from sklearn.preprocessing import OneHotEncoder

from imputing.tables import Table

Array = NDArray[np.float64]
_OFFSET = 1e6  # categories lie from here on, where no standardised number does: so a forest knows them
TREES, ROUNDS = 50, 5


class Filler(Protocol):
    """What a peer can do."""

    def fit(self, train: Table) -> "Filler": ...
    def fill(self, table: Table) -> Table: ...


class Indicators:
    """An imputer of numbers over the numbers and one indicator for each level."""

    def __init__(self, imputer: Any) -> None:
        self.imputer = imputer

    def fit(self, train: Table) -> "Indicators":
        self.imputer.fit(_indicators(train))
        return self

    def fill(self, table: Table) -> Table:
        filled = self.imputer.transform(_indicators(table))
        codes, at = table.codes.copy(), table.numbers.shape[1]
        for column, levels in enumerate(table.levels):
            gaps = codes[:, column] < 0
            codes[gaps, column] = filled[gaps, at : at + levels].argmax(1)
            at += levels
        return table.filled(filled[:, : table.numbers.shape[1]], codes)


def _indicators(table: Table) -> Array:
    blocks = [table.numbers]
    for column, levels in enumerate(table.levels):
        code = table.codes[:, [column]]
        blocks.append(np.where(code < 0, np.nan, (code == np.arange(levels)).astype(float)))
    return np.concatenate(blocks, 1)


class Regressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """A regression that is a classification where the target is a category; inputs that are become indicators."""

    def __init__(self, kind: str = "linear", trees: int = TREES, random_state: int = 0) -> None:
        self.kind = kind
        self.trees = trees
        self.random_state = random_state

    def fit(self, x: Array, y: Array) -> "Regressor":
        category = bool(y.min() > _OFFSET / 2)
        self.inputs_ = np.flatnonzero(x.min(0) > _OFFSET / 2)
        if self.kind == "linear" and len(self.inputs_):
            self.encoder_ = OneHotEncoder(handle_unknown="ignore", sparse_output=False).fit(x[:, self.inputs_])
        self.model_ = self._model(category).fit(self._prepare(x), y.astype(np.int64) if category else y)
        return self

    def predict(self, x: Array) -> Array:
        found: Array = self.model_.predict(self._prepare(x)).astype(np.float64)
        return found

    def _prepare(self, x: Array) -> Array:
        if self.kind != "linear" or not len(self.inputs_):
            return x
        return np.concatenate([np.delete(x, self.inputs_, 1), self.encoder_.transform(x[:, self.inputs_])], 1)

    def _model(self, category: bool) -> Any:
        if self.kind == "linear":
            return LogisticRegression(max_iter=100) if category else BayesianRidge()
        families = {
            "random": (RandomForestClassifier, RandomForestRegressor),
            "extra": (ExtraTreesClassifier, ExtraTreesRegressor),
        }
        # The leaves are those of missForest: 1 row for a class, 5 for a number.
        return families[self.kind][0 if category else 1](
            self.trees,
            max_features="sqrt" if self.kind == "random" else 1.0,
            min_samples_leaf=1 if category else 5,
            random_state=self.random_state,
        )


class Iterated:
    """Chained regressions over numbers and codes."""

    def __init__(self, kind: str, seed: int) -> None:
        self.imputer = IterativeImputer(
            Regressor(kind, random_state=seed),
            max_iter=ROUNDS,
            tol=0,  # the offset of the codes would pass for a large scale
            initial_strategy="median",
            random_state=seed,
        )

    def fit(self, train: Table) -> "Iterated":
        self.imputer.fit(_codes(train))
        return self

    def fill(self, table: Table) -> Table:
        filled = self.imputer.transform(_codes(table))
        width = table.numbers.shape[1]
        codes = np.where(table.codes < 0, np.rint(filled[:, width:] - _OFFSET), table.codes).astype(np.int64)
        return table.filled(filled[:, :width], codes)


def _codes(table: Table) -> Array:
    return np.concatenate([table.numbers, np.where(table.codes < 0, np.nan, table.codes + _OFFSET)], 1)


PEERS: dict[str, Callable[[int], Filler]] = {
    "mean": lambda seed: Indicators(SimpleImputer()),
    "linear": lambda seed: Iterated("linear", seed),
    "extra trees": lambda seed: Iterated("extra", seed),
    "random forest": lambda seed: Iterated("random", seed),
    "10-NN": lambda seed: Indicators(KNNImputer(n_neighbors=10, weights="distance")),
}


def quiet() -> None:
    """Peers stop after their rounds by design: they need not say so each time."""
    warnings.filterwarnings("ignore", module="sklearn")
    warnings.filterwarnings("ignore", message=".*[Cc]onverge.*")
