"""The codes of a model on a plane: by principal components, or by t-SNE, with a morph's way among them."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dreamgen.errors import DataError, SettingsError
from dreamgen.registry import nearest

Floats = npt.NDArray[np.floating]

METHODS = ("pca", "tsne")

_LEAST = 3
_PERPLEXITY = 30.0
_MOST_TSNE = 10_000  # beyond which t-SNE takes minutes


@dataclass(frozen=True)
class Projection:
    """Codes on a plane.

    Attributes:
        points: (n, 2).
        path: of codes that lie on a way, (t, 2); t may be 0.
        explained: shares of the codes' variance that the two axes show; None where axes mean nothing.
    """

    points: Floats
    path: Floats
    explained: tuple[float, float] | None = None


def project(z: Floats, path: Floats | None = None, method: str = "pca", seed: int = 0) -> Projection:
    """Lay codes on a plane.

    Args:
        z: codes, (n, D).
        path: further codes, (t, D), in the order of a way. Principal components are those of z alone; t-SNE knows
            no point that it was not fitted with, so these are fitted too.
        method: `pca`, or `tsne` (Visualizing Data using t-SNE, 2008, https://jmlr.org/papers/v9/vandermaaten08a.html),
            whose distances mean little beyond the nearest neighbours.
        seed: of t-SNE.

    Raises:
        DataError: fewer than three codes, or more than t-SNE can lay out in good time.
        SettingsError: another method.
    """
    if method not in METHODS:
        raise SettingsError(f"unknown method {method!r}: {nearest(method, METHODS)}")
    if len(z) < _LEAST:
        raise DataError(f"a projection: expected {_LEAST} codes or more, got {len(z)}")
    path = np.empty((0, z.shape[1])) if path is None else path
    if method == "tsne":
        return _neighbours(z, path, seed)
    centre = z.mean(0, dtype=np.float64)
    _, sizes, axes = np.linalg.svd(z - centre, full_matrices=False)
    axes = axes[:2] * np.where(axes[:2].sum(1, keepdims=True) < 0, -1, 1)  # a sign is arbitrary: always the same
    if len(axes) < 2:  # codes of one latent
        axes, sizes = np.concatenate([axes, np.zeros_like(axes)]), np.append(sizes, 0.0)
    shares = np.square(sizes) / max(float(np.square(sizes).sum()), np.finfo(float).tiny)
    return Projection((z - centre) @ axes.T, (path - centre) @ axes.T, (float(shares[0]), float(shares[1])))


def _neighbours(z: Floats, path: Floats, seed: int) -> Projection:
    from sklearn.manifold import TSNE

    if len(z) > _MOST_TSNE:
        raise DataError(f"t-SNE: expected at most {_MOST_TSNE} codes, got {len(z)}")
    both = np.concatenate([z, path]).astype(np.float32)
    perplexity = min(_PERPLEXITY, (len(both) - 1) / 3)
    fitted = TSNE(
        perplexity=perplexity, init="pca" if both.shape[1] > 1 else "random", random_state=seed, n_jobs=1
    ).fit_transform(both)
    return Projection(fitted[: len(z)], fitted[len(z) :])


def spread_out(points: Floats, columns: int, rows: int) -> npt.NDArray[np.int64]:
    """Numbers of points that lie apart: the one nearest to the middle of each cell of a grid over them all."""
    low, high = points.min(0), points.max(0)
    cells = np.array([columns, rows])
    places = (points - low) / np.maximum(high - low, np.finfo(float).tiny) * cells
    cell = np.minimum(places.astype(np.int64), cells - 1)
    away = np.square(places - cell - 0.5).sum(1)
    order = np.argsort(away, kind="stable")
    _, first = np.unique((cell @ np.array([1, columns]))[order], return_index=True)
    return np.sort(order[first])
