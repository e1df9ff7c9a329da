"""Gaps of sensor logs as rows of a table: what a sensor did beside what was known before and after the gap.

At a time t, a gap reaches `a` rows back and `b` rows ahead to the next values. For each sensor j, over those same
reaches, with L_j the straight line between its last value before and its first after:

    rest_j = x_j - L_j       what a straight line misses; unobserved where x_j is
    line_j = L_j,   slope_j = after - before,   bend_j = mean of the values beyond the gap, within the window, - L_j

with a and b themselves and the clock. A model of such rows gives rest_i of a gap of sensor i given what all the other
sensors did at that time and everything around the gap. A rest of 0 is linear interpolation, so a model that has
learned nothing is no worse than that. Training rows are times with gaps of the lengths that the log has, made up
anywhere; where nothing lies within the window, L_j is the sensor's mean.

Letters: n rows, c sensors, r rows to be filled or learned from.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamgen.tables.cells import Floats, family, numbers, one_chunk
from dreamgen.tables.extras import arrow
from dreamgen.tables.notes import Notes
from dreamgen.tables.places import in_order

Ints = NDArray[np.int64]
PARTS = ("rest", "line", "slope", "bend")
_MOST = 20_000  # training rows
_FAR = 0.1  # share of training rows whose gap is longer than the window
_DAY, _YEAR = 86_400.0, 365.25 * 86_400.0


@dataclass(frozen=True)
class Log:
    """A log in the order of its groups and times.

    Attributes:
        values: (n, c), NaN where missing.
        clock: (n, k), of the time of the day and of the year, or the time itself.
        first, end: where the group of each row begins, and the first row after it, (n,).
        order: the caller's row numbers, (n,).
    """

    values: Floats
    clock: Floats
    first: Ints
    end: Ints
    order: Ints


def read_log(table: Any, sensors: list[str], time: str | None, group: str | None) -> Log:
    """A table as a log; raises DataError for no rows, a column that is not there, or times that are missing."""
    parts = in_order(table, time, group, Notes())
    order, sizes = np.concatenate(parts), [len(part) for part in parts]
    starts = np.cumsum([0, *sizes[:-1]])
    values = np.stack([numbers(table.column(name)) for name in sensors], 1)[order]
    values[~np.isfinite(values)] = np.nan
    is_date = time is not None and family(one_chunk(table.column(time)).type) in ("datetime", "text")
    clock = np.zeros((len(order), 0)) if time is None else _clock(numbers(table.column(time))[order], is_date)
    return Log(values, clock, np.repeat(starts, sizes), np.repeat(starts + sizes, sizes), order)


def _clock(times: Floats, is_date: bool) -> Floats:
    if not is_date:
        return times[:, None]
    turns = 2 * np.pi * np.stack([times / _DAY, times / _YEAR], 1)
    return np.concatenate([np.sin(turns), np.cos(turns)], 1)


class LogRows:
    """Rows about gaps of a log.

    Args:
        log: the log.
        window: how far a gap's ends are looked for, in rows.
        mean: of each sensor, (c,), for where nothing lies within the window.
    """

    def __init__(self, log: Log, window: int, mean: Floats) -> None:
        self.log, self.window, self.mean = log, window, mean
        n, c = log.values.shape
        seen, at = np.isfinite(log.values), np.arange(n)[:, None]
        # The last row at or before each with a value, and the first at or after; -1 and n where there is none.
        self._last = np.maximum.accumulate(np.where(seen, at, -1), 0)
        self._next = np.minimum.accumulate(np.where(seen, at, n)[::-1], 0)[::-1]
        self._sums = np.concatenate([np.zeros((1, c)), np.cumsum(np.where(seen, log.values, 0.0), 0)])
        self._counts = np.concatenate([np.zeros((1, c)), np.cumsum(seen, 0)])

    def gaps(self, sensor: int) -> tuple[Ints, Ints, Ints]:
        """Rows t in which a sensor has no value, with the reaches a and b to the next ones; window + 1: too far."""
        log, t = self.log, np.flatnonzero(np.isnan(self.log.values[:, sensor]))
        last, following = self._last[t, sensor], self._next[t, sensor]
        a = np.where(last >= log.first[t], t - last, self.window + 1)
        b = np.where(following < log.end[t], following - t, self.window + 1)
        return t, np.minimum(a, self.window + 1), np.minimum(b, self.window + 1)

    def about(self, t: Ints, a: Ints, b: Ints) -> Floats:
        """Columns about gaps, (r, 4c + 2 + k), in the order of `column_names`."""
        log, n = self.log, len(self.log.values)
        left, right = t - a, t + b
        before_row = np.where((left >= log.first[t])[:, None], self._last[np.maximum(left, 0)], -1)
        after_row = np.where((right < log.end[t])[:, None], self._next[np.minimum(right, n - 1)], n)
        least, most = np.maximum(log.first[t], t - self.window), np.minimum(log.end[t] - 1, t + self.window)
        has_before, has_after = before_row >= least[:, None], after_row <= most[:, None]
        column = np.arange(log.values.shape[1])
        before = np.where(has_before, log.values[np.maximum(before_row, 0), column], np.nan)
        after = np.where(has_after, log.values[np.minimum(after_row, n - 1), column], np.nan)
        span = np.where(has_before & has_after, after_row - before_row, 1)
        share = np.where(has_before & has_after, (t[:, None] - before_row) / span, 0.0)
        line = np.where(
            has_before & has_after, before + share * (after - before), np.where(has_before, before, after)
        )
        line = np.where(np.isnan(line), self.mean, line)
        beyond = self._mean_beyond(least, left, right, most)
        parts = [log.values[t] - line, line, after - before, beyond - line]
        reaches = np.log(np.stack([a, b], 1).astype(np.float64))
        return np.concatenate([*parts, reaches, log.clock[t]], 1)

    def _mean_beyond(self, least: Ints, left: Ints, right: Ints, most: Ints) -> Floats:
        """Means of the values of rows least..left and right..most, (r, c); NaN where there are none."""
        sums = np.zeros((len(left), self.log.values.shape[1]))
        counts = np.zeros_like(sums)
        for start, stop in ((least, left + 1), (right, most + 1)):
            stop, start = np.clip(stop, 0, len(self._sums) - 1), np.clip(start, 0, len(self._sums) - 1)
            some = (stop > start)[:, None]
            sums = sums + np.where(some, self._sums[stop] - self._sums[start], 0.0)
            counts = counts + np.where(some, self._counts[stop] - self._counts[start], 0.0)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)

    def straight(self) -> Floats:
        """The log with straight lines in its gaps, and beyond its ends the nearest value, or the mean, (n, c)."""
        values, n = self.log.values, len(self.log.values)
        at, column = np.arange(n)[:, None], np.arange(values.shape[1])
        has_before, has_after = self._last >= self.log.first[:, None], self._next < self.log.end[:, None]
        before = np.where(has_before, values[np.maximum(self._last, 0), column], np.nan)
        after = np.where(has_after, values[np.minimum(self._next, n - 1), column], np.nan)
        share = (at - self._last) / np.maximum(self._next - self._last, 1)
        line = np.where(
            has_before & has_after, before + share * (after - before), np.where(has_before, before, after)
        )
        return np.where(np.isnan(line), self.mean, line)

    def training(self, seed: int) -> Floats:
        """Columns about gaps that are made up, (r, 4c + 2 + k)."""
        return self.about(*self.made_up(seed))

    def made_up(self, seed: int) -> tuple[Ints, Ints, Ints]:
        """Rows t with reaches a and b of gaps, of the lengths that the log has, and of all up to the window."""
        random = np.random.default_rng([seed, 7])
        n = len(self.log.values)
        count = min(_MOST, 4 * n)
        t = random.permutation(np.resize(np.arange(n), count))
        lengths = [a + b - 1 for _, a, b in map(self.gaps, range(self.log.values.shape[1]))]
        own = np.concatenate(lengths)
        length = np.exp(random.uniform(0, np.log(self.window + 1), count)).astype(np.int64)
        if len(own):
            length = np.where(random.random(count) < 0.5, random.choice(own, count), length)
        back = (random.random(count) * length).astype(np.int64)
        a, b = np.minimum(back + 1, self.window + 1), np.minimum(np.maximum(length - back, 1), self.window + 1)
        far = random.random(count) < _FAR
        return t, np.where(far, self.window + 1, a), np.where(far, self.window + 1, b)


def column_names(sensors: list[str], clock: int) -> list[str]:
    """The names of the columns of `LogRows.about`."""
    named = [f"{sensor} {part}" for part in PARTS for sensor in sensors]
    return [*named, "rows back", "rows ahead", *(f"clock {i + 1}" for i in range(clock))]


def as_table(columns: Floats, names: list[str]) -> Any:
    """Columns as an Arrow table, missing as null."""
    pa = arrow()
    return pa.table(
        {name: pa.array(columns[:, i], pa.float64(), mask=np.isnan(columns[:, i])) for i, name in enumerate(names)}
    )
