"""VGG19's convolutions: what perceptual losses of pictures usually look through.

Very Deep Convolutional Networks for Large-Scale Image Recognition, 2014, https://arxiv.org/abs/1409.1556. Layers
and weights have the names of torchvision's `vgg19().features`, so weights saved from there fit; none ship.

Letters: B pictures, H height, W width, C channels.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_BLOCKS = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512, 512, 512, 512))
_MEAN, _SCALE = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, red, green and blue
_SMALLEST = 32  # pixels along the shorter side, below which the later blocks have nothing left to see


class VGG19(nn.Module):
    """Sixteen 3 x 3 convolutions in five blocks, each but the last layers halved by its largest values.

    Args:
        blocks: how many of the five; what lies behind the last layer that is looked at is not needed.
        size: pixels along the shorter side that pictures are brought to; None: as they are, or 32 where smaller.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, blocks: int = 5, size: int | None = None) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inward = 3
        for widths in _BLOCKS[:blocks]:
            for outward in widths:
                layers += [nn.Conv2d(inward, outward, 3, padding=1), nn.ReLU()]
                inward = outward
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.size = size
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(_SCALE).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures, (B, H, W) or (B, H, W, C) of 1 or 3 channels, floats in [0, 1], to (B, 512, H / 32, W / 32)."""
        planes = x.unsqueeze(1) if x.dim() == 3 else x.movedim(-1, 1)
        if planes.shape[1] == 1:
            planes = planes.expand(-1, 3, -1, -1)
        features: Tensor = self.features((self._resized(planes) - self.mean) / self.scale)
        return features

    def _resized(self, planes: Tensor) -> Tensor:
        shorter = min(planes.shape[2:])
        wanted = max(shorter, _SMALLEST) if self.size is None else self.size
        if wanted == shorter:
            return planes
        size = [round(side * wanted / shorter) for side in planes.shape[2:]]
        return F.interpolate(planes, size, mode="bilinear", align_corners=False, antialias=wanted < shorter)


def block_of(layers: Sequence[str]) -> int:
    """How many blocks hold these layers, named as `features.0`; 5 for a name that is no layer's."""
    ends, end = [], 0
    for widths in _BLOCKS:
        end += 2 * len(widths) + 1
        ends.append(end)
    numbers = [int(name.removeprefix("features.")) for name in layers if name.removeprefix("features.").isdecimal()]
    return next((blocks for blocks, end in enumerate(ends, 1) if max(numbers, default=end) < end), len(ends))
