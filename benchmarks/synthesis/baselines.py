"""Two synthesizers that know little: independent columns, and a mixture of product distributions."""

import numpy as np
import pyarrow as pa

BINS = 50  # of a number; a bin's rows keep their own values
COMPONENTS = 200
STEPS = 100
EVEN = 0.1  # rows that each component has of every value to begin with


def independent(table: pa.Table, n: int, seed: int) -> pa.Table:
    """Each column drawn anew by itself: its cells, in another order."""
    rng = np.random.default_rng(seed)
    return pa.table(
        {name: table.column(name).take(pa.array(rng.integers(0, len(table), n))) for name in table.column_names}
    )


def product_mixture(table: pa.Table, n: int, seed: int) -> pa.Table:
    """A mixture in each of whose components the columns are independent, by expectation maximisation.

    Numbers are taken by their bin, and drawn from the real values in it.
    """
    rng = np.random.default_rng(seed)
    codes = [_codes(table.column(name)) for name in table.column_names]
    sizes = [int(code.max()) + 1 for code in codes]
    share = np.zeros((len(table), COMPONENTS))
    share[np.arange(len(table)), rng.integers(0, COMPONENTS, len(table))] = 1.0
    for _ in range(STEPS):
        weight = share.mean(0) + 1e-12
        parts = [_shares(code, size, share) for code, size in zip(codes, sizes, strict=True)]
        log = np.log(weight) + sum(np.log(part)[:, code].T for part, code in zip(parts, codes, strict=True))
        share = np.exp(log - log.max(1, keepdims=True))
        share /= share.sum(1, keepdims=True)
    component = rng.choice(COMPONENTS, n, p=weight / weight.sum())
    made = {}
    for name, code, part in zip(table.column_names, codes, parts, strict=True):
        drawn = (part.cumsum(1)[component] < rng.random((n, 1))).sum(1).clip(max=part.shape[1] - 1)
        made[name] = table.column(name).take(pa.array(_a_row_of_each(code, drawn, rng)))
    return pa.table(made)


def _codes(column: pa.ChunkedArray) -> np.ndarray:
    """The bin or category of each cell, (n,); missing is one too."""
    if pa.types.is_string(column.type):
        return np.unique(np.array(column.fill_null("").to_pylist()), return_inverse=True)[1]
    values = column.cast(pa.float64()).to_numpy()
    edges = np.unique(np.nanquantile(values, np.linspace(0, 1, BINS + 1)))[1:-1]
    bins = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="right"))
    return np.unique(bins, return_inverse=True)[1]


def _shares(code: np.ndarray, size: int, share: np.ndarray) -> np.ndarray:
    """How often each value is in each component, (C, size)."""
    counts = np.zeros((size, share.shape[1]))
    np.add.at(counts, code, share)
    overall = np.bincount(code, minlength=size)[:, None] / len(code)
    counts += EVEN * overall
    return (counts / counts.sum(0)).T


def _a_row_of_each(code: np.ndarray, drawn: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A row, at random, whose code is the one that was drawn."""
    order = np.argsort(code, kind="stable")
    counts = np.bincount(code)
    starts = np.cumsum(counts) - counts
    return order[starts[drawn] + (rng.random(len(drawn)) * counts[drawn]).astype(int)]
