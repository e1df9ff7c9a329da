"""`dreamgen encode`, `decode`."""

from pathlib import Path

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
from dreamgen.cli.examples import load_like
from dreamgen.cli.line_figures import readable_part
from dreamgen.cli.lines import counted, place_for, write_shown
from dreamgen.cli.output import ARRAYS, check_out, write_arrays


@click.command()
@click.argument("model")
@click.argument("data")
@click.option("--split", type=click.Choice(PARTS), default="all", show_default=True)
@click.option("--skip-bad", is_flag=True, help="Leave out lines or molecules that MODEL cannot read, and count them.")
@device_option
@common_options(out="Where to write: .npz with loc, scale and labels, or .npy with loc; by default codes.npz.")
def encode(
    model: str, data: str, split: str, skip_bad: bool, device: str, out: Path | None, seed: int, as_json: bool
) -> None:
    """Write the posterior of each example of DATA: `loc` and `scale`, (n, latents), and `labels` if it has any.

    Of lines and molecules the .npz has the `lines` too, in the same order.
    """
    path = check_out(out, "codes.npz", ARRAYS)
    generator = load_generator(model, device)
    lines = generator.fitted().vocabulary is not None
    dataset = load_like(data, generator, skip_bad)
    part = dataset.part(split)
    left = len(dataset.skipped)
    if lines and skip_bad:
        part, readable = readable_part(generator, part, dataset)
        left += int((~readable).sum())
    q = generator.encode(part.x, told_of(generator, dataset, part))
    arrays = {"loc": q.mean.numpy(), "scale": q.stddev.numpy()}
    if part.labels is not None:
        arrays["labels"] = part.labels
    if lines:
        arrays["lines"] = part.x
    write_arrays(path, **arrays)
    result = {"out": str(path), "n": len(part), "latent_dim": arrays["loc"].shape[1]}
    said = f"; {left} left out" if left else ""
    say(result | ({"left_out": left} if lines else {}), as_json, f"{len(part)} codes in {path}{said}")


@click.command()
@click.argument("model")
@click.argument("codes", type=click.Path(path_type=Path))
@given_option
@device_option
@common_options(
    out="Where to write: .png (a sheet) or .npz, by default decoded.png; molecules: .smi, .csv or .png, by default "
    "decoded.smi; lines: .txt or .csv."
)
def decode(
    model: str,
    codes: Path,
    given: tuple[str, ...],
    label: str | None,
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Turn CODES (.npz with `loc` or `z`, or .npy) back into examples."""
    from dreamgen.data.arrays import pick_array, read_arrays

    generator = load_generator(model, device)
    z = pick_array(codes, read_arrays(codes), ("loc", "z"))
    path = place_for(out, generator, "decoded", len(z))
    shown = generator.inverse_transform(z, parse_given(given, label))
    write_shown(path, shown, generator)
    counts, said = counted(generator, shown)
    say({"out": str(path), "n": len(shown), **counts}, as_json, f"{len(shown)} examples in {path}{said}")
