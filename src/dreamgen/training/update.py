"""Updates: how one batch changes the weights. This is the one thing that the loop leaves open.

The plain update has one optimiser. An update with several (a critic, an aggressive encoder) or with private
gradients registers here too; the loop, the checkpoint and the commands stay as they are.
"""

from typing import Any, Protocol

import torch
from torch import Tensor

from dreamgen.config import Settings
from dreamgen.data.batch import Batch
from dreamgen.distributions import Noise
from dreamgen.errors import SettingsError
from dreamgen.models import VAE
from dreamgen.objectives import Objective, Terms, learning_rate_schedule
from dreamgen.registry import Registry
from dreamgen.training.health import diagnose
from dreamgen.training.optimizer import OPTIMIZERS


class Update(Protocol):
    """Changes a model a little, given one batch."""

    def __call__(self, model: VAE, objective: Objective, batch: Batch, noise: Noise, step: int, total: int) -> Terms:
        """One step; returns the terms it saw. Raises DivergedError before the weights change if one is not finite."""

    def learning_rate(self, step: int, total: int) -> float:
        """The rate at one step, for the records."""

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and plain values that a resumed run needs."""

    def restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take a state back."""


UPDATES: Registry[Update] = Registry("update")


@UPDATES.register("plain")
class PlainUpdate:
    """One optimiser, one backward pass through the mean loss of the batch."""

    def __init__(self, model: VAE, settings: Settings) -> None:
        self._optimizer = OPTIMIZERS.build(settings.optimizer, parameters=list(model.parameters()))
        self._rate = learning_rate_schedule(settings.learning_rate)
        self._bfloat16 = settings.precision == "bfloat16"

    def learning_rate(self, step: int, total: int) -> float:
        return self._rate(step, total)

    def __call__(self, model: VAE, objective: Objective, batch: Batch, noise: Noise, step: int, total: int) -> Terms:
        self._optimizer.zero_grad()
        with torch.autocast(batch.x.device.type, torch.bfloat16, enabled=self._bfloat16):
            trace = model.infer(batch, noise, objective.samples)
        terms = objective(trace, step, total)
        loss = terms.loss.mean()
        if not torch.isfinite(loss):
            raise diagnose(model, batch, terms, step)
        loss.backward()
        self._optimizer.step(self._rate(step, total))
        return terms

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return self._optimizer.state(), {}

    def restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        self._optimizer.restore(tensors)


def check_learning_rate(settings: Settings) -> None:
    """Raise SettingsError where the learning rate is 0 all along."""
    schedule = learning_rate_schedule(settings.learning_rate)
    if max(schedule(step, 10) for step in range(10)) <= 0:
        raise SettingsError(f"learning_rate: expected more than 0, got {settings.learning_rate!r}")
