"""Where a sensor log is odd: windows over it are rows of a table, and rows that the table's model finds unlikely
are flagged.

The model learns from the beginning of a log, or from another log, without labels. The threshold comes from the part
of it that follows what was trained on: windows overlap, so rows held out at random would be known already.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from dreamgen.applications.logs.log import Log, read_log
from dreamgen.applications.logs.windows import Floats, Windows, describe, windows_of
from dreamgen.errors import DataError, SettingsError
from dreamgen.reports import Report
from dreamgen.reports.places import series as draw_series
from dreamgen.tables import read_frame

if TYPE_CHECKING:
    import pyarrow as pa

_DENSE = 12  # windows that begin within the length of one, where a model learns
_CALIBRATION = 0.25  # of the log that is learned from, its end, sets the threshold


class Detector(Protocol):
    """What scores rows of a table: any estimator with these two."""

    def fit(self, X: Any) -> Any:
        """Learn from the rows of a table."""

    def decision_function(self, X: Any) -> npt.NDArray[Any]:
        """How odd each row is, (n,); higher is odder."""


class LikelihoodDetector:
    """-log p of each row under a model of the table, in nats.

    Args:
        random_state: of weights, order and noise.
        samples: K of the importance-weighted bound.
        epochs: of training; None: as many as a table of that length needs, 150 at most.
    """

    def __init__(self, random_state: int = 0, samples: int = 16, epochs: int | None = None) -> None:
        self.random_state, self.samples, self.epochs = random_state, samples, epochs

    def fit(self, X: Any) -> "LikelihoodDetector":
        """Learn from the rows of a table."""
        from dreamgen.applications.table_model import TableModel
        from dreamgen.recipes import RECIPES

        table = read_frame(X).table
        settings = RECIPES["table"].settings.replace(epochs=self.epochs or _epochs(table.num_rows))
        self.model_ = TableModel.fit(table, settings=settings, seed=self.random_state)
        return self

    def decision_function(self, X: Any) -> Floats:
        """How odd each row is, (n,)."""
        return -self.model_.log_likelihood(self.model_.encode(read_frame(X).table), self.samples)


def _epochs(rows: int, most: int = 150, least: int = 20, steps: int = 2200) -> int:
    return int(np.clip(steps * 256 // max(rows, 1), least, most))


@dataclass(frozen=True)
class Span:
    """A stretch of a log that is flagged.

    Attributes:
        first, last: its first and last moment, counted in the order of time.
        begins, ends: their time stamps.
        score: the oddness of its oddest moment.
    """

    first: int
    last: int
    begins: Any
    ends: Any
    score: float


@dataclass(frozen=True)
class SeriesFindings:
    """What was found in a log of n moments.

    Attributes:
        log: what was judged.
        windows: over it.
        scores: (w,) how odd each window is; higher is odder.
        threshold: a window beyond it is odd; a moment is flagged where its windows are so on average, which is
            nearer to the odd moment than all that its windows hold.
        oddness: (n,) of each moment, in order of time: the mean over the windows that hold it.
        spans: flagged stretches, in order of time.
        learned: moments that the model learned from, at the beginning of this log; 0: from another log.
        columns: of the windows' table.
    """

    log: Log
    windows: Windows
    scores: Floats
    threshold: float
    oddness: Floats
    spans: tuple[Span, ...]
    learned: int = 0
    columns: tuple[str, ...] = field(default=(), repr=False)

    @property
    def flagged(self) -> npt.NDArray[np.bool_]:
        """(n,) whether each moment is flagged, in order of time."""
        inside = np.zeros(len(self.log), bool)
        for span in self.spans:
            inside[span.first : span.last + 1] = True
        return inside

    def table(self) -> "pa.Table":
        """The log with two more columns, `oddness` and `flagged`, its rows as they came."""
        from dreamgen.tables.extras import arrow

        pa, table, back = arrow(), self.log.frame.table, np.argsort(self.log.order, kind="stable")
        for name, values in (("oddness", self.oddness), ("flagged", self.flagged)):
            if name in table.column_names:
                raise DataError(f"the log has a column {name!r} already: name it otherwise")
            table = table.append_column(name, pa.array(values[back]))
        return table

    def frame(self) -> Any:
        """`table()` as the caller's kind of frame."""
        return self.log.frame.like(self.table())

    def picture(self, true: Sequence[tuple[Any, Any]] = ()) -> bytes:
        """The series and their oddness over time, flagged windows shaded, as PNG.

        Args:
            true: first and last time stamp of each stretch known to be odd.
        """
        lines = {name: self.log.values[:, i] for i, name in enumerate(self.log.names)}
        flagged = [(span.begins, span.ends) for span in self.spans]
        return draw_series(self.log.times, lines, flagged, true, self.oddness, self.threshold)

    def report(self, title: str = "Odd windows of a log") -> Report:
        """The findings for a person."""
        report, log = Report(title), self.log
        report.facts(
            {
                "moments": len(log),
                "series": len(log.names),
                "windows": len(self.windows),
                "moments in a window": self.windows.length,
                "odd windows": int((self.scores > self.threshold).sum()),
                "flagged stretches": len(self.spans),
                "threshold": self.threshold,
            }
        )
        if self.learned:
            report.say(f"The model learned from the first {self.learned} moments, which are judged too.")
        if log.ignored:
            report.warn(f"Left out, as they hold no numbers: {', '.join(log.ignored)}.")
        data = {"time": log.times.astype(str), "oddness": self.oddness, "threshold": self.threshold}
        report.figure("The log over time", self.picture(), "series over time, odd windows shaded", data=data)
        rows = [
            {"from": str(s.begins), "to": str(s.ends), "moments": s.last - s.first + 1, "score": s.score}
            for s in sorted(self.spans, key=lambda span: -span.score)
        ]
        if rows:
            report.table("Flagged stretches, the oddest first", rows)
        return report


