"""Which columns of a table are measured as numbers and which as categories, and their values as arrays."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dreamgen.errors import DataError
from dreamgen.tables.cells import nan_as_null

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_NUMBERS = {"real", "positive", "count", "datetime"}
_CATEGORIES = {"ordinal", "categorical", "boolean", "constant"}


@dataclass(frozen=True)
class Kinds:
    """Names of columns by how they are measured; identifiers are in neither list."""

    numbers: tuple[str, ...]
    categories: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return (*self.numbers, *self.categories)

    def without(self, name: str) -> "Kinds":
        """All columns but one."""
        return Kinds(*(tuple(n for n in names if n != name) for names in (self.numbers, self.categories)))


def kinds_of(table: pa.Table, kinds: Mapping[str, str] | None = None) -> Kinds:
    """The measured columns of a table.

    Args:
        table: real rows.
        kinds: a schema's kind for each column; None: numbers and time stamps are numbers, all else categories.
    """
    numbers, categories = [], []
    for name, field in zip(table.column_names, table.schema, strict=True):
        kind = kinds.get(name, "identifier") if kinds is not None else _kind(field.type)
        if kind in _NUMBERS:
            numbers.append(name)
        elif kind in _CATEGORIES:
            categories.append(name)
    return Kinds(tuple(numbers), tuple(categories))


def _kind(type_: Any) -> str:
    number = pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)
    if number or pa.types.is_temporal(type_):
        return "real"
    return "categorical"


def number(table: pa.Table, name: str) -> Floats:
    """A column as float64, (n,), NaN where it is missing; time stamps in their own unit."""
    column = _column(table, name)
    if pa.types.is_temporal(column.type):
        width = pa.int32() if column.type.bit_width == 32 else pa.int64()
        column = column.cast(width)
    values: Floats = column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64)
    return values


def labels(table: pa.Table, name: str) -> npt.NDArray[np.object_]:
    """A column as text, (n,), with "" for what is missing: a missing cell is a category of its own."""
    column = _column(table, name)
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_floating(column.type) and _is_whole(column):
        column = column.cast(pa.int64(), safe=False)  # 1.0 where gaps made floats of whole numbers, and 1
    values: npt.NDArray[np.object_] = np.array(column.cast(pa.string()).fill_null("").to_pylist(), dtype=object)
    return values


def _is_whole(column: Any) -> bool:
    held = column.drop_null()
    return bool(pc.all(pc.and_(pc.is_finite(held), pc.equal(pc.floor(held), held))).as_py())


def codes(values: Iterable[npt.NDArray[np.object_]]) -> list[Codes]:
    """The categories of several tables' columns as numbers of one common list, sorted by name."""
    parts = list(values)
    found = np.unique(np.concatenate(parts).astype(str))
    return [np.searchsorted(found, part.astype(str)) for part in parts]


def _column(table: pa.Table, name: str) -> Any:
    if name not in table.column_names:
        raise DataError(f"expected a column {name!r}, got {', '.join(map(repr, table.column_names))}")
    return nan_as_null(table.column(name).combine_chunks())


def take(table: pa.Table, rows: npt.NDArray[Any]) -> pa.Table:
    """Rows of a table by number."""
    return table.take(pa.array(rows, pa.int64()))


def sample_rows(table: pa.Table, n: int, seed: int) -> pa.Table:
    """n rows without replacement, or all of them where there are fewer."""
    if n >= table.num_rows:
        return table
    return take(table, np.sort(np.random.default_rng(seed).choice(table.num_rows, n, replace=False)))
