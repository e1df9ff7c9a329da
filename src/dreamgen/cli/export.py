"""`dreamgen export`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dreamgen.cli.common import common_options, load_generator, say
from dreamgen.cli.lines import require_pictures
from dreamgen.cli.output import check_out
from dreamgen.errors import SettingsError

if TYPE_CHECKING:
    from dreamgen.export import Exported


@click.command()
@click.argument("model")
@click.option("--decoder-only", is_flag=True, help="A model folder without encoder, data, codes and history.")
@click.option(
    "--from-prior",
    is_flag=True,
    help="Also of a model whose dreams need its codes: as one that dreams from its prior.",
)
@click.option("--onnx", is_flag=True, help="An ONNX file, with a free batch size.")
@click.option("--html", is_flag=True, help="A page that dreams by itself: one file, no connection.")
@click.option("--part", type=click.Choice(["decoder", "encoder"]), help="With --onnx: which; by default the decoder.")
@click.option("--title", help="With --html: of the page; by default Dream Generator.")
@common_options(out="Folder or file; by default decoder, decoder.onnx (encoder.onnx) or dreams.html.")
def export(
    model: str,
    decoder_only: bool,
    from_prior: bool,
    onnx: bool,
    html: bool,
    part: str | None,
    title: str | None,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Write MODEL in a form to hand over; exactly one of --decoder-only, --onnx and --html says which.

    The encoder leaves only with --onnx --part encoder. Data, codes, history and names stay in any case, and what
    left and what stayed is printed.
    """
    if decoder_only + onnx + html != 1:
        raise SettingsError("expected one of --decoder-only, --onnx and --html")
    if part and not onnx:
        raise SettingsError("--part goes with --onnx")
    if from_prior and onnx:
        raise SettingsError("--from-prior goes with --decoder-only and --html: a graph takes codes, from anywhere")
    if title is not None and not html:
        raise SettingsError("--title goes with --html")
    from dreamgen.export import export_decoder, export_onnx, export_page

    generator = load_generator(model, "cpu")
    require_pictures(generator, "export")
    if decoder_only:
        done = export_decoder(generator, out or Path("decoder"), from_prior)
    elif onnx:
        part = part or "decoder"
        path = check_out(out, f"{part}.onnx", (".onnx",))
        done = export_onnx(generator, path, part)
    else:
        path = check_out(out, "dreams.html", (".html", ".htm"))
        done = export_page(generator, path, title or "Dream Generator", seed, from_prior)
    result = {
        "out": str(done.out),
        "bytes": done.size,
        "left": done.left,
        "stayed": done.stayed,
        "difference": done.difference,
    }
    say(result, as_json, _lines(done))


def _lines(done: "Exported") -> str:
    checked = "" if done.difference is None else f"; its figures are within {done.difference:.1g} of the model's"
    return "\n".join(
        [
            f"{done.size / 1e6:.2f} MB in {done.out}{checked}",
            f"left:   {_groups(done.left)}",
            f"stayed: {_groups(done.stayed)}",
        ]
    )


def _groups(names: list[str]) -> str:
    """Dotted names in short: `card (active_units, test_loss), event_shape, weights.decoder (4)`."""
    groups: dict[str, list[str]] = {}
    for name in names:
        depth = 2 if name.startswith("weights.") else 1
        parts = name.split(".")
        groups.setdefault(".".join(parts[:depth]), []).append(".".join(parts[depth:]))
    return ", ".join(
        group if below == [""] else f"{group} ({len(below) if group.startswith('weights.') else ', '.join(below)})"
        for group, below in groups.items()
    )
