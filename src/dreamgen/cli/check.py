"""`dreamgen check`."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamgen.cli.bars import counting
from dreamgen.cli.common import common_options, say
from dreamgen.cli.lines import molecules_in, write_table
from dreamgen.cli.output import check_out

if TYPE_CHECKING:
    from dreamgen.chemistry.checks import Check

_FEW = 40  # molecules whose shapes one process finds


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--conformer/--no-conformer", default=True, show_default=True, help="Look for a shape of each, and its energy."
)
@click.option(
    "--qed", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Least drug-likeness of a candidate."
)
@click.option(
    "--sa", type=click.FloatRange(1, 10), default=4.0, show_default=True, help="A candidate is no harder to make."
)
@click.option(
    "--alerts", type=click.IntRange(0), default=0, show_default=True, help="Most structural alerts of a candidate."
)
@common_options(out="The table, .csv, a row for each molecule; by default checked.csv.")
def check(
    file: Path,
    conformer: bool,
    qed: float,
    sa: float,
    alerts: int,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Check the molecules of FILE (.smi, .smiles, .txt, or .csv with a column smiles), as `dream` writes them.

    For each whether it is valid, drug-likeness (QED, 0 to 1), ease of synthesis (SA, 1 easy to 10), structural alerts
    (PAINS, Brenk, NIH), whether a three-dimensional shape is found, and its energy in kcal/mol. A candidate is valid,
    within --qed, --sa and --alerts, and has a shape, unless none is looked for.
    """
    from dreamgen.chemistry.checks import Limits, check_molecules, passes
    from dreamgen.workers import workers_for

    path = check_out(out, "checked.csv", (".csv",))
    molecules = molecules_in(file)
    for note in molecules.notes:
        click.echo(f"dreamgen: {file.name}: {note}", err=True)
    limits = Limits(qed=qed, sa=sa, alerts=alerts, conformer=conformer)
    started = time.perf_counter()
    workers = workers_for(len(molecules.texts), _FEW)
    with counting("molecules checked") as watch:
        rows = check_molecules(molecules.texts, conformer=conformer, workers=workers, watch=watch)
    seconds = time.perf_counter() - started
    chosen = [passes(row, limits) for row in rows]
    write_table(path, _columns(molecules.texts, molecules.lines, rows, chosen))
    result: dict[str, Any] = {
        "out": str(path),
        "n": len(rows),
        "valid": sum(row["valid"] for row in rows),
        "candidates": sum(chosen),
        "seconds": seconds,
        "molecules_per_hour": len(rows) / seconds * 3600,
        "candidates_per_hour": sum(chosen) / seconds * 3600,
    }
    say(result, as_json, _text(result))


def _columns(texts: list[str], lines: list[int], rows: "list[Check]", chosen: list[bool]) -> dict[str, list[Any]]:
    found = {name: [_plain(row[name]) for row in rows] for name in rows[0]}  # type: ignore[literal-required]
    return {"line": lines, "written": texts, **found, "candidate": [int(one) for one in chosen]}


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, bool) else value


def _text(result: dict[str, Any]) -> str:
    found = f"{result['n']:,} molecules in {result['out']}: {result['valid']:,} valid"
    hourly = [f"{result[f'{what}_per_hour']:,.0f} {what}" for what in ("molecules", "candidates")]
    return f"{found}, {result['candidates']:,} candidates\n{result['seconds']:.1f} s: {' and '.join(hourly)} an hour"
