"""What a person asks of rows, {"sex": "Female", "age": (30, 40)}, as conditions on a model's columns."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dreamgen.applications.synthesis.conditioning import Condition
from dreamgen.applications.synthesis.missingness import MissingFlags
from dreamgen.errors import DataError, SettingsError
from dreamgen.registry import nearest, shorten
from dreamgen.tables import Codec, Column, Schema
from dreamgen.tables.coding import Coding
from dreamgen.tables.restore import rare_counts
from dreamgen.tables.schema import LEVELS


@dataclass(frozen=True)
class Asked:
    """Conditions, and which of its rare categories a column may take (numbers of `Column.rare`)."""

    conditions: tuple[Condition, ...]
    rare: dict[int, tuple[int, ...]]


def parse_conditions(wanted: Mapping[str, Any], codec: Codec, gaps: MissingFlags) -> Asked:
    """Conditions for a codec's columns.

    Args:
        wanted: by column: a value; a list of categories, any of which will do; (low, high) for numbers and
            scales of them, both ends included and None for no end; None alone for an empty cell.

    Raises:
        DataError: a category that was never seen, with the nearest; numbers outside the column's bounds.
        SettingsError: an unknown column, or one that is not modelled.
    """
    conditions, rare = [], {}
    for name, value in wanted.items():
        j = _place(name, codec)
        telling = gaps.told_by.get(name)
        if telling is not None and telling in codec.names:
            conditions.append(Condition(codec.names.index(telling), codes=(int(value is None),)))
        if value is None:
            if telling is None:
                raise DataError(f"condition on {name!r}: it was never empty in training")
            continue
        coding = codec.codings[j]
        if coding.column.kind in LEVELS:
            condition, chosen = _categories(j, coding.column, value)
            if chosen:
                rare[j] = chosen
        else:
            condition = _range(j, coding, value)
        conditions.append(condition)
    return Asked(tuple(conditions), rare)


def _place(name: str, codec: Codec) -> int:
    if name in codec.names:
        return codec.names.index(name)
    if name in codec.schema.names:
        raise SettingsError(f"condition on {name!r}: its kind is {codec.schema[name].kind}, and it is not modelled")
    raise SettingsError(f"condition on {name!r}: no such column: {nearest(name, codec.schema.names)}")


def _categories(j: int, column: Column, value: Any) -> tuple[Condition, tuple[int, ...]]:
    values = value if isinstance(value, list | set | tuple | frozenset) else [value]
    if isinstance(value, tuple) and len(value) == 2 and column.is_scale:
        values = _inside(column, value)
    known = [_said(v, column) for v in [*column.categories, *column.rare]]
    codes: dict[int, None] = {}
    chosen = []
    for one in values:
        said = _said(one, column)
        if said not in known:
            hint = nearest(said, known)
            raise DataError(f"condition on {column.name!r}: {shorten(one)} was never seen in training: {hint}")
        place = known.index(said)
        codes[min(place, len(column.categories))] = None
        if place >= len(column.categories):
            chosen.append(place - len(column.categories))
    if not codes:
        raise SettingsError(f"condition on {column.name!r}: expected a category, got none")
    counts = rare_counts(column)
    share = sum(counts[k] for k in chosen) / sum(counts) if chosen else 1.0
    weights = tuple(share if code == len(column.categories) else 1.0 for code in codes)
    return Condition(j, codes=tuple(codes), weights=weights), tuple(chosen)


def _said(value: Any, column: Column) -> str:
    """A category as it is compared: truths in small letters, and whole numbers without a fraction."""
    if column.kind == "boolean":
        return str(value).lower()
    numeric = not any(isinstance(known, str) for known in (*column.categories, *column.rare))
    if numeric and isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def _inside(column: Column, ends: tuple[Any, Any]) -> list[Any]:
    """The categories of a scale within a range."""
    low, high = _ends(column, ends)
    known = [*column.categories, *column.rare]
    values = [value for value in known if low <= float(value) <= high]
    if not values:
        raise _outside(column, *(end(float(value) for value in known) for end in (min, max)))
    return values


def _ends(column: Column, ends: tuple[Any, ...]) -> tuple[float, float]:
    low, high = (_number(column, end, default) for end, default in zip(ends, (-math.inf, math.inf), strict=True))
    if math.isnan(low) or math.isnan(high) or low > high:
        raise SettingsError(f"condition on {column.name!r}: expected low <= high, got {shorten(ends)}")
    return low, high


def _range(j: int, coding: Coding, value: Any) -> Condition:
    column = coding.column
    if isinstance(value, list | set | frozenset):
        raise SettingsError(f"condition on {column.name!r}: expected a number or (low, high), got a list")
    ends = tuple(value) if isinstance(value, tuple) else (value, value)
    if len(ends) != 2:
        raise SettingsError(f"condition on {column.name!r}: expected (low, high), got {shorten(value)}")
    low, high = _ends(column, ends)
    least, most = column.low if column.low is not None else -math.inf, column.high
    most = math.inf if most is None else most
    if high < least or low > most:
        raise _outside(column, least, most)
    assert coding.transform is not None
    if column.step and not (low == high and low in column.spikes):
        low, high = _on_grid(column, low, high)
    if low == high and low in column.spikes:
        atom = coding.shape.atoms[column.spikes.index(low)]
        return Condition(j, low=_beside(atom, -1), high=_beside(atom, 1))
    if low == high and not column.step:
        exact = float(coding.transform.forward(np.array([low]))[0])
        return Condition(j, low=exact, high=exact)
    # Half a step more on either side: what lies there is rounded into the range. At the bounds all that is beyond is.
    half = column.step * (0.5 - 1e-3)
    start, stop = (float(end) for end in coding.transform.forward(np.array([low - half, high + half])))
    start = _beside(start, -1) if low in column.spikes and not column.step else start
    stop = _beside(stop, 1) if high in column.spikes and not column.step else stop
    return Condition(j, low=-math.inf if low <= least else start, high=math.inf if high >= most else stop)


def _on_grid(column: Column, low: float, high: float) -> tuple[float, float]:
    """The first and the last number of the column's grid within a range."""
    step = column.step
    first = low if math.isinf(low) else math.ceil(round(low / step, 6)) * step
    last = high if math.isinf(high) else math.floor(round(high / step, 6)) * step
    if first > last:
        said = column.spoken(low) if low == high else f"{column.spoken(low)} to {column.spoken(high)}"
        every = f"{step:g} seconds" if column.kind == "datetime" else f"{step:g}"
        raise DataError(f"condition on {column.name!r}: {said} holds none of its values, which lie {every} apart")
    return first, last


