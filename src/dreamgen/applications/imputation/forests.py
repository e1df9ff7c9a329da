"""Ensembles of randomised trees as plain arrays: fitted by scikit-learn, kept and asked without it.

Extremely randomized trees, 2006, https://doi.org/10.1007/s10994-006-6226-1. A category is predicted as the numbers of
its levels, 0 or 1, by least squares: the mean of a leaf is then the share of each level in it, and the split that
lowers the squares is the one that lowers Gini's impurity.

Letters: n rows, f inputs, o outputs, T trees, N nodes of all trees together.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamgen.errors import ModelFileError

Floats = NDArray[np.float64]
_PARTS = ("left", "right", "feature", "threshold", "value", "roots")
_PAIRS = 1 << 20  # pairs of rows and trees that descend at once
_TRIAL_TREES, _TRIAL_ROWS = 30, 5000  # by which the size of leaves is chosen
# Times the least error: bags hold copies, and inputs may know rows by heart, and both favour small leaves.
_AS_GOOD = 1.03


@dataclass(frozen=True)
class Forest:
    """T trees whose means are averaged.

    Attributes:
        left, right: children of each node, (N,) int32, always further on than the node; a leaf is its own child.
        feature: the input that a node looks at, (N,) int32.
        threshold: a row goes left where its input is not above it, (N,) float32.
        value: means of the nodes, (N, o) float32.
        roots: the first node of each tree, (T,) int32.
    """

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    feature: NDArray[np.int32]
    threshold: NDArray[np.float32]
    value: NDArray[np.float32]
    roots: NDArray[np.int32]

    def predict(self, x: NDArray[Any]) -> Floats:
        """Means, (n, o), for inputs (n, f), which are compared as float32."""
        x = np.ascontiguousarray(x, dtype=np.float32)
        size = max(1, _PAIRS // len(self.roots))
        parts = [self._descend(x[i : i + size]) for i in range(0, len(x), size)]
        return np.concatenate(parts) if parts else np.zeros((0, self.value.shape[1]))

    def _descend(self, x: NDArray[np.float32]) -> Floats:
        trees = len(self.roots)
        node = np.tile(self.roots, len(x))
        row = np.repeat(np.arange(len(x)), trees)
        going = np.flatnonzero(self.left[node] != node)
        while len(going):
            at = node[going]
            goes_left = x[row[going], self.feature[at]] <= self.threshold[at]
            node[going] = at = np.where(goes_left, self.left[at], self.right[at])
            going = going[self.left[at] != at]
        means: Floats = self.value[node].reshape(len(x), trees, -1).mean(1, dtype=np.float64)
        return means

    def tensors(self, name: str) -> dict[str, NDArray[Any]]:
        """Arrays by names that begin with `name`."""
        return {f"{name}.{part}": getattr(self, part) for part in _PARTS}

    @classmethod
    def from_tensors(cls, name: str, tensors: Mapping[str, NDArray[Any]], inputs: int, outputs: int) -> "Forest":
        """A forest from arrays, which may be anybody's; raises ModelFileError unless every descent ends in a leaf."""
        try:
            made = cls(**{part: tensors[f"{name}.{part}"] for part in _PARTS})
        except KeyError as error:
            raise ModelFileError(f"expected the trees of column {name}: no {error}") from None
        if problem := made._problem(inputs, outputs):
            raise ModelFileError(f"the trees of column {name}: expected {problem}")
        return made

    def _problem(self, inputs: int, outputs: int) -> str | None:
        nodes = len(self.left)
        whole = (self.left, self.right, self.feature, self.roots)
        if any(a.ndim != 1 or a.dtype != np.int32 for a in whole) or self.threshold.dtype != np.float32:
            return "whole numbers and thresholds in 32 bits"
        if any(a.shape != (nodes,) for a in (self.right, self.feature, self.threshold)) or not len(self.roots):
            return "arrays of one length"
        if self.value.shape != (nodes, outputs) or self.value.dtype != np.float32:
            return f"{outputs} values a node"
        at = np.arange(nodes)
        leaf = (self.left == at) & (self.right == at)
        onwards = (self.left > at) & (self.right > at) & (self.left < nodes) & (self.right < nodes)
        if not (leaf | onwards).all() or self.roots.min() < 0 or self.roots.max() >= nodes:
            return "children further on than their nodes"
        if self.feature.min() < 0 or self.feature.max() >= inputs:
            return f"{inputs} inputs"
        return None if np.isfinite(self.value).all() else "finite values"


def grow(x: NDArray[Any], y: Floats, *, trees: int, leaves: Sequence[int], features: float, seed: int) -> Forest:
    """Fit trees to inputs (n, f) and outputs (n, o).

    Args:
        x: no gaps.
        y: means are predicted.
        trees: T.
        leaves: fewest rows of a leaf, rising; of several the largest whose trees err about as little as any on rows
            that each was not grown on. The smallest are left out where there are so many rows that trees would
            fill the memory.
        features: share of the inputs that is tried at each split.
        seed: of the splits.
    """
    x, y = np.asarray(x, np.float32), y if y.shape[1] > 1 else y[:, 0]
    settings = {"max_features": features, "random_state": seed}
    few = [leaf for leaf in leaves if leaf * _TRIAL_ROWS >= len(x)] or leaves[-1:]
    errors = {leaf: _out_of_bag(x, y, leaf, settings) if len(few) > 1 else 0.0 for leaf in few}
    leaf = max(leaf for leaf, error in errors.items() if error <= _AS_GOOD * min(errors.values()))
    fitted = _trees(trees, leaf, settings).fit(x, y)
    return as_arrays([tree.tree_ for tree in fitted.estimators_])


def _trees(count: int, leaf: int, settings: Mapping[str, Any], **more: Any) -> Any:
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(count, min_samples_leaf=leaf, **settings, **more)


def _out_of_bag(x: NDArray[np.float32], y: Floats, leaf: int, settings: Mapping[str, Any]) -> float:
    """The mean squared error of a few trees, each grown on a bootstrap sample, on the rows that it left out."""
    some = np.random.default_rng(settings["random_state"]).permutation(len(x))[:_TRIAL_ROWS]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Some inputs do not have OOB scores")  # as good as never
        fitted = _trees(_TRIAL_TREES, leaf, settings, bootstrap=True, oob_score=True).fit(x[some], y[some])
    return float(np.mean((fitted.oob_prediction_ - y[some]) ** 2))


def as_arrays(trees: list[Any]) -> Forest:
    """scikit-learn's trees as one set of arrays."""
    sizes = [tree.node_count for tree in trees]
    roots = np.cumsum([0, *sizes[:-1]]).astype(np.int32)
    own = np.arange(sum(sizes), dtype=np.int32)
    shift = np.repeat(roots, sizes)
    leaf = np.concatenate([tree.children_left for tree in trees]) < 0
    left, right, feature, threshold = (
        np.concatenate([getattr(tree, name) for tree in trees])
        for name in ("children_left", "children_right", "feature", "threshold")
    )
    # The greatest float32 that is not above the threshold: float32 inputs go the same way.
    rounded = threshold.astype(np.float32)
    rounded = np.where(rounded > threshold, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    return Forest(
        np.where(leaf, own, left + shift).astype(np.int32),
        np.where(leaf, own, right + shift).astype(np.int32),
        np.where(leaf, 0, feature).astype(np.int32),
        np.where(leaf, 0, rounded).astype(np.float32),
        np.concatenate([tree.value[:, :, 0] for tree in trees]).astype(np.float32),
        roots,
    )
