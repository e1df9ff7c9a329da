"""A table with its gaps: where they are, and the same table with something put there.

What was observed comes back as it was, bit for bit: only gaps are replaced, in the column's own dtype.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamgen.data.batch import Batch
from dreamgen.tables import Codec, Column, Notes
from dreamgen.tables.cells import family, is_missing, numbers, one_chunk
from dreamgen.tables.extras import arrow, compute
from dreamgen.tables.restore import from_levels, from_numbers, made_anew
from dreamgen.tables.types import parse_type

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Gaps:
    """A table to be filled.

    Attributes:
        codec: fitted.
        table: an Arrow table with the codec's columns, and perhaps others.
        rows: what the model sees of it; a category that was never seen is unobserved to the model, but no gap.
    """

    codec: Codec
    table: Any
    rows: Batch

    @cached_property
    def cells(self) -> dict[str, Mask]:
        """Where a cell of a column has to be filled, (n,) by name: it has no value, or an infinite one."""
        return {column.name: _gaps(self.table.column(column.name)) for column in self._filled}

    @property
    def _filled(self) -> list[Column]:
        kinds = [c for c in self.codec.schema.columns if c.kind != "identifier" and c.name in self.table.column_names]
        return [column for column in kinds if column.kind != "constant" or column.value is not None]

    def with_numbers(self, values: Floats, shares: dict[int, Floats], level: float | None = None) -> Any:
        """The table with numbers, (n, d) in their own units, and the likeliest level of each column of `shares`.

        Numbers keep their fractions wherever their dtype can hold them: they are means. So do ordinal columns of
        numbers that are written as fractions. With a level, all of these get that quantile instead.
        """
        made = {}
        for j, coding in enumerate(self.codec.codings):
            column = coding.column
            if not coding.shape.levels or (j not in shares and np.isfinite(values[:, j]).any()):
                there = np.isfinite(values[:, j])
                own = _bounded(column, np.where(there, values[:, j], 0.0))
                made[column.name] = from_numbers(column, own, there)
            elif j not in shares:
                continue
            elif in_order(column) and (
                level is not None or arrow().types.is_floating(self.table.column(column.name).type)
            ):
                made[column.name] = arrow().array(_level_of(*told_apart(column, shares[j]), level), arrow().float64())
            else:
                every = np.ones(len(values), bool)
                made[column.name] = from_levels(column, shares[j].argmax(1), every, None)
        return self._fill(made)

    def with_rows(self, x: NDArray[Any], seed: int) -> Any:
        """The table with rows of a model, (n, d) in model units: rounded to the column's grid, within its bounds."""
        found = self.codec.decode(x, noise=seed)
        return self._fill({name: found.column(name) for name in self.codec.names})

    def _fill(self, made: dict[str, Any]) -> Any:
        table = self.table
        for column in self._filled:
            cells, new = self.cells[column.name], made.get(column.name)
            if not cells.any() or (new is None and column.modelled):
                continue
            new = made_anew(column, len(cells)) if new is None else new
            place = table.column_names.index(column.name)
            table = table.set_column(place, column.name, _replace(table.column(place), cells, one_chunk(new)))
        return table

    def notes(self) -> Notes:
        """What stays empty, and what was infinite."""
        notes = Notes()
        for column in self.codec.schema.columns:
            if column.name in self.cells or column.name not in self.table.column_names:
                continue
            empty = int(is_missing(self.table.column(column.name)).sum())
            if empty:
                why = "identifies rows" if column.kind == "identifier" else "had no value in training"
                notes.column(column.name, f"{{n}} gaps stay, for it {why}", empty)
        return notes


def find_gaps(codec: Codec, table: Any) -> Gaps:
    """A table as a model sees it; raises DataError for one that does not fit the codec."""
    import torch

    x, mask = codec.encode(table)
    return Gaps(codec, table, Batch(torch.from_numpy(x), torch.from_numpy(mask)))


def _gaps(column: Any) -> Mask:
    missing = is_missing(column)
    if family(one_chunk(column).type) != "number":
        return missing
    return missing | np.isinf(numbers(column))


def in_order(column: Column) -> bool:
    """Whether the levels of a column are numbers in order, each named: they have quantiles, and a mean."""
    named = column.kind == "ordinal" and not (column.other and not column.rare)
    return named and family(parse_type(column.dtype)) == "number"


def told_apart(column: Column, shares: Floats) -> tuple[Floats, Floats]:
    """Shares of levels, (n, levels), as shares of values, (n, values), that of rare ones by how often each was
    there; and these values."""
    named = np.array([*column.categories, *column.rare], np.float64)
    if len(column.rare) > 1:
        counts = np.array(column.rare_counts or [1] * len(column.rare), np.float64)
        shares = np.concatenate([shares[:, :-1], shares[:, -1:] * counts / counts.sum()], 1)
    return shares, named


def _level_of(shares: Floats, named: Floats, level: float | None) -> Floats:
    """The mean of numbers that are levels, or a quantile, (n,)."""
    if level is None:
        return shares @ named
    order = np.argsort(named)
    place = (shares[:, order].cumsum(1) < level).sum(1).clip(max=len(named) - 1)
    return named[order][place]  # type: ignore[no-any-return]


def _bounded(column: Column, values: Floats) -> Floats:
    if column.low is None and column.high is None:
        return values
    return np.clip(values, column.low, column.high)


def _replace(column: Any, cells: Mask, new: Any) -> Any:
    """Some cells of a column replaced, the others untouched, in the column's dtype."""
    pa, pc = arrow(), compute()
    old = one_chunk(column)
    kind = old.type
    if pa.types.is_null(kind):  # nothing but gaps: there is no dtype to keep
        return new
    levels = old.dictionary if pa.types.is_dictionary(kind) else None
    if levels is not None:
        old, new = old.dictionary_decode(), new.dictionary_decode() if pa.types.is_dictionary(new.type) else new
    if new.type != old.type:
        whole = pa.types.is_integer(old.type) and pa.types.is_floating(new.type)
        new = (pc.round(new) if whole else new).cast(old.type, safe=False)
    filled = pc.if_else(pa.array(cells), new, old)
    return filled if levels is None else _in_levels(filled, levels, kind)


def _in_levels(values: Any, levels: Any, kind: Any) -> Any:
    """Values as codes of levels, which keep their order; what is none of them comes behind."""
    pa, pc = arrow(), compute()
    further = pc.unique(values.filter(pc.invert(pc.is_in(values, value_set=levels)))).drop_null()
    levels = pa.concat_arrays([levels, further]) if len(further) else levels
    codes = pc.index_in(values, value_set=levels).cast(kind.index_type)
    return pa.DictionaryArray.from_arrays(codes, levels, ordered=kind.ordered)
