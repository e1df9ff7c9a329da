"""Augmentation: changes that leave an example what it is, made anew at every step."""

from typing import Protocol

from torch import Tensor

from dreamgen.distributions import Noise
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
