"""What was found in a log: as a table, a picture and a report."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dreamgen.applications.logs.spans import Span
from dreamgen.errors import DataError
from dreamgen.reports import Report
from dreamgen.reports.places import series as draw_series
from dreamgen.tables import Frame, Windows
from dreamgen.tables.cells import Floats, numbers
from dreamgen.tables.extras import arrow

if TYPE_CHECKING:
    import pyarrow as pa

_WORDS = (
    "What was odd in the oddest window of a stretch, and what was expected there. The level is a window's mean; "
    "highest, lowest and part 1 to part 6, the means over its sixths, are told from the level; the trend is the "
    "slope where a window is two long; steps are from one moment to the next, whichever way."
)


def spoken(time: Any) -> str:
    """A time stamp for a person: without the T, and without parts of a second where there are none."""
    text = str(time)
    return text.replace("T", " ").removesuffix(".000000") if isinstance(time, np.datetime64) else text


@dataclass(frozen=True)
class SeriesFindings:
    """What was found in a log of n moments.

    Attributes:
        judged: the log as it came.
        windows: over it; `windows.order` is the order of time, one group after the other.
        times: (n,) time stamps in that order; datetime64 or numbers.
        scores: (w,) how odd each window is; higher is odder.
        threshold: a window beyond it is odd; a moment is flagged where its windows are so on average, which is
            nearer to the odd moment than all that its windows hold.
        oddness: (n,) of each moment, in order of time: the mean over the windows that hold it.
        spans: flagged stretches, in order of time.
        learned: moments that the model learned from, at the beginning of this log; 0: from another log.
        columns: of the windows' table.
        seed: of the detector, where it has one.
    """

    judged: Frame
    windows: Windows
    times: npt.NDArray[Any]
    scores: Floats
    threshold: float
    oddness: Floats
    spans: tuple[Span, ...]
    learned: int = 0
    columns: tuple[str, ...] = field(default=(), repr=False)
    seed: int | None = None

    @property
    def flagged(self) -> npt.NDArray[np.bool_]:
        """(n,) whether each moment is flagged, in order of time."""
        inside = np.zeros(len(self.times), bool)
        for span in self.spans:
            inside[span.first : span.last + 1] = True
        return inside

    def table(self) -> "pa.Table":
        """The log with two more columns, `oddness` and `flagged`, its rows as they came."""
        table, back = self.judged.table, np.argsort(self.windows.order)
        for name, values in (("oddness", self.oddness), ("flagged", self.flagged)):
            if name in table.column_names:
                raise DataError(f"the log has a column {name!r} already: name it otherwise")
            table = table.append_column(name, arrow().array(values[back]))
        return table

    def frame(self) -> Any:
        """`table()` as the caller's kind of frame."""
        return self.judged.like(self.table())

    def picture(self, true: Sequence[tuple[Any, Any]] = ()) -> bytes:
        """The series and their oddness over time, flagged windows shaded, as PNG; groups one after the other.

        Args:
            true: first and last time stamp of each stretch known to be odd, or moments, counted, of many groups.
        """
        made = self.windows
        lines = {name: numbers(made.log.column(name))[made.order] for name in made.columns}
        if len(made.parts) > 1:  # their times overlap
            times, flagged = np.arange(len(self.times)), [(span.first, span.last) for span in self.spans]
        else:
            times, flagged = self.times, [(span.begins, span.ends) for span in self.spans]
        return draw_series(times, lines, flagged, true, self.oddness, self.threshold)

    def report(self, title: str = "Odd windows of a log") -> Report:
        """The findings for a person."""
        report, made = Report(title, self.judged.source), self.windows
        report.facts(
            {
                "moments": len(self.times),
                "series": len(made.columns),
                "windows": len(made),
                "moments in a window": made.length,
                "odd windows": int((self.scores > self.threshold).sum()),
                "flagged stretches": len(self.spans),
                "threshold": self.threshold,
                "seed": self.seed,
            }
        )
        if self.learned:
            report.say(f"The model learned from {self.learned:,} moments at the beginning, which are judged too.")
        for line in made.notes.lines:
            report.warn(line)
        data = {"time": self.times.astype(str), "oddness": self.oddness, "threshold": self.threshold}
        report.figure("The log over time", self.picture(), "series over time, odd windows shaded", data=data)
        rows = [self._row(span) for span in sorted(self.spans, key=lambda span: -span.score)]
        if rows:
            report.table("Flagged stretches, the oddest first", rows, _WORDS if any("why" in r for r in rows) else "")
        return report

    def _row(self, span: Span) -> dict[str, Any]:
        row = {"from": spoken(span.begins), "to": spoken(span.ends), "moments": span.last - span.first + 1}
        row |= {} if span.group is None else {"group": str(span.group)}
        row |= {"score": span.score}
        return row | ({"why": "; ".join(span.why)} if any(one.why for one in self.spans) else {})
