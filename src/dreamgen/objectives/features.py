"""Frozen networks that pictures are looked at through, and which of their layers."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dreamgen.devices import device_of
from dreamgen.errors import SettingsError
from dreamgen.registry import Registry, nearest

_NOTHING = 1e-6  # a layer that sees nothing in a picture is compared with this

FEATURES: Registry["Features"] = Registry("features", home="dreamgen.frozen")


class Features:
    """The outputs of some layers of a network that no longer learns.

    It is not part of a model: neither trained nor saved with it. Gradients pass through it to the pictures.

    Args:
        network: any network; it is frozen and put into evaluation mode.
        layers: names of layers as `network.named_modules()` has them.
        look: runs the network on pictures (B, *event), floats in [0, 1]; None: calls it.

    Raises:
        SettingsError: there is no such layer.
    """

    def __init__(
        self, network: nn.Module, layers: Sequence[str], look: Callable[[Tensor], Any] | None = None
    ) -> None:
        named = dict(network.named_modules())
        for name in layers:
            if name not in named or not name:
                raise SettingsError(f"features: no layer {name!r}: {nearest(name, [n for n in named if n])}")
        if not layers:
            raise SettingsError("features, layers: expected one or more")
        self.network = network.eval().requires_grad_(False)
        self.layers = list(layers)
        self._look = look or network
        self._seen: dict[str, Tensor] = {}
        for name in layers:
            named[name].register_forward_hook(self._keep(name))

    def _keep(self, name: str) -> Callable[[nn.Module, Any, Tensor], None]:
        def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            self._seen[name] = output

        return keep

    def __call__(self, x: Tensor) -> list[Tensor]:
        """Pictures (B, *event) to the output of each layer, (B, ...)."""
        if device_of(self.network) != x.device:
            self.network.to(x.device)
        self._look(x)
        seen = [self._seen.pop(name) for name in self.layers]
        self._seen.clear()
        return seen


def feature_errors(features: Features, x: Tensor, again: Tensor) -> Tensor:
    """Half the squared error of each layer's output relative to its own square, summed over the layers, (B,).

    So no layer outweighs the others by the size of its numbers, which nothing sets.

    Args:
        features: what to look through.
        x: pictures, (B, *event).
        again: what was made of them, (B, *event), which the gradient goes to.
    """
    with torch.no_grad():
        wanted = [layer.float() for layer in features(x)]
    found = features(again)
    errors = [
        0.5 * (f.float() - w).square().flatten(1).sum(1) / w.square().flatten(1).sum(1).clamp(min=_NOTHING)
        for f, w in zip(found, wanted, strict=True)
    ]
    return torch.stack(errors).sum(0)
