"""Parts of pictures to hide, by name: `left`, `quadrant:2`, `pixels:0.5`.

Quadrants are numbered as one reads: 1 upper left, 2 upper right, 3 lower left, 4 lower right.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from dreamgen.distributions.noise import generator
from dreamgen.errors import DataError, SettingsError
from dreamgen.registry import shorten

_SIDES = ("left", "right", "top", "bottom")
_EXPECTED = "left, right, top, bottom, quadrant:1 to quadrant:4 (several: quadrant:12), or pixels:SHARE"


def seen_after(hide: str, shape: Sequence[int], rows: int, seed: int = 0) -> Tensor:
    """Which elements of pictures are still seen when a part is hidden.

    Args:
        hide: `left`, `right`, `top`, `bottom`; `quadrant:` with one to three digits of 1 (upper left), 2 (upper
            right), 3 (lower left), 4 (lower right); `pixels:` with the share, more than 0 and up to 1.
        shape: of one picture, (height, width) or (height, width, channels).
        rows: n; scattered pixels are other ones in each row, a function of (seed, row).
        seed: of scattered pixels.

    Returns:
        bool, (n, *shape), true where seen.

    Raises:
        SettingsError: no such part.
        DataError: the examples are no pictures.
    """
    if len(shape) not in (2, 3):
        raise DataError(f"hiding parts of pictures: expected (height, width[, channels]), got {tuple(shape)}")
    height, width = shape[:2]
    name, _, argument = hide.partition(":")
    if name == "pixels":
        share = _share(argument)
        seen = torch.stack([torch.rand(height, width, generator=generator(seed, "hide", i)) for i in range(rows)])
        seen = seen >= share
    else:
        seen = ~_hidden(name, argument, hide, height, width).expand(rows, height, width)
    return seen if len(shape) == 2 else seen[..., None].expand(rows, *shape)


def _hidden(name: str, argument: str, hide: str, height: int, width: int) -> Tensor:
    """(height, width), true where hidden."""
    top, left = (torch.arange(height) < height // 2)[:, None], (torch.arange(width) < width // 2)[None, :]
    if name in _SIDES and not argument:
        side = {"left": left, "right": ~left, "top": top, "bottom": ~top}[name]
        return side.expand(height, width)
    if name == "quadrant" and argument and set(argument) <= set("1234") and len(set(argument)) < 4:
        quadrants = {"1": top & left, "2": top & ~left, "3": ~top & left, "4": ~top & ~left}
        return torch.stack([quadrants[digit] for digit in argument]).any(0)
    raise SettingsError(f"hide: expected {_EXPECTED}, got {shorten(hide)}")


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 < share <= 1:
        raise SettingsError(f"hide: expected pixels:SHARE with a share more than 0 and up to 1, got {shorten(text)}")
    return share
