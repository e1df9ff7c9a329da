"""`dreamgen detect --window`: the odd stretches of a sensor log."""

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from dreamgen.cli.common import say

if TYPE_CHECKING:
    from dreamgen.applications.anomaly.detector import AnomalyDetector
    from dreamgen.applications.logs.spans import Span

_SHOWN = 5


def detect_log(
    logs: tuple[str, ...],
    detector: "AnomalyDetector",
    out: Path,
    report: Path | None,
    *,
    window: int,
    time: str | None,
    series: tuple[str, ...],
    group: str | None,
    seed: int,
    as_json: bool,
) -> None:
    """Judge the last of the logs after the first, or after its own beginning where there is one alone."""
    from dreamgen.applications.logs.series import detect_in_series
    from dreamgen.tables import write_table

    started = perf_counter()
    found = detect_in_series(
        logs[0],
        logs[1] if len(logs) > 1 else None,
        time=time,
        columns=series or None,
        group=group,
        window=window,
        false_alarms=detector.contamination,
        detector=detector,
        seed=seed,
    )
    notes = found.windows.notes
    notes.update(write_table(out, found.table()))
    if report:
        found.report().write(report)
    spans = sorted(found.spans, key=lambda span: -span.score)
    result = {
        "out": str(out),
        "moments": len(found.times),
        "windows": len(found.windows),
        "odd_windows": int((found.scores > found.threshold).sum()),
        "threshold": found.threshold,
        "learned_from_own_beginning": found.learned,
        "stretches": [
            {
                **({} if span.group is None else {"group": str(span.group)}),
                "from": str(span.begins),
                "to": str(span.ends),
                "oddness": span.score,
                "moments": span.last - span.first + 1,
                "why": list(span.why),
            }
            for span in spans
        ],
        "seconds": perf_counter() - started,
        "seed": seed,
        "notes": notes.lines,
    }
    stretches = "1 odd stretch" if len(spans) == 1 else f"{len(spans):,} odd stretches"
    of = "" if group is None else " of each group"
    own = f", of which {found.learned:,} at the beginning{of} were learned from" if found.learned else ""
    text = [*notes.lines, f"{stretches} in {len(found.times):,} moments{own}; in {out} each moment has its oddness"]
    text += [f"  {_spoken(span)}" for span in spans[:_SHOWN]]
    say(result, as_json, "\n".join(text))


def _spoken(span: "Span") -> str:
    from dreamgen.applications.logs.findings import spoken

    group = "" if span.group is None else f"{span.group}, "
    why = f"; {', '.join(span.why)}" if span.why else ""
    return f"{group}{spoken(span.begins)} to {spoken(span.ends)}: oddness {span.score:.3g}{why}"
