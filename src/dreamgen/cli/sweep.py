"""`dreamgen sweep`."""

from pathlib import Path

import click

from dreamgen.cli.bars import watching
from dreamgen.cli.common import common_options, device_option, epochs_option, plain_warnings, samples_option, say


@click.command()
@click.argument("data")
@click.option(
    "-o",
    "assignments",
    multiple=True,
    required=True,
    metavar="NAME=V1,V2,...",
    help="Values of one setting; repeatable. A single value changes what all runs have in common.",
)
@click.option("--recipe", help="What is varied: a recipe's name or a .toml file; by default DATA's, binarised.")
@epochs_option
@samples_option
@click.option("--cross", is_flag=True, help="Every combination, instead of each setting alone around the recipe.")
@device_option
@common_options(out="Folder of the sweep; by default runs/sweep.")
def sweep(
    data: str,
    assignments: tuple[str, ...],
    recipe: str | None,
    epochs: int | None,
    samples: int,
    cross: bool,
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Train on DATA once for each value of a setting, measure every model, and compare: tables and pictures in --out,
    a model in --out/runs/NAME=VALUE for each. The same command goes on where it was stopped."""
    from dreamgen.data import load_data
    from dreamgen.experiments.grid import points, read_axes
    from dreamgen.experiments.sweep import base_settings
    from dreamgen.experiments.sweep import sweep as run
    from dreamgen.experiments.sweep_report import draw, short_rows, write_tables
    from dreamgen.experiments.tables import as_text

    base, axes = read_axes(base_settings(recipe, data), assignments)
    base = base if epochs is None else base.replace(epochs=epochs)
    runs, folder, dataset = points(base, axes, cross), out or Path("runs") / "sweep", load_data(data)
    with plain_warnings(), watching() as watch:
        rows = run(
            dataset,
            base,
            runs,
            folder,
            samples=samples,
            seed=seed,
            device=device,
            watch=watch,
            on_rows=lambda rows: write_tables(rows, folder),
        )
        pictures = draw(rows, runs, axes, dataset, folder, seed, cross, device)
    result = {"out": str(folder), "data": dataset.name, "seed": seed, "samples": samples, "rows": rows}
    where = "\n".join(f"{name:<18} {path}" for name, path in pictures.items())
    say({**result, "pictures": pictures}, as_json, f"{as_text(short_rows(rows))}\n\n{where}")
