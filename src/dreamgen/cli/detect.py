"""`dreamgen detect`."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dreamgen.cli.bars import progress
from dreamgen.cli.common import FIT_ROWS, asked_settings, common_options, device_option, plain_warnings, say
from dreamgen.cli.detect_log import detect_log
from dreamgen.cli.output import REPORTS, check_out, check_table_out
from dreamgen.errors import SettingsError

if TYPE_CHECKING:
    from dreamgen.applications.anomaly.detector import AnomalyDetector
    from dreamgen.tables import Notes

_RATE = 0.05  # of usual rows that are flagged


@click.command()
@click.argument("tables", nargs=-1, required=True, metavar="[FIT] NEW")
@click.option("--score", help="combined, likelihood, neighbours, ...; by default combined.")
@click.option("--contamination", type=float, help="The share of usual rows that is flagged; by default 0.05.")
@click.option("--trim", type=float, default=0.0, help="Share of FIT, its oddest rows, that is not learned from.")
@click.option("--columns", "most", type=click.IntRange(0), help="Columns named for an odd row; by default 3.")
@click.option("--schema", type=click.Path(path_type=Path), help="A TOML file that says what the columns hold.")
@click.option("--model", type=click.Path(path_type=Path), help="A folder of --save: judge with it, learn nothing.")
@click.option("--save", type=click.Path(path_type=Path), help="Keep the detector in this folder.")
@click.option("--report", type=click.Path(path_type=Path), help="An .html or .json file on what was flagged.")
@click.option("--window", type=click.IntRange(2), help="NEW is a log: judge stretches of so many moments.")
@click.option("--time", "time_column", help="With --window: the column of time stamps; by default rows are in order.")
@click.option("--series", multiple=True, help="With --window: a column to judge by; repeatable.")
@click.option("--group", help="With --window: the column that tells several logs apart.")
@click.option("-o", "overrides", multiple=True, metavar="NAME=VALUE", help="Change one setting; repeatable.")
@device_option
@common_options(out="The judged rows, .csv, .tsv or .parquet; by default flagged.csv.")
def detect(
    tables: tuple[str, ...],
    score: str | None,
    contamination: float | None,
    trim: float,
    most: int | None,
    schema: Path | None,
    model: Path | None,
    save: Path | None,
    report: Path | None,
    window: int | None,
    time_column: str | None,
    series: tuple[str, ...],
    group: str | None,
    overrides: tuple[str, ...],
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Find the odd rows of NEW after those of FIT, files or globs (.csv, .tsv, .parquet).

    NEW is written with four columns more: whether a row is odd, how odd, how likely that is of a usual row, and why.
    With --window, NEW is a sensor log and gets `oddness` and `flagged`; without FIT, its beginning is learned from.
    """
    from dreamgen.applications.anomaly.detector import AnomalyDetector
    from dreamgen.applications.anomaly.one_pass import judge_file
    from dreamgen.applications.anomaly.report import detection_report, facts
    from dreamgen.evaluation.conformal import too_few
    from dreamgen.tables import Notes

    out = check_table_out(out, "flagged.csv")
    if report is not None:
        check_out(report, "report.html", REPORTS)
    if (time_column or series or group) and window is None:
        raise SettingsError("--time, --series and --group: expected --window with them")
    if window is not None:
        if model or save or schema or most is not None or len(tables) > 2:
            raise SettingsError(
                "--window goes with [FIT] NEW, --time, --series, --group, --score, --contamination, --trim, -o and "
                "--report"
            )
        rate = _RATE if contamination is None else contamination
        with plain_warnings():
            detector = AnomalyDetector(
                rate,
                score or "combined",
                settings=asked_settings(overrides),
                trim=trim,
                device=device,
                random_state=seed,
            )
            detect_log(
                tables,
                detector,
                out,
                report,
                window=window,
                time=time_column,
                series=series,
                group=group,
                seed=seed,
                as_json=as_json,
            )
        return
    if len(tables) != (1 if model else 2):
        raise SettingsError(f"expected {'NEW alone with --model' if model else 'two tables, FIT and NEW'}")
    if model and (schema or trim or overrides):
        raise SettingsError(f"--schema, --trim and -o: not with --model, the detector in {model} has learned already")
    learned, notes, started = Notes(), Notes(), time.perf_counter()
    with plain_warnings():
        if model:
            detector = _loaded(model, score, contamination, device)
        else:
            detector = _fitted(tables[0], schema, score, contamination, trim, overrides, device, seed, learned)
        seconds, started = time.perf_counter() - started, time.perf_counter()
        if save:
            detector.save(save)
        tally = judge_file(detector, tables[-1], out, notes, 3 if most is None else most)
        judging = time.perf_counter() - started
        lines = [*(f"FIT: {line}" for line in learned), *notes]
        if few := too_few(detector.calibration_rows_, detector.contamination):
            lines.append(few)
        if report:
            detection_report(detector, tally, tables[-1], lines).write(report)
    result = {
        "out": str(out),
        **facts(detector, tally),
        "fit_seconds": seconds,
        "rows_per_second": tally.rows / max(judging, 1e-9),
        "seed": detector.seed_,
        "notes": lines,
    }
    share = tally.odd / tally.rows
    text = [*lines, f"{tally.odd:,} of {tally.rows:,} rows are odd ({share:.1%}); all are in {out}"]
    for row in facts(detector, tally)["oddest"][:5]:
        text.append(f"  row {row['row']:,}: {row['why'] or 'odd as a whole'}")
    say(result, as_json, "\n".join(text))


def _fitted(
    source: str,
    schema: Path | None,
    score: str | None,
    contamination: float | None,
    trim: float,
    overrides: tuple[str, ...],
    device: str,
    seed: int,
    notes: "Notes",
) -> "AnomalyDetector":
    from dreamgen.applications.anomaly.detector import AnomalyDetector
    from dreamgen.tables import read_schema, some_rows

    table = some_rows(source, FIT_ROWS, seed, notes)
    detector = AnomalyDetector(
        _RATE if contamination is None else contamination,
        score or "combined",
        schema=read_schema(schema, table) if schema else None,
        settings=asked_settings(overrides),
        trim=trim,
        device=device,
        random_state=seed,
    )
    with progress() as on_record:
        detector.fit(table, on_record=on_record)
    notes.update(detector.notes_)
    return detector


def _loaded(model: Path, score: str | None, contamination: float | None, device: str) -> "AnomalyDetector":
    from dreamgen.applications.anomaly.detector import AnomalyDetector

    detector = AnomalyDetector.load(model, device)
    if score is not None:
        detector.set_score(score)
    if contamination is not None:
        detector.set_threshold(contamination)
    return detector
