"""`dreamgen collapse`."""

from pathlib import Path

import click

from dreamgen.cli.bars import watching
from dreamgen.cli.common import common_options, device_option, epochs_option, plain_warnings, samples_option, say


@click.command()
@click.argument("data", default="mnist")
@epochs_option
@click.option("--rows", type=click.IntRange(2), default=2000, show_default=True, help="Test rows to measure on.")
@samples_option
@device_option
@common_options(out="Folder for the models and pictures; by default runs/collapse.")
def collapse(
    data: str,
    epochs: int | None,
    rows: int,
    samples: int,
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """A decoder so strong that it forgets its latents (recipe autoregressive), the same with annealed beta, with
    free bits, with both, and with few latents; and a plain decoder. The same command goes on where it was stopped."""
    from dreamgen.data import load_data
    from dreamgen.experiments.collapse import collapse as run
    from dreamgen.experiments.collapse import draw
    from dreamgen.experiments.fitting import settings_for
    from dreamgen.experiments.tables import as_text

    folder, dataset = out or Path("runs") / "collapse", load_data(data)
    settings = settings_for("autoregressive", dataset, epochs)
    with plain_warnings(), watching() as watch:
        found = run(dataset, settings, folder, rows=rows, samples=samples, seed=seed, device=device, watch=watch)
        pictures = draw(found, folder, seed)
    result = {"out": str(folder), "data": dataset.name, "seed": seed, "samples": samples, "rows": found.rows}
    where = "\n".join(f"{name:<9} {path}" for name, path in pictures.items())
    say({**result, "pictures": pictures}, as_json, f"{as_text(found.rows)}\n\n{where}")
