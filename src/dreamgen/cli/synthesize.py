"""`dreamgen synthesize`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamgen.cli.bars import progress
from dreamgen.cli.common import asked_settings, common_options, device_option, plain_warnings, say
from dreamgen.cli.output import REPORTS, check_out, check_table_out
from dreamgen.errors import SettingsError
from dreamgen.registry import nearest

if TYPE_CHECKING:
    import pyarrow as pa

    from dreamgen.applications.synthesis.synthesizer import Synthesizer


@click.command()
@click.argument("source", required=False)
@click.option("-n", "rows", type=click.IntRange(1), help="Rows to make; by default as many as are learned from.")
@click.option(
    "--where",
    "conditions",
    multiple=True,
    metavar="COLUMN=VALUE",
    help="What rows are to be: sex=Female, education=Bachelors|Masters, age=30..40, occupation= (empty); repeatable.",
)
@click.option("--constraint", "constraints", multiple=True, metavar="A<=B", help="What each row keeps; repeatable.")
@click.option(
    "--schema", type=click.Path(path_type=Path), help="What the columns hold, as TOML; by default inferred."
)
@click.option(
    "--model", type=click.Path(path_type=Path), help="A model that was saved or shared, instead of a training."
)
@click.option("--save", type=click.Path(path_type=Path), help="Folder for the model, to draw from again.")
@click.option(
    "--share", type=click.Path(path_type=Path), help="Folder for what may be handed on: no row, no encoder."
)
@click.option("--report", type=click.Path(path_type=Path), help="Write what the rows are worth: .html or .json.")
@click.option("--test", help="Rows that are not learned from, to judge by.")
@click.option(
    "--holdout",
    type=click.FloatRange(0, 0.5),
    default=0.2,
    show_default=True,
    help="Share of SOURCE kept to judge by, where there is a --report and no --test.",
)
@click.option("--epsilon", type=click.FloatRange(0, min_open=True), help="Train with differential privacy.")
@click.option(
    "--delta", type=click.FloatRange(0, 1, min_open=True), default=1e-5, show_default=True, help="Of --epsilon."
)
@click.option("--target", help="The column that a judge of the rows' use predicts.")
@click.option(
    "--augment",
    is_flag=True,
    help="In the --report: do synthetic rows help a judge of --target that has only 100, 500 or 2,000 real ones?",
)
@click.option("-o", "overrides", multiple=True, metavar="NAME=VALUE", help="Change one setting; repeatable.")
@device_option
@common_options(out="The rows: .parquet, .csv or .tsv; by default synthetic.parquet.")
def synthesize(
    source: str | None,
    rows: int | None,
    conditions: tuple[str, ...],
    constraints: tuple[str, ...],
    schema: Path | None,
    model: Path | None,
    save: Path | None,
    share: Path | None,
    report: Path | None,
    test: str | None,
    holdout: float,
    epsilon: float | None,
    delta: float,
    target: str | None,
    augment: bool,
    overrides: tuple[str, ...],
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Make rows like those of SOURCE, a table (CSV, Parquet), or of a --model without any data."""
    from dreamgen.applications.synthesis.conditions import read_condition
    from dreamgen.tables import write_table

    out = check_table_out(out, "synthetic.parquet")
    if report is not None:
        check_out(report, "report.html", REPORTS)
    if source is None and (model is None or report is not None):
        raise SettingsError("SOURCE: expected a table, which only a --model without a --report can do without")
    if model is not None and (constraints or schema or epsilon or overrides):
        raise SettingsError(
            f"--constraint, --schema, --epsilon and -o: not with --model, {model} has learned already"
        )
    if report is None and (test or target):
        raise SettingsError("--test and --target: expected --report with them")
    if augment and not (report and target and (test or holdout)):
        raise SettingsError("--augment: expected --report and --target with it, and rows to judge by")
    if augment and (model or epsilon):
        raise SettingsError("--augment: not with --model or --epsilon, it trains on few rows without noise")
    apart = holdout if report is not None and model is None else 0.0
    train, held_out, met = _sources(source, test, apart, conditions, seed)
    with plain_warnings():
        if model is not None:
            synthesizer = _load(model, device)
        else:
            synthesizer = _fit(
                train,
                schema,
                overrides,
                constraints=constraints,
                epsilon=epsilon,
                delta=delta,
                device=device,
                random_state=None if epsilon else seed,  # who knows a private seed knows the noise
            )
        if save is not None:  # before anything else can fail
            synthesizer.save(save)
        wanted = dict(read_condition(text, synthesizer.schema_) for text in conditions)
        count = rows or (1000 if train is None else train.num_rows)
        made = synthesizer.sample_table(count, wanted, seed)
        notes = [*met, *synthesizer.notes_, *write_table(out, made)]
        result: dict[str, Any] = {"out": str(out), "rows": made.num_rows, "seed": seed, "notes": notes}
        if ledger := synthesizer.model_.saved.card.get("privacy"):
            result["privacy"] = ledger
        if save is not None:
            result["model"] = str(save)
        if share is not None:
            result["shared"] = {"folder": str(share), "left": synthesizer.share(share)}
        if report is not None:
            from dreamgen.applications.synthesis.report import NOT_PRIVATE

            assert train is not None
            if wanted:
                synthesizer.notes_.add("report", "of all rows, not of those that meet the conditions")
            if model is not None:
                synthesizer.notes_.say(f"{source} is taken for the table that {model} learned from", "report")
            judged = None if wanted else made
            written = synthesizer.report(train, held_out, target=target, synthetic=judged, seed=seed, augment=augment)
            written.write(report)
            if synthesizer.model_.saved.private:
                notes.append(NOT_PRIVATE)
            result |= {"report": str(report), "held_out": 0 if held_out is None else held_out.num_rows}
    say(result, as_json, _text(result))


