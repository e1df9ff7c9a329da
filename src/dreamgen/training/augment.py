"""Augmentation: changes that leave an example what it is, made anew at every step."""

from typing import Protocol

import torch
from torch import Tensor

from dreamgen.distributions import Noise
from dreamgen.errors import SettingsError
from dreamgen.registry import Registry


class Augmentation(Protocol):
    """Changes examples a little."""

    def __call__(self, x: Tensor, noise: Noise) -> Tensor:
        """x, (B, *event) floats, to as many."""


AUGMENTATIONS: Registry[Augmentation] = Registry("augmentation")


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
