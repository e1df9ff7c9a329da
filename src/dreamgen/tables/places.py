"""Which rows of a log are in which window, and what is beside them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamgen.errors import DataError
from dreamgen.tables.cells import Floats, numbers, one_chunk
from dreamgen.tables.extras import arrow
from dreamgen.tables.notes import Notes

if TYPE_CHECKING:
    import pyarrow as pa

_GAP = 1.5  # times the usual step


@dataclass(frozen=True)
class Places:
    """Windows as numbers of rows, (n, length), -1 where there is none; and what is kept beside them."""

    rows: NDArray[np.int64]
    beside: "pa.Table"


def find_places(
    log: "pa.Table", length: int, stride: int, time: str | None, group: str | None, notes: Notes
) -> Places:
    """The windows of each group in the order of time; see `dreamgen.tables.windows.windows`."""
    if not log.num_rows:
        raise DataError("expected a log with rows, got none")
    groups = _groups(log, group)
    stamps = None if time is None else _stamps(log, time)
    order = np.lexsort((np.arange(len(groups)), groups) if stamps is None else (stamps, groups))
    if stamps is not None:
        _note_time(str(time), stamps, groups, order, notes)
    starts = np.flatnonzero(np.r_[True, np.diff(groups[order]) != 0])
    parts = np.split(order, starts[1:])
    short = [part for part in parts if len(part) < length]
    if short:
        what = f"{{n}} rows are in groups shorter than {length}; their windows are filled up with missing cells"
        notes.add("windows", what, sum(map(len, short)))
    rows = np.concatenate([_cut(part, length, stride) for part in parts])
    return Places(rows, _beside(log, rows, time, group, _has_gap(rows, stamps, groups)))


def _groups(log: Any, group: str | None) -> NDArray[np.int64]:
    """A number for each row's group, in the order in which groups first come."""
    if group is None:
        return np.zeros(log.num_rows, np.int64)
    coded = one_chunk(log.column(group)).dictionary_encode(null_encoding="encode")
    return np.asarray(coded.indices.to_numpy(zero_copy_only=False), np.int64)


def _stamps(log: Any, time: str) -> Floats:
    try:
        stamps = numbers(log.column(time))
    except arrow().ArrowInvalid as error:
        raise DataError(f"column {time!r}: expected times or numbers: {error}") from error
    if np.isnan(stamps).any():
        row = int(np.flatnonzero(np.isnan(stamps))[0])
        raise DataError(f"column {time!r}: expected a time in every row, got none in row {row}")
    return stamps


def _note_time(time: str, stamps: Floats, groups: NDArray[np.int64], order: NDArray[np.int64], notes: Notes) -> None:
    if (np.diff(order) < 0).any():
        same = groups[1:] == groups[:-1]
        notes.column(
            time, "{n} rows come earlier than the row before; sorted", int((np.diff(stamps)[same] < 0).sum())
        )
    steps = np.diff(stamps[order])[np.diff(groups[order]) == 0]
    if len(steps):
        usual = float(np.median(steps))
        odd = int((np.abs(steps - usual) > 1e-6 * max(1.0, abs(usual))).sum())
        if odd:
            notes.column(time, f"{{n}} of {len(steps)} steps are not the usual {usual:g}", odd)


def _cut(part: NDArray[np.int64], length: int, stride: int) -> NDArray[np.int64]:
    """The windows of one group, (n, length)."""
    if len(part) < length:
        return np.concatenate([part, np.full(length - len(part), -1)])[None]
    starts = np.arange(0, len(part) - length + 1, stride)
    if starts[-1] + length < len(part):
        starts = np.r_[starts, len(part) - length]  # one more, that ends with the group
    made: NDArray[np.int64] = part[starts[:, None] + np.arange(length)]
    return made


def _has_gap(rows: NDArray[np.int64], stamps: Floats | None, groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    if stamps is None or rows.shape[1] < 2:
        return np.zeros(len(rows), bool)
    steps = np.where((rows >= 0)[:, 1:], np.diff(stamps[rows], axis=1), np.nan)
    usual = np.nanmedian(steps) if np.isfinite(steps).any() else np.nan
    return np.asarray((np.nan_to_num(steps, nan=-np.inf) > _GAP * usual).any(1))


def _beside(log: Any, rows: NDArray[np.int64], time: str | None, group: str | None, gap: NDArray[np.bool_]) -> Any:
    pa = arrow()
    last = rows[np.arange(len(rows)), (rows >= 0).sum(1) - 1]
    stamps = pa.array(np.arange(log.num_rows)) if time is None else one_chunk(log.column(time))
    columns = {"start": stamps.take(pa.array(rows[:, 0])), "end": stamps.take(pa.array(last))}
    if group is not None:
        columns["group"] = one_chunk(log.column(group)).take(pa.array(rows[:, 0]))
    return pa.table({**columns, "gap": pa.array(gap)})


def average(rows: NDArray[np.int64], values: Floats, n: int) -> Floats:
    """The mean of the values of each of n rows, (n,); NaN for a row without one."""
    count = np.bincount(rows, minlength=n)
    total = np.bincount(rows, weights=values, minlength=n)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
