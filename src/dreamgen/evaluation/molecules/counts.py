"""Sets of molecules as counts of their parts, and how alike two counts are.

    cosine(a, b) = Σ a_k b_k / sqrt(Σ a_k² Σ b_k²)

Frag and Scaf of Molecular Sets, 2020, https://arxiv.org/abs/1811.12823.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from dreamgen.chemistry.extras import rdkit
from dreamgen.chemistry.molecules import written

if TYPE_CHECKING:
    from rdkit.Chem import Mol

_RINGS = 2  # of a scaffold that is counted; one ring alone says little


def fragments(mol: "Mol") -> tuple[str, ...]:
    """The pieces between the bonds that BRICS would break, as SMILES with numbered ends; of an unbroken one itself.

    On the Art of Compiling and Using 'Drug-Like' Chemical Fragment Spaces, 2008,
    https://doi.org/10.1002/cmdc.200800178.
    """
    broken = rdkit("Chem.rdmolops").FragmentOnBRICSBonds(mol)
    return tuple(written(broken).split("."))


def scaffold(mol: "Mol") -> str | None:
    """The rings and what joins them, as SMILES; None for fewer than two rings.

    The Properties of Known Drugs. 1. Molecular Frameworks, 1996, https://doi.org/10.1021/jm9602928.
    """
    with rdkit("rdBase").BlockLogs():
        try:
            frame = rdkit("Chem.Scaffolds.MurckoScaffold").GetScaffoldForMol(mol)
        except ValueError:  # a few odd molecules have a frame that cannot be sanitised
            return None
        return written(frame) if frame.GetRingInfo().NumRings() >= _RINGS else None


def cosine(a: Mapping[str, int], b: Mapping[str, int]) -> float:
    """Of the angle between two counts: 1 for equal shares, 0 for nothing in common; NaN where one is empty."""
    if not a or not b:
        return float("nan")
    shared = sum(count * b[key] for key, count in a.items() if key in b)
    return shared / math.sqrt(sum(n * n for n in a.values()) * sum(n * n for n in b.values()))
