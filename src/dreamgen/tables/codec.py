"""Tables to the numbers that a model sees, and back.

A number goes through a monotone transform to model units; a category becomes its code. What is missing, infinite or
never seen is masked. Decoding rounds, bounds and names again, and puts back what the model does not see.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamgen.data.columns import ColumnShape
from dreamgen.errors import DataError, ModelFileError, SettingsError
from dreamgen.registry import nearest, shorten
from dreamgen.tables.cells import Floats, Mask, coded, one_chunk
from dreamgen.tables.check import check_table, take, times
from dreamgen.tables.coding import (
    Array,
    Coding,
    coding_from_dict,
    coding_to_dict,
    decode_column,
    encode_column,
    fit_coding,
    natural_column,
)
from dreamgen.tables.constants import holding
from dreamgen.tables.extras import arrow
from dreamgen.tables.infer_plain import summarise
from dreamgen.tables.notes import Notes
from dreamgen.tables.restore import check_restorable, made_anew
from dreamgen.tables.schema import LEVELS, Column, Schema

if TYPE_CHECKING:
    import pyarrow as pa

BENDS = ("auto", "normal", "affine")
ORDINALS = ("levels", "numbers")
FLOOR = 0.02


@dataclass(frozen=True)
class Codec:
    """A table of the schema's columns to x (n, d) and mask (n, d), and back.

    Attributes:
        schema: all columns, modelled or not.
        codings: the modelled ones, in order.
    """

    schema: Schema
    codings: tuple[Coding, ...]

    def __post_init__(self) -> None:
        for column in self.schema.columns:
            check_restorable(column)

    @property
    def names(self) -> list[str]:
        """The names of the d modelled columns."""
        return [coding.column.name for coding in self.codings]

    @property
    def shapes(self) -> tuple[ColumnShape, ...]:
        """What the model knows of each modelled column."""
        return tuple(coding.shape for coding in self.codings)

    def encode(self, table: "pa.Table", partial: bool = False) -> tuple[Array, Mask]:
        """Numbers of a table: x, float32, (n, d), and mask, (n, d), True where a cell was observed.

        Args:
            table: has the modelled columns, in any order; others are ignored.
            partial: whether columns may be missing; they are then unobserved.

        Raises:
            DataError: a column is missing, or holds another kind of values than in training.
        """
        x = np.zeros((table.num_rows, len(self.codings)), np.float32)
        mask = np.zeros(x.shape, bool)
        for j, coding in enumerate(self.codings):
            if not partial or table.schema.get_field_index(coding.column.name) >= 0:
                encode_column(coding, take(table, coding.column), x[:, j], mask[:, j])
        return x, mask

    def unseen(self, table: "pa.Table") -> Mask:
        """Where a cell has a value that cannot be encoded: a category never seen, an infinity, (n, d)."""
        found = np.zeros((table.num_rows, len(self.codings)), bool)
        for j, coding in enumerate(self.codings):
            array, column = take(table, coding.column), coding.column
            if coding.transform is None:
                found[:, j] = coded(array, [*column.categories, *column.rare]).unseen
            else:
                found[:, j] = np.isinf(times(array, column))
        return found

    def natural(self, x: NDArray[Any]) -> Floats:
        """Model units to the columns' own units, float64, (n, d); neither rounded nor bounded. Codes stay codes."""
        values = np.array(x, np.float64)
        self._check_width(values)
        for j, coding in enumerate(self.codings):
            if coding.transform is not None:
                values[:, j] = natural_column(coding, values[:, j])
        return values

    def decode(
        self,
        x: NDArray[Any],
        mask: Mask | None = None,
        source: "pa.Table | None" = None,
        noise: NDArray[Any] | int | None = None,
    ) -> "pa.Table":
        """A table of all the schema's columns in their dtypes: rounded, bounded, categories by name.

        Args:
            x: (n, d), as `encode` makes it.
            mask: (n, d), False where a cell has no value; by default all have one.
            source: a table of n rows from which keys and columns without a model are copied; else they are made anew.
            noise: which of the rare categories a cell of the rare level becomes: uniform numbers, (n, d), or a seed
                for them; by default the commonest.
        """
        x = np.asarray(x)
        self._check_width(x)
        n = len(x)
        if source is not None and source.num_rows != n:
            raise DataError(f"source: expected {n} rows, got {source.num_rows}")
        mask = np.ones(x.shape, bool) if mask is None else mask
        if isinstance(noise, int):
            noise = np.random.default_rng(noise).random(x.shape)
        place = {name: j for j, name in enumerate(self.names)}
        columns = []
        for column in self.schema.columns:
            j = place.get(column.name)
            if j is None:
                columns.append(_beside(column, n, source))
            else:
                drawn = None if noise is None else noise[:, j]
                columns.append(decode_column(self.codings[j], x[:, j], mask[:, j], drawn))
        return arrow().table(dict(zip(self.schema.names, columns, strict=True)))

    def _check_width(self, x: NDArray[Any]) -> None:
        if x.ndim != 2 or x.shape[1] != len(self.codings):
            raise DataError(f"expected numbers of shape (n, {len(self.codings)}), got {x.shape}")

    def check(self, table: "pa.Table") -> Notes:
        """What of a table does not fit; see `Schema.check`."""
        return check_table(self.schema, table, {c.column.name for c in self.codings if c.transform is not None})

    def shareable(self) -> "Codec":
        """The same codec without rare categories, exact extremes and facts; see `dreamgen.tables.share`."""
        from dreamgen.tables.share import shareable

        return shareable(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"schema": self.schema.to_dict(), "codings": [coding_to_dict(coding) for coding in self.codings]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Codec":
        """A codec from plain values; raises ModelFileError."""
        try:
            schema = Schema.from_dict(values["schema"])
            columns = {column.name: column for column in schema.columns}
            codings = tuple(coding_from_dict(columns, coding) for coding in values["codings"])
            codec = cls(schema, codings)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ModelFileError(f"expected a codec: {error}") from error
        if [c.column.name for c in codings] != [column.name for column in schema.modelled]:
            raise ModelFileError("expected a coding for each modelled column, in order")
        return codec


def fit_codec(
    table: "pa.Table", schema: Schema, transform: str = "auto", floor: float = FLOOR, ordinal: str = "levels"
) -> Codec:
    """Find the transforms of a table's columns.

    Args:
        table: rows to learn from.
        schema: theirs.
        transform: "auto": standardised, and a logarithm for skewed positive numbers; "normal": each number column is
            mapped to a standard normal through its quantiles; "affine": only standardised.
        floor: the least scale of the model's components around a number, in model units.
        ordinal: "levels": an ordinal column is categories, and a value never seen is masked; "numbers": it is a
            number on a grid, and a value beyond all seen stays far from them, which is what finding odd rows wants.
    """
    if transform not in BENDS:
        raise SettingsError(f"unknown transform {transform!r}: {nearest(transform, BENDS)}")
    if not 0 < floor < 1:
        raise SettingsError(f"floor: expected 0 < floor < 1, got {shorten(floor)}")
    if ordinal not in ORDINALS:
        raise SettingsError(f"unknown way {ordinal!r} of ordinal columns: {nearest(ordinal, ORDINALS)}")
    schema = Schema(tuple(_with_facts(column, table) for column in schema.columns), schema.notes)
    numeric = [c.kind == "ordinal" and c.step > 0 and ordinal == "numbers" for c in schema.modelled]
    codings = [
        fit_coding(column, take(table, column), transform, floor)
        if as_number or column.kind not in LEVELS
        else Coding(column, ColumnShape(levels=column.levels))
        for column, as_number in zip(schema.modelled, numeric, strict=True)
    ]
    return Codec(schema, tuple(codings))


def _with_facts(column: Column, table: Any) -> Column:
    if column.kind == "constant" and table.schema.get_field_index(column.name) >= 0:
        held = int(holding(column, take(table, column)).sum())
        return replace(column, summary={**column.summary, "rows": table.num_rows, "held": held})
    known = column.inner or column.kind in LEVELS
    if not column.modelled or (column.summary and known):
        return column
    return replace(column, **summarise(column, take(table, column)))


def _beside(column: Column, n: int, source: Any) -> Any:
    """A column that the model does not see."""
    if source is not None and source.schema.get_field_index(column.name) >= 0:
        return one_chunk(source.column(column.name))
    return made_anew(column, n)
