"""Residual networks for pictures, without normalisation, told the context and the code at every block.

A block adds to a picture what two 3 x 3 convolutions make of it (Identity Mappings in Deep Residual Networks, 2016,
https://arxiv.org/abs/1603.05027). Nothing is normalised, so rows never meet and the numbers of a picture keep their
scale; the last convolution of each block starts small instead, by the number of blocks (Very Deep VAEs, 2020,
https://arxiv.org/abs/2011.10650). Pictures double by interpolation, which leaves no checkerboard and no blocks
(Deconvolution and Checkerboard Artifacts, 2016, https://distill.pub/2016/deconv-checkerboard), and what is told
shifts channels, the same at each place (FiLM: Visual Reasoning with a General Conditioning Layer, 2017,
https://arxiv.org/abs/1709.07871).

Letters: B rows, K samples, D latent units, C context numbers, T numbers that a block is told, F features.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dreamgen.data.batch import Batch
from dreamgen.errors import SettingsError
from dreamgen.nn.mlp import DECODERS, ENCODERS, activation_of, beside
from dreamgen.nn.pictures import Elements, Picture, channels_last, check_widths, cropped, evened, flat, unflat

_MOST_BLOCKS = 64


class Block(nn.Module):
    """h + conv(act(conv(act(h)) + linear(told))), at one resolution.

    What is told is added and never multiplied: by a row of products a code far out would grow beyond all numbers.

    Args:
        width: channels of the picture.
        inside: channels between the two convolutions.
        told: T, 0 for nothing.
        share: the size of the second convolution's first weights, beside torch's own.
    """

    def __init__(self, width: int, inside: int, told: int, activation: str, share: float) -> None:
        super().__init__()
        self.activation = activation_of(activation)
        self.inward = nn.Conv2d(width, inside, 3, padding=1)
        self.outward = nn.Conv2d(inside, width, 3, padding=1)
        self.told = nn.Linear(told, inside, bias=False) if told else None
        with torch.no_grad():
            self.outward.weight.mul_(share)
            self.outward.bias.zero_()  # type: ignore[union-attr]

    def forward(self, h: Tensor, told: Tensor | None) -> Tensor:
        """h (B, width, H, W) and what is told (B, T) to (B, width, H, W)."""
        added: Tensor = self.inward(self.activation(h))
        if self.told is not None:
            added = added + self.told(told)[:, :, None, None]
        added = self.outward(self.activation(added))
        return h + added


class Stage(nn.Module):
    """Blocks at one resolution, each `width // 2` wide inside."""

    def __init__(self, blocks: int, width: int, told: int, activation: str, share: float) -> None:
        super().__init__()
        inside = max(1, width // 2)
        self.blocks = nn.ModuleList(Block(width, inside, told, activation, share) for _ in range(blocks))

    def forward(self, h: Tensor, told: Tensor | None) -> Tensor:
        """As a block's."""
        for block in self.blocks:
            h = block(h, told)
        return h


def _check(who: str, channels: Sequence[int], blocks: int) -> None:
    check_widths(f"{who}, channels", channels)
    if not 0 <= blocks <= _MOST_BLOCKS:
        raise SettingsError(f"{who}, blocks: expected 0 to {_MOST_BLOCKS}, got {blocks}")


@torch.no_grad()
def _start_smooth(double: nn.ConvTranspose2d) -> None:
    """Kernels that double a picture by interpolation, so that training begins without a checkerboard to unlearn."""
    ramp = torch.tensor([0.25, 0.75, 0.75, 0.25])
    # The four taps that reach a place have weights of 1 in all: as much of the mix at each.
    double.weight.copy_(double.weight[..., :1, :1] * torch.outer(ramp, ramp))


