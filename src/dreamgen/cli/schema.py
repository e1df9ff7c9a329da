"""`dreamgen schema`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamgen.cli.common import common_options, say
from dreamgen.cli.output import write_out
from dreamgen.errors import SettingsError
from dreamgen.experiments.tables import as_text
from dreamgen.registry import shorten

if TYPE_CHECKING:
    from dreamgen.tables import Column

_RARE = 5  # rare categories that are named


@click.command()
@click.argument("data")
@click.option("--kind", "kinds", multiple=True, metavar="NAME=KIND", help="The kind of a column; may be repeated.")
@common_options(out="Where to write the schema, as TOML, to be changed and given to the verbs that read tables.")
def schema(data: str, kinds: tuple[str, ...], out: Path | None, seed: int, as_json: bool) -> None:
    """Find out what the columns of DATA hold: a .csv, .tsv or .parquet file, or a glob of them in quotes."""
    from dreamgen.tables import infer_schema, read_frame

    frame = read_frame(data)
    found = infer_schema(frame.table, _kinds(kinds))
    frame.notes.update(found.notes)
    if out:
        write_out(out, found.to_toml().encode())
    result: dict[str, Any] = {
        "rows": len(frame),
        "columns": [_brief(column) for column in found],
        "notes": frame.notes.lines,
        "out": str(out) if out else None,
    }
    rows = [
        {
            "column": shorten(column.name)[1:-1],
            "kind": column.kind,
            "missing": f"{column.summary['missing']:.1%}" if "missing" in column.summary else None,
            "holds": _holds(column),
        }
        for column in found
    ]
    lines = [as_text(rows), f"{len(frame)} rows", *frame.notes.lines, *([f"schema in {out}"] if out else [])]
    say(result, as_json, "\n".join(lines))


def _brief(column: "Column") -> dict[str, Any]:
    """A column's facts, of its rare categories a few and their number; the schema's file has them all."""
    facts = column.to_dict()
    if len(column.rare) > _RARE:
        facts |= {"rare": facts["rare"][:_RARE], "rare_in_all": len(column.rare)}
        facts["rare_counts"] = facts.get("rare_counts", [])[:_RARE]
    return facts


def _kinds(given: tuple[str, ...]) -> dict[str, str]:
    kinds = {}
    for text in given:
        name, equals, kind = text.rpartition("=")
        if not equals or not name:
            raise SettingsError(f"--kind {shorten(text)}: expected NAME=KIND")
        kinds[name] = kind
    return kinds


def _holds(column: "Column") -> str:
    """The facts of a column, in a few words."""
    if column.kind == "identifier":
        return "a key; left out"
    if column.kind == "constant":
        return "nothing; left out" if column.value is None else f"only {shorten(column.value)}; left out"
    if column.levels:
        top = [str(value) for value, _ in column.summary.get("top", [])[:3]]
        rare = f", {len(column.rare)} rare" if column.rare else ""
        return shorten(f"{len(column.categories)} values{rare}: {', '.join(top)}")[1:-1]
    low, high = (_bound(column, value) for value in (column.low, column.high))
    spikes = f", often {', '.join(f'{value:.6g}' for value in column.spikes)}" if column.spikes else ""
    return f"{low} to {high}{spikes}"


def _bound(column: "Column", value: float | None) -> str:
    if value is not None and column.kind == "datetime":
        from datetime import UTC, datetime

        return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%d %H:%M:%S")
    return "–" if value is None else f"{value:.6g}"
