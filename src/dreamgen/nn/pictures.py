"""Pictures as convolutions take them, and back to the shape of the data.

The data keeps channels last, (B, H, W) or (B, H, W, C). Seen as (B, C, H, W) these are the same numbers in the same
places, in the order of memory that convolutions are fastest in, so nothing is copied on the way in or out.

Letters: B rows, K samples, H height, W width, C channels, P numbers for each pixel that a likelihood asks for.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dreamgen.data.batch import Batch
from dreamgen.errors import SettingsError
from dreamgen.registry import shorten

_DEEPEST, _WIDEST = 16, 1 << 14  # halvings and channels; more is a mistake, or a file that wants to take the memory


class Picture(NamedTuple):
    """The shape of one picture."""

    height: int
    width: int
    channels: int

    @classmethod
    def of(cls, event_shape: Sequence[int], who: str) -> "Picture":
        """Of the shape of one example; raises SettingsError, which names `who` asks, where it is no picture's."""
        if len(event_shape) not in (2, 3) or min(event_shape) < 1:
            raise SettingsError(
                f"{who} reads pictures: expected examples of shape (height, width) or (height, width, channels), "
                f"got {tuple(event_shape)}"
            )
        height, width, *channels = event_shape
        return cls(height, width, *channels or (1,))

    def sizes(self, halvings: int) -> list[tuple[int, int]]:
        """Height and width before and after each halving; an odd side is rounded up."""
        found = [(self.height, self.width)]
        for _ in range(halvings):
            height, width = found[-1]
            found.append((-(-height // 2), -(-width // 2)))
        return found

    def planes(self, batch: Batch, mask: bool) -> Tensor:
        """The pictures of a batch, (B, C, H, W), 0 where unobserved; with `mask`, what was observed as C more."""
        x = batch.x if batch.mask is None else torch.where(batch.mask, batch.x, 0.0)
        x = x.reshape(-1, self.height, self.width, self.channels)
        if mask:
            seen = torch.ones_like(x) if batch.mask is None else batch.mask.reshape(x.shape).to(x.dtype)
            x = torch.cat([x, seen], dim=-1)
        return x.movedim(-1, 1)


def check_widths(name: str, widths: Sequence[int]) -> None:
    """Raise SettingsError unless these are channels of a network with a halving for each."""
    if not 1 <= len(widths) <= _DEEPEST or any(not 1 <= w <= _WIDEST for w in widths):
        raise SettingsError(f"{name}: expected 1 to {_DEEPEST} widths from 1 to {_WIDEST}, got {shorten(widths)}")


def channels_last(network: nn.Module) -> None:
    """Lay kernels out in memory as the pictures are, so that no step has to turn their gradients around."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def flat(h: Tensor) -> Tensor:
    """Planes (B, C, H, W) to (B, H · W · C), in the order of memory."""
    return h.movedim(1, -1).flatten(1)


def unflat(h: Tensor, channels: int, size: tuple[int, int]) -> Tensor:
    """The other way."""
    planes: Tensor = h.unflatten(-1, (*size, channels)).movedim(-1, 1)
    return planes


def evened(h: Tensor) -> Tensor:
    """Planes with a row or column of 0 more at the end of each odd side, so that halving loses nothing."""
    height, width = h.shape[-2:]
    return F.pad(h, (0, width % 2, 0, height % 2)) if height % 2 or width % 2 else h


def cropped(h: Tensor, size: tuple[int, int]) -> Tensor:
    """Planes without the row or column that doubling a rounded half gave too many."""
    return h if h.shape[-2:] == size else h[..., : size[0], : size[1]]


class Elements(nn.Module):
    """The end of a decoder: planes (K · B, P, H, W) to parameters of p(x|z), with a bias for each element.

    The bias is where training with start 'mean' puts the mean picture; a convolution's own is one for all places.
    """

    def __init__(self, picture: Picture, parameters_shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = tuple(parameters_shape)
        self.planes = math.prod(self.shape) // (picture.height * picture.width)
        if self.shape[:2] != picture[:2]:
            raise SettingsError(
                f"a decoder of pictures gives numbers for each of {picture.height} x {picture.width} pixels, and the "
                f"likelihood asks for {self.shape}"
            )
        self.bias = nn.Parameter(torch.zeros(self.shape))

    def forward(self, planes: Tensor, rows: Sequence[int]) -> Tensor:
        """To (K, B, *parameters_shape), where `rows` is (K, B)."""
        parameters: Tensor = planes.movedim(1, -1).reshape(*rows, *self.shape) + self.bias
        return parameters
