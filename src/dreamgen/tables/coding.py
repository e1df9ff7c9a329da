"""One column of a table to the numbers that a model sees, and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamgen.data.columns import ColumnShape
from dreamgen.errors import DataError, ModelFileError
from dreamgen.registry import shorten
from dreamgen.tables import transforms
from dreamgen.tables.cells import Codes, Floats, Mask, coded
from dreamgen.tables.check import times
from dreamgen.tables.restore import from_levels, from_numbers, rounded
from dreamgen.tables.schema import LEVELS, Column
from dreamgen.tables.transforms import Affine, Transform, normal_scores, standard, unbend

Array = NDArray[np.float32]
_FINE = 8  # a grid this much finer than the floor is continuous to the model
_FAR = 1e6  # model units; float32 squares it without overflow


@dataclass(frozen=True)
class Coding:
    """How one modelled column becomes numbers: its column, its shape, and the transform of a number.

    `rows` are those that a transform was fitted to, 0 where that is not known.
    """

    column: Column
    shape: ColumnShape
    transform: Transform | None = None
    rows: int = 0


def fit_coding(column: Column, array: Any, bend: str, floor: float) -> Coding:
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
    return Coding(column, _shape(column, made, rest, floor), made, len(rest))


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


def encode_column(coding: Coding, array: Any, x: Array, mask: Mask) -> None:
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


def natural_column(coding: Coding, x: Floats) -> Floats:
    assert coding.transform is not None
    values = coding.transform.inverse(x)
    for spike, atom in zip(coding.column.spikes, coding.shape.atoms, strict=True):
        values[np.float32(x) == np.float32(atom)] = spike
    return values


def decode_column(coding: Coding, x: NDArray[Any], mask: Mask, noise: NDArray[Any] | None) -> Any:
    x = x.astype(np.float64)
    mask = mask & ~np.isnan(x)
    if coding.transform is None:
        codes: Codes = np.clip(np.rint(np.where(mask, x, 0)), 0, coding.shape.levels - 1).astype(np.int64)
        return from_levels(coding.column, codes, mask, noise)
    return from_numbers(coding.column, rounded(coding.column, natural_column(coding, np.where(mask, x, 0))), mask)


def coding_to_dict(coding: Coding) -> dict[str, Any]:
    shape = coding.shape
    values = {"name": coding.column.name, "atoms": list(shape.atoms), "step": shape.step, "floor": shape.floor}
    if coding.transform is None:
        return {"name": coding.column.name}
    rows = {"rows": coding.rows} if coding.rows else {}
    return {**values, **rows, "transform": transforms.to_dict(coding.transform)}


def coding_from_dict(columns: Mapping[str, Column], values: Mapping[str, Any]) -> Coding:
    column = columns[values["name"]]
    if column.kind in LEVELS and "transform" not in values:
        return Coding(column, ColumnShape(levels=column.levels))
    atoms = tuple(_number(atom) for atom in values["atoms"])
    if len(atoms) != len(column.spikes):
        raise ModelFileError(f"column {column.name!r}: expected {len(column.spikes)} atoms, got {len(atoms)}")
    shape = ColumnShape(0, atoms, _number(values["step"]), _number(values["floor"]))
    if shape.step < 0 or shape.floor <= 0:
        raise ModelFileError(f"column {column.name!r}: expected step >= 0 and floor > 0, got {shape}")
    rows = values.get("rows", 0)
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < 0:
        raise ModelFileError(f"column {column.name!r}: expected rows, got {shorten(rows)}")
    return Coding(column, shape, transforms.from_dict(values["transform"]), rows)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _FAR**2:
        raise ModelFileError(f"expected a number, got {shorten(value)}")
    return float(value)