def _sources(
    source: str | None, test: str | None, holdout: float, conditions: tuple[str, ...], seed: int
) -> "tuple[pa.Table | None, pa.Table | None, list[str]]":
    """Rows to learn from, rows to judge by, and what reading met; None where there are no such rows."""
    from dreamgen.tables import read_frame

    if source is None:
        return None, None, []
    frame = read_frame(source)
    for text in conditions:  # before the training, which takes longer than a typing error deserves
        if (name := text.partition("=")[0]) not in frame.table.column_names:
            raise SettingsError(f"--where {name!r}: no such column: {nearest(name, frame.table.column_names)}")
    if test is not None:
        return frame.table, read_frame(test).table, frame.notes.lines
    train, held_out = _split(frame.table, holdout, seed) if holdout else (frame.table, None)
    return train, held_out, frame.notes.lines


def _fit(train: "pa.Table", schema: Path | None, overrides: tuple[str, ...], **options: Any) -> "Synthesizer":
    from dreamgen.applications.synthesis.synthesizer import SETTINGS, Synthesizer
    from dreamgen.tables import read_schema

    base = SETTINGS
    if options["epsilon"] is not None:
        from dreamgen.applications.private_table import PRIVATE

        base = PRIVATE
    changes = asked_settings(overrides, base)
    # A private training finds names of categories by itself: those of the table would be a look that is not counted.
    known = None if schema is None else read_schema(schema, train, kinds_alone=options["epsilon"] is not None)
    with progress() as on_record:
        return Synthesizer(known, settings=changes, **options).fit(train, on_record=on_record)


def _load(model: Path, device: str) -> "Synthesizer":
    from dreamgen.applications.synthesis.synthesizer import Synthesizer

    return Synthesizer.load(model, device)


def _split(table: "pa.Table", share: float, seed: int) -> tuple["pa.Table", "pa.Table"]:
    """Rows to learn from, and rows to judge by."""
    import numpy as np

    order = np.random.default_rng(seed).permutation(table.num_rows)
    cut = int(table.num_rows * share)
    train, held_out = (table.take(np.sort(part)) for part in (order[cut:], order[:cut]))
    return train, held_out


def _text(result: dict[str, Any]) -> str:
    lines = [*result["notes"], f"{result['rows']:,} rows in {result['out']}"]
    if ledger := result.get("privacy"):
        told = f"epsilon {ledger['epsilon']:.3g}, delta {ledger['delta']:.3g}"
        lines.append(f"rows and model are differentially private: {told}")
    if "model" in result:
        lines.append(f"the model in {result['model']}, for those who have the data")
    if "shared" in result:
        lines.append(f"what may be handed on in {result['shared']['folder']}")
    if "report" in result:
        kept = f"; {result['held_out']:,} rows were kept to judge by" if result["held_out"] else ""
        lines.append(f"what they are worth in {result['report']}{kept}")
    elif "privacy" not in result:
        lines.append("what they give away was not measured; --report does")
    return "\n".join(lines)
