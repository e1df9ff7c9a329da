"""How sharp pictures are, and how their neighbouring pixels hang together.

Letters: n pictures, H rows, W columns, C channels. Bytes count as [0, 1]; colour is measured in its luma (ITU-R
BT.601). Noise raises every one of these figures as well as detail does, so precision and recall belong beside them.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from dreamgen.data.batch import as_float
from dreamgen.errors import DataError

Pictures = npt.NDArray[np.floating[Any]]

_LUMA = (0.299, 0.587, 0.114)
_ROWS = 1000  # pictures measured at once
_SMALLEST = 3  # pixels along a side


def grey(x: npt.ArrayLike) -> Pictures:
    """Pictures, (n, H, W) or (n, H, W, 1 or 3), bytes or floats, as (n, H, W) with bytes brought to [0, 1].

    Raises:
        DataError: no pictures, or smaller than 3x3.
    """
    x = np.asarray(x)
    if x.ndim == 4 and x.shape[3] == 1:
        x = x[..., 0]
    if not len(x) or x.ndim not in (3, 4) or (x.ndim == 4 and x.shape[3] != 3) or min(x.shape[1:3]) < _SMALLEST:
        raise DataError(
            "sharpness: expected pictures of 3x3 pixels or more, (n, height, width) or (n, height, width, 3), "
            f"got {x.shape}"
        )
    scale = 255 if x.dtype == np.uint8 else 1
    x = x if x.dtype == np.float64 else x.astype(np.float32)
    luma: Pictures = (x if x.ndim == 3 else x @ np.array(_LUMA, x.dtype)) / scale
    return luma


def _blocks(x: npt.ArrayLike) -> Iterator[npt.NDArray[np.float64]]:
    x = np.asarray(x)
    for start in range(0, max(len(x), 1), _ROWS):
        yield grey(x[start : start + _ROWS]).astype(np.float64)


def laplacian_variance(x: npt.ArrayLike) -> float:
    """Variance over a picture of the sum of its four neighbours less four times the pixel, averaged over pictures.

    Wasserstein Auto-Encoders, 2017, https://arxiv.org/abs/1711.01558, section 4.
    """
    found = []
    for block in _blocks(x):
        inside = block[:, 1:-1, 1:-1]
        around = block[:, :-2, 1:-1] + block[:, 2:, 1:-1] + block[:, 1:-1, :-2] + block[:, 1:-1, 2:]
        found.append((around - 4 * inside).var(axis=(1, 2)))
    return float(np.concatenate(found).mean())


def high_frequency_power(x: npt.ArrayLike, above: float = 0.25) -> float:
    """Power of what repeats more often than `above` times a pixel in any direction, averaged over pictures.

    The mean square, in grey levels squared, that is left of a picture when its slower waves are taken out: of white
    noise its variance times the share of frequencies that count. A Hann window keeps the picture's own edge, where
    the transform sees a jump, out of the figure.

    Args:
        x: pictures.
        above: cycles a pixel, from 0 to 0.5, the finest there is along a side.
    """
    power, count = 0.0, 0
    for block in _blocks(x):
        height, width = block.shape[1:]
        # Without the zeros at its ends, so that the smallest picture has something left.
        window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
        level = (block * window).sum((1, 2), keepdims=True) / window.sum()
        waves = np.fft.fft2((block - level) * window)
        fast = np.hypot(*np.meshgrid(np.fft.fftfreq(height), np.fft.fftfreq(width), indexing="ij")) > above
        # Parseval: the mean square is the sum of |waves|² / (HW)²; the window passes mean(window²) of it.
        power += float(np.square(np.abs(waves[:, fast])).sum() / (height * width) ** 2 / np.square(window).mean())
        count += len(block)
    return power / count


def neighbour_correlation(x: npt.ArrayLike, centre: npt.ArrayLike | None = None) -> float:
    """Correlation of the deviations d = x - centre of two pixels side by side or one above the other.

    Σ d d' / sqrt(Σ d² · Σ d'²) over all such pairs (d the left or upper one) of all pictures. With the mean picture
    as the centre it says how smooth pictures are; with the decoder's mean for the code of each, it is what the
    decoder's independent pixels leave unexplained, and 0 for draws from p(x|z). NaN where nothing deviates.

    Args:
        x: pictures.
        centre: one picture, (H, W[, C]), or one for each of x; None: the mean of x.
    """
    pictures = np.asarray(x)
    x = grey(pictures)
    if centre is None:
        middle = x.mean(0, dtype=np.float64)
    else:
        centre = np.asarray(centre)
        middle = grey(centre[None] if centre.ndim < pictures.ndim else centre)
    middle = np.broadcast_to(middle, x.shape)
    product, first, second = 0.0, 0.0, 0.0
    for start in range(0, len(x), _ROWS):
        d = x[start : start + _ROWS].astype(np.float64) - middle[start : start + _ROWS]
        for a, b in ((d[:, :, :-1], d[:, :, 1:]), (d[:, :-1], d[:, 1:])):
            product += float((a * b).sum())
            first, second = first + float(np.square(a).sum()), second + float(np.square(b).sum())
    return product / math.sqrt(first * second) if first * second else math.nan


def edge_strength(x: npt.ArrayLike) -> float:
    """The length of the gradient, by differences to the next pixel, averaged over pixels and pictures."""
    lengths = []
    for block in _blocks(x):
        right, down = block[:, :-1, 1:] - block[:, :-1, :-1], block[:, 1:, :-1] - block[:, :-1, :-1]
        lengths.append(np.hypot(right, down).mean((1, 2)))
    return float(np.concatenate(lengths).mean())


def edge_energy(x: Tensor) -> float:
    """Squared differences between neighbouring pixels, summed over each picture, averaged over the pictures.

    x is bytes or floats, (n, height, width[, channels]), of any size and with any channels, which are summed. Sharp
    edges raise it, and so do long strokes: compare pictures of the same kind only.
    """
    x = as_float(x)
    across, down = x.diff(dim=2), x.diff(dim=1)
    return (across.square().flatten(1).sum(1) + down.square().flatten(1).sum(1)).double().mean().item()
