"""`dreamgen few-labels`."""

from pathlib import Path

import click

from dreamgen.cli.bars import watching
from dreamgen.cli.common import common_options, device_option, plain_warnings, say


@click.command("few-labels")
@click.argument("data", default="mnist")
@click.option("--each", type=click.IntRange(1), default=10, show_default=True, help="Labels of every class.")
@device_option
@common_options(out="Folder for the models; by default runs/few-labels.")
def few_labels(data: str, each: int, device: str, out: Path | None, seed: int, as_json: bool) -> None:
    """What a classifier gains from pictures without labels, and from dreams: all labels of DATA are hidden but a few.
    The same command goes on where it was stopped."""
    from dreamgen.data import load_data
    from dreamgen.experiments.few_labels import few_labels as run
    from dreamgen.experiments.few_labels import recipes_for
    from dreamgen.experiments.tables import as_text

    folder, dataset = out or Path("runs") / "few-labels", load_data(data)
    with plain_warnings(), watching() as watch:
        found = run(dataset, recipes_for(dataset), folder, each=each, seed=seed, device=device, watch=watch)
    result = {
        "out": str(folder),
        "data": dataset.name,
        "seed": seed,
        "each": each,
        "table": found.table,
        "spread_right": found.spread,
    }
    text = f"{as_text(found.table)}\n\nof the labels that were spread and believed, {found.spread:.1%} are right"
    say(result, as_json, text)
