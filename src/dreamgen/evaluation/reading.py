"""How well a classifier reads. Letters: n examples, C numbers of their context."""

import torch
from torch import Tensor

from dreamgen.data.batch import Batch
from dreamgen.data.context import Context
from dreamgen.distributions import StepNoise
from dreamgen.errors import SettingsError
from dreamgen.evaluation.likelihood import batches
from dreamgen.models import Classifier

_ROWS = 500  # read at once


@torch.no_grad()
def read_rows(model: Classifier, data: Tensor | Batch) -> Tensor:
    """Chances of classes and flags, and standardised numbers, of all rows, (n, C), on the CPU."""
    device = next(model.parameters()).device
    return torch.cat([model.read(batch.x)[:real].cpu() for batch, real in batches(data, _ROWS, device)])


@torch.no_grad()
def reading_loss(model: Classifier, data: Batch) -> float:
    """-log p(context|x), in nats, averaged over the rows."""
    if data.context is None:
        raise SettingsError("expected the context of the rows")
    device, total = next(model.parameters()).device, 0.0
    for batch, real in batches(data, _ROWS, device):
        total += model.infer(batch, StepNoise(0)).distortion[:real].double().sum().item()
    return total / len(data)


def accuracy(readings: Tensor, told: Tensor, context: Context) -> dict[str, float]:
    """The share of rows whose class or flag is read rightly, by field; numbers are left out.

    Args:
        readings: what `read_rows` gave, (n, C).
        told: the truth as `Context.encode` gives it, (n, C).
        context: the fields.
    """
    found = {}
    for field in context.fields:
        columns = context.columns[field.name]
        if field.kind == "class":
            right = readings[:, columns].argmax(1) == told[:, columns].argmax(1)
        elif field.kind == "flag":
            right = ((readings[:, columns] > 0.5) == (told[:, columns] > 0)).squeeze(1)
        else:
            continue
        found[field.name] = right.double().mean().item()
    return found
