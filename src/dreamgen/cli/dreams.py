"""`dreamgen dream`, `reconstruct`, `morph`."""

from pathlib import Path

import click

from dreamgen.cli.common import (
    common_options,
    device_option,
    given_option,
    load_generator,
    parse_given,
    plain_warnings,
    say,
    told_of,
)
from dreamgen.cli.output import check_out, is_array, write_examples
from dreamgen.cli.pictures import load_like, one_example
from dreamgen.errors import SettingsError


@click.command()
@click.argument("model")
@click.option("-n", "n", type=click.IntRange(1), default=64, show_default=True, help="How many.")
@click.option("--sample", is_flag=True, help="Draw each pixel instead of taking its mean.")
@click.option(
    "--mixture",
    type=click.IntRange(0, 10_000),
    is_flag=False,
    flag_value=10,
    metavar="[K]",
    help="Draw codes from K Gaussians fitted to the model's own, not the prior; by itself: 10; 0: the prior.",
)
@given_option
@click.option("--styles", is_flag=True, help="N rows of one style each, with a column for every label.")
@device_option
@common_options(out="Where to write: .png (a sheet) or .npz; by default dreams.png.", seed=None)
def dream(
    model: str,
    n: int,
    sample: bool,
    mixture: int | None,
    given: tuple[str, ...],
    label: str | None,
    styles: bool,
    device: str,
    out: Path | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Dream up new examples with MODEL, a folder or a model that ships (mnist)."""
    path = check_out(out, "dreams.png")
    from dreamgen.estimator import chosen_seed

    seed, told = chosen_seed(seed), parse_given(given, label)
    generator = load_generator(model, device)
    if styles:
        if told or sample or mixture:
            raise SettingsError(
                "--styles has a column for every label: expected no --label, --given, --sample or --mixture"
            )
        sheet = generator.styles(n, seed=seed)
        pictures, columns = sheet.reshape(-1, *sheet.shape[2:]), sheet.shape[1]
    else:
        pictures, columns = generator.dream(n, given=told, seed=seed, sample=sample, mixture=mixture), None
    write_examples(path, pictures, columns=columns)
    result = {
        "out": str(path),
        "n": n,
        "seed": seed,
        "shape": list(pictures.shape),
        "sample": sample,
        "mixture": mixture,
        "given": told,
    }
    what = f"{n} styles of {columns} dreams" if styles else f"{n} dreams"
    say(result, as_json, f"{what} in {path} (seed {seed})")


@click.command()
@click.argument("model")
@click.argument("data")
@click.option("-n", "n", type=click.IntRange(1), default=50, show_default=True, help="How many examples.")
@click.option("--split", type=click.Choice(["test", "train", "all"]), help="Which part; by default test, if any.")
@click.option("--sample", is_flag=True, help="Draw each pixel instead of taking its mean.")
@device_option
@common_options(out="Where to write: .png (a sheet) or .npz; by default reconstructions.png.")
def reconstruct(
    model: str,
    data: str,
    n: int,
    split: str | None,
    sample: bool,
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Send the first examples of DATA through MODEL and back; a sheet shows originals above what came back."""
    import numpy as np

    from dreamgen.data import as_float
    from dreamgen.plots import reconstructions, save_image

    path = check_out(out, "reconstructions.png")
    generator = load_generator(model, device)
    dataset = load_like(data, generator)
    part = split or ("test" if len(dataset.test) else "train")
    rows = dataset.part(part)[:n]
    x = rows.x
    again = generator.reconstruct(x, given=told_of(generator, dataset, rows), seed=seed, sample=sample)
    originals = as_float(generator.prepare(x)).numpy()
    error = float(np.square(originals - again).mean())
    if is_array(path):
        write_examples(path, again)
    else:
        save_image(reconstructions(originals, again), path)
    result = {"out": str(path), "n": len(x), "split": part, "mean_squared_error": error}
    say(result, as_json, f"{len(x)} reconstructions in {path}; mean squared error {error:.4f}")


@click.command()
@click.argument("model")
@click.argument("a")
@click.argument("b")
@click.option("-n", "--steps", "steps", type=click.IntRange(2), default=11, show_default=True, help="Pictures.")
@click.option("--path", "way", default="linear", show_default=True, help="linear or spherical.")
@given_option
@device_option
@common_options(out="Where to write: .png (a sheet) or .npz; by default morph.png.")
def morph(
    model: str,
    a: str,
    b: str,
    steps: int,
    way: str,
    given: tuple[str, ...],
    label: str | None,
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Turn example A into example B, step by step.

    A and B are images, rows of data (mnist:7 is row 7 of the test part, faces.npz:0 a row of a file), or dreams of
    the model (dream:1).
    """
    import torch

    from dreamgen.walks import largest_step

    path = check_out(out, "morph.png")
    generator = load_generator(model, device)
    with plain_warnings():
        start, stop = one_example(a, generator), one_example(b, generator)
        film = generator.morph(start, stop, steps, path=way, given=parse_given(given, label))
    write_examples(path, film, columns=steps)
    largest = largest_step(torch.from_numpy(film))
    result = {"out": str(path), "steps": steps, "path": way, "largest_step_over_mean": largest}
    say(result, as_json, f"{steps} steps in {path}; the largest is {largest:.2f} times the mean")
