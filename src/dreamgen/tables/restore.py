"""Columns of Arrow made of numbers, codes and nothing: the last step of decoding."""

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamgen.errors import SettingsError
from dreamgen.tables.cells import PER_SECOND, Codes, Floats, Mask, Value, family
from dreamgen.tables.extras import arrow, compute
from dreamgen.tables.schema import LEVELS, Column
from dreamgen.tables.types import parse_type

_NUMBER = re.compile(r"\{n(?::0?(\d{1,2})d)?\}")
OTHER = "(rare)"  # stands for a rare category whose name is not told


def rounded(column: Column, values: Floats) -> Floats:
    """Numbers on the column's grid and within its bounds."""
    if column.step:
        values = np.rint(values / column.step) * column.step
    if column.decimals is not None:
        values = np.round(values, column.decimals)
    return np.clip(values, column.low, column.high) if column.low is not None or column.high is not None else values


def from_numbers(column: Column, values: Floats, mask: Mask) -> Any:
    """Numbers, or seconds since 1970, as the column's dtype; null where the mask is False."""
    pa = arrow()
    kind = parse_type(column.dtype)
    if column.kind == "datetime":
        return _from_seconds(column, values, mask, kind)
    if pa.types.is_integer(kind):
        whole = np.clip(np.rint(values), *_limits(kind))
        return pa.array(whole.astype(np.int64), pa.int64(), mask=~mask).cast(kind)
    made = pa.array(values, pa.float64(), mask=~mask)
    return made if kind == pa.float64() else made.cast(kind, safe=False)


def _limits(kind: Any) -> tuple[float, float]:
    held = np.iinfo(kind.to_pandas_dtype())
    # The nearest float64 within an int64.
    return float(max(held.min, -(2**63))), float(min(held.max, 2**63 - 1024))


def _from_seconds(column: Column, values: Floats, mask: Mask, kind: Any) -> Any:
    pa = arrow()
    stamp = kind if pa.types.is_timestamp(kind) else pa.timestamp("us")
    ticks = np.clip(np.rint(values * PER_SECOND[stamp.unit]), -(2**62), 2**62).astype(np.int64)
    made = pa.array(ticks, pa.int64(), mask=~mask).cast(stamp)
    if family(kind) == "text":
        texts = compute().strftime(made.cast(pa.timestamp("s"), safe=False), format=column.format or "%Y-%m-%d")
        return texts.cast(kind)
    return made if kind == stamp else made.cast(kind, safe=False)


def from_levels(column: Column, codes: Codes, mask: Mask, noise: NDArray[Any] | None) -> Any:
    """Codes as categories; a rare level becomes one of its categories, drawn by `noise` or the commonest."""
    frequent = len(column.categories)
    values: list[Value] = [*column.categories, *column.rare]
    if column.other and not column.rare:  # nobody tells which
        values.append(OTHER if family(parse_type(column.dtype)) == "text" else values[len(values) // 2])
    if noise is not None and len(column.rare) > 1:
        counts = np.array(rare_counts(column), np.float64)
        drawn = np.searchsorted(np.cumsum(counts) / counts.sum(), noise, side="right")
        codes = np.where(codes == frequent, frequent + np.minimum(drawn, len(counts) - 1), codes)
    return take_values(values, codes, mask, column)


def rare_counts(column: Column) -> Sequence[int]:
    """How many rows each rare category had; as many each where a schema does not say."""
    return column.rare_counts or (1,) * len(column.rare)


def take_values(values: Sequence[Value], codes: Codes, mask: Mask, column: Column) -> Any:
    """The values at the codes, as the column's dtype."""
    pa = arrow()
    kind = parse_type(column.dtype)
    words = _as_type(values, kind.value_type if pa.types.is_dictionary(kind) else kind, safe=True)
    places = pa.array(codes, pa.int64(), mask=~mask)
    if pa.types.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(places.cast(kind.index_type), words, ordered=kind.ordered)
    return words.take(places)


def _as_type(values: Iterable[Value], kind: Any, safe: bool) -> Any:
    """Values as a dtype, refused where that changes them if it has to be safe.

    A decimal is made of digits, for Arrow casts no long whole number to a short decimal.
    """
    pa = arrow()
    if pa.types.is_decimal(kind):
        return pa.array([Decimal(str(value)) for value in values], kind)
    return pa.array(list(values)).cast(kind, safe=safe)


def made_anew(column: Column, n: int) -> Any:
    """A column that no model makes: a constant again, keys counted from 1, else nothing."""
    pa = arrow()
    kind = parse_type(column.dtype) if column.kind == "constant" or family_known(column) else pa.null()
    if column.kind == "constant":
        if column.value is None:
            return pa.nulls(n, kind)
        one = _as_type([column.value], kind.value_type if pa.types.is_dictionary(kind) else kind, safe=False)
        return one.take(pa.array(np.zeros(n, np.int64))).cast(kind)
    running = range(1, n + 1)
    if family(kind) == "text":
        return pa.array([_key(column.pattern, i) for i in running], pa.string()).cast(kind)
    if family(kind) == "number":
        return _as_type(running, kind, safe=False)
    return pa.nulls(n, kind)


def check_restorable(column: Column) -> None:
    """Raise SettingsError unless values of a column's dtype can be made of what the schema says."""
    everywhere = np.ones(1, bool)
    try:
        if column.kind in LEVELS:
            from_levels(column, np.zeros(1, np.int64), everywhere, None)
        elif column.modelled:
            from_numbers(column, rounded(column, np.zeros(1)), everywhere)
        else:
            made_anew(column, 1)
    except (arrow().ArrowException, ValueError, ArithmeticError, TypeError) as error:
        raise SettingsError(f"column {column.name!r}: its values cannot be {column.dtype}: {error}") from error


def _key(pattern: str, n: int) -> str:
    """The n-th key: {n} or {n:06d} in the pattern is its number; without either, the pattern is a beginning."""
    text, count = _NUMBER.subn(lambda found: f"{n:0{int(found[1] or 0)}d}", pattern)
    return text if count else f"{pattern}{n}"


def family_known(column: Column) -> bool:
    """Whether a column's dtype is one that a schema can name."""
    try:
        parse_type(column.dtype)
    except SettingsError:
        return False
    return True
