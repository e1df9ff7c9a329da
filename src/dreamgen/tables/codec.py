"""Tables to the numbers that a model sees, and back.

A number goes through a monotone transform to model units; a category becomes its code. What is missing, infinite or
never seen is masked. Decoding rounds, bounds and names again, and puts back what the model does not see.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamgen.data.columns import ColumnShape
from dreamgen.errors import DataError, ModelFileError, SettingsError
from dreamgen.registry import nearest, shorten
from dreamgen.tables import transforms
from dreamgen.tables.cells import Codes, Floats, Mask, coded, one_chunk
from dreamgen.tables.check import take, times
from dreamgen.tables.extras import arrow
from dreamgen.tables.notes import Notes
from dreamgen.tables.restore import from_levels, from_numbers, made_anew, rounded
from dreamgen.tables.schema import LEVELS, Column, Schema
from dreamgen.tables.transforms import Affine, Transform, normal_scores, standard, unbend

if TYPE_CHECKING:
    import pyarrow as pa

Array = NDArray[np.float32]
BENDS = ("auto", "normal", "affine")
FLOOR = 0.02
_FINE = 8  # a grid this much finer than the floor is continuous to the model
_FAR = 1e6  # model units; float32 squares it without overflow


@dataclass(frozen=True)
class Coding:
    """How one modelled column becomes numbers: its column, its shape, and the transform of a number."""

    column: Column
    shape: ColumnShape
    transform: Transform | None = None


@dataclass(frozen=True)
class Codec:
    """A table of the schema's columns to x (n, d) and mask (n, d), and back.

    Attributes:
        schema: all columns, modelled or not.
        codings: the modelled ones, in order.
    """

    schema: Schema
    codings: tuple[Coding, ...]

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
            if not partial or coding.column.name in table.column_names:
                _encode(coding, take(table, coding.column), x[:, j], mask[:, j])
        return x, mask

    def unseen(self, table: "pa.Table") -> Mask:
        """Where a cell has a value that cannot be encoded: a category never seen, an infinity, (n, d)."""
        found = np.zeros((table.num_rows, len(self.codings)), bool)
        for j, coding in enumerate(self.codings):
            array, column = take(table, coding.column), coding.column
            if column.kind in LEVELS:
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
                values[:, j] = _natural(coding, values[:, j])
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
                columns.append(_decode(self.codings[j], x[:, j], mask[:, j], drawn))
        return arrow().table(dict(zip(self.schema.names, columns, strict=True)))

    def _check_width(self, x: NDArray[Any]) -> None:
        if x.ndim != 2 or x.shape[1] != len(self.codings):
            raise DataError(f"expected numbers of shape (n, {len(self.codings)}), got {x.shape}")

    def check(self, table: "pa.Table") -> Notes:
        """What of a table does not fit; see `Schema.check`."""
        return self.schema.check(table)

    def shareable(self) -> "Codec":
        """The same codec without rare categories, exact extremes and facts; see `dreamgen.tables.share`."""
        from dreamgen.tables.share import shareable

        return shareable(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"schema": self.schema.to_dict(), "codings": [_coding_to_dict(coding) for coding in self.codings]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Codec":
        """A codec from plain values; raises ModelFileError."""
        try:
            schema = Schema.from_dict(values["schema"])
            codings = tuple(_coding_from_dict(schema, coding) for coding in values["codings"])
        except (KeyError, TypeError, SettingsError, DataError) as error:
            raise ModelFileError(f"expected a codec: {error}") from error
        if [c.column.name for c in codings] != [column.name for column in schema.modelled]:
            raise ModelFileError("expected a coding for each modelled column, in order")
        return cls(schema, codings)


def fit_codec(table: "pa.Table", schema: Schema, transform: str = "auto", floor: float = FLOOR) -> Codec:
    """Find the transforms of a table's columns.

    Args:
        table: rows to learn from.
        schema: theirs.
        transform: "auto": standardised, and a logarithm for skewed positive numbers; "normal": each number column is
            mapped to a standard normal through its quantiles; "affine": only standardised.
        floor: the least scale of the model's components around a number, in model units.
    """
    if transform not in BENDS:
        raise SettingsError(f"unknown transform {transform!r}: {nearest(transform, BENDS)}")
    if not 0 < floor < 1:
        raise SettingsError(f"floor: expected 0 < floor < 1, got {shorten(floor)}")
    codings = [_fit(column, take(table, column), transform, floor) for column in schema.modelled]
    return Codec(schema, tuple(codings))


def _fit(column: Column, array: Any, bend: str, floor: float) -> Coding:
    if column.kind in LEVELS:
        return Coding(column, ColumnShape(levels=column.levels))
    values = times(array, column)
    values = values[np.isfinite(values)]
    if not len(values):
        raise DataError(f"column {column.name!r}: expected values of the kind {column.kind}, got none")
    rest = values[~np.isin(values, column.spikes)]
    rest = rest if len(rest) else values
    made: Transform = standard(rest)
    if bend == "normal":
        made = normal_scores(rest)
    elif bend == "auto" and column.kind in ("positive", "count"):
        made = unbend(rest, float(values.min()))
    return Coding(column, _shape(column, made, rest, floor), made)


def _shape(column: Column, made: Transform, values: Floats, floor: float) -> ColumnShape:
    atoms = _atoms(made, column)
    if isinstance(made, Affine):
        step = column.step / made.scale
        # A grid finer than anything the model can tell is no grid.
        return ColumnShape(0, atoms, float(step) if step * _FINE > floor else 0.0, floor)
    if column.step:
        sample = values[:: max(1, len(values) // 10_000)]
        steps = made.forward(sample + column.step / 2) - made.forward(sample - column.step / 2)
        floor = max(floor, float(np.median(steps)) / 2)
    return ColumnShape(0, atoms, 0.0, floor)


def _atoms(made: Transform, column: Column) -> tuple[float, ...]:
    return tuple(float(a) for a in made.forward(np.array(column.spikes, np.float64)).astype(np.float32))


def _encode(coding: Coding, array: Any, x: Array, mask: Mask) -> None:
    """Fill one column of x and mask."""
    column = coding.column
    if coding.transform is None:
        codes = coded(array, [*column.categories, *column.rare]).codes
        mask[:] = codes >= 0
        x[:] = np.where(mask, np.minimum(codes, len(column.categories)), 0)
        return
    values = times(array, column)
    mask[:] = np.isfinite(values)
    values = values if mask.all() else np.where(mask, values, column.low or 0.0)
    x[:] = np.clip(coding.transform.forward(values), -_FAR, _FAR)
    # To the bit, so that a model knows them by comparing.
    for spike, atom in zip(column.spikes, coding.shape.atoms, strict=True):
        x[values == spike] = atom
    x[~mask] = 0


def _natural(coding: Coding, x: Floats) -> Floats:
    assert coding.transform is not None
    values = coding.transform.inverse(x)
    for spike, atom in zip(coding.column.spikes, coding.shape.atoms, strict=True):
        values[np.float32(x) == np.float32(atom)] = spike
    return values


def _decode(coding: Coding, x: NDArray[Any], mask: Mask, noise: NDArray[Any] | None) -> Any:
    x = x.astype(np.float64)
    mask = mask & ~np.isnan(x)
    if coding.transform is None:
        codes: Codes = np.clip(np.rint(np.where(mask, x, 0)), 0, coding.shape.levels - 1).astype(np.int64)
        return from_levels(coding.column, codes, mask, noise)
    return from_numbers(coding.column, rounded(coding.column, _natural(coding, np.where(mask, x, 0))), mask)


def _beside(column: Column, n: int, source: Any) -> Any:
    """A column that the model does not see."""
    if source is not None and column.name in source.column_names:
        return one_chunk(source.column(column.name))
    return made_anew(column, n)


def _coding_to_dict(coding: Coding) -> dict[str, Any]:
    shape = coding.shape
    values = {"name": coding.column.name, "atoms": list(shape.atoms), "step": shape.step, "floor": shape.floor}
    if coding.transform is None:
        return {"name": coding.column.name}
    return {**values, "transform": transforms.to_dict(coding.transform)}


def _coding_from_dict(schema: Schema, values: Mapping[str, Any]) -> Coding:
    column = schema[values["name"]]
    if column.kind in LEVELS:
        return Coding(column, ColumnShape(levels=column.levels))
    atoms = tuple(float(atom) for atom in values["atoms"])
    if len(atoms) != len(column.spikes):
        raise ModelFileError(f"column {column.name!r}: expected {len(column.spikes)} atoms, got {len(atoms)}")
    shape = ColumnShape(0, atoms, float(values["step"]), float(values["floor"]))
    return Coding(column, shape, transforms.from_dict(values["transform"]))
