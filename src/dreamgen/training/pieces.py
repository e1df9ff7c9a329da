"""Pieces of pictures: what a training step shows of each, so that one model fills in halves, quadrants and pixels.

Neural networks that see arbitrary parts need to be shown arbitrary parts (Variational Autoencoder with Arbitrary
Conditioning, 2018, https://arxiv.org/abs/1806.02382).
"""

import torch
from torch import Tensor

from dreamgen.data.batch import Batch
from dreamgen.distributions import Noise
from dreamgen.errors import SettingsError
from dreamgen.training.masking import MASKINGS

_KINDS = 4  # quadrants, a half, a rectangle, pixels: each as often as the others


@MASKINGS.register("pieces")
class Pieces:
    """Some pictures are whole. Of the others is shown: one to three quadrants; a half; the inside or the outside of
    a rectangle; or pixels here and there.

    Quadrants and their number, the half, the rectangle's corners and the share of pixels are drawn evenly, anew for
    every picture and step. The channels of a pixel are shown or hidden together.

    Args:
        whole: the share of pictures that are whole.
    """

    def __init__(self, whole: float = 0.4) -> None:
        if not 0 <= whole <= 1:
            raise SettingsError(f"masking 'pieces', whole: expected a share from 0 to 1, got {whole!r}")
        self.whole = whole

    def __call__(self, batch: Batch, noise: Noise) -> Tensor:
        if batch.x.dim() not in (3, 4):
            raise SettingsError(
                "masking 'pieces': expected pictures, (height, width) or (height, width, channels), "
                f"got examples of shape {tuple(batch.x.shape[1:])}"
            )
        rows, height, width = batch.x.shape[:3]
        numbers = noise.uniform((1, rows, 12, 1, 1))[0].unbind(1)  # twelve for each picture, each (B, 1, 1)
        device = batch.x.device
        y = ((torch.arange(height, device=device) + 0.5) / height)[:, None]
        x = ((torch.arange(width, device=device) + 0.5) / width)[None, :]
        pixels = noise.uniform((1, rows, height, width))[0] < numbers[0]
        kinds = (_quadrants(y, x, numbers[1:6]), _half(y, x, numbers[6]), _rectangle(y, x, numbers[6:11]), pixels)
        seen = torch.ones_like(pixels)
        # From 0 to the number of kinds for a picture that is not whole; below 0 for one that is.
        kind = (numbers[11] - self.whole) / max(1 - self.whole, 1e-6) * _KINDS
        for number, shown in enumerate(kinds):
            seen = torch.where((kind >= number) & (kind < number + 1), shown, seen)
        if batch.x.dim() == 4:
            seen = seen[..., None].expand(batch.x.shape)
        return batch.observed & seen


def _quadrants(y: Tensor, x: Tensor, numbers: tuple[Tensor, ...]) -> Tensor:
    """One to three quadrants; `numbers` are their number and four that put them in order."""
    rank = torch.stack(numbers[1:5], 1).argsort(1).argsort(1)  # (B, 4, 1, 1)
    shown = rank < 1 + (3 * numbers[0]).long()[:, None]
    top, left = y < 0.5, x < 0.5
    upper = torch.where(left, shown[:, 0], shown[:, 1])
    lower = torch.where(left, shown[:, 2], shown[:, 3])
    return torch.where(top, upper, lower)


def _half(y: Tensor, x: Tensor, number: Tensor) -> Tensor:
    """The left, right, upper or lower half."""
    side = (4 * number).long()
    across, down = (x < 0.5) == (side == 0), (y < 0.5) == (side == 2)
    return torch.where(side < 2, across, down)


def _rectangle(y: Tensor, x: Tensor, numbers: tuple[Tensor, ...]) -> Tensor:
    """The inside or the outside of a rectangle with even edges."""
    a, b, c, d, side = numbers
    down = (y > torch.minimum(a, b)) & (y < torch.maximum(a, b))
    across = (x > torch.minimum(c, d)) & (x < torch.maximum(c, d))
    return (down & across) == (side < 0.5)
