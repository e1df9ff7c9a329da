"""How alike molecules are: Tanimoto's similarity of Morgan fingerprints of radius 2, without stereochemistry.

    T(a, b) = bits of both / bits of either, 0 to 1

Extended-Connectivity Fingerprints, 2010, https://doi.org/10.1021/ci100050t. Fingerprints are rows of 0 and 1, so that
the bits of both are a product of matrices; two molecules without any bit are alike.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dreamgen.chemistry.extras import rdkit
from dreamgen.errors import DataError

if TYPE_CHECKING:
    from rdkit.Chem import Mol

Bits = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

_RADIUS = 2
BITS = 2048
_BLOCK = 1000  # rows of similarities that stand in memory at once


def fingerprints(mols: "Sequence[Mol]", bits: int = BITS) -> Bits:
    """Morgan fingerprints, (n, bits), 0 and 1."""
    found = np.zeros((len(mols), bits), np.uint8)
    for row, mol in enumerate(mols):
        found[row] = _generator(bits).GetFingerprintAsNumPy(mol)
    return found


def similarities(a: Bits, b: Bits) -> Floats:
    """Tanimoto of each of a, (n, F), to each of b, (m, F): (n, m). Raises DataError for two widths."""
    return np.concatenate([np.empty((0, len(b))), *_blocks(a, b)])


def nearest_similarity(a: Bits, b: Bits) -> Floats:
    """Of each of a the similarity to the nearest of b, (n,). Raises DataError where b is empty."""
    if not len(b):
        raise DataError("expected molecules to compare with, got none")
    return np.concatenate([np.empty(0), *(block.max(1) for block in _blocks(a, b))])


def internal_diversity(a: Bits) -> float:
    """1 - the mean similarity of all ordered pairs, each row with itself among them; NaN for none.

    IntDiv_1 of Molecular Sets, 2020, https://arxiv.org/abs/1811.12823, which counts a row with itself too.
    """
    if not len(a):
        return float("nan")
    return 1.0 - sum(float(block.sum()) for block in _blocks(a, a)) / len(a) ** 2


def _blocks(a: Bits, b: Bits) -> Iterator[Floats]:
    if a.shape[1] != b.shape[1]:
        raise DataError(f"expected fingerprints of one width, got {a.shape[1]} and {b.shape[1]}")
    # Counts of bits are whole numbers far below 2^24, so float32 holds them exactly.
    right = b.T.astype(np.float32)
    sizes = right.sum(0)
    for start in range(0, len(a), _BLOCK):
        left = a[start : start + _BLOCK].astype(np.float32)
        both = left @ right
        either = left.sum(1, keepdims=True) + sizes - both
        # The quotient in float64: a wall at 0.7 is to admit 7 of 10.
        one = np.ones(both.shape)
        yield np.divide(both, either, out=one, where=either > 0, dtype=np.float64)


@cache
def _generator(bits: int) -> Any:
    return rdkit("Chem.rdFingerprintGenerator").GetMorganGenerator(radius=_RADIUS, fpSize=bits)
