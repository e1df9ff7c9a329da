"""A critic: a small convolutional network that scores pictures, high for real ones.

Every layer is divided by its largest singular value, which one step of power iteration at each call follows; so the
critic cannot become steep, and its gradient stays of use to whom it teaches (Spectral Normalization for Generative
Adversarial Networks, 2018, https://arxiv.org/abs/1802.05957).

Letters: B pictures, H height, W width, C channels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from dreamgen.errors import SettingsError

_SMALLEST = 4  # pixels along the shorter side that a halving still makes sense of
_LEAK = 0.2
_TINY = 1e-8  # keeps the slope of a square root finite at 0


class Judgement(NamedTuple):
    """What a critic says of B pictures.

    Attributes:
        score: (B,), high for real ones.
        features: output of each convolution behind its activation, (B, channels, height, width), the first one first.
    """

    score: Tensor
    features: list[Tensor]


class Critic(nn.Module):
    """Convolutions that halve a picture as long as there is something to halve, and one number of what is left.

    Args:
        event_shape: (H, W) or (H, W, C), 4 pixels along each side or more.
        channels: of each convolution; those too many for the picture's size are left out.
        spread: whether it also sees how far the pictures of a batch differ from each other in its last features, so
            that a decoder cannot please it with one picture over and over (Progressive Growing of GANs for Improved
            Quality, Stability, and Variation, 2017, https://arxiv.org/abs/1710.10196).

    Raises:
        SettingsError: examples are no pictures, or too small ones.
    """

    def __init__(
        self, event_shape: Sequence[int], channels: Sequence[int] = (32, 64, 128), spread: bool = False
    ) -> None:
        super().__init__()
        if len(event_shape) not in (2, 3) or min(event_shape[:2]) < _SMALLEST:
            raise SettingsError(
                f"a critic looks at pictures of {_SMALLEST} pixels or more along each side, (height, width) or "
                f"(height, width, channels); got examples of shape {tuple(event_shape)}"
            )
        if not channels or min(channels) < 1:
            raise SettingsError(f"critic, channels: expected numbers of 1 or more, got {channels}")
        height, width, *depth = event_shape
        inward = depth[0] if depth else 1
        self.layers = nn.ModuleList()
        for outward in channels:
            if min(height, width) < _SMALLEST:
                break
            self.layers.append(spectral_norm(nn.Conv2d(inward, outward, 4, stride=2, padding=1)))
            height, width, inward = height // 2, width // 2, outward
        self.spread = spread
        self.out = spectral_norm(nn.Linear(height * width * inward + (1 if spread else 0), 1))

    def forward(self, x: Tensor, batches: int = 1) -> Judgement:
        """Pictures (B, H, W) or (B, H, W, C): one batch, or several of one size, one after another."""
        h = x.unsqueeze(1) if x.dim() == 3 else x.movedim(-1, 1)
        features = []
        for layer in self.layers:
            h = F.leaky_relu(layer(h), _LEAK)
            features.append(h)
        h = h.flatten(1)
        if self.spread:
            h = torch.cat([h, _spread(h, batches)], dim=1)
        return Judgement(self.out(h)[:, 0].float(), features)


def _spread(h: Tensor, batches: int) -> Tensor:
    """The length of the standard deviations of features (B, F) over their batch, told to each row, (B, 1)."""
    groups = h.unflatten(0, (batches, -1))
    length: Tensor = (groups.var(1, correction=0).sum(1) + _TINY).sqrt()
    return length.repeat_interleave(groups.shape[1]).unsqueeze(1)


def hinge_loss(real: Tensor, fake: Tensor) -> Tensor:
    """What a critic minimises, (): mean of max(0, 1 - real) and of max(0, 1 + fake).

    Geometric GAN, 2017, https://arxiv.org/abs/1705.02894.
    """
    return torch.relu(1 - real).mean() + torch.relu(1 + fake).mean()
