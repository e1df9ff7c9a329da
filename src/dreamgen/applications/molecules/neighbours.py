"""The molecules around one in the space of codes: the nearest first, each with how like the first it is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dreamgen.chemistry.fingerprints import fingerprints, similarities
from dreamgen.chemistry.molecules import parse_all
from dreamgen.chemistry.smiles import canonical

Floats = npt.NDArray[np.float32]

_DRAWN = 64  # codes on each sphere
_RADII = np.geomspace(0.1, 4.0, 24)  # in deviations of the model's codes; the prior's mass ends before the last


@dataclass(frozen=True)
class Neighbour:
    """A molecule near another.

    Attributes:
        smiles: canonical.
        distance: Euclidean, between the code that it was written from and that of the other.
        similarity: Tanimoto of Morgan fingerprints to the other, 0 to 1.
    """

    smiles: str
    distance: float
    similarity: float


def neighbours(
    start: str, code: Floats, scale: Floats, decode: Callable[[Floats], list[str]], n: int, seed: int
) -> list[Neighbour]:
    """Up to n different molecules around one, in the order of their distance.

    Codes are drawn in random directions at a growing radius and decoded, until there are enough molecules or the
    radius is beyond where codes lie. A molecule counts where it is met first.

    Args:
        start: canonical SMILES of the one, which is not its own neighbour.
        code: its code, (D,).
        scale: how far codes spread in each unit, (D,).
        decode: codes (m, D) to m lines, of which some may be no molecules.
        n: how many.
        seed: of the directions.
    """
    random, found = np.random.default_rng(seed), {start: 0.0}
    for radius in _RADII:
        if len(found) > n:
            break
        directions = random.standard_normal((_DRAWN, len(code)))
        directions *= np.sqrt(len(code)) / np.linalg.norm(directions, axis=1, keepdims=True)
        codes = (code + radius * scale * directions).astype(np.float32)
        for line, z in zip(decode(codes), codes, strict=True):
            if smiles := canonical(line):
                found.setdefault(smiles, float(np.linalg.norm(z - code)))
    # The last sphere is decoded whole, and spheres of unequal units overlap: the nearest of all are taken.
    nearest = sorted(found.items(), key=lambda one: one[1])[1 : n + 1]
    bits = fingerprints([mol for mol in parse_all([start, *(smiles for smiles, _ in nearest)]) if mol is not None])
    alike = similarities(bits[:1], bits[1:])[0]
    return [
        Neighbour(smiles, distance, float(similarity))
        for (smiles, distance), similarity in zip(nearest, alike, strict=True)
    ]
