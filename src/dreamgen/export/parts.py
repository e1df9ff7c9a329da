"""The two halves of a model as plain functions from numbers to numbers: what other programs are to compute too."""

import torch
from torch import Tensor, nn

from dreamgen.data import Batch
from dreamgen.distributions import StepNoise, draw
from dreamgen.dreaming import dream_level
from dreamgen.errors import SettingsError
from dreamgen.io import SavedModel


class ExportedPart(nn.Module):
    """A function from one tensor to others, with names for them."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class DecoderMean(ExportedPart):
    """Codes to the mean of p(x|z), kept within [0, 1] where the data was."""

    inputs, outputs = ("z",), ("mean",)

    def __init__(self, saved: SavedModel) -> None:
        super().__init__()
        _need_no_context(saved)
        self.decoder = saved.model.decoder
        self.unit_range = saved.unit_range
        self.level = dream_level(saved)

    def forward(self, z: Tensor) -> Tensor:
        """z (B, D), as blurred as those of dreams, to (B, *event)."""
        # The branch is taken here, and not on the numbers in a tensor: what is exported is one straight line.
        level = self.level * torch.ones_like(z[:, :1])
        mean: Tensor = (self.decoder.of_blurred(z, None, level) if self.level else self.decoder(z)).mean
        return mean.clamp(0, 1) if self.unit_range else mean


class EncoderMoments(ExportedPart):
    """Examples to the mean and the standard deviation of q(z|x)."""

    inputs, outputs = ("x",), ("loc", "scale")

    def __init__(self, saved: SavedModel) -> None:
        super().__init__()
        _need_no_context(saved)
        self.encoder = saved.model.encoder

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, *event), floats, to loc and scale, (B, D)."""
        q = self.encoder(Batch(x))
        return q.mean, q.stddev


def _need_no_context(saved: SavedModel) -> None:
    if saved.context:
        told = ", ".join(saved.context.names)
        raise SettingsError(f"a model that is told {told} leaves as a folder only: dreamgen export --decoder-only")


def prior_codes(saved: SavedModel, n: int) -> Tensor:
    """The same n codes from the prior at every call, (n, D), on the CPU."""
    prior = saved.model.prior(None)
    noise = StepNoise(0, "export", device=prior.mean.device)
    return draw(prior.expand((n, *prior.batch_shape)), noise, 1)[0].cpu()


def examples(saved: SavedModel, n: int) -> Tensor:
    """n examples of noise in [0, 1], (n, *event): enough to compare two programs by."""
    return StepNoise(0, "export examples").uniform((n, *saved.event_shape))


def largest(a: Tensor, b: Tensor) -> float:
    """The largest difference of two results, relative where they exceed 1."""
    return float(((a - b).abs() / b.abs().clamp(min=1)).max())


def with_weights(part: DecoderMean, dtype: torch.dtype) -> DecoderMean:
    """Round a part's weights, in place, to what another type of number holds."""
    part.load_state_dict({name: value.to(dtype).to(value.dtype) for name, value in part.state_dict().items()})
    return part
