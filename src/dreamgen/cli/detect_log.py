"""`dreamgen detect --window`: the odd stretches of a sensor log."""

import time
from pathlib import Path

from dreamgen.cli.common import say

_SHOWN = 5


def detect_log(
    logs: tuple[str, ...],
    out: Path,
    report: Path | None,
    window: int,
    time_column: str | None,
    series: tuple[str, ...],
    group: str | None,
    score: str,
    contamination: float,
    device: str,
    seed: int,
    as_json: bool,
) -> None:
    """Judge the last of the logs after the first, or after its own beginning where there is one alone."""
    from dreamgen.applications.anomaly.detector import AnomalyDetector
    from dreamgen.applications.logs.findings import spoken
    from dreamgen.applications.logs.series import detect_in_series
    from dreamgen.tables import write_table

    started = time.perf_counter()
    found = detect_in_series(
        logs[0],
        logs[1] if len(logs) > 1 else None,
        time=time_column,
        columns=series or None,
        group=group,
        window=window,
        false_alarms=contamination,
        detector=AnomalyDetector(contamination, score, device=device, random_state=seed),
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
                "from": str(span.begins),
                "to": str(span.ends),
                "oddness": span.score,
                "moments": span.last - span.first + 1,
                "why": list(span.why),
            }
            for span in spans
        ],
        "seconds": time.perf_counter() - started,
        "seed": seed,
        "notes": notes.lines,
    }
    text = [*notes.lines, f"{len(spans)} odd stretches in {len(found.times):,} moments; all are in {out}"]
    text += [
        f"  {spoken(span.begins)} to {spoken(span.ends)}: {span.score:.3g}{_why(span.why)}" for span in spans[:_SHOWN]
    ]
    say(result, as_json, "\n".join(text))


def _why(reasons: tuple[str, ...]) -> str:
    return f"; {', '.join(reasons)}" if reasons else ""
