"""A classifier: it reads off an example what other models are told of it, p(context|x)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from dreamgen.data.batch import Batch
from dreamgen.data.context import Context
from dreamgen.distributions import Noise
from dreamgen.distributions.bounded import at_least_float32
from dreamgen.errors import SettingsError


@dataclass(frozen=True)
class ReadTrace:
    """What a classifier made of a batch: as much of a trace as an objective needs.

    Attributes:
        batch: the B examples.
        distortion: -log p(context|x), (B,), in nats, summed over the fields.
    """

    batch: Batch
    distortion: Tensor
    latents: tuple[()] = ()

    @property
    def rate(self) -> Tensor:
        """Nothing is encoded: 0, (B,)."""
        return torch.zeros_like(self.distortion)


class Classifier(nn.Module):
    """A network, and one linear head over all fields: log-odds of classes and flags, means of numbers.

    Args:
        network: an encoder.
        context: what it reads; fields are independent given x, a number has unit variance once standardised.
        dropout: chance with which a feature is dropped in training.
    """

    reads: ClassVar[bool] = True
    """Whether it takes examples in, as of a VAE."""

    def __init__(self, network: nn.Module, context: Context, dropout: float = 0.0) -> None:
        super().__init__()
        if not 0 <= dropout < 1:
            raise SettingsError(f"model 'classifier', dropout: expected a chance below 1, got {dropout!r}")
        self.network = network
        self.head = nn.Linear(int(network.features), context.width)  # type: ignore[arg-type]
        self.context = context
        self.dropout = dropout

    def features(self, x: Tensor) -> Tensor:
        """What the last layer but one says of examples, (B, *event) floats to (B, F)."""
        h: Tensor = self.network(Batch(x))
        return at_least_float32(h)

    def forward(self, x: Tensor, noise: Noise | None = None) -> Tensor:
        """Examples, (B, *event) floats, to the head's numbers, (B, C); with noise, features are dropped."""
        h: Tensor = self.network(Batch(x))
        if noise is not None and self.dropout:
            kept = noise.uniform((1, *h.shape))[0] >= self.dropout
            h = h * kept / (1 - self.dropout)
        return at_least_float32(self.head(h))

    def read(self, x: Tensor) -> Tensor:
        """Examples, (B, *event) floats, to chances of classes and flags and to standardised numbers, (B, C)."""
        h, columns = self(x), self.context.columns
        return torch.cat([field.chances(h[:, columns[field.name]]) for field in self.context.fields], dim=1)

    def infer(self, batch: Batch, noise: Noise, samples: int = 1) -> ReadTrace:
        """Read a batch, and compare with its context."""
        if batch.context is None:
            raise SettingsError("a classifier learns from the context of its batches: expected one")
        h, told, columns = self(batch.x, noise if self.training else None), batch.context, self.context.columns
        parts = [f.log_prob(h[:, columns[f.name]], told[:, columns[f.name]]) for f in self.context.fields]
        return ReadTrace(batch, -torch.stack(parts).sum(0))
