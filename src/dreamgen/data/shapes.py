"""Shapes: white squares, ellipses and hearts on black, of which everything that varies is known.

The factors are those of dSprites (beta-VAE, 2017, https://openreview.net/forum?id=Sy2fzU9gl): 3 shapes x 6 scales
x 40 orientations x 32 x 32 places, every combination once, 737,280 pictures of 64x64. The pixels are our own, so
figures that were published for dSprites are for orientation only.

- A pixel is white where its centre lies inside the shape, and black elsewhere: no anti-aliasing. Binary pixels have a
  likelihood, and an edge between two grey values would tell the place of a shape more finely than the grid does.
- Places are a pixel apart, so a picture is one of 720 sprites put down somewhere, and is made when it is asked for.
- A turn of 90 degrees maps the square to itself, and one of 180 the ellipse. Their 40 orientations repeat, to the
  pixel, after 10 and 20, as in dSprites: 430,080 of the pictures are different, and no code tells the others apart.
- A shape turns about its centre of mass, so that turning moves it nowhere, and the three cover about the same area
  at equal scale, so that area tells the scale.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamgen.data.dataset import Dataset, Examples
from dreamgen.errors import DataError

SHAPES = ("square", "ellipse", "heart")
FACTORS = ("shape", "scale", "orientation", "x", "y")
SIZES = (3, 6, 40, 32, 32)
"""How many values each factor has."""
NUMBER = 3 * 6 * 40 * 32 * 32
SIDE = 64

_RADIUS = 16  # of the largest sprite, in pixels
_REPEATS = (10, 20, 40)  # orientations until a shape looks the same again
_TRAIN, _TEST, _SEED = 50_000, 10_000, 0

Indices = npt.NDArray[np.int64]


def indices_of(number: npt.ArrayLike) -> Indices:
    """The values of the five factors, (n, 5), each from 0, of pictures by number, (n,).

    The last factor runs fastest. Raises DataError for numbers outside [0, 737280).
    """
    numbers = np.atleast_1d(np.asarray(number))
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or (len(numbers) and _outside(numbers, NUMBER)):
        raise DataError(f"shapes: expected whole numbers from 0 to {NUMBER - 1}, (n,)")
    return np.stack(np.unravel_index(numbers.astype(np.int64), SIZES), axis=1)


def number_of(indices: npt.ArrayLike) -> Indices:
    """The numbers, (n,), of pictures by the values of their factors, (n, 5); raises DataError outside the grid."""
    rows = np.atleast_2d(np.asarray(indices))
    if rows.ndim != 2 or rows.shape[1] != len(SIZES) or rows.dtype.kind not in "iu" or _outside(rows, SIZES):
        raise DataError(f"shapes: expected whole numbers below {SIZES} for {', '.join(FACTORS)}, (n, 5)")
    numbers: Indices = np.ravel_multi_index(tuple(rows.T.astype(np.int64)), SIZES).astype(np.int64)
    return numbers


def draw_shapes(number: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """Pictures by number, (n,): (n, 64, 64), bytes 0 and 255."""
    kinds, scales, turns, left, top = indices_of(number).T
    sprites = _sprites()[kinds, scales, turns]
    pictures = np.zeros((len(sprites), SIDE, SIDE), np.uint8)
    for picture, sprite, x, y in zip(pictures, sprites, left, top, strict=True):
        picture[y : y + sprite.shape[0], x : x + sprite.shape[1]] = sprite
    return pictures


def values_of(indices: Indices) -> npt.NDArray[np.float32]:
    """Factors in units of their own, (n, 5): shape 0 to 2, scale 1/2 to 1, degrees, and pixels from the corner."""
    units = np.array([1.0, 0.1, 360 / SIZES[2], 1.0, 1.0])
    first = np.array([0.0, 0.5, 0.0, _RADIUS, _RADIUS])
    values: npt.NDArray[np.float32] = (indices * units + first).astype(np.float32)
    return values


def load_shapes() -> Dataset:
    """50,000 pictures to train on and 10,000 to test on, drawn from all without repetition, always the same."""
    numbers = np.random.default_rng(_SEED).permutation(NUMBER)[: _TRAIN + _TEST]
    indices = indices_of(numbers)
    rows = Examples(draw_shapes(numbers), indices[:, 0].copy(), values_of(indices))
    is_test = np.arange(len(numbers)) >= _TRAIN
    return Dataset("shapes", rows, is_test, classes=SHAPES, attribute_names=FACTORS, source="drawn")


def _outside(values: npt.NDArray[Any], size: int | tuple[int, ...]) -> bool:
    return bool((values < 0).any() or (values >= np.asarray(size)).any())


@cache
def _sprites() -> npt.NDArray[np.uint8]:
    """All sprites, (3, 6, 40, 33, 33), bytes 0 and 255, each around the centre of its middle pixel."""
    steps = np.arange(-_RADIUS, _RADIUS + 1, dtype=np.float64)
    down, across = np.meshgrid(steps, steps, indexing="ij")
    inside = np.empty((*SIZES[:3], *down.shape), bool)
    for kind, scale, turn in np.ndindex(SIZES[:3]):
        # Equal angles and not only equal up to a rounding, so that what repeats does so to the pixel.
        angle = 2 * np.pi * (turn % _REPEATS[kind]) / SIZES[2]
        size = _RADIUS * (0.5 + 0.1 * scale)
        x = (np.cos(angle) * across + np.sin(angle) * down) / size
        y = (np.cos(angle) * down - np.sin(angle) * across) / size
        inside[kind, scale, turn] = _is_inside(kind, x, y)
    return inside.astype(np.uint8) * 255


def _is_inside(kind: int, x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether points lie in the shape of radius 1, y pointing down."""
    if kind == 0:
        square: npt.NDArray[np.bool_] = np.maximum(abs(x), abs(y)) <= 0.7
        return square
    if kind == 1:
        ellipse: npt.NDArray[np.bool_] = x**2 + (y / 0.63) ** 2 <= 1
        return ellipse
    u, v = 1.363 * x, 0.2935 - 1.363 * y  # the curve's area is 3.662, and v = 0.2935 goes through its middle
    heart: npt.NDArray[np.bool_] = (u**2 + v**2 - 1) ** 3 <= u**2 * v**3
    return heart
