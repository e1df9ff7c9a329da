"""`dreamgen fill`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamgen.cli.common import common_options, device_option, given_option, load_generator, parse_given, say, told_of
from dreamgen.cli.examples import load_like, one_example
from dreamgen.cli.lines import require_pictures
from dreamgen.cli.output import check_out, is_array, write_arrays

if TYPE_CHECKING:
    from dreamgen.generator import DreamGenerator


@click.command()
@click.argument("model")
@click.argument("data")
@click.option(
    "--hide",
    default="right",
    show_default=True,
    metavar="PART",
    help="left, right, top, bottom; quadrant:2 (1 to 4 as one reads, several as quadrant:12); pixels:0.5 (a share).",
)
@click.option("-m", "m", type=click.IntRange(1), default=5, show_default=True, help="Fillings of each example.")
@click.option("-n", "n", type=click.IntRange(1), default=10, show_default=True, help="Examples of DATA.")
@click.option("--sample", is_flag=True, help="Draw each pixel instead of taking its mean.")
@given_option
@device_option
@common_options(out="Where to write: .png (a sheet) or .npz; by default filled.png.")
def fill(
    model: str,
    data: str,
    hide: str,
    m: int,
    n: int,
    sample: bool,
    given: tuple[str, ...],
    label: str | None,
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Hide a part of pictures, and let MODEL fill it in M times.

    DATA is an image, a row (mnist:7), or a data set, of whose test part the first examples are taken. A sheet shows
    the originals, what was seen, the mean of all fillings, and fillings; an .npz holds `x`, `seen`, `mean`, `filled`.
    """
    import numpy as np

    from dreamgen.charts import save_rows
    from dreamgen.data import as_float
    from dreamgen.data.hiding import seen_after

    path = check_out(out, "filled.png")
    generator = load_generator(model, device)
    require_pictures(generator, "fill")
    examples, told = _examples(data, n, generator)
    x, told = generator.prepare(examples), {**told, **parse_given(given, label)}
    seen = seen_after(hide, x.shape[1:], len(x), seed).numpy()
    originals = as_float(x).numpy()
    mean = generator.fill(x, seen, given=told, seed=seed)
    filled = np.stack([generator.fill(x, seen, m, given=told, seed=seed, sample=sample)]).reshape(m, *x.shape)
    if is_array(path):
        write_arrays(path, filled=filled, x=originals, seen=seen, mean=mean)
    else:
        rows = {"original": originals, "seen": np.where(seen, originals, 0.5), "mean": mean}
        save_rows(rows | {f"filling {i + 1}": pictures for i, pictures in enumerate(filled)}, path)
    result: dict[str, Any] = {"out": str(path), "n": len(x), "m": m, "hide": hide, "seed": seed, "sample": sample}
    hidden = float(1 - seen.mean())
    say({**result, "hidden": hidden}, as_json, f"{m} fillings of {len(x)} examples in {path} ({hidden:.0%} hidden)")


def _examples(data: str, n: int, generator: "DreamGenerator") -> tuple[Any, dict[str, Any]]:
    """The first examples of a data set, with what a conditional model is told of them; or the one that is named."""
    from dreamgen.data.images import IMAGE_SUFFIXES

    if ":" in data or Path(data).suffix.lower() in IMAGE_SUFFIXES:
        return one_example(data, generator)[None], {}
    dataset = load_like(data, generator)
    rows = dataset.part("test" if len(dataset.test) else "train")[:n]
    return rows.x, told_of(generator, dataset, rows)
