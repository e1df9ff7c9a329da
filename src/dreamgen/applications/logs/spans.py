"""Flagged stretches of a log, and what made them odd."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamgen.tables import Windows
from dreamgen.tables.cells import Floats


@dataclass(frozen=True)
class Span:
    """A stretch of a log that is flagged.

    Attributes:
        first, last: its first and last moment, counted in the order of time, one group after the other.
        begins, ends: their time stamps.
        score: the oddness of its oddest moment.
        group: of the log, where it has any.
        why: what was odd in its oddest window, the oddest first; empty where the detector does not say.
    """

    first: int
    last: int
    begins: Any
    ends: Any
    score: float
    group: Any = None
    why: tuple[str, ...] = ()


def spans_of(oddness: Floats, threshold: float, times: npt.NDArray[Any], made: Windows) -> tuple[Span, ...]:
    """Runs of moments beyond the threshold, none over two groups; (n,) in order of time, one group after another."""
    spans: list[Span] = []
    begin = 0
    for part, name in zip(made.parts, made.groups, strict=True):
        odd = oddness[begin : begin + len(part)] > threshold
        edges = np.flatnonzero(np.diff(np.concatenate([[False], odd, [False]]).astype(int))) + begin
        spans += [
            Span(first, end - 1, times[first], times[end - 1], float(oddness[first:end].max()), name)
            for first, end in edges.reshape(-1, 2).tolist()
        ]
        begin += len(part)
    return tuple(spans)


def explained(
    spans: Sequence[Span], made: Windows, rows: Mapping[str, Floats], scores: Floats, detector: Any
) -> tuple[Span, ...]:
    """Spans with what was odd in the oddest window of each, where the detector can say so.

    Args:
        made: the w windows.
        rows: (w,) by name, as the detector reads them.
        scores: (w,) by it.
        detector: perhaps with `explain`, as `AnomalyDetector` has it.
    """
    if not spans or not hasattr(detector, "explain"):
        return tuple(spans)
    place = np.empty(made.log.num_rows, np.int64)
    place[made.order] = np.arange(len(place))
    first, last = place[made.places[:, 0]], place[made.places].max(1, where=made.places >= 0, initial=-1)
    touch = [(first <= span.last) & (last >= span.first) for span in spans]
    oddest = [int(np.argmax(np.where(one, scores, -np.inf))) for one in touch]
    found = detector.explain({name: column[oddest] for name, column in rows.items()}, rows=np.ones(len(oddest), bool))
    return tuple(replace(span, why=tuple(map(str, one))) for span, one in zip(spans, found, strict=True))
