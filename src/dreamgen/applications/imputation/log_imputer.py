"""Gaps of a sensor log, filled by a model of rows about gaps (`dreamgen.applications.imputation.log_rows`)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamgen.applications.imputation.coverage import Coverage
from dreamgen.applications.imputation.gaps import Gaps, find_gaps
from dreamgen.applications.imputation.log_coverage import measure_log
from dreamgen.applications.imputation.log_refine import LogRefiner
from dreamgen.applications.imputation.log_rows import PARTS, LogRows, as_table, column_names, read_log
from dreamgen.data.batch import Batch
from dreamgen.errors import DataError, ModelFileError
from dreamgen.tables import Codec, Notes, infer_schema
from dreamgen.tables.cells import Floats, family
from dreamgen.tables.types import parse_type

if TYPE_CHECKING:
    from dreamgen.applications.imputation.imputer import Imputer

Ints = NDArray[np.int64]
_WIDEST = 2**31  # rows to look back; more is no log


class LogImputer:
    """What is put into the gaps of a log's sensors.

    Args:
        imputer: of rows about gaps.
        sensors: the columns of numbers that are filled.
        mean: of each in training.
        window, time, group: as `Imputer` has them.
        refiner: what to expect of gaps; None: the imputer's own means.
    """

    def __init__(
        self,
        imputer: "Imputer",
        sensors: list[str],
        mean: Floats,
        window: int,
        time: str | None,
        group: str | None,
        refiner: LogRefiner | None = None,
    ) -> None:
        self.imputer, self.sensors, self.mean = imputer, sensors, mean
        self.window, self.time, self.group = window, time, group
        self.refiner = refiner
        self.coverage = Coverage()

    @classmethod
    def fit(
        cls,
        imputer: "Imputer",
        codec: Codec,
        table: Any,
        window: int,
        time: str | None,
        group: str | None,
        refine: bool = True,
        **run: Any,
    ) -> "LogImputer":
        """Train an unfitted imputer on rows about made-up gaps of a log; raises DataError where it has no sensors."""
        columns = [column for column in codec.schema.modelled if column.name not in (time, group)]
        sensors = [c.name for c in columns if family(parse_type(c.dtype)) == "number"]
        if not sensors:
            raise DataError("expected a log with columns of numbers beside time and group, got none")
        log = read_log(table, sensors, time, group)
        mean = np.nanmean(log.values, 0)
        names = column_names(sensors, log.clock.shape[1])
        about, seed = LogRows(log, window, mean), run.pop("seed")
        rows = as_table(about.training(seed), names)
        imputer.schema = infer_schema(rows, dict.fromkeys(names, "real"))
        imputer.fit(rows, asked=[f"{sensor} {PARTS[0]}" for sensor in sensors], **run)
        imputer.schema = None
        refiner = LogRefiner.fit(about, seed) if refine else None
        made = cls(imputer, sensors, mean, window, time, group, refiner)
        made.coverage = measure_log(made, about, seed)
        return made

    def fill(
        self, gaps: Gaps, guess: Callable[[Batch], list[Floats]] | None = None, tables: int = 1
    ) -> tuple[list[Floats], Notes]:
        """Numbers for the gaps of the sensors.

        Args:
            gaps: the log.
            guess: numbers in their own units, (r, d) each, for rows about gaps; moved by what the refiner expects
                beside the imputer's means. None: what is expected.
            tables: how many it gives.

        Returns:
            For each table that `guess` gives, numbers (n, d) of the log's columns, NaN where nothing is filled; and
            what could not be bridged.
        """
        log = read_log(gaps.table, self.sensors, self.time, self.group)
        rows = LogRows(log, self.window, self.mean)
        found = [rows.gaps(i) for i in range(len(self.sensors))]
        t, a, b = (np.concatenate(parts) for parts in zip(*found, strict=True))
        sensor = np.repeat(np.arange(len(self.sensors)), [len(part[0]) for part in found])
        column = np.array([gaps.codec.names.index(name) for name in self.sensors])[sensor]
        made = []
        for numbers in self._guessed(rows, t, a, b, sensor, guess) if len(t) else [np.zeros(0)] * tables:
            values = np.full((len(log.order), len(gaps.codec.names)), np.nan)
            values[log.order[t], column] = numbers
            made.append(values)
        notes = self._notes(t, a, b, sensor)
        for name in gaps.codec.names:
            if name not in self.sensors and (left := int(gaps.cells[name].sum())):
                notes.column(name, "{n} gaps stay: of a log, only columns of numbers are filled", left)
        return made, notes

    def _guessed(
        self,
        rows: LogRows,
        t: Ints,
        a: Ints,
        b: Ints,
        sensor: Ints,
        guess: Callable[[Batch], list[Floats]] | None,
    ) -> list[Floats]:
        """Numbers of the gaps, (r,) each."""
        refined = None if self.refiner is None else self.refiner.fill(rows)[t, sensor]
        if guess is None and refined is not None:
            return [refined]
        about = rows.about(t, a, b)
        batch = find_gaps(
            self.imputer.codec_, as_table(about, column_names(self.sensors, rows.log.clock.shape[1]))
        ).rows
        names = {name: j for j, name in enumerate(self.imputer.codec_.names)}
        place = np.array([names.get(f"{name} {PARTS[0]}", -1) for name in self.sensors])[sensor]
        line = about[np.arange(len(t)), len(self.sensors) + sensor]
        model = line if guess is not None and refined is None else line + _at(self._means(batch), place)
        if guess is None:
            return [model]
        start = line if refined is None else line + refined - model
        return [start + _at(numbers, place) for numbers in guess(batch)]

    def _means(self, batch: Batch) -> Floats:
        return self.imputer.predictor.expected(batch)[0]

    def _notes(self, t: Ints, a: Ints, b: Ints, sensor: Ints) -> Notes:
        notes = Notes()
        far = (a > self.window) & (b > self.window)
        for i in np.unique(sensor[far]):
            notes.column(
                self.sensors[i],
                f"{{n}} cells lie more than {self.window} rows from any value; filled from the other columns",
                int((far & (sensor == i)).sum()),
            )
        return notes

    def to_dict(self) -> dict[str, Any]:
        """Plain values beside the imputer, which is saved apart."""
        return {
            "sensors": self.sensors,
            "mean": [float(m) for m in self.mean],
            "window": self.window,
            "time": self.time,
            "group": self.group,
        }

    @classmethod
    def from_dict(cls, imputer: "Imputer", values: Any, trees: bytes | None = None) -> "LogImputer":
        """From plain values, and what `LogRefiner.to_bytes` gave; raises ModelFileError."""
        try:
            mean = np.array([float(m) for m in values["mean"]])
            made = cls(
                imputer,
                list(map(str, values["sensors"])),
                mean,
                int(values["window"]),
                values["time"],
                values["group"],
            )
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ModelFileError(f"expected facts about a log: {error}") from error
        right = len(mean) == len(made.sensors) and 1 <= made.window <= _WIDEST and bool(np.isfinite(mean).all())
        if not right or not all(name is None or isinstance(name, str) for name in (made.time, made.group)):
            raise ModelFileError("expected facts about a log: sensors with their means, a window, names of columns")
        if trees is not None:
            made.refiner = LogRefiner.from_bytes(trees, len(made.sensors))
        return made


def _at(guessed: Floats, place: Ints) -> Floats:
    """The number of each row at its place; 0 where a sensor never strays from its lines and has no column."""
    found: Floats = np.where(place >= 0, guessed[np.arange(len(place)), np.maximum(place, 0)], 0.0)
    return found
