"""`dreamgen impute`."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamgen.cli.bars import progress
from dreamgen.cli.common import FIT_ROWS, common_options, device_option, plain_warnings, say, was_given
from dreamgen.cli.output import REPORTS, check_out, check_table_out
from dreamgen.errors import SettingsError

if TYPE_CHECKING:
    from dreamgen.applications.imputation.imputer import Imputer
    from dreamgen.tables import Notes


@click.command()
@click.argument("data")
@click.option(
    "-m", "draws", type=click.IntRange(1), help="Files of draws, NAME-1 .. NAME-m, instead of one of means."
)
@click.option("--model", type=click.Path(path_type=Path), help="A folder of --save: fill with it, learn nothing.")
@click.option("--save", type=click.Path(path_type=Path), help="Keep the model in this folder.")
@click.option("--schema", type=click.Path(path_type=Path), help="A TOML file that says what the columns hold.")
@click.option("--report", type=click.Path(path_type=Path), help="An .html or .json file on what was filled.")
@click.option("--window", type=click.IntRange(1), help="DATA is a log: rows to look back and ahead over a gap.")
@click.option("--time", "time_column", help="With --window: the column to order rows by.")
@click.option("--group", help="With --window: the column that tells logs apart.")
@click.option(
    "--steps",
    type=click.IntRange(1),
    help="Steps of the training; by default 4,000, of a log 1,000; of few rows 500 of a second model beside.",
)
@device_option
@common_options(out="The filled table, .csv, .tsv or .parquet; by default DATA's name with -full.")
def impute(
    data: str,
    draws: int | None,
    model: Path | None,
    save: Path | None,
    schema: Path | None,
    report: Path | None,
    window: int | None,
    time_column: str | None,
    group: str | None,
    steps: int | None,
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Fill the gaps of DATA, a file or a glob (.csv, .tsv, .parquet).

    Without -m, numbers get their conditional mean and categories their likeliest value. With -m 5, five files hold
    draws, which keep the spread that means lose.
    """
    from dreamgen.applications.imputation.one_pass import fill_file
    from dreamgen.applications.imputation.report import imputation_report
    from dreamgen.tables import Notes

    paths = _outputs(out or _default_out(data), draws)
    if report:
        check_out(report, "report.html", REPORTS)
    if window is None and (time_column or group):
        raise SettingsError("--time and --group: expected --window with them")
    with plain_warnings():
        notes = Notes()
        imputer, seconds = _fitted(data, model, schema, (window, time_column, group), steps, device, seed, notes)
        if save:
            imputer.save(save)
        started = time.perf_counter()
        tally = fill_file(imputer, data, paths, notes, draws)
        filling = time.perf_counter() - started
    if report:
        imputation_report(imputer, tally, data, notes.lines, draws).write(report)
    result = {
        "out": [str(path) for path in paths],
        **tally.to_dict(),
        "draws": draws,
        "coverage": imputer.coverage_.calibrated,
        "coverage_of": "held-out rows" if imputer.log_ is None else "the log learned from",
        "fit_seconds": seconds,
        "rows_per_second": tally.rows / max(filling, 1e-9),
        "seed": imputer.seed_,
        "notes": notes.lines,
    }
    say(result, as_json, "\n".join(_lines(result, notes)))


def _lines(result: dict[str, Any], notes: "Notes") -> list[str]:
    held = result["coverage"]
    return [
        *notes.lines,
        f"filled {result['filled']:,} of {result['missing']:,} empty cells in {result['rows']:,} rows, "
        f"{result['rows_per_second']:,.0f} rows a second",
        "too few held-out numbers to check intervals"
        if held is None
        else f"90% intervals held {held:.1%} of hidden numbers of {result['coverage_of']}",
        *result["out"],
    ]


def _default_out(data: str) -> Path:
    name = Path(data).name
    if any(sign in name for sign in "*?["):
        return Path("full.parquet")
    stem, _, suffix = name.removesuffix(".gz").rpartition(".")
    return Path(f"{stem}-full.{suffix}")


def _outputs(out: Path, draws: int | None) -> list[Path]:
    """The files to be written, refused before any work is done."""
    check_table_out(out, "full.csv")
    if draws is None:
        return [out]
    name = out.name.removesuffix(".gz")
    stem, _, suffix = name.rpartition(".")
    return [out.with_name(f"{stem}-{i + 1}.{suffix}{out.name[len(name) :]}") for i in range(draws)]


def _fitted(
    data: str,
    model: Path | None,
    schema: Path | None,
    log: tuple[int | None, str | None, str | None],
    steps: int | None,
    device: str,
    seed: int,
    notes: "Notes",
) -> tuple["Imputer", float]:
    from dreamgen.applications.imputation.imputer import Imputer
    from dreamgen.tables import read_frame, read_schema, some_rows

    if model:
        for name, given in (("--schema", schema), ("--steps", steps), ("--window", log[0])):
            if given:
                raise SettingsError(f"{name}: the model in {model} has one already")
        imputer = Imputer.load(model, device)
        if was_given("seed"):  # of the draws; the training's is in the folder
            imputer.seed_ = seed
        return imputer, 0.0
    started = time.perf_counter()
    table = read_frame(data) if log[0] else some_rows(data, FIT_ROWS, seed, notes)
    imputer = Imputer(
        schema=read_schema(schema, table) if schema else None,
        steps=steps,
        window=log[0],
        time=log[1],
        group=log[2],
        device=device,
        random_state=seed,
    )
    with progress() as on_record:
        imputer.fit(table, on_record=on_record)
    notes.update(imputer.notes_)
    return imputer, time.perf_counter() - started
