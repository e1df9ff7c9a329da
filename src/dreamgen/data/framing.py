"""How a picture of any size becomes one of a given size: the largest centred window, resized."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dreamgen.data.dataset import Array
from dreamgen.errors import SettingsError

FACE_SHARE = 148 / 178
"""Of CelebA's aligned pictures, 178 wide, 218 high, the middle 148 x 148 are the face; of their halves, 74 x 74."""

_FACES = ((178, 218), (89, 109))  # width and height of CelebA's aligned pictures, and of their halves
_LEAST, _LARGEST = 4, 2048


@dataclass(frozen=True)
class Framing:
    """The size that pictures are brought to, and how much of each is kept.

    Attributes:
        height, width: of what comes out, in pixels.
        share: of the largest centred window of that shape, the side that is kept.
    """

    height: int
    width: int
    share: float = 1.0

    @classmethod
    def square(cls, size: int, share: float = 1.0) -> "Framing":
        """Squares of a size in pixels; raises SettingsError unless it is from 4 to 2048."""
        if not _LEAST <= size <= _LARGEST:
            raise SettingsError(f"size: expected {_LEAST} to {_LARGEST} pixels, got {size}")
        return cls(size, size, share)

    def window(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of what is kept of a picture, in pixels, which need not be whole."""
        scale = min(width / self.width, height / self.height) * self.share
        across, down = self.width * scale, self.height * scale
        left, top = max((width - across) / 2, 0.0), max((height - down) / 2, 0.0)
        return left, top, min(left + across, width), min(top + down, height)  # rounding may end beyond an edge

    def __call__(self, picture: Array) -> Array:
        """A picture, (height, width) or (height, width, 3) bytes, brought to the size.

        A half of CelebA's pictures and the whole ones show the same part of the face, since the window of the half
        begins between two pixels.
        """
        height, width = picture.shape[:2]
        window = self.window(width, height)
        if (width, height) == (self.width, self.height) and self.share == 1:
            return picture
        image = Image.fromarray(picture)
        return np.asarray(image.resize((self.width, self.height), Image.Resampling.BICUBIC, box=window))


def bring_to(picture: Array, shape: Sequence[int]) -> tuple[Array, str]:
    """A picture as a model of pictures takes it, and what was done to it; nothing where it has that shape.

    Args:
        picture: (height, width[, 3]) bytes.
        shape: of one example; of no picture: then nothing is done.

    Returns:
        The picture, (*shape), and a note, "" where nothing was done.
    """
    if len(shape) not in (2, 3) or shape[2:] not in ((), (1,), (3,)):
        return picture, ""
    height, width = picture.shape[:2]
    notes: list[str] = []
    coloured = tuple(shape[2:]) == (3,)
    if coloured != (picture.ndim == 3):
        picture = np.asarray(Image.fromarray(picture).convert("RGB" if coloured else "L"))
        notes.append(f"is made {'coloured' if coloured else 'grey'}")
    if (height, width) != tuple(shape[:2]):
        framing = Framing(shape[0], shape[1], FACE_SHARE if _is_aligned_face(width, height) else 1.0)
        left, top, right, bottom = framing.window(width, height)
        picture = framing(picture)
        notes.append(
            f"is {width} wide and {height} high: its middle {right - left:.0f} by {bottom - top:.0f} are brought "
            f"to {shape[1]} by {shape[0]}"
        )
    return picture.reshape(*shape), " and ".join(notes)


def _is_aligned_face(width: int, height: int) -> bool:
    return (width, height) in _FACES
