"""`dreamgen strokes`."""

from pathlib import Path

import click

from dreamgen.cli.bars import watching
from dreamgen.cli.common import common_options, device_option, epochs_option, plain_warnings, say


@click.command()
@click.argument("data", default="mnist")
@epochs_option
@click.option("--rows", type=click.IntRange(3), default=10_000, show_default=True, help="Test rows to measure on.")
@device_option
@common_options(out="Folder for the models and pictures; by default runs/strokes.")
def strokes(
    data: str, epochs: int | None, rows: int, device: str, out: Path | None, seed: int, as_json: bool
) -> None:
    """Measure slant and thickness of the strokes in DATA, and correlate every latent with them, of a model with beta
    1 and one with beta 4. The same command goes on where it was stopped."""
    from dreamgen.data import load_data
    from dreamgen.experiments.fitting import settings_for
    from dreamgen.experiments.strokes import draw
    from dreamgen.experiments.strokes import strokes as run
    from dreamgen.experiments.tables import as_text

    folder, dataset = out or Path("runs") / "strokes", load_data(data)
    with plain_warnings(), watching() as watch:
        settings = settings_for("mnist", dataset, epochs)
        found = run(dataset, settings, folder, rows=rows, seed=seed, device=device, watch=watch)
        pictures = draw(found, folder)
    by_latent = {f"{beta:g}": r.tolist() for beta, r in found.correlations.items()}
    result = {"out": str(folder), "data": dataset.name, "seed": seed, "rows": found.rows, "correlations": by_latent}
    where = "\n".join(f"{name:<10} {path}" for name, path in pictures.items())
    say({**result, "pictures": pictures}, as_json, f"{as_text(found.rows)}\n\n{where}")
