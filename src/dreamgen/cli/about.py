"""`dreamgen info`, `data`, `recipes`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamgen.cli.common import PARTS, common_options, say, table
from dreamgen.cli.examples import read_data, reading_options
from dreamgen.cli.lines import shown_as, write_texts
from dreamgen.cli.output import check_out, write_examples, write_out
from dreamgen.errors import DataError, SettingsError
from dreamgen.files import dump_json

if TYPE_CHECKING:
    from dreamgen.data.reading import Reading


@click.command()
@click.argument("model")
@common_options(out="Also write the card there, as JSON.")
def info(model: str, out: Path | None, seed: int, as_json: bool) -> None:
    """Show what MODEL is: its card, settings and where it came from."""
    from dreamgen.io import load_model
    from dreamgen.zoo import find_model

    saved = load_model(find_model(model))
    parameters = sum(p.numel() for p in saved.model.parameters())
    result = {
        "model": model,
        "parameters": parameters,
        "event_shape": list(saved.event_shape),
        "settings": saved.settings.to_dict(),
        "origin": saved.origin,
        "card": saved.card,
    }
    _keep(result, out)
    say(result, as_json, table(result))


@click.command()
@click.argument("name", required=False)
@common_options(out="With NAME: write the recipe there, as TOML.")
def recipes(name: str | None, out: Path | None, seed: int, as_json: bool) -> None:
    """List the recipes; with NAME, print that one as TOML, to be changed and given to train --recipe."""
    from dreamgen.recipes import RECIPES, find_settings

    if name:
        settings = find_settings(name)
        if out:
            write_out(out, settings.to_toml().encode())
        say({"name": name, "settings": settings.to_dict()}, as_json, settings.to_toml().rstrip())
        return
    result = {
        key: {
            "about": recipe.about,
            "paper": recipe.paper,
            "parts": recipe.parts,
            "measured": recipe.measured,
            "settings": recipe.settings.to_dict(),
        }
        for key, recipe in RECIPES.items()
    }
    lines = []
    for key, recipe in RECIPES.items():
        parts = "parts: " + ", ".join(f"{role} {kind}" for role, kind in recipe.parts.items())
        measured = f"measured: {recipe.measured}" if recipe.measured else ""
        about = [recipe.about, recipe.paper, parts, measured]
        lines += [f"{head:<20} {line}" for head, line in zip([key, "", "", ""], about, strict=True) if line]
    if out:
        raise SettingsError("--out goes with a recipe's NAME")
    say({"recipes": result}, as_json, "\n".join(lines))


@click.group()
def data() -> None:
    """List, show or check data."""


@data.command("list")
@common_options(out="Also write the answer there, as JSON.")
def data_list(out: Path | None, seed: int, as_json: bool) -> None:
    """List the named sets and whether they are on this machine."""
    from dreamgen.data.named import NAMED_SETS

    result = {}
    for name, named in NAMED_SETS.items():
        places = [named.at_hand(file) for file in named.files]
        result[name] = {"about": named.about, "at_hand": all(places), "places": [str(p) for p in places if p]}
    lines = [f"{name:<14} {'here' if r['at_hand'] else 'absent':<7} {r['about']}" for name, r in result.items()]
    _keep({"sets": result}, out)
    say({"sets": result}, as_json, "\n".join(lines))


@data.command("show")
@click.argument("name")
@click.option("-n", "n", type=click.IntRange(1), default=100, show_default=True, help="How many examples.")
@click.option("--split", type=click.Choice(PARTS), default="train", show_default=True)
@reading_options
@common_options(out="Where to write: .png (a sheet) or .npz, by default data.png; of lines .txt, .smi, .csv or .png.")
def data_show(name: str, n: int, split: str, reading: "Reading", out: Path | None, seed: int, as_json: bool) -> None:
    """Draw the first examples of DATA as a sheet; lines and molecules are printed, unless --out says where to."""
    from dreamgen.data import holds

    held = holds(name)
    path = check_out(out, "data.png", shown_as(held)) if out or held == "pictures" else None
    rows = read_data(name, reading).part(split)[:n]
    x, result = rows.x, {"n": len(rows), "split": split}
    if path is None:
        say({**result, "lines": x.tolist()}, as_json, "\n".join(x.tolist()))
        return
    if rows.are_lines:
        write_texts(path, x.tolist(), held)
    else:
        write_examples(path, x)
    say({"out": str(path), **result}, as_json, f"{len(x)} examples in {path}")


@data.command("check")
@click.argument("name")
@reading_options
@common_options(out="Also write the answer there, as JSON.")
def data_check(name: str, reading: "Reading", out: Path | None, seed: int, as_json: bool) -> None:
    """Read DATA and say what it is; for a named set, compare each file's SHA-256 with the published one."""
    from dreamgen.data import NAMED_SETS
    from dreamgen.data.named import sha256_of

    if name in NAMED_SETS:
        for file, expected in NAMED_SETS[name].files.items():
            found = sha256_of(NAMED_SETS[name].path(file))
            if found != expected:
                raise DataError(f"{file}: expected SHA-256 {expected}, got {found}")
    dataset = read_data(name, reading)
    x = dataset.train.x
    result = {
        "name": dataset.name,
        "source": dataset.source,
        "train": len(dataset.train),
        "test": len(dataset.test),
        "official_split": dataset.official_split,
        "shape": list(x.shape[1:]),
        "dtype": str(x.dtype),
        **_extent(x),
        "classes": list(dataset.classes),
        "attributes": list(dataset.attribute_names),
        "skipped": list(dataset.skipped),
        "notes": list(dataset.notes),
        "sha256": dataset.sha256,
    }
    _keep(result, out)
    say(result, as_json, table(result))


def _extent(x: Any) -> dict[str, Any]:
    """Between what the numbers lie, or how many characters lines have."""
    if x.dtype.kind != "U":
        return {"range": [float(x.min()), float(x.max())]}
    lengths = [len(line) for line in x.tolist()]
    return {"characters": [min(lengths), max(lengths)]}


def _keep(result: dict[str, Any], out: Path | None) -> None:
    """Write an answer as JSON, if it is to be kept."""
    if out:
        write_out(check_out(out, "answer.json", (".json",)), dump_json(result))
