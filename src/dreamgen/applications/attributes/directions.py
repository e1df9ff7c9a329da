"""Directions in the space of codes along which one attribute changes and the others stay.

Letters: n examples, D latents, A attributes, y = -1 without an attribute and 1 with it, C = cov(z, y), and S = cov(z)
of codes drawn from q(z|x), noise included: what a mean tells below its noise, a decoder has never learned to hear.

    reading   r(z) = E[y] + W (z - E[z]),  W = Cᵀ S⁻¹: least squares, so -1 to 1 is from without to with
    step      of all shifts d that raise the reading of attribute a by 1, the one that makes the least of
              dᵀ S⁻¹ d + Σ_{b≠a} (w_b d)² / λ: it stays among the codes, and leaves other readings where they are

The minimum is d ∝ S Wᵀ (λ + W S Wᵀ)⁻¹ e_a, a sum of the differences of class means C. With λ = ∞ it is the
difference of a's own means, as in Deep Feature Consistent VAE, 2016, https://arxiv.org/abs/1610.00291, which drags
along whatever goes with it (glasses make older); with λ = 0 no other reading changes at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dreamgen.errors import DataError, SettingsError
from dreamgen.registry import nearest

Floats = npt.NDArray[np.floating]

APART = 0.1
"""λ: a compromise. The larger, the more readings flip and the more of the others change; chosen on principal
components of training faces that were held out."""

LONGEST = 4.0
"""Standard deviations of the codes that a step may be long: what codes hardly tell cannot be turned up by the full 1
without leaving them."""

_RIDGE = 1e-4  # of the mean variance of a latent, for latents that never vary


@dataclass(frozen=True)
class Directions:
    """How attributes lie in the codes of a model.

    Attributes:
        names: of the attributes, (A,).
        steps: what raises each reading by 1 when it is added to a code, or by less where that is too far, (A, D).
        weights: W, (A, D).
        offset: what a code of zeros reads, (A,).
    """

    names: tuple[str, ...]
    steps: Floats
    weights: Floats
    offset: Floats

    def read(self, z: Floats) -> Floats:
        """What codes, (n, D), read: (n, A), about -1 without an attribute and 1 with it."""
        return z @ self.weights.T + self.offset

    def shift(self, more: Mapping[str, float]) -> Floats:
        """What is added to a code so that readings rise by as much: (D,). Raises SettingsError for another name."""
        total = np.zeros(self.steps.shape[1])
        for name, amount in more.items():
            if name not in self.names:
                raise SettingsError(f"the model knows no attribute {name!r}: {nearest(name, self.names)}")
            if not np.isfinite(amount):
                raise SettingsError(f"{name}: expected a number, got {amount}")
            total += amount * self.steps[self.names.index(name)]
        return total


def find_directions(
    z: Floats, present: npt.ArrayLike, names: Sequence[str], apart: float = APART, noise: Floats | None = None
) -> Directions:
    """Directions of attributes from examples whose attributes are known.

    Args:
        z: means of codes, (n, D).
        present: 1 with an attribute, 0 without, (n, A).
        names: of the attributes.
        noise: mean variance of q(z|x) in each latent, (D,); None: 0.
        apart: λ > 0; small: other readings stay where they are; large: the difference of class means.

    Raises:
        DataError: shapes that do not fit, or an attribute that all examples have or none.
    """
    z, y = np.asarray(z, np.float64), 2 * np.asarray(present, np.float64) - 1
    if z.ndim != 2 or y.shape != (len(z), len(names)):
        raise DataError(f"expected attributes of shape ({len(z)}, {len(names)}), got {y.shape}")
    if apart <= 0:
        raise SettingsError(f"apart: expected more than 0, got {apart}")
    if still := [name for name, column in zip(names, y.T, strict=True) if np.ptp(column) == 0]:
        raise DataError(f"the examples tell nothing of {still[0]!r}: all have it, or none")
    centre, mean = z.mean(0), y.mean(0)
    covariance = np.cov(z.T, bias=True).reshape(z.shape[1], -1) + np.diag(
        np.zeros(z.shape[1]) if noise is None else noise
    )
    ridge = _RIDGE * np.trace(covariance) / len(covariance) + np.finfo(float).tiny
    covariance = covariance + ridge * np.eye(len(covariance))
    across = (z - centre).T @ (y - mean) / len(z)
    weights = np.linalg.solve(covariance, across).T
    towards = covariance @ weights.T
    steps = np.linalg.solve((weights @ towards + apart * np.eye(len(names))).T, towards.T)
    steps /= (weights * steps).sum(1, keepdims=True)
    if not np.isfinite(steps).all():
        raise DataError("the codes tell nothing of an attribute: they do not vary with it")
    lengths = np.sqrt((steps * np.linalg.solve(covariance, steps.T).T).sum(1, keepdims=True))
    steps *= np.minimum(1, LONGEST / lengths)
    return Directions(tuple(names), steps, weights, mean - weights @ centre)
