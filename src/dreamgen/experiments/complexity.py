"""How long a picture is by itself, to a coder that has seen no other: how complex it is. In nats; n pictures."""

import io
import math
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

Pictures = npt.NDArray[np.floating[Any]]
Lengths = npt.NDArray[np.float64]

_BEFORE = ((0, -1), (-1, -1), (-1, 0), (-1, 1))  # down, right: the neighbours that a decoder knows already


def is_binary(x: Pictures) -> bool:
    """Whether every pixel is 0 or 1."""
    return bool(((x == 0) | (x == 1)).all())


def png_length(x: Pictures) -> Lengths:
    """Length of each picture as PNG, (n,); x, (n, H, W), lies in [0, 1]; one bit a pixel where it is binary."""
    binary, lengths = is_binary(x), []
    for picture in np.rint(x * 255).astype(np.uint8):
        buffer, image = io.BytesIO(), Image.fromarray(picture)
        (image.convert("1", dither=Image.Dither.NONE) if binary else image).save(buffer, "PNG", optimize=True)
        lengths.append(buffer.tell())
    return np.array(lengths) * 8 * math.log(2)


def context_length(x: Pictures) -> Lengths:
    """Length of each binary picture, (n, H, W), under a coder that learns as it goes, (n,).

    As in JBIG, a pixel's chance of being 1 is counted among the pixels before it that had the same four neighbours to
    the left and above, starting from half a count each (The performance of universal encoding, 1981,
    https://doi.org/10.1109/TIT.1981.1056331). The lengths obey Σ exp(-length) = 1 over all pictures.
    """
    rows, (height, width) = np.arange(len(x)), x.shape[1:]
    padded = np.pad(x.astype(np.int64), ((0, 0), (1, 0), (1, 1)))
    counts = np.full((len(x), 2 ** len(_BEFORE), 2), 0.5)
    length = np.zeros(len(x))
    for i in range(height):
        for j in range(width):
            context = sum(padded[:, i + 1 + down, j + 1 + right] << bit for bit, (down, right) in enumerate(_BEFORE))
            pixel = padded[:, i + 1, j + 1]
            seen = counts[rows, context]
            length -= np.log(seen[rows, pixel] / seen.sum(1))
            counts[rows, context, pixel] += 1
    return length
