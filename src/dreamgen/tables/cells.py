"""The cells of an Arrow column as numpy numbers or codes; what is missing, and what was never seen."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dreamgen.tables.extras import arrow, compute

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
Mask = NDArray[np.bool_]
Value = str | int | float | bool

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def family(kind: Any) -> str:
    """What an Arrow type holds: "number", "boolean", "text", "datetime", "null" or "other"."""
    types = arrow().types
    if types.is_dictionary(kind):
        return family(kind.value_type)
    if types.is_boolean(kind):
        return "boolean"
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        return "number"
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        return "text"
    if types.is_timestamp(kind) or types.is_date(kind):
        return "datetime"
    return "null" if types.is_null(kind) else "other"


def one_chunk(column: Any) -> Any:
    """A column as one Arrow array."""
    pa = arrow()
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def numbers(column: Any) -> Floats:
    """A column of numbers, truths or times as float64, (n,); missing is NaN, times are seconds since 1970."""
    pa, pc = arrow(), compute()
    array = one_chunk(column)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if family(kind) == "text":
        array = array.cast(pa.timestamp("us"))
        kind = array.type
    if pa.types.is_date(kind):
        array = array.cast(pa.timestamp("ms"))
        kind = array.type
    if pa.types.is_timestamp(kind):
        return _floats(array.cast(pa.int64())) / PER_SECOND[kind.unit]
    if pa.types.is_boolean(kind):
        array = array.cast(pa.uint8())
    if pa.types.is_null(kind):
        return np.full(len(array), np.nan)
    return _floats(array if kind == pa.float64() else pc.cast(array, pa.float64(), safe=False))


def times(column: Any) -> NDArray[Any]:
    """A column of time stamps, also written as texts, as datetime64 of microseconds; numbers as they are, (n,)."""
    pa, array = arrow(), one_chunk(column)
    if family(array.type) in ("text", "datetime"):
        array = array.cast(pa.timestamp("us"))
    return np.asarray(array.to_numpy(zero_copy_only=False))


def _floats(array: Any) -> Floats:
    if array.null_count:
        array = array.cast(arrow().float64(), safe=False).fill_null(np.nan)
    return np.asarray(array.to_numpy(zero_copy_only=False), np.float64)


class Coded(NamedTuple):
    """Codes of categories, -1 where there is none; `missing` has no value, `unseen` has one that is not listed."""

    codes: Codes
    missing: Mask
    unseen: Mask


def coded(column: Any, categories: Sequence[Value]) -> Coded:
    """The place of each cell in a list of categories, (n,)."""
    if any(isinstance(value, str) for value in categories) or (not categories and family(column.type) == "text"):
        return _coded_texts(column, [str(value) for value in categories])
    values = numbers(column)
    missing = np.isnan(values)
    if not categories:
        return Coded(np.full(len(values), -1), missing, ~missing)
    listed = np.array([float(value) for value in categories])
    order = np.argsort(listed)
    place = np.minimum(np.searchsorted(listed[order], values), len(listed) - 1)
    codes = np.where(listed[order][place] == values, order[place], -1)
    return Coded(codes, missing, (codes < 0) & ~missing)


def _coded_texts(column: Any, categories: list[str]) -> Coded:
    pa, pc = arrow(), compute()
    array = one_chunk(column)
    listed = pa.array(categories, pa.large_string())
    if not pa.types.is_dictionary(array.type):
        array = array.cast(pa.large_string()).dictionary_encode()
    words = array.dictionary.cast(pa.large_string())
    places = pc.fill_null(pc.index_in(words, value_set=listed), -1).to_numpy(zero_copy_only=False)
    known = ~np.asarray(array.is_null().to_numpy(zero_copy_only=False), bool)
    indices = pc.fill_null(array.indices, 0).to_numpy(zero_copy_only=False).astype(np.int64)
    codes = np.full(len(array), -1, np.int64)
    if len(places):
        codes = np.where(known, places.astype(np.int64)[indices], -1)
        empty = np.asarray(words.is_null().to_numpy(zero_copy_only=False), bool)
        known &= ~empty[indices]
    return Coded(codes, ~known, known & (codes < 0))


def nan_as_null(array: Any) -> Any:
    """A column in one chunk in which NaN is missing as a null is."""
    if not arrow().types.is_floating(array.type):
        return array
    return compute().if_else(compute().is_nan(array), arrow().scalar(None, array.type), array)


def is_missing(column: Any) -> Mask:
    """Where a column has no value: null or NaN, (n,)."""
    array = one_chunk(column)
    kind = array.type
    if family(kind) == "number" and not arrow().types.is_integer(kind):
        return np.isnan(numbers(array))
    return np.asarray(compute().is_null(array, nan_is_null=True).to_numpy(zero_copy_only=False), bool)
