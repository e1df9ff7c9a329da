"""Augmentation: changes that leave an example what it is, made anew at every step."""

import math
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from dreamgen.distributions import Noise
from dreamgen.errors import SettingsError
from dreamgen.registry import Registry


class Augmentation(Protocol):
    """Changes examples a little."""

    def __call__(self, x: Tensor, noise: Noise) -> Tensor:
        """x, (B, *event) floats, to as many."""


AUGMENTATIONS: Registry[Augmentation] = Registry("augmentation")

_MOST_PIXELS = 1 << 12


@AUGMENTATIONS.register("none")
class NoAugmentation:
    """Examples as they are."""

    def __call__(self, x: Tensor, noise: Noise) -> Tensor:
        return x


@AUGMENTATIONS.register("flip")
class Flip:
    """Half of the pictures, (B, H, W) or (B, H, W, C), left and right exchanged, as faces may be and digits not."""

    def __call__(self, x: Tensor, noise: Noise) -> Tensor:
        if x.dim() not in (3, 4):
            raise SettingsError(f"augment 'flip': expected pictures, got examples of shape {tuple(x.shape[1:])}")
        turned = noise.uniform((1, len(x), *(1,) * (x.dim() - 1)))[0] < 0.5
        return torch.where(turned, x.flip(2), x)


@AUGMENTATIONS.register("shift")
class Shift:
    """Each picture moved by whole pixels; what comes in repeats its edge.

    Args:
        pixels: at most, each way.
    """

    def __init__(self, pixels: int = 2) -> None:
        _check("shift", pixels=(pixels, _MOST_PIXELS))
        self.pixels = pixels

    def __call__(self, x: Tensor, noise: Noise) -> Tensor:
        height, width = _size(x, "shift")
        moves = (noise.uniform((1, len(x), 2))[0] * (2 * self.pixels + 1)).long() - self.pixels
        rows = (torch.arange(height, device=x.device) + moves[:, :1]).clamp(0, height - 1)
        columns = (torch.arange(width, device=x.device) + moves[:, 1:]).clamp(0, width - 1)
        numbers = torch.arange(len(x), device=x.device)
        return x[numbers[:, None, None], rows[:, :, None], columns[:, None, :]]


@AUGMENTATIONS.register("affine")
class Affine:
    """Each picture turned, stretched, slanted and moved, by amounts drawn evenly; what comes in repeats its edge.

    Args:
        turn: degrees at most, each way.
        stretch: of height and of width apart, by a factor from 1 / (1 + stretch) to 1 + stretch.
        slant: pixels that a row moves against the one below it, at most, each way.
        shift: of height and of width, a share of them at most, each way.
        mirror: whether half of the pictures are mirrored, left to right.
    """

    def __init__(
        self,
        turn: float = 10.0,
        stretch: float = 0.1,
        slant: float = 0.1,
        shift: float = 0.07,
        mirror: bool = False,
    ) -> None:
        _check("affine", turn=(turn, 180.0), stretch=(stretch, 10.0), slant=(slant, 10.0), shift=(shift, 1.0))
        self.turn, self.stretch, self.slant, self.shift, self.mirror = turn, stretch, slant, shift, mirror

    def __call__(self, x: Tensor, noise: Noise) -> Tensor:
        height, width = _size(x, "affine")
        planes = x.unsqueeze(1) if x.dim() == 3 else x.movedim(3, 1)
        places = F.affine_grid(self._maps(x, height, width, noise), list(planes.shape), align_corners=False)
        moved = F.grid_sample(planes, places, padding_mode="border", align_corners=False)
        return moved.squeeze(1) if x.dim() == 3 else moved.movedim(1, 3)

    def _maps(self, x: Tensor, height: int, width: int, noise: Noise) -> Tensor:
        """From places of the new picture to places of the old, (B, 2, 3), in halves of its width and height."""
        drawn = noise.uniform((1, len(x), 7))[0]
        turn, slant, *_ = (2 * drawn - 1).unbind(1)
        turn, slant = turn * math.radians(self.turn), slant * self.slant
        factors = (1 + self.stretch) ** (2 * drawn[:, 2:4] - 1)
        if self.mirror:
            factors = factors * torch.stack([1 - 2 * (drawn[:, 6] < 0.5).float(), torch.ones_like(turn)], dim=1)
        cos, sin = turn.cos(), turn.sin()
        turned = torch.stack([torch.stack([cos, slant * cos - sin], 1), torch.stack([sin, slant * sin + cos], 1)], 1)
        # A turn keeps lengths in pixels, and not in widths and heights.
        sides = torch.tensor([width, height], dtype=x.dtype, device=x.device)
        turned = turned * factors[:, None, :] * sides / sides[:, None]
        return torch.cat([turned, (2 * self.shift * (2 * drawn[:, 4:6] - 1)).unsqueeze(2)], dim=2)


def _size(x: Tensor, name: str) -> tuple[int, int]:
    """Height and width of pictures; raises SettingsError for anything else."""
    if x.dim() not in (3, 4):
        raise SettingsError(
            f"augment {name!r}: expected pictures, (height, width[, channels]), got examples of {tuple(x.shape[1:])}"
        )
    return x.shape[1], x.shape[2]


def _check(name: str, **bounds: tuple[float, float]) -> None:
    for argument, (value, most) in bounds.items():
        if not 0 <= value <= most:
            raise SettingsError(f"augment {name!r}, {argument}: expected 0 to {most:g}, got {value!r}")
