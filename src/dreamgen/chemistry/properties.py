"""Numbers that medicinal chemistry asks of a molecule, all estimated from its structure alone.

    solubility = 0.16 - 0.63 logP - 0.0062 weight + 0.066 rotatable bonds - 0.74 aromatic share of heavy atoms
    penalised logP = logP - SA - max(0, atoms of the largest ring - 6)

- logP: Prediction of Physicochemical Properties by Atomic Contributions, 1999, https://doi.org/10.1021/ci990307l.
- QED: Quantifying the Chemical Beauty of Drugs, 2012, https://doi.org/10.1038/nchem.1243.
- SA: Estimation of Synthetic Accessibility Score of Drug-like Molecules, 2009,
  https://doi.org/10.1186/1758-2946-1-8, with the changes that RDKit's authors name in its source.
- solubility: ESOL, 2004, https://doi.org/10.1021/ci034243x, with Crippen's logP in the place of Daylight's, as RDKit
  has no other; so it differs a little from the published predictions.
- penalised logP: Automatic Chemical Design Using a Data-Driven Continuous Representation of Molecules, 2018,
  https://doi.org/10.1021/acscentsci.7b00572; normalised as in Junction Tree Variational Autoencoder, 2018,
  https://arxiv.org/abs/1802.04364.
"""

from collections.abc import Callable, Sequence
from functools import cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dreamgen.chemistry.extras import rdkit
from dreamgen.chemistry.molecules import parse
from dreamgen.errors import SettingsError
from dreamgen.registry import nearest
from dreamgen.workers import Watch, spread

if TYPE_CHECKING:
    from rdkit.Chem import Mol

Floats = npt.NDArray[np.float64]
Property = Callable[["Mol"], float]

# Mean and standard deviation over ZINC250k of the three terms of penalised logP, from the authors' published code.
ZINC_LOGP = (2.4570953396190123, 1.434324401111988)
ZINC_SA = (-3.0525811293166134, 0.8335207024513095)
_ZINC_RINGS = (-0.0485696876403053, 0.2860212110245455)
_FREE_RING = 6  # atoms of a ring that costs nothing


def log_p(mol: "Mol") -> float:
    """log10 of the partition between octanol and water, Wildman and Crippen's estimate."""
    return float(rdkit("Chem.Crippen").MolLogP(mol))


def qed(mol: "Mol") -> float:
    """Quantitative estimate of drug-likeness, 0 to 1."""
    return float(rdkit("Chem.QED").qed(mol))


def weight(mol: "Mol") -> float:
    """Average molecular weight, g/mol, with all hydrogens."""
    return float(rdkit("Chem.Descriptors").MolWt(mol))


def solubility(mol: "Mol") -> float:
    """Delaney's ESOL estimate of the solubility in water at 25 °C, log10 mol/L."""
    rotatable = rdkit("Chem.rdMolDescriptors").CalcNumRotatableBonds(mol)
    heavy = mol.GetNumHeavyAtoms()
    aromatic = sum(atom.GetIsAromatic() for atom in mol.GetAtoms()) / heavy if heavy else 0.0
    return float(0.16 - 0.63 * log_p(mol) - 0.0062 * weight(mol) + 0.066 * rotatable - 0.74 * aromatic)


def sa(mol: "Mol") -> float:
    """Synthetic accessibility, 1 (easy) to 10 (hard). Raises SettingsError where RDKit has no Contrib folder."""
    return float(_sascorer().calculateScore(mol))


def rings(mol: "Mol") -> float:
    """Rings of the smallest set that spans them all."""
    return float(mol.GetRingInfo().NumRings())


def largest_ring(mol: "Mol") -> float:
    """Atoms of the largest ring of that set; 0 without a ring.

    The code behind the published penalised logP takes its rings from a spanning tree, which may count the rim of two
    fused rings as one of ten atoms, depending on the order of the atoms; RDKit's smallest rings do not. One molecule
    in 200 of ZINC250k differs.
    """
    return float(max(map(len, mol.GetRingInfo().AtomRings()), default=0))


def penalised_log_p(mol: "Mol") -> float:
    """logP - SA - the atoms by which the largest ring exceeds six."""
    return log_p(mol) - sa(mol) - max(0.0, largest_ring(mol) - _FREE_RING)


def penalised_log_p_normalised(mol: "Mol") -> float:
    """The same three terms, each standardised by its mean and deviation over ZINC250k: what papers report."""
    terms = log_p(mol), -sa(mol), -max(0.0, largest_ring(mol) - _FREE_RING)
    scales = ZINC_LOGP, ZINC_SA, _ZINC_RINGS
    return sum((term - mean) / deviation for term, (mean, deviation) in zip(terms, scales, strict=True))


PROPERTIES: dict[str, Property] = {
    "logP": log_p,
    "QED": qed,
    "SA": sa,
    "weight": weight,
    "solubility": solubility,
    "rings": rings,
    "largest_ring": largest_ring,
    "penalised_logP": penalised_log_p,
    "penalised_logP_normalised": penalised_log_p_normalised,
}
"""Properties by the name that settings and tables use."""


def properties_of(
    smiles: Sequence[str | None], names: Sequence[str], *, workers: int = 1, watch: Watch | None = None
) -> Floats:
    """Properties of many molecules, (n, len(names)), in float64.

    Args:
        smiles: what is no molecule, or is None, has a row of NaN.
        names: of `PROPERTIES`.
        workers: processes; the numbers do not depend on it.
        watch: called now and then with how many are done and how many there are.

    Raises:
        SettingsError: an unknown name, or fewer than one worker.
    """
    for name in names:
        if name not in PROPERTIES:
            raise SettingsError(f"unknown property {name!r}, {nearest(name, PROPERTIES)}")
    rows = spread(partial(_rows, names=tuple(names)), smiles, workers=workers, watch=watch)
    return np.array(rows, np.float64).reshape(len(smiles), len(names))


def _rows(smiles: Sequence[str | None], names: tuple[str, ...]) -> list[list[float]]:
    found = []
    for text in smiles:
        mol = parse(text)
        found.append([float("nan") if mol is None else PROPERTIES[name](mol) for name in names])
    return found


@cache
def _sascorer() -> Any:
    rdkit("Chem")  # where RDKit itself is missing, that is what has to be said
    try:
        return import_module("rdkit.Contrib.SA_Score.sascorer")
    except ImportError as error:
        raise SettingsError(
            "SA needs RDKit's Contrib folder, which this RDKit came without: pip install dreamgen[molecules]"
        ) from error
