"""What is expected of a molecule that the oracle was not asked for: the reader, corrected by the answers so far.

    goal(m) = a + reader(code of m) + residual(m),   residual ~ Gaussian process over the environments of atoms

Its kernel is a sum of a linear one on counts of environments, since logP and most of SA add up over atoms, and
Tanimoto's on whether they are there. Gaussian Processes for Machine Learning, 2006, https://gaussianprocess.org/gpml.
"""

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dreamgen.chemistry.extras import rdkit
from dreamgen.chemistry.fingerprints import similarities

if TYPE_CHECKING:
    from rdkit.Chem import Mol

Floats = npt.NDArray[np.float64]

COUNTS = 512
_ENVIRONMENTS = 20.0  # that two molecules may differ in before the linear kernel outweighs Tanimoto's
_NOISE = 0.02  # of the residual, in units of its variance: what the kernel cannot tell apart


@cache
def _generator() -> Any:
    return rdkit("Chem.rdFingerprintGenerator").GetMorganGenerator(radius=1, fpSize=COUNTS)


def counts_of(mols: "Sequence[Mol]") -> npt.NDArray[np.float32]:
    """How often each environment of radius 0 or 1 is there, folded to (n, 512)."""
    found = np.zeros((len(mols), COUNTS), np.float32)
    for row, mol in enumerate(mols):
        found[row] = _generator().GetCountFingerprintAsNumPy(mol)
    return found


class Surrogate:
    """Fitted to answers; without any slope of its own where nothing is read off the codes.

    Args:
        x: counts, (n, F).
        read: what the reader tells of each, (n,), in the goal's unit up to a constant.
        y: answers, (n,), higher is better.
    """

    def __init__(self, x: npt.ArrayLike, read: Floats, y: Floats) -> None:
        self._x, self._centre = np.asarray(x, np.float64), np.asarray(x, np.float64).mean(0)
        self._level = float((y - read).mean())
        residual = y - read - self._level
        self._variance = max(float(residual.var()), 1e-6)
        kernel = self._kernel(self._x, self._x)
        self._inverse = np.linalg.inv(kernel + _NOISE * np.eye(len(kernel)))
        self._weights = self._inverse @ residual

    def _kernel(self, a: Floats, b: Floats) -> Floats:
        near = similarities((a > 0).astype(np.uint8), (b > 0).astype(np.uint8))
        kernel: Floats = (a - self._centre) @ (b - self._centre).T / _ENVIRONMENTS + near
        return kernel

    def expect(self, x: npt.ArrayLike, read: Floats) -> tuple[Floats, Floats]:
        """Means and standard deviations, (m,), of molecules with counts (m, F) and what the reader tells, (m,)."""
        a = np.asarray(x, np.float64)
        across = self._kernel(a, self._x)
        own = np.square(a - self._centre).sum(1) / _ENVIRONMENTS + 1.0
        left = own - np.einsum("ij,jk,ik->i", across, self._inverse, across, optimize=True)
        deviation = np.sqrt(self._variance * np.maximum(left, 1e-9))
        return read + self._level + across @ self._weights, deviation
