"""A stand-in for a table: rows that were made from noisy counts alone, to be looked at as closely as one likes.

Columns are cut into cells (`private_cells`), a tree of pairs of columns is chosen by how far each pair is from
independent, the pairs of the tree are counted, with noise, and rows are drawn down the tree. Everything that needs
a table - a schema, a codec, where a model begins, even a whole first training - may then be taken from the stand-in
at no further cost: what is computed from something private is as private.

Winning the NIST Contest: A Scalable and General Approach to Differentially Private Synthetic Data, 2021,
https://arxiv.org/abs/2108.04978, with Gaussian noise on all scores in place of an exponential mechanism.
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dreamgen.privacy import Charge, Spending
from dreamgen.tables.cells import Codes, Floats, Value
from dreamgen.tables.extras import arrow
from dreamgen.tables.private_cells import Cells, Measure, public
from dreamgen.tables.restore import made_anew
from dreamgen.tables.schema import LEVELS, Schema

if TYPE_CHECKING:
    import pyarrow as pa

_COARSE = 16  # groups of cells in a table of two columns
_SCORES = 2.0  # noise of a pair's score over that of a count: there are many pairs, and only their order matters


def cost(
    schema: Schema,
    categories: Mapping[str, Sequence[Value]] = {},
    bounds: Mapping[str, tuple[float, float]] = {},
    pairs: bool = True,
) -> float:
    """Noise on a count over the noise multiplier of everything that `stand_in` measures."""
    d, looks = len(schema.modelled), 0.0
    for column in schema.modelled:
        known = column.name in (categories if column.kind in LEVELS else bounds)
        looks += (2 if column.kind in LEVELS else 4) - known
    if pairs and d > 1:
        looks += d - 1 + d * (d - 1) / 2 / _SCORES**2
    return math.sqrt(looks)


def stand_in(
    table: "pa.Table",
    schema: Schema,
    noise: float,
    delta: float,
    rng: np.random.Generator,
    spending: Spending,
    *,
    categories: Mapping[str, Sequence[Value]] = {},
    bounds: Mapping[str, tuple[float, float]] = {},
    pairs: bool = True,
) -> "pa.Table":
    """Rows like those of a table, as many as it has.

    Args:
        table: the rows to hide.
        schema: only names, kinds, dtypes, decimals, steps, formats and constants that all rows hold are taken
            from it.
        noise: standard deviation of the noise on each count.
        delta: of all thresholds together.
        rng: the noise is drawn from it.
        spending: where each charge is written.
        categories: what is known in public of a column's categories; the others are only named where frequent.
        bounds: least and greatest number of a column, known in public; others are sought in [-2^64, 2^64].
        pairs: whether to measure a tree of pairs; else the columns are independent.
    """
    columns = [public(column, table) for column in schema.columns]
    modelled = [column for column in columns if column.modelled]
    measure = Measure(noise, delta / max(len(modelled), 1), rng, spending)
    cells = [measure.column(table, column, categories, bounds) for column in modelled]
    n = table.num_rows
    if pairs and len(cells) > 1:
        drawn = _draw_tree(cells, [cell.code(table) for cell in cells], measure, n)
    else:
        drawn = [rng.permutation(_allot(cell.counts, n)) for cell in cells]
    made = {cell.column.name: cell.draw(codes, rng) for cell, codes in zip(cells, drawn, strict=True)}
    return arrow().table({c.name: made[c.name] if c.modelled else made_anew(c, n) for c in columns})


def _allot(counts: Floats, n: int) -> Codes:
    """n codes in the proportions of the counts, as nearly as whole numbers can."""
    share = counts / counts.sum() if counts.sum() > 0 else np.full(len(counts), 1 / len(counts))
    ends = np.rint(np.cumsum(share) * n).astype(np.int64)
    return np.repeat(np.arange(len(counts)), np.diff(ends, prepend=0))


def _groups(cell: Cells) -> Codes:
    """The group of each cell, by noisy counts alone: neighbours together until they hold their part of the rows."""
    if len(cell.counts) <= _COARSE:
        return np.arange(len(cell.counts))
    if cell.column.kind in LEVELS:
        # The frequent ones alone, the others together.
        rank = np.argsort(np.argsort(-cell.counts))
        return np.minimum(rank, _COARSE - 1)
    values = [float(v) for v in cell.values] + [float(m) for m in (cell.edges[1:] + cell.edges[:-1]) / 2]
    order = np.argsort(values)
    total = np.cumsum(cell.counts[:-1][order])
    places = np.minimum((total - cell.counts[:-1][order] / 2) / max(total[-1], 1e-9) * (_COARSE - 1), _COARSE - 2)
    group = np.empty(len(cell.counts), np.int64)
    group[:-1][order] = np.unique(places.astype(np.int64), return_inverse=True)[1]
    group[-1] = group[:-1].max() + 1
    return group


def _draw_tree(cells: list[Cells], codes: list[Codes], measure: Measure, n: int) -> list[Codes]:
    group = [_groups(cell) for cell in cells]
    sizes = [int(g.max()) + 1 for g in group]
    coarse = [np.where(c >= 0, g[c], -1) for c, g in zip(codes, group, strict=True)]
    margins = [_shares(g, cell.counts) for g, cell in zip(group, cells, strict=True)]
    edges = _tree(_scores(coarse, margins, measure, n))
    drawn: dict[int, Codes] = {0: measure.rng.permutation(_allot(margins[0], n))}
    for parent, child in edges:
        what = f"{cells[parent].column.name} with {cells[child].column.name}"
        both = (coarse[parent] >= 0) & (coarse[child] >= 0)
        flat = np.where(both, coarse[parent] * sizes[child] + coarse[child], -1)
        joint = measure.counts(what, flat, sizes[parent] * sizes[child]).reshape(sizes[parent], sizes[child])
        joint = _fitted(joint, margins[parent] * n, margins[child] * n, measure.noise)
        drawn[child] = _draw_given(drawn[parent], joint, measure.rng)
    return [_within(drawn[j], group[j], cells[j].counts, measure.rng) for j in range(len(cells))]


def _shares(group: Codes, counts: Floats) -> Floats:
    """The share of the rows in each group."""
    held: Floats = np.bincount(group, weights=counts).astype(np.float64)
    return held / held.sum() if held.sum() > 0 else np.full(len(held), 1 / len(held))


def _scores(coarse: list[Codes], margins: list[Floats], measure: Measure, n: int) -> Floats:
    """How many rows each pair of columns is from independent, with noise, (d, d).

    A score is the distance, in L1, of the pair's counts from those of independent columns, so a row moves it by at
    most 1, and all the scores together by the root of their number.
    """
    d = len(coarse)
    scores = np.full((d, d), -np.inf)
    noise = measure.noise * _SCORES
    measure.spending.add(Charge("which columns depend on each other", noise / math.sqrt(d * (d - 1) / 2)))
    for a in range(d):
        for b in range(a):
            both = (coarse[a] >= 0) & (coarse[b] >= 0)
            shape = (len(margins[a]), len(margins[b]))
            flat = coarse[a][both] * shape[1] + coarse[b][both]
            joint = np.bincount(flat, minlength=shape[0] * shape[1]).reshape(shape)
            score = np.abs(joint - n * np.outer(margins[a], margins[b])).sum()
            # The more cells, the more rows fall beside by chance, and the more noise the counts will have.
            penalty = measure.noise * math.sqrt(2 / math.pi) * shape[0] * shape[1]
            scores[a, b] = scores[b, a] = score + measure.rng.normal(0, noise) - penalty
    return scores


def _tree(scores: Floats) -> list[tuple[int, int]]:
    """The spanning tree of the greatest scores, from column 0, as (parent, child)."""
    inside, edges = [0], []
    outside = set(range(1, len(scores)))
    while outside:
        parent, child = max(((a, b) for a in inside for b in outside), key=lambda e: scores[e])
        edges.append((parent, child))
        inside.append(child)
        outside.remove(child)
    return edges


def _fitted(joint: Floats, rows: Floats, columns: Floats, noise: float) -> Floats:
    """Counts that are not negative and have given sums, near noisy ones: cut where noise rules, then raked."""
    found = np.where(joint > noise, joint, 0.0) + 1e-3 * np.outer(rows, columns) / max(rows.sum(), 1e-9) + 1e-9
    for _ in range(50):
        found *= (rows / found.sum(1).clip(1e-12))[:, None]
        found *= columns / found.sum(0).clip(1e-12)
    return np.asarray(found)


def _draw_given(parents: Codes, joint: Floats, rng: np.random.Generator) -> Codes:
    """A child for each parent: in each group in the proportions of its row of counts."""
    drawn = np.zeros(len(parents), np.int64)
    for value in np.unique(parents):
        where = np.flatnonzero(parents == value)
        drawn[where] = rng.permutation(_allot(joint[value], len(where)))
    return drawn


def _within(groups: Codes, group: Codes, counts: Floats, rng: np.random.Generator) -> NDArray[np.int64]:
    """A cell for each group drawn."""
    drawn = np.zeros(len(groups), np.int64)
    for value in np.unique(groups):
        where, members = np.flatnonzero(groups == value), np.flatnonzero(group == value)
        drawn[where] = members[rng.permutation(_allot(counts[members], len(where)))]
    return drawn
