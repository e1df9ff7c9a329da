"""Columns cut into cells without looking closer than a budget allows.

What a schema says of a table is data too: which categories there are, the least and the greatest number, where the
quantiles lie. Here all of it is read off histograms with Gaussian noise, in which a row counts once. Names, order,
kinds, dtypes, decimals, grids and the value of a constant that all rows hold are taken as public; so is the number
of rows.

A category, or a number that many rows share, is named only if its noisy count passes a threshold that the count of a
single row passes with probability delta at most (Releasing Search Queries and Clicks Privately, 2009,
https://research.google/pubs/releasing-search-queries-and-clicks-privately/). Whatever else a number is, it falls in
one of the bins of a public grid over [-2^64, 2^64], which is then refined where the rows are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import norm

from dreamgen.privacy import Charge, Spending
from dreamgen.tables.cells import Codes, Floats, Value, coded, family, is_missing, numbers
from dreamgen.tables.check import take, times
from dreamgen.tables.constants import holding
from dreamgen.tables.extras import arrow
from dreamgen.tables.infer_levels import as_value, count_texts
from dreamgen.tables.restore import from_numbers, rounded, take_values
from dreamgen.tables.schema import LEVELS, Column
from dreamgen.tables.types import parse_type

_BINS = 32
_SURE = 3.5  # standard deviations of a count by which a bin is said to hold rows
_OCTAVES = np.exp2(np.arange(-20, 65, dtype=np.float64))
_GRID = np.concatenate([-_OCTAVES[::-1], _OCTAVES])
_GRID_FROM_0 = np.concatenate([[0.0], _OCTAVES])


def public(column: Column, table: Any) -> Column:
    """What of a column may be known without a look at its rows, and a constant that no row differs from."""
    known = Column(
        column.name,
        column.kind,
        column.dtype,
        categories=(0,) if column.kind in LEVELS else (),  # a schema wants some
        decimals=column.decimals,
        step=column.step,
        format=column.format,
    )
    if column.modelled:
        return known
    there = table.schema.get_field_index(column.name) >= 0
    shared = not there or bool(holding(column, take(table, column)).all())
    return replace(known, value=column.value if shared else None, pattern=column.pattern)


@dataclass(frozen=True)
class Cells:
    """A column in cells: its exact values, then bins of what else there is, then missing.

    Attributes:
        column: what is public of it.
        values: values with a cell of their own.
        edges: of the bins, rising; empty for none.
        counts: noisy, not negative, (len(values) + bins + 1,).
    """

    column: Column
    values: tuple[Value, ...]
    edges: Floats
    counts: Floats

    def code(self, table: Any) -> Codes:
        """The cell of each row, (n,); -1 for none."""
        return _code(self.column, take(table, self.column), self.values, self.edges)

    def draw(self, codes: Codes, rng: np.random.Generator) -> Any:
        """A value out of each of some cells, as the column's dtype."""
        missing = codes == len(self.counts) - 1
        if len(self.counts) == 1:
            return arrow().nulls(len(codes), parse_type(self.column.dtype))
        if self.column.kind in LEVELS:
            places = np.minimum(codes, len(self.values) - 1)
            return take_values(self.values, places, ~missing, self.column)
        exact = np.array([*map(float, self.values), 0.0])
        values = exact[np.minimum(codes, len(self.values))]
        if len(self.edges):
            bins = np.clip(codes - len(self.values), 0, len(self.edges) - 2)
            low, high = self.edges[bins], self.edges[bins + 1]
            inside = rounded(self.column, low + (high - low) * rng.random(len(codes)))
            values = np.where(codes >= len(self.values), inside, values)
        return from_numbers(self.column, values, ~missing)


