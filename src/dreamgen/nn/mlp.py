"""Fully connected networks of any depth.

Letters: B rows, K samples, D latent units, C context numbers, F features.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from dreamgen.data.batch import Batch
from dreamgen.errors import SettingsError
from dreamgen.registry import Registry, nearest, shorten

ENCODERS: Registry[nn.Module] = Registry("encoder")
DECODERS: Registry[nn.Module] = Registry("decoder")

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky-relu": partial(nn.LeakyReLU, 0.2),
    "tanh": nn.Tanh,
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "softplus": nn.Softplus,
}


_DEEPEST, _WIDEST = 100, 1 << 20  # more is a mistake, or a file that wants to take the memory


def trunk(width: int, hidden: Sequence[int], activation: str) -> nn.Sequential:
    """Linear layers with an activation after each: `width` numbers in, `hidden[-1]` out (or `width`, if empty)."""
    if len(hidden) > _DEEPEST or any(not 1 <= w <= _WIDEST for w in hidden):
        raise SettingsError(f"hidden: expected up to {_DEEPEST} widths from 1 to {_WIDEST}, got {shorten(hidden)}")
    layers: list[nn.Module] = []
    for inward, outward in zip([width, *hidden], hidden, strict=False):
        layers += [nn.Linear(inward, outward), activation_of(activation)]
    return nn.Sequential(*layers)


def activation_of(name: str) -> nn.Module:
    """A new activation by its name; raises SettingsError, naming the nearest, if there is none."""
    if name not in ACTIVATIONS:
        raise SettingsError(f"unknown activation {name!r}: {nearest(name, ACTIVATIONS)}")
    return ACTIVATIONS[name]()


def beside(z: Tensor, context: Tensor | None) -> Tensor:
    """Codes (K, B, D) with the context (B, C) of each row, (K, B, D + C)."""
    return z if context is None else torch.cat([z, context.expand(*z.shape[:-1], -1)], dim=-1)


@ENCODERS.register("mlp")
class MLPEncoder(nn.Module):
    """x, flattened, with the context beside it, to features.

    Unobserved elements enter as 0.

    Args:
        event_shape: shape of one example.
        context_dim: C, 0 for none.
        hidden: widths of the layers, from the outside in; none makes a linear encoder.
        activation: one of ACTIVATIONS.
        mask: whether the network is told which elements were observed, which it needs where some are not.
    """

    def __init__(
        self,
        event_shape: Sequence[int],
        context_dim: int,
        hidden: list[int],
        activation: str = "relu",
        mask: bool = False,
    ) -> None:
        super().__init__()
        self.sees_mask = mask
        width = math.prod(event_shape) * (2 if mask else 1) + context_dim
        self.layers = trunk(width, hidden, activation)
        self.features = hidden[-1] if hidden else width

    def forward(self, batch: Batch) -> Tensor:
        """A batch of B examples to features, (B, F)."""
        h = batch.x if batch.mask is None else torch.where(batch.mask, batch.x, 0.0)
        h = h.flatten(1)
        if self.sees_mask:
            h = torch.cat(
                [h, torch.ones_like(h) if batch.mask is None else batch.mask.flatten(1).to(h.dtype)], dim=-1
            )
        if batch.context is not None:
            h = torch.cat([h, batch.context], dim=-1)
        features: Tensor = self.layers(h)
        return features


@DECODERS.register("mlp")
class MLPDecoder(nn.Module):
    """z, with the context beside it, to the parameters of p(x|z).

    Args:
        latent_dim: D.
        context_dim: C, 0 for none.
        parameters_shape: what the likelihood asks for.
        hidden: widths of the layers, from the outside in (as the encoder's).
        activation: one of ACTIVATIONS.
    """

    def __init__(
        self,
        latent_dim: int,
        context_dim: int,
        parameters_shape: Sequence[int],
        hidden: list[int],
        activation: str = "relu",
    ) -> None:
        super().__init__()
        width, inside_out = latent_dim + context_dim, list(reversed(hidden))
        self.layers = trunk(width, inside_out, activation)
        self.shape = tuple(parameters_shape)
        self.out = nn.Linear(inside_out[-1] if inside_out else width, math.prod(self.shape))

    @property
    def output_bias(self) -> nn.Parameter:
        """The bias of each element of the output."""
        return self.out.bias

    def forward(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """z (K, B, D) and context (B, C) to (K, B, *parameters_shape)."""
        h: Tensor = self.out(self.layers(beside(z, context)))
        parameters: Tensor = h.unflatten(-1, self.shape)
        return parameters
