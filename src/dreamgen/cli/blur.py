"""`dreamgen blur`."""

from pathlib import Path

import click

from dreamgen.cli.bars import watching
from dreamgen.cli.common import common_options, device_option, epochs_option, plain_warnings, say


@click.command()
@click.argument("data", default="mnist")
@epochs_option
@click.option("--rows", type=click.IntRange(2), default=2000, show_default=True, help="Test rows to measure on.")
@device_option
@common_options(out="Folder for the models and pictures; by default runs/blur.")
def blur(data: str, epochs: int | None, rows: int, device: str, out: Path | None, seed: int, as_json: bool) -> None:
    """Why pictures are blurred: a toy with exact answers, how neighbouring pixels hang together, and cross-entropy
    beside squared error on DATA. The same command goes on where it was stopped."""
    from dreamgen.data import load_data
    from dreamgen.experiments.blur import blur as run
    from dreamgen.experiments.blur_report import draw, tables, text
    from dreamgen.experiments.fitting import settings_for

    folder, dataset = out or Path("runs") / "blur", load_data(data)
    with plain_warnings(), watching() as watch:
        settings = settings_for("mnist", dataset, epochs)
        found = run(dataset, settings, folder, rows=rows, seed=seed, device=device, watch=watch)
        pictures = draw(found, folder, seed)
    result = {"out": str(folder), "data": dataset.name, "seed": seed, "rows": len(found.x), **tables(found)}
    where = "\n".join(f"{name:<10} {path}" for name, path in pictures.items())
    say({**result, "pictures": pictures}, as_json, f"{text(found)}\n\n{where}")
