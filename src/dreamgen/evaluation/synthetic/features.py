"""Tables as the numbers that judges (classifiers, distances) read, fitted on real rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dreamgen.evaluation.synthetic.view import Floats, Kinds, labels, number

_MOST_LEVELS = 250  # of a category that a tree may split by name; HistGradientBoosting's own limit is 255


@dataclass(frozen=True)
class Levels:
    """The categories of each column, the most frequent first; all that is not listed has one code behind them."""

    of: dict[str, npt.NDArray[np.str_]] = field(default_factory=dict)

    @classmethod
    def fit(cls, tables: Sequence[pa.Table], kinds: Kinds) -> "Levels":
        found = {}
        for name in kinds.categories:
            names, counts = np.unique(
                np.concatenate([labels(t, name) for t in tables]).astype(str), return_counts=True
            )
            found[name] = names[np.argsort(-counts, kind="stable")][:_MOST_LEVELS]
        return cls(found)

    def codes(self, table: pa.Table, name: str) -> npt.NDArray[np.int64]:
        """The codes of a column, (n,); as many as there are levels for a level not listed."""
        known = self.of[name]
        order = np.argsort(known)
        values = labels(table, name).astype(str)
        place = np.searchsorted(known[order], values).clip(max=len(known) - 1)
        at = order[place]
        codes: npt.NDArray[np.int64] = np.where(known[at] == values, at, len(known))
        return codes


def tree_features(table: pa.Table, kinds: Kinds, levels: Levels) -> Floats:
    """Numbers, NaN where missing, then codes of categories: (n, columns)."""
    columns = [number(table, name) for name in kinds.numbers]
    columns += [levels.codes(table, name).astype(np.float64) for name in kinds.categories]
    return np.stack(columns, 1) if columns else np.zeros((table.num_rows, 0))


def categorical_places(kinds: Kinds) -> list[bool]:
    """Which of `tree_features` are codes."""
    return [False] * len(kinds.numbers) + [True] * len(kinds.categories)


@dataclass(frozen=True)
class Space:
    """Rows as points: numbers standardised, a missing number at the mean with a flag, categories as corners.

    Two rows that differ in one category alone are 1 apart, as if a number differed by its standard deviation.
    """

    kinds: Kinds
    levels: Levels
    loc: dict[str, float]
    scale: dict[str, float]

    @classmethod
    def fit(cls, tables: Sequence[pa.Table], kinds: Kinds) -> "Space":
        """Means, scales and categories from tables; judges of two tables fit on both."""
        loc, scale = {}, {}
        for name in kinds.numbers:
            values = np.concatenate([number(t, name) for t in tables])
            seen = values[np.isfinite(values)]
            loc[name] = float(seen.mean()) if len(seen) else 0.0
            scale[name] = (float(seen.std()) if len(seen) else 0.0) or 1.0
        return cls(kinds, Levels.fit(tables, kinds), loc, scale)

    def points(self, table: pa.Table) -> npt.NDArray[np.float32]:
        """(n, D), float32."""
        columns = []
        for name in self.kinds.numbers:
            values = (number(table, name) - self.loc[name]) / self.scale[name]
            missing = np.isnan(values)
            columns += [np.where(missing, 0.0, values)[:, None], missing[:, None].astype(float)]
        for name in self.kinds.categories:
            known = len(self.levels.of[name])
            columns.append(np.eye(known + 1)[self.levels.codes(table, name)] * np.sqrt(0.5))
        if not columns:
            return np.zeros((table.num_rows, 0), np.float32)
        return np.concatenate(columns, 1).astype(np.float32)
