"""`dreamgen demo`: the main job, end to end. `make dream` runs it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamgen.cli.common import common_options, plain_warnings, say
from dreamgen.errors import DataError

if TYPE_CHECKING:
    from dreamgen.data import Dataset
    from dreamgen.generator import DreamGenerator


@click.command()
@common_options(out="Folder for the models and pictures; by default runs.", seed=1)
def demo(out: Path | None, seed: int, as_json: bool) -> None:
    """Train the Dream Generator and a two-dimensional one, and draw dreams, reconstructions, a morph, the map of
    the dream world and the training curve. A second run takes up what the first one left."""
    from dreamgen.cli.train import train_on
    from dreamgen.experiments.fitting import sized
    from dreamgen.recipes import RECIPES

    out = out or Path("runs")
    dataset = _digits_or_embedded()
    results = {}
    generators = {}
    with plain_warnings():
        for recipe in ("mnist", "mnist-2d"):
            settings = sized(RECIPES[recipe].settings, len(dataset.train))
            folder = out / recipe.replace("mnist", dataset.name)
            generators[recipe], results[recipe] = train_on(dataset, settings, folder, seed, resume=True)
            if not as_json:
                _tell(recipe, results[recipe])
    pictures = _draw(generators["mnist"], generators["mnist-2d"], dataset, out, seed)
    text = "\n".join(f"{what:<16} {path}" for what, path in pictures.items())
    say({"data": dataset.name, "models": results, "pictures": pictures}, as_json, text)


def _digits_or_embedded() -> "Dataset":
    from dreamgen.data import load_data

    try:
        return load_data("mnist")
    except DataError as error:
        click.echo(f"using the embedded digits: {error}", err=True)
        return load_data("digits")


def _tell(recipe: str, result: dict[str, Any]) -> None:
    click.echo(
        f"{recipe:<9} {result['epochs']} epochs in {result['seconds']:.1f} s; one-sample test loss "
        f"{result['test_loss']:.2f} nats (distortion {result['test_distortion']:.2f}, "
        f"rate {result['test_rate']:.2f}); {result['active_units']} active latents; {result['out']}"
    )


def _draw(
    generator: "DreamGenerator", flat: "DreamGenerator", dataset: "Dataset", out: Path, seed: int
) -> dict[str, str]:
    from dreamgen import plots, walks

    x, labels = dataset.test.x, dataset.test.labels
    assert labels is not None
    pictures = {
        name: out / f"{name}.png" for name in ("dreams", "reconstructions", "morph", "map", "map-quantile", "curve")
    }
    plots.save_sheet(generator.dream(64, seed=seed), pictures["dreams"])
    originals = plots.as_pictures(x[:50])
    plots.save_image(plots.reconstructions(originals, generator.reconstruct(x[:50])), pictures["reconstructions"])
    one, seven = x[labels == 1][0], x[labels == 7][0]
    plots.save_sheet(generator.morph(one, seven, 12), pictures["morph"], columns=12)
    codes = {name: tensor.numpy() for name, tensor in flat.saved_.codes.items()}
    for by, name in (("value", "map"), ("quantile", "map-quantile")):
        plots.save_map(
            flat.map(20, by=by),
            pictures[name],
            plane=flat.main_plane,
            ticks=walks.ticks(20, by).numpy(),
            codes=codes["loc"],
            labels=codes["labels"],
            classes=dataset.classes,
        )
    plots.save_curve(generator.history, pictures["curve"])
    return {name: str(path) for name, path in pictures.items()}
