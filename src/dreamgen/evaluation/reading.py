"""How well a classifier reads. Letters: n examples, C numbers of their context."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from dreamgen.data.batch import Batch
from dreamgen.data.context import Context
from dreamgen.devices import device_of
from dreamgen.distributions import StepNoise
from dreamgen.errors import SettingsError
from dreamgen.evaluation.likelihood import batches
from dreamgen.models import Classifier

_ROWS = 500  # read at once


@torch.no_grad()
def read_rows(model: Classifier, data: Tensor | Batch) -> Tensor:
    """Chances of classes and flags, and standardised numbers, of all rows, (n, C), on the CPU."""
    device = device_of(model)
    return torch.cat([model.read(batch.x)[:real].cpu() for batch, real in batches(data, _ROWS, device)])


@torch.no_grad()
def reading_loss(model: Classifier, data: Batch) -> float:
    """-log p(context|x), in nats, averaged over the rows."""
    if data.context is None:
        raise SettingsError("expected the context of the rows")
    device, total = device_of(model), 0.0
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
        if field.kind != "number":
            columns = context.columns[field.name]
            right = field.picked(readings[:, columns], 0.5) == field.picked(told[:, columns], 0.0)
            found[field.name] = right.double().mean().item()
    return found


def majority(told: Tensor, context: Context) -> dict[str, float]:
    """The accuracy of whoever always says what is commonest in `told`, (n, C), by field; numbers are left out."""
    found = {}
    for field in context.fields:
        if field.kind != "number":
            picked = field.picked(told[:, context.columns[field.name]], 0.0)
            found[field.name] = picked.bincount().max().item() / len(picked)
    return found


def auc(readings: Tensor, told: Tensor, context: Context) -> dict[str, float]:
    """Area under the ROC curve of each flag that is both set and not set in `told`; as `accuracy`."""
    from sklearn.metrics import roc_auc_score

    found = {}
    for field in context.fields:
        columns = context.columns[field.name]
        truth = (told[:, columns] > 0).squeeze(1).numpy()
        if field.kind == "flag" and truth.any() and not truth.all():
            found[field.name] = float(roc_auc_score(truth, readings[:, columns].squeeze(1).numpy()))
    return found


def reading_report(model: Classifier, data: Batch, split: str = "test") -> dict[str, Any]:
    """Report on a classifier.

    Args:
        model: in evaluation mode.
        data: bytes or floats, (n, *event), with their context.
        split: what the data are, for the report.

    Returns:
        `loss`, -log p(context|x) in nats per example; `accuracy` of classes and flags beside `majority`, what always
        saying the commonest gets, and `auc` of flags: means over the fields, and `fields` with the figures of each.
        None where no field has the figure.
    """
    readings, loss = read_rows(model, data), reading_loss(model, data)
    assert data.context is not None
    figures = {
        "accuracy": accuracy(readings, data.context, model.context),
        "majority": majority(data.context, model.context),
        "auc": auc(readings, data.context, model.context),
    }
    return {
        "rows": len(data),
        "split": split,
        "unit": "nats per example",
        "loss": loss,
        **{name: float(np.mean(list(values.values()))) if values else None for name, values in figures.items()},
        "fields": {
            field: {name: values[field] for name, values in figures.items() if field in values}
            for field in model.context.names
        },
    }
