"""All that the measures ask of a molecule, found in one pass, so that it is read once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dreamgen.chemistry.checks import has_alert
from dreamgen.chemistry.extras import rdkit
from dreamgen.chemistry.fingerprints import fingerprints
from dreamgen.chemistry.molecules import parse, written
from dreamgen.chemistry.properties import PROPERTIES
from dreamgen.chemistry.smiles import canonical
from dreamgen.evaluation.molecules.counts import fragments, scaffold
from dreamgen.workers import Watch, spread

if TYPE_CHECKING:
    from rdkit.Chem import Mol

Bits = npt.NDArray[np.uint8]

VALUES = ("logP", "QED", "weight", "SA")
"""The properties whose distributions are compared one by one."""

_BITS = 1024  # of a fingerprint, as Molecular Sets has them, whose figures can then be compared


def _counted(name: str) -> Callable[["Mol"], float]:
    def count(mol: "Mol") -> float:
        return float(getattr(rdkit("Chem.rdMolDescriptors"), name)(mol))

    return count


DESCRIPTORS: dict[str, Callable[["Mol"], float]] = {
    "logP": PROPERTIES["logP"],
    "molar refractivity": lambda mol: float(rdkit("Chem.Crippen").MolMR(mol)),
    "weight": PROPERTIES["weight"],
    "polar surface": _counted("CalcTPSA"),
    "donors": _counted("CalcNumHBD"),
    "acceptors": _counted("CalcNumHBA"),
    "rotatable bonds": _counted("CalcNumRotatableBonds"),
    "rings": _counted("CalcNumRings"),
    "aromatic rings": _counted("CalcNumAromaticRings"),
    "heteroatoms": _counted("CalcNumHeteroatoms"),
    "sp3 share of carbon": _counted("CalcFractionCSP3"),
    "stereocentres": _counted("CalcNumAtomStereoCenters"),
    "charge": lambda mol: float(rdkit("Chem.rdmolops").GetFormalCharge(mol)),
}
"""The descriptors of the Fréchet distance, all of RDKit."""


@dataclass(frozen=True)
class Facts:
    """One molecule.

    Attributes:
        smiles: canonical.
        values: `VALUES`.
        descriptors: `DESCRIPTORS`.
        alert: whether it has a structural alert of PAINS, Brenk or NIH.
        fragments: pieces between BRICS bonds.
        scaffold: rings and what joins them; None below two rings.
        bits: a Morgan fingerprint of radius 2 and 1,024 bits, packed.
    """

    smiles: str
    values: tuple[float, ...]
    descriptors: tuple[float, ...]
    alert: bool
    fragments: tuple[str, ...]
    scaffold: str | None
    bits: bytes


def facts_of(smiles: Sequence[str], *, workers: int = 1, watch: Watch | None = None) -> list[Facts | None]:
    """Facts of each molecule, None where there is none; one that occurs several times is looked at once."""
    distinct = list(dict.fromkeys(smiles))
    found = dict(zip(distinct, spread(_facts, distinct, workers=workers, watch=watch), strict=True))
    return [found[text] for text in smiles]


def canonical_of(smiles: Sequence[str | None], *, workers: int = 1) -> list[str | None]:
    """The canonical SMILES of each, None where it is no molecule."""
    return spread(_canonical, smiles, workers=workers, piece=5000)


def unpacked(facts: Sequence[Facts]) -> Bits:
    """Fingerprints, (n, 1024), 0 and 1."""
    packed = np.frombuffer(b"".join(fact.bits for fact in facts), np.uint8)
    return np.unpackbits(packed.reshape(len(facts), _BITS // 8), axis=1)


def _canonical(smiles: Sequence[str | None]) -> list[str | None]:
    return [None if text is None else canonical(text) for text in smiles]


def _facts(smiles: Sequence[str]) -> list[Facts | None]:
    return [_fact(text) for text in smiles]


def _fact(text: str) -> Facts | None:
    mol = parse(text)
    if mol is None:
        return None
    return Facts(
        smiles=written(mol),
        values=tuple(PROPERTIES[name](mol) for name in VALUES),
        descriptors=tuple(descriptor(mol) for descriptor in DESCRIPTORS.values()),
        alert=has_alert(mol),
        fragments=fragments(mol),
        scaffold=scaffold(mol),
        bits=np.packbits(fingerprints([mol], _BITS)[0]).tobytes(),
    )
