"""Which rows of a log are in which window, and what is beside them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamgen.errors import DataError
from dreamgen.registry import nearest
from dreamgen.tables.cells import Floats, family, numbers, one_chunk
from dreamgen.tables.extras import arrow
from dreamgen.tables.notes import Notes

if TYPE_CHECKING:
    import pyarrow as pa

_GAP = 1.5  # times the usual step


@dataclass(frozen=True)
class Places:
    """Windows as numbers of rows, (n, length), -1 where there is none; the rows of each group in the order of time;
    the groups' names, None where there is one alone; and what is kept beside the windows."""

    rows: NDArray[np.int64]
    parts: tuple[NDArray[np.int64], ...]
    groups: tuple[Any, ...]
    beside: "pa.Table"


def find_places(
    log: "pa.Table", length: int, stride: int, time: str | None, group: str | None, notes: Notes
) -> Places:
    """The windows of each group in the order of time; see `dreamgen.tables.windows.windows`."""
    parts = in_order(log, time, group, notes)
    short = [part for part in parts if len(part) < length]
    if short:
        what = f"{{n}} rows are in groups shorter than {length}; their windows are filled up with missing cells"
        notes.add("windows", what, sum(map(len, short)))
    rows = np.concatenate([_cut(part, length, stride) for part in parts])
    stamps = None if time is None else _stamps(log, time)
    names = [None if group is None else log.column(group)[int(part[0])].as_py() for part in parts]
    return Places(rows, parts, tuple(names), _beside(log, rows, time, group, _has_gap(rows, stamps)))


def in_order(log: "pa.Table", time: str | None, group: str | None, notes: Notes) -> tuple[NDArray[np.int64], ...]:
    """The rows of each group in the order of time; groups in the order in which they first come.

    Raises:
        DataError: no rows, no such column, rows without a time.
    """
    for name in filter(None, (time, group)):
        if name not in log.column_names:
            raise DataError(f"no column {name!r}: {nearest(name, log.column_names)}")
    if not log.num_rows:
        raise DataError("expected a log with rows, got none")
    groups = _groups(log, group)
    stamps = None if time is None else _stamps(log, time)
    order = np.lexsort((np.arange(len(groups)), groups) if stamps is None else (stamps, groups))
    if stamps is not None:
        unit = " s" if family(log.column(time).type) in ("datetime", "text") else ""
        _note_time(str(time), stamps, groups, order, unit, notes)
    starts = np.flatnonzero(np.diff(groups[order])) + 1
    return tuple(np.split(order, starts))


def _groups(log: Any, group: str | None) -> NDArray[np.int64]:
    """A number for each row's group, in the order in which groups first come."""
    if group is None:
        return np.zeros(log.num_rows, np.int64)
    coded = one_chunk(log.column(group)).dictionary_encode(null_encoding="encode")
    return np.asarray(coded.indices.to_numpy(zero_copy_only=False), np.int64)


def _stamps(log: Any, time: str) -> Floats:
    try:
        stamps = numbers(log.column(time))
    except (arrow().ArrowInvalid, arrow().ArrowNotImplementedError) as error:
        raise DataError(f"column {time!r}: expected times or numbers: {error}") from error
    if np.isnan(stamps).any():
        row = int(np.flatnonzero(np.isnan(stamps))[0])
        raise DataError(f"column {time!r}: expected a time in every row, got none in row {row}")
    return stamps


def _note_time(
    time: str, stamps: Floats, groups: NDArray[np.int64], order: NDArray[np.int64], unit: str, notes: Notes
) -> None:
    came = np.argsort(groups, kind="stable")
    if late := int((np.diff(stamps[came])[np.diff(groups[came]) == 0] < 0).sum()):
        notes.column(time, "{n} rows come earlier than the row before; sorted", late)
    steps = np.diff(stamps[order])[np.diff(groups[order]) == 0]
    if len(steps):
        usual = float(np.median(steps))
        odd = int((np.abs(steps - usual) > 1e-6 * max(1.0, abs(usual))).sum())
        if odd:
            notes.column(time, f"{{n}} of {len(steps):,} steps are not the usual {usual:,g}{unit}", odd)


def _cut(part: NDArray[np.int64], length: int, stride: int) -> NDArray[np.int64]:
    """The windows of one group, (n, length)."""
    if len(part) < length:
        return np.concatenate([part, np.full(length - len(part), -1)])[None]
    starts = np.arange(0, len(part) - length + 1, stride)
    if starts[-1] + length < len(part):
        starts = np.r_[starts, len(part) - length]  # one more, that ends with the group
    made: NDArray[np.int64] = part[starts[:, None] + np.arange(length)]
    return made


def _has_gap(rows: NDArray[np.int64], stamps: Floats | None) -> NDArray[np.bool_]:
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
