"""`dreamgen attributes`, `edit`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dreamgen.cli.common import common_options, device_option, load_generator, say
from dreamgen.cli.examples import load_like, one_example
from dreamgen.cli.lines import require_pictures
from dreamgen.cli.output import check_out, is_array, write_arrays, write_out
from dreamgen.errors import SettingsError
from dreamgen.registry import shorten

if TYPE_CHECKING:
    from dreamgen.applications.attributes.model import AttributeModel


@click.command()
@click.argument("model")
@click.argument("data")
@click.option("--keep/--no-keep", default=True, show_default=True, help="Keep them in MODEL's folder, for `edit`.")
@device_option
@common_options(out="Also write the answer there, as JSON.")
def attributes(model: str, data: str, keep: bool, device: str, out: Path | None, seed: int, as_json: bool) -> None:
    """Find the attributes (or classes) of DATA in the codes of MODEL.

    For each a direction, and how well a probe on the codes tells it in DATA's test part: area under the ROC curve.
    """
    from dreamgen.applications.attributes.model import find_attributes, keep_attributes
    from dreamgen.files import dump_json
    from dreamgen.zoo import find_model, shipped_models

    if out:
        check_out(out, "attributes.json", (".json",))
    if keep and model in shipped_models() and find_model(model) != Path(model):
        raise SettingsError(f"{model} ships with the package and is left as it is: expected a folder, or --no-keep")
    generator = load_generator(model, device)
    found = find_attributes(generator, load_like(data, generator, skip_bad=False))
    if keep:
        keep_attributes(Path(model), found)
    result = {"model": model, "data": data, "kept": keep, "rows": found.rows, "held_out": found.held_out}
    result |= {"auc": dict(found.auc), "share": dict(found.share)}
    if out:
        write_out(out, dump_json(result))
    say(result, as_json, "\n".join(_table(found)))


def _table(found: "AttributeModel") -> list[str]:
    width = max(map(len, found.names))
    lines = [f"{'':<{width}}  {'share':>6}  {'AUC':>6}  (of {found.held_out} examples that nothing was fitted to)"]
    for name in sorted(found.names, key=lambda name: -(found.auc[name] or 0)):
        auc = found.auc[name]
        lines.append(f"{name:<{width}}  {found.share[name]:>6.1%}  {'-' if auc is None else f'{auc:.3f}':>6}")
    return lines


@click.command()
@click.argument("model")
@click.argument("image")
@click.option("--more", multiple=True, required=True, metavar="NAME=AMOUNT", help="Smiling=2, Male=-1; repeatable.")
@click.option(
    "-n", "--steps", "steps", type=click.IntRange(1), default=1, show_default=True, help="Steps of the way."
)
@device_option
@common_options(out="Where to write: .png (a sheet) or .npz; by default edit.png.")
def edit(
    model: str,
    image: str,
    more: tuple[str, ...],
    steps: int,
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Give IMAGE more or less of an attribute, and leave its others as they are.

    2 is from without to with, -2 the way back. IMAGE is a file of any size, a row of data (faces:7) or a dream of the
    model (dream:1). A sheet shows it, what MODEL makes of it, and the steps; an .npz holds `x`, the last two.
    """
    import numpy as np

    from dreamgen.applications.attributes.model import attributes_in
    from dreamgen.data import as_float
    from dreamgen.plots import save_sheet

    path, wanted = check_out(out, "edit.png"), _amounts(more)
    generator = load_generator(model, device)
    require_pictures(generator, "edit")
    known = attributes_in(generator.fitted(), model)
    shift = known.directions.shift(wanted)
    x = one_example(image, generator)
    film = known.edit(generator, x, wanted, steps)
    if is_array(path):
        write_arrays(path, x=film)
    else:
        original = as_float(generator.prepare(np.asarray(x)[None])).numpy()
        save_sheet(np.concatenate([original, film]), path, columns=len(film) + 1)
    z = generator.transform(np.asarray(x)[None])
    before, after = (known.directions.read(code)[0] for code in (z, z + shift))
    reads = {name: [float(b), float(a)] for name, b, a in zip(known.names, before, after, strict=True)}
    result = {
        "out": str(path),
        "more": wanted,
        "steps": steps,
        "length": float(np.linalg.norm(shift)),
        "reads": reads,
    }
    told = ", ".join(f"{name} {reads[name][0]:+.2f} to {reads[name][1]:+.2f}" for name in wanted)
    say(result, as_json, f"{path}: {told} (-1 without, +1 with)")


def _amounts(more: tuple[str, ...]) -> dict[str, float]:
    """`NAME=AMOUNT` texts; a name given twice adds up."""
    amounts: dict[str, float] = {}
    for text in more:
        name, equals, amount = text.partition("=")
        try:
            amounts[name] = amounts.get(name, 0.0) + float(amount)
        except ValueError:
            equals = ""
        if not equals or not name:
            raise SettingsError(f"--more {shorten(text)}: expected NAME=AMOUNT, such as Smiling=2")
    return amounts