@dataclass
class Measure:
    """Noisy histograms of one table, each written into a ledger.

    Args:
        noise: standard deviation of the noise on a count.
        delta: of each threshold.
        rng: the noise is drawn from it.
        spending: the ledger.
    """

    noise: float
    delta: float
    rng: np.random.Generator
    spending: Spending

    def counts(self, what: str, codes: Codes, size: int) -> Floats:
        """How many rows have each of the codes 0 .. size - 1, with noise."""
        self.spending.add(Charge(what, self.noise))
        return np.bincount(codes[codes >= 0], minlength=size) + self.rng.normal(0, self.noise, size)

    def named(self, what: str, values: Sequence[Value], counts: Sequence[int]) -> list[Value]:
        """Those values whose noisy count passes the threshold."""
        self.spending.add(Charge(what, self.noise, delta=self.delta))
        threshold = 1 + self.noise * norm.isf(self.delta)
        noisy = np.array(counts, np.float64) + self.rng.normal(0, self.noise, len(counts))
        return [value for value, count in zip(values, noisy, strict=True) if count > threshold]

    def column(
        self,
        table: Any,
        column: Column,
        categories: Mapping[str, Sequence[Value]],
        bounds: Mapping[str, tuple[float, float]],
    ) -> Cells:
        """A column in cells, with their counts."""
        array, edges = take(table, column), np.empty(0)
        values = list(categories.get(column.name, ()))
        if column.kind in LEVELS:
            if not values:
                values = self.named(f"categories of {column.name}", *_levels_of(array))
        else:
            held = times(array, column)
            held = held[np.isfinite(held)]
            distinct, each = np.unique(held, return_counts=True)
            values = self.named(f"common values of {column.name}", distinct.tolist(), each.tolist())
            edges = self._edges(column, held[~np.isin(held, values)], bounds.get(column.name))
        codes = _code(column, array, values, edges)
        size = len(values) + max(0, len(edges) - 1) + 1
        counts = self.counts(f"counts of {column.name}", codes, size)
        # Small counts are mostly noise, and noise that is cut at 0 would add up to many rows.
        least = np.full(size, self.noise)
        least[-1] *= _SURE
        counts = np.where(counts > least, counts, 0.0)
        return Cells(column, tuple(values), edges, counts)

    def _edges(self, column: Column, rest: Floats, bounds: tuple[float, float] | None) -> Floats:
        """Bins over the range where the rest of a column's numbers lie; none where no bin surely holds rows."""
        if bounds is None:
            edges = self._zoom(column, rest, _GRID_FROM_0 if column.kind in ("positive", "count") else _GRID)
        else:
            edges = np.array(bounds, np.float64)
        # A second look is taken and charged in any case: what is charged must not depend on what was found.
        edges = self._zoom(column, rest if len(edges) else rest[:0], _spread(edges))
        return _spread(edges) if len(edges) else edges

    def _zoom(self, column: Column, rest: Floats, edges: Floats) -> Floats:
        """The edges from the first bin that surely holds rows to the last."""
        noisy = self.counts(f"range of {column.name}", _bin(rest, edges), len(edges) - 1)
        sure = np.flatnonzero(noisy > _SURE * self.noise)
        return edges[sure[0] : sure[-1] + 2] if len(sure) else np.empty(0)


def _spread(edges: Floats) -> Floats:
    """Bins from the first edge to the last, of equal ratios where they are positive and span orders of magnitude."""
    low, high = (edges[0], edges[-1]) if len(edges) else (0.0, 1.0)
    if low > 0 and high > 16 * low:
        return np.geomspace(low, high, _BINS + 1)
    return np.linspace(low, high, _BINS + 1)


def _bin(values: Floats, edges: Floats) -> Codes:
    """The bin of each value, those beyond the ends in the last ones."""
    return np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)


def _levels_of(array: Any) -> tuple[list[Value], list[int]]:
    if family(array.type) == "text":
        values, counts = count_texts(array)
        return [v for v, n in zip(values, counts, strict=True) if n], [n for n in counts if n]
    held = numbers(array)
    found, each = np.unique(held[np.isfinite(held)], return_counts=True)
    return [as_value(value, array) for value in found], each.tolist()


def _code(column: Column, array: Any, values: Sequence[Value], edges: Floats) -> Codes:
    last = len(values) + max(0, len(edges) - 1)
    if column.kind in LEVELS:
        found = coded(array, values) if len(values) else None
        codes = np.full(len(array), -1) if found is None else found.codes
        return np.where(is_missing(array), last, codes)
    held = times(array, column)
    codes = np.full(len(held), -1)
    finite = np.isfinite(held)
    if len(edges):
        codes[finite] = len(values) + _bin(held[finite], edges)
    if len(values):
        exact = _coded_numbers(held, np.array(values, np.float64))
        codes = np.where(exact >= 0, exact, codes)
    return np.where(np.isnan(held), last, codes)


def _coded_numbers(held: Floats, values: Floats) -> Codes:
    """The place of each number in a list, -1 where it is not in it."""
    order = np.argsort(values)
    place = np.minimum(np.searchsorted(values[order], np.nan_to_num(held)), len(values) - 1)
    return np.where(values[order][place] == held, order[place], -1)
