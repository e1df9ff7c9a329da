"""`dreamgen contrast`."""

from pathlib import Path

import click

from dreamgen.cli.bars import watching
from dreamgen.cli.common import common_options, device_option, epochs_option, plain_warnings, say


@click.command()
@click.argument("data", default="mnist")
@epochs_option
@click.option(
    "--labels", type=(int, int), default=(1, 7), show_default=True, help="Between which rows midpoints are taken."
)
@click.option("--draws", type=click.IntRange(100), default=10_000, show_default=True, help="Codes from the prior.")
@device_option
@common_options(out="Folder for the models, figures and pictures; by default runs/contrast.")
def contrast(
    data: str,
    epochs: int | None,
    labels: tuple[int, int],
    draws: int,
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """An autoencoder, two with noise and no rate, and a VAE, of one network: how their codes lie, and how often what
    is decoded between the codes looks like no real example. The same command goes on where it was stopped."""
    from dreamgen.data import load_data
    from dreamgen.experiments.contrast import contrast as run
    from dreamgen.experiments.contrast_report import report, text, write
    from dreamgen.recipes import find_settings

    base = find_settings(None, data)
    base = base if epochs is None else base.replace(epochs=epochs)
    folder, dataset = out or Path("runs") / "contrast", load_data(data)
    with plain_warnings(), watching() as watch:
        found = run(dataset, base, folder, seed=seed, labels=labels, draws=draws, device=device, watch=watch)
        pictures = write(found, dataset, folder, seed)
    result = {"out": str(folder), "data": dataset.name, "seed": seed, **report(found), "pictures": pictures}
    where = "\n".join(f"{name:<13} {path}" for name, path in pictures.items())
    say(result, as_json, f"{text(found)}\n\n{where}")
