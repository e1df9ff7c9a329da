"""The Fréchet distance between two sets of features, as if each were Gaussian.

    d² = |μ_a - μ_b|² + tr Σ_a + tr Σ_b - 2 tr (Σ_a Σ_b)^½

With centred features A = Q_a R_a, so that Σ_a = R_aᵀ R_a / (n - 1), and B alike, (Σ_a Σ_b)^½ has the same trace as
the singular values of R_a R_bᵀ / sqrt((n - 1)(m - 1)) have a sum: (Σ_a Σ_b)^½ and (R_b Σ_a R_bᵀ)^½ share their
eigenvalues other than 0. So no covariance is formed, whose condition would be the features' squared, and none has to
be regular: fewer rows than features, and features that never change, are no special case.

GANs Trained by a Two Time-Scale Update Rule, 2017, https://arxiv.org/abs/1706.08500.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamgen.errors import DataError

Floats = npt.NDArray[np.float64]


def frechet_distance(a: npt.ArrayLike, b: npt.ArrayLike) -> float:
    """d² between Gaussians fitted to a, (n, F), and b, (m, F); 0 for equal sets, in features squared.

    As the literature does, the square is reported under the name of the distance. The covariances are unbiased, and
    their errors still raise the figure, the more the fewer rows: compare only what has equally many.

    Raises:
        DataError: fewer than two rows, other shapes, NaN or infinity.
    """
    a, b = features_of(a, "a"), features_of(b, "b")
    if a.shape[1] != b.shape[1]:
        raise DataError(f"expected features of one width, got {a.shape[1]} and {b.shape[1]}")
    apart = a.mean(0) - b.mean(0)
    root_a, root_b = _root(a), _root(b)
    shared = np.linalg.svd(root_a @ root_b.T, compute_uv=False).sum()
    found = np.square(apart).sum() + np.square(root_a).sum() + np.square(root_b).sum() - 2 * shared
    return max(float(found), 0.0)  # equal sets end a little beside 0


def _root(x: Floats) -> Floats:
    """R with Rᵀ R the covariance of the rows of x."""
    root: Any = np.linalg.qr(x - x.mean(0), mode="r")
    return root / math.sqrt(len(x) - 1)  # type: ignore[no-any-return]


def features_of(x: Any, name: str, rows: int = 2) -> Floats:
    """Features in float64, (n, F), checked; raises DataError unless there are `rows` of them and all are finite."""
    features = np.asarray(x, np.float64)
    if features.ndim != 2 or len(features) < rows or not features.shape[1]:
        raise DataError(f"{name}: expected features of {rows} rows or more, (n, F), got the shape {features.shape}")
    if not np.isfinite(features).all():
        raise DataError(f"{name}: expected finite features, got NaN or infinity")
    return features
