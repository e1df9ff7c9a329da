"""How a stroke was drawn, read off its pixels: slant and thickness.

Both say something about pictures of one stroke or figure, bright on dark, as digits are.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from dreamgen.errors import DataError

Pictures = npt.NDArray[Any]
Numbers = npt.NDArray[np.float64]

_FINER = 4  # as many points across a pixel, between which an edge is looked for
_HALF = 0.5  # of the brightest point: where the edge of a blurred stroke lies


def slant(pictures: Pictures) -> Numbers:
    """Angle of each picture, (n, H, W), to the upright, (n,), in degrees: positive where it leans to the right.

    A figure that is sheared by s pixels a row has second moments mu_11 = s mu_02 more than before, so the slant is
    arctan(-mu_11 / mu_02), rows being counted downwards. A picture whose light lies in one row, or that has none, has
    no slant: 0.
    """
    light = _checked(pictures)
    rows, columns = np.arange(light.shape[1]), np.arange(light.shape[2])
    mass = light.sum((1, 2))
    mass = np.where(mass > 0, mass, 1.0)
    down = rows - ((light.sum(2) @ rows) / mass)[:, None]
    across = columns - ((light.sum(1) @ columns) / mass)[:, None]
    both = np.einsum("nij,ni,nj->n", light, down, across)
    upright = np.einsum("nij,ni->n", light, down**2)
    return np.degrees(np.arctan(np.where(upright > 0, -both / np.where(upright > 0, upright, 1.0), 0.0)))


def thickness(pictures: Pictures) -> Numbers:
    """Width of the stroke of each picture, (n, H, W), in pixels, (n,): four times the mean distance to its edge.

    Across a band of width w the distance to the nearer edge runs evenly from 0 to w/2, so its mean is w/4. Where
    strokes meet it is a little more, and at their ends a little less. The picture is first made finer, and cut at
    half of its brightest point: a stroke thinner than two pixels, which may have no bright one, is read too thick. A
    picture without light has thickness 0.
    """
    from scipy.ndimage import distance_transform_edt, zoom

    light = np.pad(_checked(pictures), ((0, 0), (1, 1), (1, 1)))
    found = np.zeros(len(light))
    for number, picture in enumerate(light):
        if not picture.any():
            continue
        fine = zoom(picture, _FINER, order=1, grid_mode=True, mode="grid-constant")
        inside = fine > _HALF * picture.max()
        # From the middle of a point to the middle of the nearest one outside: half a point more than to the edge.
        distances = distance_transform_edt(inside)[inside] - _HALF
        found[number] = 4 * distances.mean() / _FINER
    return found


def _checked(pictures: Pictures) -> Numbers:
    light = np.asarray(pictures, np.float64)
    if light.ndim != 3:
        raise DataError(f"expected grey pictures, (n, height, width), got {light.shape}")
    if not np.isfinite(light).all() or (light < 0).any():
        raise DataError("expected finite brightnesses of 0 or more")
    return light
