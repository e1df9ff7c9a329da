"""Text to molecules, quietly: what is no molecule is None."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dreamgen.chemistry.extras import rdkit

if TYPE_CHECKING:
    from rdkit.Chem import Mol


LONGEST_PARSED = 4000
"""Characters; on chains some times longer RDKit's search for the canonical order overflows the stack."""


def parse(smiles: str | None) -> "Mol | None":
    """The molecule of a SMILES; None where there is none, and nothing is printed.

    A molecule has at least one atom, balanced rings and brackets, and passes RDKit's sanitisation: valences,
    kekulisation. A name behind the SMILES makes it none, for a model that writes "CCO )" wrote no molecule; so does a
    second line.
    """
    if smiles is None or len(smiles) > LONGEST_PARSED or len(smiles.split()) != 1:
        return None
    chem = rdkit("Chem")
    settings = chem.SmilesParserParams()
    settings.parseName = settings.allowCXSMILES = False
    with rdkit("rdBase").BlockLogs():
        mol: Mol | None = chem.MolFromSmiles(smiles, settings)
    return mol if mol is not None and mol.GetNumAtoms() else None


def parse_all(smiles: Iterable[str | None]) -> "list[Mol | None]":
    """The molecule of each SMILES, None for what is none."""
    return [parse(text) for text in smiles]


def written(mol: "Mol") -> str:
    """RDKit's canonical SMILES, with stereochemistry."""
    text: str = rdkit("Chem").MolToSmiles(mol)
    return text
