"""`dreamgen map`, `traverse`."""

from pathlib import Path

import click

from dreamgen.cli.common import (
    common_options,
    device_option,
    given_option,
    load_generator,
    parse_given,
    say,
)
from dreamgen.cli.examples import one_example
from dreamgen.cli.lines import counted, place_for, write_shown
from dreamgen.cli.output import is_array, write_arrays
from dreamgen.errors import SettingsError
from dreamgen.registry import shorten

_ACROSS, _LINES_ACROSS = 20, 8  # cells of a map
_DIGITS = 10  # of a latent's number, at most


@click.command("map")
@click.argument("model")
@click.option(
    "--size", type=click.IntRange(2, 100), help="Cells along each side; by default 20, or 8 of lines and molecules."
)
@click.option("--by", default="value", show_default=True, help="value: even steps; quantile: where the prior is.")
@click.option("--span", type=float, default=3.0, show_default=True, help="How far from the origin.")
@click.option("--plane", metavar="I,J", help="The two latents; by default those that carry most.")
@given_option
@device_option
@common_options(
    out="Where to write: .png (a sheet) or .npz, by default map.png; molecules: .png, .smi or .csv, by default "
    "map.smi; lines: .txt or .csv."
)
def map_(
    model: str,
    size: int | None,
    by: str,
    span: float,
    plane: str | None,
    given: tuple[str, ...],
    label: str | None,
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Decode a plane of MODEL's latent space, beside the codes of training examples by label."""
    import numpy as np

    from dreamgen import walks
    from dreamgen.plots import save_map

    generator = load_generator(model, device)
    lines = generator.fitted().vocabulary is not None
    size = size or (_LINES_ACROSS if lines else _ACROSS)
    path = place_for(out, generator, "map", size**2)
    latents = _numbers(plane, 2) if plane else generator.main_plane
    grid = generator.map(size, by=by, span=span, plane=latents, given=parse_given(given, label))
    along = walks.ticks(size, by, span).numpy()
    if lines:
        write_shown(path, grid.reshape(-1), generator, size)
    elif is_array(path):
        flat = grid.reshape(size * size, *grid.shape[2:])
        write_arrays(path, x=flat, ticks=along, plane=np.array(latents))
    else:
        codes = {name: tensor.numpy() for name, tensor in generator.saved_.codes.items()}
        save_map(
            grid,
            path,
            plane=latents,
            ticks=along,
            codes=codes.get("loc"),
            labels=codes.get("labels"),
            classes=generator.saved_.data.get("classes", ()),
        )
    names = " and ".join(str(latent) for latent in latents)
    counts, said = counted(generator, grid)
    result = {"out": str(path), "plane": latents, "size": size, "by": by, "ticks": along.tolist(), **counts}
    say(result, as_json, f"the plane of latents {names} in {path}{said}")


@click.command()
@click.argument("model")
@click.option("--from", "start", metavar="A", help="Start from an example (as in morph); by default the origin.")
@click.option("--latents", metavar="I,J,...", help="Which; by default all, the one that carries most first.")
@click.option("-n", "--steps", "steps", type=click.IntRange(2), default=11, show_default=True, help="Pictures.")
@click.option("--span", type=float, default=3.0, show_default=True, help="How far from the origin.")
@given_option
@device_option
@common_options(
    out="Where to write: .png (a sheet) or .npz, by default traverse.png; molecules: .png, .smi or .csv, by default "
    "traverse.smi; lines: .txt or .csv."
)
def traverse(
    model: str,
    start: str | None,
    latents: str | None,
    steps: int,
    span: float,
    given: tuple[str, ...],
    label: str | None,
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Move one latent at a time; the rows are ordered by the nats that each latent carries."""
    import numpy as np

    from dreamgen.plots import save_traversal

    generator = load_generator(model, device)
    order = _numbers(latents) if latents else generator.latent_order
    path = place_for(out, generator, "traverse", len(order) * steps)
    x = one_example(start, generator) if start else None
    lines = generator.fitted().vocabulary is not None
    pictures = generator.traverse(x, latents=order, steps=steps, span=span, given=parse_given(given, label))
    rates = [generator.saved_.rates[latent] for latent in order]
    if lines:
        write_shown(path, pictures.reshape(-1), generator, steps)
    elif is_array(path):
        flat = pictures.reshape(-1, *pictures.shape[2:])
        write_arrays(path, x=flat, latents=np.array(order), rates=np.array(rates))
    else:
        save_traversal(pictures, path, order, rates, span)
    counts, said = counted(generator, pictures)
    result = {"out": str(path), "latents": order, "rates": rates, "steps": steps, **counts}
    say(result, as_json, f"{len(order)} latents, {steps} steps each, in {path}{said}")


def _numbers(text: str, expected: int | None = None) -> list[int]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() and len(part) < _DIGITS for part in parts) or (
        expected and len(parts) != expected
    ):
        raise SettingsError(
            f"{shorten(text)}: expected {expected or 'whole'} numbers with commas between them, such as 0,1"
        )
    return [int(part) for part in parts]
