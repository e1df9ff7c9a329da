"""A reader: properties of an example, read off its code, learned together with the rest.

The bound is then one of log p(x, properties), and codes of examples with like properties come to lie together
(Automatic Chemical Design Using a Data-Driven Continuous Representation of Molecules, 2018,
https://arxiv.org/abs/1610.02415).
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from dreamgen.data.context import Context
from dreamgen.distributions.bounded import at_least_float32, bound_log_variance
from dreamgen.nn.mlp import trunk
from dreamgen.registry import Registry

READERS: Registry["Reader"] = Registry("reader")


@READERS.register("mlp")
class Reader(nn.Module):
    """p(properties|z): a class or flag by its chance, a standardised number by a normal of learned width.

    Args:
        latent_dim: D.
        properties: what is read.
        hidden: widths of the layers.
        activation: of the layers.
    """

    def __init__(self, latent_dim: int, properties: Context, hidden: list[int], activation: str = "silu") -> None:
        super().__init__()
        self.properties = properties
        self.layers = trunk(latent_dim, hidden, activation)
        self.out = nn.Linear(hidden[-1] if hidden else latent_dim, properties.width)
        self.log_scale = nn.Parameter(torch.zeros(len(properties.fields)))  # those of numbers are used

    def forward(self, z: Tensor) -> Tensor:
        """z (..., D) to numbers (..., P)."""
        return at_least_float32(self.out(self.layers(z)))

    def read(self, z: Tensor) -> Tensor:
        """z (..., D) to chances of classes and flags and to standardised numbers, (..., P)."""
        h, columns = self(z), self.properties.columns
        return torch.cat([field.chances(h[..., columns[field.name]]) for field in self.properties.fields], dim=-1)

    @property
    def scale(self) -> Tensor:
        """The standard deviation of each field, (fields,), in units of the standardised number."""
        return (0.5 * bound_log_variance(2 * self.log_scale)).exp()

    def log_prob(self, z: Tensor, properties: Tensor) -> Tensor:
        """log p(properties|z), z (..., B, D) and properties (B, P) to (..., B), in nats."""
        columns = self.properties.columns
        return self.log_prob_of(z, {name: properties[:, columns[name]] for name in self.properties.names})

    def log_prob_of(self, z: Tensor, some: Mapping[str, Tensor]) -> Tensor:
        """log p(some properties|z), z (..., B, D) and each property by its name, (B, width), to (..., B), in nats."""
        h, columns = self(z), self.properties.columns
        parts = [
            field.log_prob(h[..., columns[field.name]], some[field.name], scale)
            for field, scale in zip(self.properties.fields, self.scale, strict=True)
            if field.name in some
        ]
        return torch.stack(parts).sum(0)
