"""Sensor logs as tables: a row is a window of the log, with its time stamps beside it; and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamgen.errors import DataError, SettingsError
from dreamgen.registry import nearest, shorten
from dreamgen.tables.cells import Floats, family, numbers, one_chunk
from dreamgen.tables.extras import arrow
from dreamgen.tables.frames import read_frame
from dreamgen.tables.notes import Notes
from dreamgen.tables.places import Places, average, find_places
from dreamgen.tables.window_features import features_of

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Windows:
    """Windows of a log.

    Attributes:
        table: a row for each of n windows: columns "name@0" .. "name@length-1", or features such as "name: level".
        beside: start and end of each window (its time stamps, or numbers of rows), its group if there are any, and
            gap: whether time stamps are missing in it. Not modelled.
        log: the rows that the windows were cut from.
        columns: which of the log's columns are in the table.
        parts: the rows of each group in the order of time.
        groups: their names; None where there is one alone.
        places: which row of the log each cell is, (n, length); -1 past the end of a group shorter than a window.
        loc, scale: what was taken off and divided by in each window, (n, columns); 0 and 1 where it was not.
        notes: what cutting met.
    """

    table: "pa.Table"
    beside: "pa.Table"
    log: "pa.Table"
    columns: tuple[str, ...]
    parts: tuple[NDArray[np.int64], ...]
    groups: tuple[Any, ...]
    places: NDArray[np.int64]
    loc: Floats
    scale: Floats
    notes: Notes

    def __len__(self) -> int:
        return len(self.places)

    @property
    def length(self) -> int:
        """Rows of a window."""
        return int(self.places.shape[1])

    @property
    def whole(self) -> NDArray[np.bool_]:
        """Which windows are not filled up, (n,)."""
        return self.places[:, -1] >= 0

    @property
    def order(self) -> NDArray[np.int64]:
        """The log's rows, (m,), one group after the other, each in the order of time."""
        return np.concatenate(self.parts)

    def spread(self, values: NDArray[Any], how: str = "mean") -> Floats:
        """A number of each window, (n,), to each row of the log, (m,): the mean or max of the windows that hold it.

        A row in no window, where these stand apart, gets that of the next one in time that is in one.
        """
        if how not in ("mean", "max"):
            raise SettingsError(f"how: expected mean or max, got {shorten(how)}")
        there = self.places >= 0
        rows, each = self.places[there], np.broadcast_to(np.asarray(values, np.float64)[:, None], there.shape)[there]
        if how == "max":
            made = np.full(self.log.num_rows, -np.inf)
            np.maximum.at(made, rows, each)
        else:
            made = average(rows, each, self.log.num_rows)
        held = np.zeros(len(made), bool)
        held[rows] = True
        order = self.order
        known = np.flatnonzero(held[order])  # a group's last row always is
        made[order] = made[order[known[np.searchsorted(known, np.arange(len(order)))]]]
        return made


def windows(
    source: Any,
    length: int,
    stride: int | None = None,
    *,
    time: str | None = None,
    group: str | None = None,
    columns: Sequence[str] | None = None,
    normalise: bool = False,
    values: bool = True,
    features: bool = False,
) -> Windows:
    """Cut a log into windows.

    Every row is in a window: the last one of a group ends with it, and a group shorter than a window is filled up
    with missing cells.

    Args:
        source: what `read_frame` takes; rows are in the order of time.
        length: rows of a window.
        stride: rows between the starts of two; by default `length`, so that none overlap.
        time: the column of time stamps or counts; rows are sorted by it within a group.
        group: a column such as the machine's; no window holds rows of two.
        columns: which to cut; by default all the others, or all the other numbers if they are to be computed with.
        normalise: whether each window of each column gets zero mean and unit deviation.
        values: whether the table has the cells themselves.
        features: whether it has level, spread, trend, extremes, steps and coarse course of each column in each
            window; see `dreamgen.tables.window_features`.

    Raises:
        DataError: no such column, no rows, a column of texts to compute with.
        SettingsError: a length or stride below 1, neither values nor features.
    """
    stride = length if stride is None else stride
    if length < 1 or stride < 1:
        raise SettingsError(f"expected length and stride of 1 or more, got {length} and {stride}")
    if not values and not features:
        raise SettingsError("expected values, features, or both, got neither")
    frame = read_frame(source)
    log, notes = frame.table, Notes()
    notes.update(frame.notes)
    for name in columns or ():
        if name not in log.column_names:
            raise DataError(f"no column {name!r}: {nearest(name, log.column_names)}")
    chosen = _choose(log, columns, (time, group), normalise or features, notes)
    places = find_places(log, length, stride, time, group, notes)
    cells = {name: numbers(log.column(name)) for name in chosen} if normalise or features else {}
    loc, scale = _moments(cells, chosen, places.rows) if normalise else _unchanged(places, chosen)
    made: dict[str, Any] = {}
    for j, name in enumerate(chosen):
        if values:
            cut = (_cut(cells[name], places.rows) - loc[:, j, None]) / scale[:, j, None] if normalise else None
            for k in range(length):
                made[f"{name}@{k}"] = _cells(log, name, places.rows[:, k]) if cut is None else _floats(cut[:, k])
        if features:
            made |= {f"{name}: {key}": _floats(v) for key, v in features_of(_cut(cells[name], places.rows)).items()}
    kept = (places.parts, places.groups, places.rows)
    return Windows(arrow().table(made), places.beside, log, tuple(chosen), *kept, loc, scale, notes)


def _choose(
    log: Any, columns: Sequence[str] | None, beside: Sequence[str | None], numeric: bool, notes: Notes
) -> list[str]:
    chosen = [name for name in log.column_names if name not in beside] if columns is None else list(columns)
    others = [name for name in chosen if family(log.schema.field(name).type) not in ("number", "boolean", "null")]
    if numeric and others:
        if columns is not None:
            raise DataError(f"column {others[0]!r}: expected numbers to compute with, got other things")
        for name in others:
            notes.column(name, "holds no numbers; left out of the windows")
        chosen = [name for name in chosen if name not in others]
    if not chosen:
        raise DataError("expected a log with columns to cut, got none")
    return chosen


def _unchanged(places: Places, chosen: Sequence[str]) -> tuple[Floats, Floats]:
    shape = (len(places.rows), len(chosen))
    return np.zeros(shape), np.ones(shape)


def _cut(values: Floats, places: NDArray[np.int64]) -> Floats:
    """The cells of all windows, (n, length), NaN where there are none."""
    return np.where(places >= 0, values[places], np.nan)


def _moments(cells: dict[str, Floats], chosen: Sequence[str], places: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Mean and deviation of each window, (n, columns); 0 and 1 where nothing or only one value is there."""
    loc, scale = np.zeros((len(places), len(chosen))), np.ones((len(places), len(chosen)))
    for j, name in enumerate(chosen):
        cut = _cut(cells[name], places)
        there = np.isfinite(cut)
        count = np.maximum(there.sum(1), 1)
        loc[:, j] = np.where(there, cut, 0).sum(1) / count
        spread = np.sqrt(np.where(there, np.square(cut - loc[:, j, None]), 0).sum(1) / count)
        tiny = spread <= 1e-9 * np.abs(loc[:, j])  # rounding of a window that does not vary
        scale[:, j] = np.where(tiny, 1, spread)
    return loc, scale


def _floats(values: Floats) -> Any:
    return arrow().array(values, from_pandas=True)


def _cells(log: Any, name: str, rows: NDArray[np.int64]) -> Any:
    return one_chunk(log.column(name)).take(arrow().array(rows, mask=rows < 0))
