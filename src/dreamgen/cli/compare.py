"""`dreamgen compare`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dreamgen.cli.bars import watching
from dreamgen.cli.common import common_options, device_option, load_generator, plain_warnings, samples_option, say
from dreamgen.cli.examples import load_like
from dreamgen.cli.lines import require_pictures
from dreamgen.errors import SettingsError

if TYPE_CHECKING:
    from dreamgen.data import Dataset
    from dreamgen.generator import DreamGenerator


@click.command()
@click.argument("models", nargs=-1, required=True)
@click.option("--data", help="The data, with a test part; by default what the models were trained on.")
@click.option("--judge", help="A classifier (train --recipe judge); by default the one that ships for the data.")
@click.option("--rows", type=click.IntRange(10), default=10_000, show_default=True, help="Pictures on each side.")
@samples_option
@click.option("--binarise", is_flag=True, help="Draw grey pixels as 0 or 1 for the likelihood, once, by --seed.")
@click.option("--mixture", type=click.IntRange(1, 10_000), help="Also dream from K Gaussians fitted to the codes.")
@device_option
@common_options(out="Folder for the table, the report and a picture of dreams; by default runs/compare.")
def compare(
    models: tuple[str, ...],
    data: str | None,
    judge: str | None,
    rows: int,
    samples: int,
    binarise: bool,
    mixture: int | None,
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Measure MODELS (folders or models that ship) in one way: likelihood, rate, distortion, sharpness, and what a
    judge says of their dreams beside real pictures."""
    from dreamgen.applications.compare import compare as run
    from dreamgen.applications.compare_report import report, text, write
    from dreamgen.evaluation.judge import Judge

    if len(set(models)) < len(models):
        raise SettingsError("expected each model once")
    generators = {name: load_generator(name, device) for name in models}
    for generator in generators.values():
        require_pictures(generator, "compare")
    name = data or _data_of(generators)
    dataset = load_like(name, generators[models[0]])
    if data is None:
        _check_trained_on(dataset, generators)
    chosen, folder = Judge.load(judge or _judge_for(name), device), out or Path("runs") / "compare"
    with plain_warnings(), watching() as watch:
        found = run(
            generators,
            dataset,
            chosen,
            rows=rows,
            samples=samples,
            seed=seed,
            binarise=binarise,
            mixture=mixture,
            watch=watch,
        )
        places = write(found, folder)
    where = "\n".join(f"{name:<8} {path}" for name, path in places.items())
    say({"out": str(folder), **report(found), "files": places}, as_json, f"{text(found)}\n\n{where}")


def _data_of(generators: "dict[str, DreamGenerator]") -> str:
    names = {name: model.fitted().data.get("name") for name, model in generators.items()}
    (first, *others) = dict.fromkeys(names.values())
    if others or not isinstance(first, str):
        trained = ", ".join(f"{name}: {data or 'not known'}" for name, data in names.items())
        raise SettingsError(f"the models do not say what one data set they are of ({trained}): expected --data")
    return first


def _check_trained_on(dataset: "Dataset", generators: "dict[str, DreamGenerator]") -> None:
    """A set that nobody named is the one that the models were trained on, and not another of that name."""
    for name, model in generators.items():
        known = model.fitted().data.get("set_sha256", dataset.sha256)
        if known != dataset.sha256:
            raise SettingsError(f"{name} was trained on another set called {dataset.name}: expected --data")


def _judge_for(data: str) -> str:
    from dreamgen.zoo import shipped_models

    judge = f"{data.replace('_', '-')}-judge"
    if judge not in shipped_models():
        raise SettingsError(
            f"no judge ships for {data}: train one (dreamgen train {data} --recipe judge --out J), then --judge J"
        )
    return judge
