"""`dreamgen dream`, `reconstruct`, `morph`."""

from pathlib import Path

import click

from dreamgen.cli.bars import counting
from dreamgen.cli.common import (
    PARTS,
    common_options,
    device_option,
    given_option,
    load_generator,
    parse_given,
    plain_warnings,
    say,
    told_of,
)
from dreamgen.cli.examples import load_like, one_example
from dreamgen.cli.line_figures import reconstruct_lines
from dreamgen.cli.lines import counted, legends_for, place_for, write_shown
from dreamgen.cli.output import is_array, write_examples
from dreamgen.errors import SettingsError

_SHOWN = 50  # pictures that are reconstructed, where no number is asked for


@click.command()
@click.argument("model")
@click.option("-n", "n", type=click.IntRange(1), default=64, show_default=True, help="How many.")
@click.option(
    "--sample/--likeliest",
    default=None,
    help="Draw each pixel or token, or take the mean or likeliest; lines from blurred codes are drawn by default.",
)
@click.option(
    "--mixture",
    type=click.IntRange(0, 10_000),
    is_flag=False,
    flag_value=10,
    metavar="[K]",
    help="Draw codes from K Gaussians fitted to the model's own, not the prior; by itself: 10; 0: the prior.",
)
@click.option(
    "--picked",
    type=click.IntRange(1, 1000),
    is_flag=False,
    flag_value=8,
    metavar="[K]",
    help="Write K examples for each dream and keep one by how real it looks; by itself: 8; 1: no choice.",
)
@given_option
@click.option("--styles", is_flag=True, help="N rows of one style each, with a column for every label.")
@device_option
@common_options(
    out="Where to write: .png (a sheet) or .npz, by default dreams.png; molecules: .smi, .csv (with properties) or "
    ".png, by default dreams.smi; lines: .txt or .csv.",
    seed=None,
)
def dream(
    model: str,
    n: int,
    sample: bool | None,
    mixture: int | None,
    picked: int | None,
    given: tuple[str, ...],
    label: str | None,
    styles: bool,
    device: str,
    out: Path | None,
    seed: int | None,
    as_json: bool,
) -> None:
    """Dream up new examples with MODEL, a folder or a model that ships (mnist)."""
    from dreamgen.estimator import chosen_seed

    seed, told = chosen_seed(seed), parse_given(given, label)
    generator = load_generator(model, device)
    path = place_for(out, generator, "dreams", n)
    if styles:
        if told or sample or mixture or (picked or 1) > 1:
            raise SettingsError(
                "--styles has a column for every label: expected no --label, --given, --sample, --mixture or --picked"
            )
        sheet = generator.styles(n, seed=seed)
        shown, columns = sheet.reshape(-1, *sheet.shape[2:]), sheet.shape[1]
    else:
        with counting("examples written") as watch:
            shown = generator.dream(
                n, given=told, seed=seed, sample=sample, mixture=mixture, picked=picked, watch=watch
            )
        columns = None
    texts = shown.tolist() if generator.fitted().vocabulary else []
    legends = legends_for(generator, texts, list(told)) if texts and told and path.suffix.lower() == ".png" else ()
    write_shown(path, shown, generator, columns, legends)
    counts, said = counted(generator, shown)
    result = {
        "out": str(path),
        "n": n,
        "seed": seed,
        "shape": list(shown.shape),
        "sample": sample,
        "mixture": mixture,
        "picked": picked,
        "given": told,
        **counts,
    }
    what = f"{n} styles of {columns} dreams" if styles else f"{n} dreams"
    say(result, as_json, f"{what} in {path} (seed {seed}){said}")


@click.command()
@click.argument("model")
@click.argument("data")
@click.option("-n", "n", type=click.IntRange(1), help="How many examples; by default 50, of lines and molecules all.")
@click.option(
    "--split",
    type=click.Choice(PARTS),
    help="Which part; by default test, if any; of a file of lines or molecules all.",
)
@click.option("--sample", is_flag=True, help="Draw each pixel (token) instead of taking its mean (the likeliest).")
@click.option(
    "--search",
    type=click.IntRange(1, 1000),
    metavar="K",
    help="Of lines and molecules: compare the K likeliest for each code; 1: the likeliest token at every step.",
)
@device_option
@common_options(
    out="Where to write: .png (a sheet) or .npz, by default reconstructions.png; molecules: .smi, .csv or .png, by "
    "default reconstructions.smi; lines: .txt or .csv."
)
def reconstruct(
    model: str,
    data: str,
    n: int | None,
    split: str | None,
    sample: bool,
    search: int | None,
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Send the first examples of DATA through MODEL and back; a sheet shows originals above what came back.

    Of lines and molecules it is said how many come back exactly; what is no molecule, or was there before, is left
    out and counted. A text file has a line for each of the others, blank where MODEL could not read it; a table has
    both.
    """
    import numpy as np

    from dreamgen.data import as_float
    from dreamgen.plots import reconstructions, save_image

    generator = load_generator(model, device)
    path = place_for(out, generator, "reconstructions")
    lines = generator.fitted().vocabulary is not None
    dataset = load_like(data, generator)
    whole = lines and not dataset.official_split
    part = split or ("all" if whole else "test" if len(dataset.test) else "train")
    rows = dataset.part(part)[: n if lines else n or _SHOWN]
    if lines:
        if sample and (search or 1) > 1:
            raise SettingsError("--search finds the likeliest: expected no --sample with it")
        result, text = reconstruct_lines(generator, rows, dataset, path, seed, sample, search)
        say({"out": str(path), "split": part, **result}, as_json, text)
        return
    if search is not None:
        raise SettingsError("--search is of lines and molecules: expected a model of such")
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
@common_options(
    out="Where to write: .png (a sheet) or .npz, by default morph.png; molecules: .smi, .csv or .png, by default "
    "morph.smi; lines: .txt or .csv."
)
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
    the model (dream:1); of a model of molecules SMILES, and of one of lines a line.
    """
    import torch

    from dreamgen.walks import largest_step

    generator = load_generator(model, device)
    path = place_for(out, generator, "morph")
    with plain_warnings():
        start, stop = one_example(a, generator), one_example(b, generator)
        film = generator.morph(start, stop, steps, path=way, given=parse_given(given, label))
    write_shown(path, film, generator, steps)
    result = {"out": str(path), "steps": steps, "path": way}
    if generator.fitted().vocabulary:
        counts, said = counted(generator, film)
        say({**result, **counts}, as_json, f"{steps} steps in {path}{said}")
        return
    largest = largest_step(torch.from_numpy(film))
    result |= {"largest_step_over_mean": largest}
    say(result, as_json, f"{steps} steps in {path}; the largest is {largest:.2f} times the mean")
