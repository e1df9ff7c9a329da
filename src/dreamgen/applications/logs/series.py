"""Where a sensor log is odd: windows over it are rows of a table, and rows that a detector finds odd are flagged.

The model learns from the beginning of a log, or from another log, without labels. The threshold comes from the part
of it that follows what was trained on: windows overlap, so rows held out at random would be known already.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dreamgen.applications.anomaly.detector import AnomalyDetector
from dreamgen.applications.logs.findings import SeriesFindings
from dreamgen.applications.logs.spans import explained, spans_of
from dreamgen.errors import DataError, SettingsError
from dreamgen.evaluation.conformal import threshold_at, too_few
from dreamgen.tables import Notes, Windows, read_frame, windows
from dreamgen.tables.cells import Floats, numbers, times
from dreamgen.tables.places import in_order

Rows = dict[str, Floats]
Places = npt.NDArray[np.int64]
Cut = Callable[..., Windows]

_DENSE = 12  # windows that begin within the length of one, where a model learns
_CALIBRATION = 0.25  # of the log that is learned from, its end, sets the threshold


class Detector(Protocol):
    """What scores rows of a table: any estimator with these two."""

    def fit(self, X: Any) -> Any:
        """Learn from the rows of a table."""

    def decision_function(self, X: Any) -> npt.NDArray[Any]:
        """How odd each row is, (n,); higher is odder."""


def detect_in_series(
    fit: Any,
    new: Any = None,
    *,
    time: str | None = None,
    group: str | None = None,
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
        group: a column such as the machine's; no window holds rows of two, and each has a beginning of its own.
        columns: the series; None: all columns of numbers.
        window, step: moments in a window, and from one to the next; a quarter of a window by default.
        share: of the log to learn from where `new` is None.
        false_alarms: the share of normal windows that may be flagged.
        detector: None: an `AnomalyDetector`. One that can `explain` says what made a span odd.
        seed: of the default detector.

    Raises:
        DataError: a log that is too short or holds no numbers, or that lacks a column that was learned.
        SettingsError: a setting out of its range.
    """
    for name, value in (("share", share), ("false_alarms", false_alarms)):
        if not 0 < value < 1:
            raise SettingsError(f"{name}: expected a share between 0 and 1, got {value!r}")
    step = max(1, window // 4) if step is None else step
    for name, value, least in (("window", window, 2), ("step", step, 1)):
        if value < least:
            raise SettingsError(f"{name}: expected {least} or more moments, got {value}")
    known = read_frame(fit)
    parts = in_order(known.table, time, group, Notes())
    trained, after = _beginnings(parts, share if new is None else 1.0, window)
    chosen = None if columns is None else [name for name in columns if name not in (time, group)]
    cut: Cut = partial(windows, length=window, time=time, group=group, values=False, features=True)
    dense = cut(known.table.take(trained), stride=max(1, window // _DENSE), columns=chosen)
    calibration = cut(known.table.take(after), stride=step, columns=dense.columns)
    detector = AnomalyDetector(random_state=seed) if detector is None else detector
    threshold, names = _learn(detector, dense, calibration, false_alarms)
    few = too_few(int(calibration.whole.sum()), false_alarms, "windows, which overlap")
    frame = known if new is None else read_frame(new)
    made = cut(frame, stride=step, columns=chosen if new is None else dense.columns)
    if not made.whole.any():
        raise DataError(f"expected a log of at least one window, {window} moments, got {made.log.num_rows}")
    for line in () if new is None else known.notes:
        made.notes.say(line, "the log that was learned from")
    if few:
        made.notes.say(few)
    rows = _rows(made, names)
    scores = np.asarray(detector.decision_function(rows), np.float64)
    oddness = made.spread(scores)[made.order]
    stamps = np.arange(len(oddness)) if time is None else times(made.log.column(time))[made.order]
    spans = spans_of(oddness, threshold, stamps, made)
    return SeriesFindings(
        frame,
        made,
        stamps,
        scores,
        threshold,
        oddness,
        explained(spans, made, rows, scores, detector),
        len(trained) + len(after) if new is None else 0,
        tuple(names),
        getattr(detector, "seed_", getattr(detector, "random_state", None)),
    )


def _beginnings(parts: Sequence[Places], share: float, window: int) -> tuple[Places, Places]:
    """Rows to train on and rows that set the threshold: in each group, these follow those."""
    trained, after = [], []
    for part in parts:
        learned = round(share * len(part))
        end = max(window, round((1 - _CALIBRATION) * learned))
        trained.append(part[: min(end, learned)])
        after.append(part[end:learned])
    if max(map(len, after)) < window:
        most = max(len(one) + len(other) for one, other in zip(trained, after, strict=True))
        raise DataError(f"expected at least {round(window / _CALIBRATION)} moments to learn from, got {most}")
    return np.concatenate(trained), np.concatenate(after)


def _rows(made: Windows, names: Sequence[str]) -> Rows:
    return {name: numbers(made.table.column(name)) for name in names}


def _learn(detector: Detector, dense: Windows, calibration: Windows, false_alarms: float) -> tuple[float, list[str]]:
    """Fit a detector to windows, and find the threshold on others: it, and the columns' names."""
    rows = {name: column[dense.whole] for name, column in _rows(dense, dense.table.column_names).items()}
    # A number that no window has, or all have alike, says nothing.
    rows = {name: column for name, column in rows.items() if len(np.unique(column[~np.isnan(column)])) > 1}
    if not rows:
        raise DataError("no series of the log varies: there is nothing to learn")
    detector.fit(rows)
    held = {name: column[calibration.whole] for name, column in _rows(calibration, list(rows)).items()}
    scores = np.sort(np.asarray(detector.decision_function(held), np.float64))
    return threshold_at(scores, false_alarms), list(rows)
