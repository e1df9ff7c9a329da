"""`dreamgen neighbours`."""

from pathlib import Path

import click

from dreamgen.cli.common import common_options, device_option, load_generator, say
from dreamgen.cli.examples import one_example
from dreamgen.cli.lines import place_for, write_texts


@click.command()
@click.argument("model")
@click.argument("molecule")
@click.option("-n", "n", type=click.IntRange(1), default=20, show_default=True, help="How many.")
@device_option
@common_options(out="Where to write: .csv (with distance and similarity), .smi or .png; by default they are printed.")
def neighbours(model: str, molecule: str, n: int, device: str, out: Path | None, seed: int, as_json: bool) -> None:
    """Find different molecules around MOLECULE among the codes of MODEL, the nearest first.

    MOLECULE is SMILES, a row of data (zinc250k:7, drugs.smi:0) or a dream of the model (dream:1). Distance is between
    codes; similarity is Tanimoto's of Morgan fingerprints, 0 to 1.
    """
    from dreamgen.applications.molecules.dreamer import MoleculeDreamer

    generator = load_generator(model, device)
    dreamer = MoleculeDreamer(generator)
    path = place_for(out, generator, "neighbours") if out else None
    start = one_example(molecule, generator)
    found = dreamer.neighbours(start, n, seed=seed)
    smiles = [one.smiles for one in found]
    columns = {"distance": [one.distance for one in found], "similarity": [one.similarity for one in found]}
    lines = [f"{one.distance:8.3f} {one.similarity:6.3f}  {one.smiles}" for one in found]
    result = {"of": str(start), "n": len(found), "smiles": smiles, **columns}
    if path is None:
        say(result, as_json, "\n".join([f"{'distance':>8} {'alike':>6}  of {start}", *lines]))
        return
    write_texts(path, smiles, "molecules", columns, None, [f"{one.similarity:.2f}" for one in found])
    say({"out": str(path), **result}, as_json, f"{len(found)} neighbours of {start} in {path}")