def _outside(column: Column, least: float, most: float) -> DataError:
    said = f"{column.spoken(least)} to {column.spoken(most)}"
    return DataError(f"condition on {column.name!r}: expected something from {said}")


def _beside(x: float, side: int) -> float:
    """A little to one side, so that an atom at the end of a range is within it."""
    return x + side * 2e-6 * (1 + abs(x))


def _number(column: Column, end: Any, default: float) -> float:
    if end is None:
        return default
    try:
        if column.kind == "datetime" and not isinstance(end, int | float):
            return float(np.datetime64(end, "us").astype(np.int64)) / 1e6
        return float(end)
    except (TypeError, ValueError) as error:
        raise SettingsError(f"condition on {column.name!r}: expected a number, got {shorten(end)}") from error


def rare_noise(asked: Asked, codec: Codec, noise: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    """Change, in place, the uniform numbers (n, d) that choose rare categories so that they choose allowed ones."""
    for j, allowed in asked.rare.items():
        counts = np.array(rare_counts(codec.codings[j].column), float)
        ends = np.cumsum(counts) / counts.sum()
        chances = np.cumsum(counts[list(allowed)]) / counts[list(allowed)].sum()
        picked = np.array(allowed)[np.searchsorted(chances, noise[:, j], side="right").clip(max=len(allowed) - 1)]
        noise[:, j] = ends[picked] - counts[picked] / counts.sum() / 2


def first_of(asked: Asked, codec: Codec, most: int = 16) -> Sequence[Mapping[int, float]]:
    """A few partial rows that meet all conditions, by column: what an encoder is asked about."""
    rows: list[dict[int, float]] = [{}]
    for condition in asked.conditions:
        values = [float(code) for code in condition.codes] or _inner(condition)
        rows = [{**row, condition.column: value} for row in rows for value in values][:most]
    return [row for row in rows if row]


def _inner(condition: Condition) -> list[float]:
    if math.isfinite(condition.low) and math.isfinite(condition.high):
        return sorted({condition.low, (condition.low + condition.high) / 2, condition.high})
    finite = [end for end in (condition.low, condition.high) if math.isfinite(end)]
    return finite or [0.0]


def read_condition(text: str, schema: Schema) -> tuple[str, Any]:
    """A condition as a command line has it.

    `sex=Female`, `education=Bachelors|Masters`, `age=30..40`, `age=65..`, `occupation=` for an empty
    cell.
    """
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(f"condition {shorten(text)}: expected COLUMN=VALUE")
    if name not in schema.names:
        raise SettingsError(f"condition on {name!r}: no such column: {nearest(name, schema.names)}")
    if not value:
        return name, None
    if schema[name].kind in LEVELS and not (schema[name].is_scale and ".." in value):
        return name, value.split("|")
    low, dots, high = value.partition("..")
    return name, (low or None, high or None) if dots else value
