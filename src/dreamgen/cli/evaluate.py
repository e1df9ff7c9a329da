"""`dreamgen evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamgen.cli.bars import counting
from dreamgen.cli.common import (
    PARTS,
    common_options,
    device_option,
    load_generator,
    samples_option,
    say,
    table,
    told_of,
)
from dreamgen.cli.examples import load_like
from dreamgen.cli.line_figures import dream_figures, exact_share, readable_part, reading_errors
from dreamgen.cli.output import check_out, write_out
from dreamgen.errors import DataError, SettingsError
from dreamgen.files import dump_json

if TYPE_CHECKING:
    from dreamgen.data import Dataset, Examples
    from dreamgen.generator import DreamGenerator

_FEWEST = 2  # molecules that dreams are compared with


@click.command()
@click.argument("model")
@click.argument("data")
@samples_option
@click.option("--binarise", is_flag=True, help="Draw grey pixels as 0 or 1 first, once, by --seed.")
@click.option("--split", type=click.Choice(PARTS), help="Which part; by default test, if any.")
@click.option("--limit", type=click.IntRange(1), help="Only the first rows.")
@click.option(
    "--factors", is_flag=True, help="Compare the latents with DATA's attributes: MIG, DCI, FactorVAE score."
)
@click.option(
    "--dreams",
    type=click.IntRange(0),
    default=10_000,
    show_default=True,
    help="Dreams of a model of molecules to measure, beside the training part; 0: none.",
)
@click.option(
    "--picture",
    type=click.Path(path_type=Path),
    help="Draw the properties of dreamt molecules beside those of the test part: .png.",
)
@device_option
@common_options(out="Also write the report there, as JSON.")
def evaluate(
    model: str,
    data: str,
    samples: int,
    binarise: bool,
    split: str | None,
    limit: int | None,
    factors: bool,
    dreams: int,
    picture: Path | None,
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Measure MODEL on DATA: bound, rate, distortion, likelihood, latents, and whether its dreams are copies; of a
    classifier how often it reads rightly.

    A model that was trained on binarised pixels is measured on binarised pixels without being told. Of lines it is
    also said how many come back exactly; of molecules how well their properties are read off the codes, and the
    figures of the field for dreams: valid, unique, novel, and like the test part.
    """
    if out:
        check_out(out, "report.json", (".json",))
    if picture:
        check_out(picture, "properties.png", (".png",))
    generator = load_generator(model, device)
    lines, unreadable = generator.fitted().vocabulary is not None, 0
    dataset = load_like(data, generator)
    part = split or ("test" if len(dataset.test) else "train")
    rows = dataset.part(part)[:limit]
    if lines:
        rows, readable = readable_part(generator, rows, dataset)
        unreadable = int((~readable).sum())
    x, told = rows.x, told_of(generator, dataset, rows)
    measured = dreams if generator.fitted().holds == "molecules" else 0
    if picture and not measured:
        raise SettingsError("--picture is of dreamt molecules: expected a model of molecules, and --dreams")
    if factors and rows.attributes is None:
        raise DataError(f"{dataset.name}: --factors expected data with attributes, such as shapes")
    with counting("rows scored") as watch:
        report = generator.evaluate(
            x,
            given=told,
            samples=samples,
            seed=seed,
            binarise=True if binarise else None,
            split=part if limit is None else f"{part}, first {len(x)} rows",
            train=dataset.train.x if part == "test" and not lines else None,
            progress=lambda done: watch(done, len(x)),
        )
    report = {"model": model, "data": dataset.name, **report}
    if lines:
        report |= {
            "unreadable": unreadable,
            "skipped": len(dataset.skipped),
            **_of_lines(generator, dataset, rows, unreadable),
        }
        if measured:
            report |= _of_molecules(generator, measured, dataset, part, seed, picture)
    if factors and rows.attributes is not None:
        from dreamgen.evaluation.disentanglement import disentanglement

        q = generator.encode(x, given=told)
        report["factors"] = disentanglement(q, rows.attributes, dataset.attribute_names, seed)
    if report.get("collapse"):
        click.echo(f"dreamgen: {report['collapse']}", err=True)
    if out:
        write_out(out, dump_json(report))
    say(report, as_json, table(report))


def _of_lines(generator: "DreamGenerator", dataset: "Dataset", rows: "Examples", unread: int) -> dict[str, Any]:
    """What is asked of lines alone: whether they come back, beside some that could not be read, and how well
    properties are read off their codes.
    """
    told = told_of(generator, dataset, rows)
    found: dict[str, Any] = {"exact": exact_share(generator, rows.x.tolist(), told, len(rows) + unread)}
    errors = reading_errors(generator, rows, dataset)
    return found | ({"mean_absolute_error": errors} if errors else {})


def _of_molecules(
    generator: "DreamGenerator", dreams: int, dataset: "Dataset", part: str, seed: int, picture: Path | None
) -> dict[str, Any]:
    """The figures of dreamt molecules; of a set too small to compare them with, only word of that."""
    if len(dataset.part(part)) < _FEWEST:
        nor = " nor drawn" if picture else ""
        click.echo(
            f"dreamgen: dreams are not measured{nor}: {dataset.name} has one molecule to compare with", err=True
        )
        return {}
    with counting("molecules measured") as watch:
        return {"molecules": dream_figures(generator, dreams, dataset, part, seed, watch, picture)}
