"""`dreamgen outsiders`."""

from pathlib import Path
from typing import Any

import click

from dreamgen.cli.bars import watching
from dreamgen.cli.common import (
    common_options,
    device_option,
    epochs_option,
    load_generator,
    plain_warnings,
    samples_option,
    say,
)
from dreamgen.errors import SettingsError


@click.command()
@click.option(
    "--train",
    "names",
    multiple=True,
    default=("mnist", "fashion_mnist"),
    show_default=True,
    metavar="DATA",
    help="What to train on, and whose test part is inside; repeatable.",
)
@click.option("--model", help="A model of --train, a folder or a name that ships, instead of a training.")
@epochs_option
@click.option("--rows", type=click.IntRange(2), default=1000, show_default=True, help="Pictures of each set.")
@samples_option
@device_option
@common_options(out="Folder for the models and pictures; by default runs/outsiders.")
def outsiders(
    names: tuple[str, ...],
    model: str | None,
    epochs: int | None,
    rows: int,
    samples: int,
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Which score tells strange pictures from known ones: a model of one set scores other sets, noise and shuffled
    pictures, and each score gets its AUROC. The same command goes on where it was stopped."""
    from dreamgen.data import load_data
    from dreamgen.experiments.fitting import settings_for
    from dreamgen.experiments.outsiders import draw, judge, text
    from dreamgen.experiments.runs import claim, identity_of, obtain
    from dreamgen.files import make_folder

    if model and len(names) != 1:
        raise SettingsError("--model goes with one --train, the data that the model was trained on")
    folder, tables, pictures, told = make_folder(out or Path("runs") / "outsiders"), {}, {}, []
    with plain_warnings(), watching() as watch:
        for name in names:
            dataset = load_data(name)
            if model:
                generator = load_generator(model, device)
            else:
                settings = settings_for("mnist", dataset, epochs).replace(binarise="dynamic")
                home = make_folder(folder / dataset.name)
                claim(home, identity_of("outsiders", dataset, settings, seed))
                generator, _ = obtain(settings, dataset, home / "run", seed, watch, f"training on {name}", device)
            found = judge(generator, dataset, rows=rows, samples=samples, seed=seed, watch=watch)
            tables[dataset.name] = {"auroc": found.table, "surprise": found.surprise}
            pictures[dataset.name] = draw(found, folder)
            told.append(text(found))
    where = "\n".join(f"{name:<14} {path}" for name, path in pictures.items())
    result: dict[str, Any] = {"out": str(folder), "seed": seed, "rows": rows, "samples": samples, "model": model}
    say({**result, "trained_on": tables, "pictures": pictures}, as_json, "\n\n".join([*told, where]))