@ENCODERS.register("residual")
class ResidualEncoder(nn.Module):
    """A picture, halved by a convolution for each of `channels` with blocks behind it, to features.

    Args:
        event_shape: (H, W) or (H, W, channels), of any size.
        context_dim: C, 0 for none.
        channels: at each size, from the largest.
        blocks: at each size.
        activation: one of ACTIVATIONS.
        mask: whether the network is told which elements were observed, which it needs where some are not.

    Raises:
        SettingsError: examples that are no pictures, or an argument out of range.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        context_dim: int,
        channels: tuple[int, ...] = (64, 128, 256, 256),
        blocks: int = 1,
        activation: str = "silu",
        mask: bool = False,
    ) -> None:
        super().__init__()
        _check("encoder 'residual'", channels, blocks)
        self.picture, self.sees_mask = Picture.of(event_shape, "encoder 'residual'"), mask
        widths = [self.picture.channels * (2 if mask else 1), *channels]
        share = max(1, blocks * len(channels)) ** -0.5
        self.halvings = nn.ModuleList(
            nn.Conv2d(inward, outward, 4, stride=2, padding=1)
            for inward, outward in zip(widths[:-1], channels, strict=True)
        )
        self.stages = nn.ModuleList(Stage(blocks, width, context_dim, activation, share) for width in channels)
        self.activation = activation_of(activation)
        self.sees_context = context_dim > 0
        height, width = self.picture.sizes(len(channels))[-1]
        self.features = height * width * channels[-1] + context_dim
        channels_last(self)

    def forward(self, batch: Batch) -> Tensor:
        """A batch of B pictures to features, (B, F)."""
        h = self.picture.planes(batch, self.sees_mask)
        for halve, stage in zip(self.halvings, self.stages, strict=True):
            h = stage(halve(evened(h)), batch.context)
        features = flat(self.activation(h))
        return features if batch.context is None else torch.cat([features, batch.context], dim=-1)


@DECODERS.register("residual")
class ResidualDecoder(nn.Module):
    """z, with the context beside it, to a small picture, doubled for each of `channels` with blocks before it.

    Both are told to every block again, so that no size has to pass on what only a later one needs. Pictures double by
    interpolation; the last time by a transposed convolution, which begins as one, to what the likelihood asks for.

    Args:
        latent_dim: D.
        context_dim: C, 0 for none.
        event_shape: (H, W) or (H, W, channels), of any size.
        parameters_shape: what the likelihood asks for.
        channels: at each size, from the smallest, but the picture's own.
        blocks: at each size.
        activation: one of ACTIVATIONS.

    Raises:
        SettingsError: examples that are no pictures, or an argument out of range.
    """

    def __init__(
        self,
        latent_dim: int,
        context_dim: int,
        event_shape: Sequence[int],
        parameters_shape: Sequence[int],
        channels: tuple[int, ...] = (256, 256, 128, 64),
        blocks: int = 1,
        activation: str = "silu",
    ) -> None:
        super().__init__()
        _check("decoder 'residual'", channels, blocks)
        picture, told = Picture.of(event_shape, "decoder 'residual'"), latent_dim + context_dim
        self.sizes = picture.sizes(len(channels))[::-1]
        height, width = self.sizes[0]
        share = max(1, blocks * len(channels)) ** -0.5
        self.small = nn.Linear(told, height * width * channels[0])
        self.channels = channels[0]
        self.stages = nn.ModuleList(Stage(blocks, width, told, activation, share) for width in channels)
        self.narrowings = nn.ModuleList(nn.Conv2d(inward, outward, 1) for inward, outward in pairwise(channels))
        self.activation = activation_of(activation)
        self.elements = Elements(picture, parameters_shape)
        # Its bias is the elements' own.
        self.last = nn.ConvTranspose2d(channels[-1], self.elements.planes, 4, stride=2, padding=1, bias=False)
        _start_smooth(self.last)
        channels_last(self)

    @property
    def output_bias(self) -> nn.Parameter:
        """The bias of each element of the output."""
        return self.elements.bias

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """z (K, B, D) and context (B, C) to (K, B, *parameters_shape)."""
        told = beside(z, context).flatten(0, -2)
        h = self.stages[0](unflat(self.small(told), self.channels, self.sizes[0]), told)
        for narrow, stage, size in zip(self.narrowings, self.stages[1:], self.sizes[1:-1], strict=True):
            h = stage(cropped(F.interpolate(narrow(h), scale_factor=2, mode="bilinear"), size), told)
        h = cropped(self.last(self.activation(h)), self.sizes[-1])
        parameters: Tensor = self.elements(h, z.shape[:-1])
        return parameters
