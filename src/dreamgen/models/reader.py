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
from dreamgen.models.blur import sharpened
from dreamgen.nn.mlp import trunk
from dreamgen.registry import Registry

READERS: Registry["Reader"] = Registry("reader")


@READERS.register("mlp")
class Reader(nn.Module):
    """p(properties|z): a class or flag by its chance, a standardised number by a normal, mean and width both learned.

    Args:
        latent_dim: D.
        properties: what is read.
        hidden: widths of the layers.
        activation: of the layers.
        told_level: whether it is told how blurred a code is.
    """

    def __init__(
        self,
        latent_dim: int,
        properties: Context,
        hidden: list[int],
        activation: str = "silu",
        told_level: bool = False,
    ) -> None:
        super().__init__()
        self.properties = properties
        self.told_level = told_level
        width = latent_dim + told_level
        self.layers = trunk(width, hidden, activation)
        # The numbers of each field, and the log-variance of each, of which those of numbers are used.
        self.out = nn.Linear(hidden[-1] if hidden else width, properties.width + len(properties.fields))

    def forward(self, z: Tensor, level: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """z (..., B, D), blurred to `level` (B, 1), to numbers (..., B, P) and deviations (..., B, fields)."""
        if self.told_level:
            level = z.new_zeros(z.shape[-2], 1) if level is None else level
            z = torch.cat([sharpened(z, level), level.expand(*z.shape[:-1], 1)], dim=-1)
        h, log_variance = at_least_float32(self.out(self.layers(z))).split(
            [self.properties.width, len(self.properties.fields)], dim=-1
        )
        return h, (0.5 * bound_log_variance(log_variance)).exp()

    def read(self, z: Tensor, level: Tensor | None = None) -> Tensor:
        """z (..., B, D) to chances of classes and flags and to standardised numbers, (..., B, P)."""
        h, columns = self(z, level)[0], self.properties.columns
        return torch.cat([field.chances(h[..., columns[field.name]]) for field in self.properties.fields], dim=-1)

    def log_prob(self, z: Tensor, properties: Tensor, level: Tensor | None = None) -> Tensor:
        """log p(properties|z), z (..., B, D) and properties (B, P) to (..., B), in nats."""
        columns = self.properties.columns
        return self.log_prob_of(z, {name: properties[:, columns[name]] for name in self.properties.names}, level)

    def log_prob_of(self, z: Tensor, some: Mapping[str, Tensor], level: Tensor | None = None) -> Tensor:
        """log p(some properties|z), z (..., B, D) and each property by its name, (B, width), to (..., B), in nats."""
        h, scales = self(z, level)
        columns = self.properties.columns
        parts = [
            field.log_prob(h[..., columns[field.name]], some[field.name], scales[..., number : number + 1])
            for number, field in enumerate(self.properties.fields)
            if field.name in some
        ]
        return torch.stack(parts).sum(0)
