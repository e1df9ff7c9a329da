"""A log: rows with time stamps, as series in the order of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamgen.applications.logs.windows import Floats
from dreamgen.errors import DataError
from dreamgen.registry import nearest
from dreamgen.tables import Frame, read_frame


@dataclass(frozen=True)
class Log:
    """A log in the order of its time stamps.

    Attributes:
        frame: as it came.
        order: (n,) the rows in order of time.
        times: (n,) datetime64 or numbers.
        names: of the d series.
        values: (n, d), NaN where it was not observed.
        ignored: columns that hold no numbers.
    """

    frame: Frame
    order: npt.NDArray[np.int64]
    times: npt.NDArray[Any]
    names: list[str]
    values: Floats
    ignored: list[str]

    def __len__(self) -> int:
        return len(self.times)


def read_log(source: Any, time: str | None = None, columns: Sequence[str] | None = None) -> Log:
    """A log in the order of its time stamps; see `detect_in_series`."""
    frame = read_frame(source)
    names = frame.table.column_names
    for name in [*([time] if time else []), *(columns or [])]:
        if name not in names:
            raise DataError(f"{frame.source} has no column {name!r}: {nearest(name, names)}")
    times = np.arange(len(frame)) if time is None else _times(frame, time)
    wanted = [name for name in (columns or names) if name != time]
    numbers = {name: values for name in wanted if (values := _numbers(frame, name)) is not None}
    if not numbers:
        raise DataError(f"{frame.source}: expected a column of numbers, got none")
    missing = [name for name in columns or () if name not in numbers and name != time]
    if missing:
        raise DataError(f"{frame.source}: expected numbers in column {missing[0]!r}")
    order = np.argsort(times, kind="stable")
    values = np.column_stack(list(numbers.values()))[order]
    ignored = [name for name in wanted if name not in numbers]
    return Log(frame, order, times[order], list(numbers), values, ignored)


def _times(frame: Frame, name: str) -> npt.NDArray[Any]:
    from dreamgen.tables.extras import arrow

    pa, column = arrow(), frame.table.column(name)
    if column.null_count:
        raise DataError(
            f"{frame.source}, {name!r}: expected a time stamp in each row, {column.null_count} are missing"
        )
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        try:
            column = column.cast(pa.timestamp("us"))
        except pa.ArrowInvalid as error:
            raise DataError(f"{frame.source}, {name!r}: expected time stamps: {error}") from error
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        return np.asarray(column.cast(pa.timestamp("us")).to_numpy())
    if pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        return np.asarray(column.to_numpy())
    raise DataError(f"{frame.source}, {name!r}: expected time stamps or numbers, got {column.type}")


def _numbers(frame: Frame, name: str) -> Floats | None:
    """A column as floats, NaN where nothing was observed; None where it holds no numbers."""
    from dreamgen.tables.extras import arrow

    pa, column = arrow(), frame.table.column(name)
    kinds = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean)
    if not any(kind(column.type) for kind in kinds):
        return None
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    values: Floats = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), np.float64)
    return np.where(np.isfinite(values), values, np.nan)
