"""`dreamgen climb`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dreamgen.cli.bars import counting
from dreamgen.cli.common import common_options, device_option, load_generator, say
from dreamgen.cli.examples import one_example
from dreamgen.cli.lines import MOLECULES, molecules_in, write_structures, write_table
from dreamgen.cli.output import check_out

if TYPE_CHECKING:
    from dreamgen.applications.molecules.result import Climb
    from dreamgen.generator import DreamGenerator

_COLUMNS = 4  # molecules of a path drawn side by side


@click.command()
@click.argument("model")
@click.argument("smiles")
@click.option(
    "--property", "name", default="penalised_logP", show_default=True, help="What is to rise: logP, QED ..."
)
@click.option("--lower", is_flag=True, help="It is to fall.")
@click.option("--similarity", default=0.4, show_default=True, help="To the start, at least: Tanimoto, 0 to 1.")
@click.option("--calls", default=500, show_default=True, help="Molecules of which the true value is asked, a start.")
@click.option("--atoms", default=38, show_default=True, help="Heavy atoms, at most, or as many as the start has.")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw the way of the first start there: .png.")
@device_option
@common_options(out="Where to write: .csv, a row for each start; by default climbed.csv.")
def climb(
    model: str,
    smiles: str,
    name: str,
    lower: bool,
    similarity: float,
    calls: int,
    atoms: int,
    picture: Path | None,
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Improve a property of molecules by walking among the codes of MODEL.

    SMILES is a molecule or a file of them: .smi, .smiles or .txt, one a line, or .csv with a column `smiles`; what
    the model cannot write is left out and named. What is found stays as similar to its start as is asked, and is no
    worse.
    """
    path = check_out(out, "climbed.csv", (".csv",))
    if picture:
        check_out(picture, "climbed.png", (".png",))
    from dreamgen.applications.molecules.climb import climb as climb_all
    from dreamgen.applications.molecules.oracle import Goal
    from dreamgen.applications.molecules.result import COLUMNS

    goal, generator = Goal(name, not lower), load_generator(model, device)
    starts, left_out = _starts(smiles, generator)
    with counting("calls") as watch:
        found = climb_all(
            generator, starts, goal, similarity=similarity, calls=calls, atoms=atoms, seed=seed, watch=watch
        )
    rows = [one.row() for one in found]
    write_table(path, {column: [row[column] for row in rows] for column in COLUMNS})
    if picture:
        _draw(picture, found[0])
    gain, better = [one.improvement for one in found], sum(one.improvement > 0 for one in found)
    result = {
        "out": str(path),
        "property": name,
        "highest": not lower,
        "starts": len(found),
        "left_out": left_out,
        "improvement": sum(gain) / len(gain),
        "improved": better,
        "calls": sum(one.calls for one in found),
        "climbs": [
            {**row, "path": [[s.smiles, s.value, s.calls] for s in one.path]}
            for row, one in zip(rows, found, strict=True)
        ],
    }
    text = f"{better} of {len(found)} improved in {path}; {name} by {sum(gain) / len(gain):.2f} on average"
    say(result, as_json, f"{text}, with {result['calls']} calls")


def _starts(smiles: str, generator: "DreamGenerator") -> tuple[list[str], int]:
    """Molecules to start from, and how many of a file are none or cannot be written, which is said on stderr."""
    from dreamgen.applications.molecules.lines import molecule_tokens, readable
    from dreamgen.data.lines import kind
    from dreamgen.data.reading import notes_of

    saved = generator.fitted()
    molecule_tokens(saved)
    path = Path(smiles)
    if kind(path) not in MOLECULES:
        return [str(one_example(smiles, generator))], 0
    file = molecules_in(path)
    for note in file.notes:
        click.echo(f"dreamgen: {path.name}: {note}", err=True)
    rows = readable(file.texts, saved)
    if not rows.smiles:
        rows.require_all()
    bad = {place: f"{path.name}, line {file.lines[place]}: {reason}" for place, reason in rows.bad.items()}
    for note in notes_of(bad, len(file.texts), what="molecules"):
        click.echo(f"dreamgen: {note}", err=True)
    return rows.smiles, len(bad)


def _draw(path: Path, found: "Climb") -> None:
    """The start and what improved on it, each with its value and its similarity."""
    legends = [f"{step.value:.2f}, similarity {step.similarity:.2f}" for step in found.path]
    write_structures(path, [step.smiles for step in found.path], _COLUMNS, legends)
