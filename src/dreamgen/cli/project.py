"""`dreamgen project`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamgen.cli.common import (
    PARTS,
    common_options,
    device_option,
    given_option,
    load_generator,
    parse_given,
    say,
    told_of,
)
from dreamgen.cli.examples import load_like, one_example
from dreamgen.cli.line_figures import number_of, readable_part
from dreamgen.cli.output import ARRAYS, check_out, is_array, write_arrays
from dreamgen.errors import DataError, SettingsError
from dreamgen.registry import nearest

if TYPE_CHECKING:
    from dreamgen.data import Dataset, Examples

_WAY = 65  # points of a morph's way


@click.command()
@click.argument("model")
@click.argument("data")
@click.option(
    "--colour",
    metavar="NAME",
    help="An attribute, or `label`; by default the labels, where there are any. Of molecules any property, by "
    "default the first that the model reads.",
)
@click.option("--morph", "ends", nargs=2, metavar="A B", help="Two examples (faces:3 mnist:7), and the way between.")
@click.option("--path", "way", default="linear", show_default=True, help="Of the way: linear or spherical.")
@click.option("--method", default="pca", show_default=True, help="pca or tsne.")
@click.option("-n", "n", type=click.IntRange(3), default=2000, show_default=True, help="How many examples.")
@click.option("--thumbnails", type=click.IntRange(0, 40), default=14, show_default=True, help="Across; 0: none.")
@click.option("--split", type=click.Choice(PARTS), help="Which part; by default test, if any.")
@given_option
@device_option
@common_options(out="Where to write: .png, or .npz with points and way; by default projection.png.")
def project(
    model: str,
    data: str,
    colour: str | None,
    ends: tuple[str, str] | None,
    way: str,
    method: str,
    n: int,
    thumbnails: int,
    split: str | None,
    given: tuple[str, ...],
    label: str | None,
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Lay the codes of DATA on a plane, with thumbnails, coloured by what is known of them, and a morph drawn in.

    Lines and molecules are dots, coloured by a number.
    """
    import numpy as np
    import torch

    from dreamgen import walks
    from dreamgen.applications import projection
    from dreamgen.plots_codes import save_projection, save_values

    path = check_out(out, "projection.png", (*ARRAYS[:1], ".png", ".jpg", ".jpeg", ".webp"))
    generator = load_generator(model, device)
    lines = generator.fitted().vocabulary is not None
    dataset = load_like(data, generator)
    part = split or ("test" if len(dataset.test) else "train")
    examples = dataset.part(part)
    examples = examples[np.unique(np.linspace(0, len(examples) - 1, n).round().astype(np.int64))]
    values, labels = None, None
    classes: tuple[str, ...] = ()
    if lines:
        examples, readable = readable_part(generator, examples, dataset)
        if unread := int((~readable).sum()):
            click.echo(f"dreamgen: {dataset.name}: {unread} lines left out, which the model cannot read", err=True)
        values, said = number_of(generator, examples, dataset, colour)
    else:
        labels, classes, said = _colours(examples, dataset, colour)
    codes = np.empty((0, generator.fitted().settings.latent_dim), np.float32)
    told = parse_given(given, label)
    if told and not ends:
        raise SettingsError("--given and --label are of the way: expected --morph with them")
    if ends:
        # One by one: the pixels of a file are bytes, those of a dream are not.
        a, b = (
            torch.from_numpy(generator.transform(np.asarray(one_example(end, generator))[None], told))[0]
            for end in ends
        )
        codes = walks.path_between(a, b, torch.linspace(0, 1, _WAY), way).numpy()
    placed = projection.project(
        generator.transform(examples.x, told_of(generator, dataset, examples)), codes, method, seed
    )
    result = {"out": str(path), "n": len(examples), "split": part, "method": method, "colour": said, "seed": seed}
    result |= {"explained": placed.explained, "morph": list(ends) if ends else None}
    if is_array(path):
        arrays: dict[str, Any] = {"points": placed.points, "way": placed.path}
        colours = {"labels": labels, "values": values}
        write_arrays(path, **arrays, **{name: value for name, value in colours.items() if value is not None})
    elif lines:
        save_values(path, placed.points, values, colour=said, way=placed.path, axes=_axes(placed.explained))
    else:
        shown = projection.spread_out(placed.points, thumbnails, thumbnails) if thumbnails else np.empty(0, np.int64)
        save_projection(
            path,
            placed.points,
            (shown, examples.x[shown]),
            labels=labels,
            classes=classes,
            colour=said,
            way=placed.path,
            frames=generator.inverse_transform(codes, told) if ends else None,
            axes=_axes(placed.explained),
            size=0.55 * 11 / max(thumbnails, 8),
        )
    say(result, as_json, f"{len(examples)} codes by {method} in {path}")


def _axes(explained: tuple[float, float] | None) -> tuple[str, str]:
    if explained is None:
        return "", ""
    first, second = (
        f"{place} principal component, {share:.0%} of the variance"
        for place, share in zip(("first", "second"), explained, strict=True)
    )
    return first, second


def _colours(examples: "Examples", dataset: "Dataset", colour: str | None) -> tuple[Any, tuple[str, ...], str]:
    """Numbers to colour by, (n,), their names, and what they say; None and nothing where all is one colour."""
    if colour in (None, "label") and examples.labels is not None:
        return examples.labels, dataset.classes, "label"
    if colour is None:
        return None, (), ""
    if colour == "label":
        raise DataError(f"{dataset.name} has no labels")
    names = dataset.attribute_names if examples.attributes is not None else ()
    if colour not in names or examples.attributes is None:
        known = (*names, *(["label"] if examples.labels is not None else []))
        raise SettingsError(
            f"--colour {colour}: {nearest(colour, known) if known else f'{dataset.name} has nothing to colour by'}"
        )
    from dreamgen.data.context import is_flag

    values = examples.attributes[:, names.index(colour)]
    if is_flag(values):
        return values.astype("int64"), (f"not {colour}", colour), colour
    return *_fifths(values), colour


def _fifths(values: Any) -> tuple[Any, tuple[str, ...]]:
    """Numbers, (n,), as the fifth of them that each lies in, and what a fifth is called."""
    import numpy as np

    ends = np.unique(np.quantile(values, np.linspace(0, 1, 6)))
    place = np.clip(np.searchsorted(ends, values, side="right") - 1, 0, max(len(ends) - 2, 0))
    return place, tuple(f"{low:.3g} to {high:.3g}" for low, high in zip(ends, [*ends[1:], ends[-1]], strict=True))
