"""One three-dimensional shape of a molecule and its energy, the same on every call.

- Embedding: Improving Conformer Generation for Small Rings and Macrocycles, 2020,
  https://doi.org/10.1021/acs.jcim.0c00025 (ETKDGv3).
- Energies: MMFF94 in RDKit, Bringing the MMFF Force Field to the RDKit, 2014,
  https://doi.org/10.1186/s13321-014-0037-3, and where it lacks an atom's type the Universal Force Field, 1992,
  https://doi.org/10.1021/ja00051a040.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dreamgen.chemistry.extras import rdkit

if TYPE_CHECKING:
    from rdkit.Chem import Mol

_SEED = 2024
_ATTEMPTS = 30  # embeddings from distances, then as many from random coordinates
_STEPS = 1000  # of the minimiser
LARGEST = 80  # heavy atoms: a long chain of as many takes five seconds, and of twice as many a minute


@dataclass(frozen=True)
class Conformer:
    """A shape at a minimum of its force field.

    Attributes:
        energy: kcal/mol; None where no force field knows all the atoms. Energies of two molecules or of two force
            fields cannot be compared: each has its own zero.
        per_atom: energy per heavy atom, kcal/mol.
        field: "MMFF94", "UFF" or "" for none.
        settled: whether the minimiser converged.
        mol: the molecule with hydrogens and this shape.
    """

    energy: float | None
    per_atom: float | None
    field: str
    settled: bool
    mol: "Mol"


def shape_of(mol: "Mol", seed: int = _SEED) -> Conformer | None:
    """A minimised shape; None where none can be embedded, and for more than `LARGEST` heavy atoms.

    None can be embedded where stereochemistry contradicts itself or a small ring cannot close, such as C1#CC1.
    """
    if mol.GetNumHeavyAtoms() > LARGEST:
        return None
    full = rdkit("Chem").AddHs(mol)
    with rdkit("rdBase").BlockLogs():
        if not _embedded(full, seed):
            return None
        name, field = _force_field(full)
        if field is None:
            return Conformer(None, None, "", False, full)
        field.Initialize()
        settled = field.Minimize(maxIts=_STEPS) == 0
        energy = float(field.CalcEnergy())
    return Conformer(energy, energy / max(mol.GetNumHeavyAtoms(), 1), name, settled, full)


def _embedded(mol: "Mol", seed: int) -> bool:
    embedding = rdkit("Chem.rdDistGeom")
    settings = embedding.ETKDGv3()
    settings.randomSeed, settings.maxIterations = seed, _ATTEMPTS
    for anywhere in (False, True):
        settings.useRandomCoords = anywhere
        if embedding.EmbedMolecule(mol, settings) == 0:
            return True
    return False


def _force_field(mol: "Mol") -> tuple[str, Any]:
    fields = rdkit("Chem.rdForceFieldHelpers")
    if fields.MMFFHasAllMoleculeParams(mol):
        return "MMFF94", fields.MMFFGetMoleculeForceField(mol, fields.MMFFGetMoleculeProperties(mol))
    if fields.UFFHasAllMoleculeParams(mol):
        return "UFF", fields.UFFGetMoleculeForceField(mol)
    return "", None