def detect_in_series(
    fit: Any,
    new: Any = None,
    *,
    time: str | None = None,
    columns: Sequence[str] | None = None,
    window: int = 48,
    step: int | None = None,
    share: float = 0.4,
    false_alarms: float = 0.05,
    detector: Detector | None = None,
    seed: int = 0,
) -> SeriesFindings:
    """Flag the windows of a log that are unlike what a model learned.

    Args:
        fit: a log to learn from, normal or mostly so: anything that `read_frame` takes, a row a moment.
        new: a log to judge; None: `fit` itself, of which the first `share` is learned from.
        time: the column of time stamps, dates or numbers; None: the rows are in order.
        columns: the series; None: all columns of numbers.
        window, step: moments in a window, and from one to the next; a quarter of a window by default.
        share: of the log to learn from where `new` is None.
        false_alarms: the share of normal windows that may be flagged.
        detector: None: the likelihood of a table's model.
        seed: of the default detector.

    Raises:
        DataError: a log that is too short or holds no numbers, or that lacks a column that was learned.
        SettingsError: a setting out of its range.
    """
    for name, value in (("share", share), ("false_alarms", false_alarms)):
        if not 0 < value < 1:
            raise SettingsError(f"{name}: expected a share between 0 and 1, got {value!r}")
    known = read_log(fit, time, columns)
    judged = known if new is None else read_log(new, time, known.names)
    learned = round(share * len(known)) if new is None else len(known)
    detector = LikelihoodDetector(seed) if detector is None else detector
    threshold, names = _learn(detector, known, learned, window, step, false_alarms)
    windows = windows_of(len(judged), window, step)
    rows = describe(windows, judged.values, judged.names)
    scores = np.asarray(detector.decision_function({name: rows[name] for name in names}), np.float64)
    oddness = windows.spread(scores)
    return SeriesFindings(
        judged,
        windows,
        scores,
        threshold,
        oddness,
        _spans(oddness, threshold, judged.times),
        learned if new is None else 0,
        tuple(names),
    )


def _learn(
    detector: Detector, log: Log, learned: int, window: int, step: int | None, false_alarms: float
) -> tuple[float, list[str]]:
    """Fit a detector to a log's beginning, and find the threshold on what follows: it, and the columns' names."""
    trained = max(window, round((1 - _CALIBRATION) * learned))
    if learned - trained < window:
        raise DataError(f"expected at least {round(window / _CALIBRATION)} moments to learn from, got {learned}")
    dense = windows_of(trained, window, max(1, window // _DENSE))
    rows = describe(dense, log.values[:trained], log.names)
    # A number that no window has, or all have alike, says nothing.
    rows = {name: column for name, column in rows.items() if len(np.unique(column[~np.isnan(column)])) > 1}
    if not rows:
        raise DataError("no series of the log varies: there is nothing to learn")
    detector.fit(rows)
    after = describe(windows_of(learned - trained, window, step), log.values[trained:learned], log.names)
    scores = np.sort(np.asarray(detector.decision_function({name: after[name] for name in rows}), np.float64))
    # The conformal rank: of m windows and one more, this many may lie beyond.
    rank = int(np.ceil((1 - false_alarms) * (len(scores) + 1))) - 1
    return float(scores[min(rank, len(scores) - 1)]), list(rows)


def _spans(oddness: Floats, threshold: float, times: npt.NDArray[Any]) -> tuple[Span, ...]:
    """Runs of moments beyond the threshold."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], oddness > threshold, [False]]).astype(int)))
    return tuple(
        Span(first, end - 1, times[first], times[end - 1], float(oddness[first:end].max()))
        for first, end in edges.reshape(-1, 2).tolist()
    )
