"""Masking: which observed elements a training step hides, so that a model learns from any part of an example.

The loss is then the bound on the elements that are left, log p(x_seen), so what is learned is one model of all its
parts (MIWAE, 2018, https://arxiv.org/abs/1812.02633).
"""

from typing import Protocol

from torch import Tensor

from dreamgen.data.batch import Batch
from dreamgen.distributions import Noise
from dreamgen.errors import SettingsError
from dreamgen.registry import Registry


class Masking(Protocol):
    """Hides elements of a batch."""

    def __call__(self, batch: Batch, noise: Noise) -> Tensor | None:
        """The elements to be seen, (B, *event); None: all."""


MASKINGS: Registry[Masking] = Registry("masking")


@MASKINGS.register("none")
class NoMasking:
    """Everything that was observed is seen."""

    def __call__(self, batch: Batch, noise: Noise) -> Tensor | None:
        return batch.mask


@MASKINGS.register("random")
class RandomMasking:
    """Some rows are whole; of each of the others a share of the elements is hidden, each by its own chance.

    Args:
        whole: the share of rows of which nothing is hidden.
        most: the largest share of elements that is hidden; a row's own is drawn evenly from 0 to it.
    """

    def __init__(self, whole: float = 0.5, most: float = 0.9) -> None:
        for name, share in (("whole", whole), ("most", most)):
            if not 0 <= share <= 1:
                raise SettingsError(f"masking 'random', {name}: expected a share from 0 to 1, got {share!r}")
        self.whole, self.most = whole, most

    def __call__(self, batch: Batch, noise: Noise) -> Tensor:
        row = (1, len(batch), *[1] * (batch.x.dim() - 1))
        is_whole = noise.uniform(row)[0] < self.whole
        hidden = noise.uniform((1, *batch.x.shape))[0] < self.most * noise.uniform(row)[0]
        return batch.observed & (is_whole | ~hidden)
