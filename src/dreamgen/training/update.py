"""Updates: how one batch changes the weights. This is the one thing that the loop leaves open.

The plain update has one optimiser. An update with several (a critic, an aggressive encoder) or with private
gradients registers here too; the loop, the checkpoint and the commands stay as they are.
"""

from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor

from dreamgen.config import Settings
from dreamgen.data.batch import Batch
from dreamgen.distributions import Noise
from dreamgen.errors import DivergedError, SettingsError
from dreamgen.models import VAE
from dreamgen.objectives import Objective, Terms, learning_rate_schedule
from dreamgen.registry import Registry
from dreamgen.training.by_hand import GradientsByHand
from dreamgen.training.health import diagnose
from dreamgen.training.optimizer import OPTIMIZERS


class Update(Protocol):
    """Changes a model a little, given one batch."""

    needs_whole: ClassVar[bool]
    """Whether the mask hides what is read all the same, so that there may be no gaps in the data."""
    scored_by_objective: ClassVar[bool]
    """Whether the objective on held-out rows says which epoch was best; not where the update adds what it lacks."""

    def __call__(self, model: VAE, objective: Objective, batch: Batch, noise: Noise, step: int, total: int) -> Terms:
        """One step.

        Returns:
            The terms that it saw: of all rows, or of some where the step does not need them.

        Raises:
            DivergedError: a number is not finite. A device is asked only every 20 steps, since that waits for it; a
                checkpoint is checked in any case.
        """

    def learning_rate(self, step: int, total: int) -> float:
        """The rate at one step, for the records."""

    def sample(self, step: int) -> Tensor | None:
        """Which of the run's rows a step sees, as places from 0; None: the next ones in the epoch's order."""

    def card(self) -> dict[str, Any]:
        """Facts for the card of the saved model. With "privacy" among them nothing else about the rows is saved."""

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors and plain values that a resumed run needs."""

    def restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take a state back."""


UPDATES: Registry[Update] = Registry("update")


_LOOKS = 20  # steps between two looks at a device: each one waits for it


@UPDATES.register("plain")
class PlainUpdate:
    """One optimiser, one gradient of the mean loss of the batch.

    The gradient comes from autograd, or, where the parts allow, from the same formulas written out.
    """

    needs_whole: ClassVar[bool] = False
    scored_by_objective: ClassVar[bool] = True

    def __init__(self, model: VAE, settings: Settings) -> None:
        self._optimizer = OPTIMIZERS.build(settings.optimizer, parameters=list(model.parameters()))
        self._rate = learning_rate_schedule(settings.learning_rate)
        self._bfloat16 = settings.precision == "bfloat16"
        self._by_hand: GradientsByHand | None = None
        if settings.gradients == "auto" and GradientsByHand.fit(model):
            own = next(model.parameters()).dtype
            self._by_hand = GradientsByHand(model, torch.bfloat16 if self._bfloat16 else own)
        self._finite = torch.tensor(True)

    def learning_rate(self, step: int, total: int) -> float:
        return self._rate(step, total)

    def sample(self, step: int) -> Tensor | None:
        return None

    def card(self) -> dict[str, Any]:
        return {}

    def __call__(self, model: VAE, objective: Objective, batch: Batch, noise: Noise, step: int, total: int) -> Terms:
        if self._by_hand and self._by_hand.serve(objective, batch):
            terms, finite = self._by_hand(objective, batch, noise, step, total)
        else:
            terms, finite = self._by_autograd(model, objective, batch, noise, step, total)
        look = batch.x.device.type == "cpu" or step % _LOOKS == 0
        if look and not finite:
            raise diagnose(model, objective, batch, step, total)
        finite = finite & self._optimizer.step(self._rate(step, total))
        self._finite = finite & self._finite.to(finite.device)
        if look and not self._finite:
            raise DivergedError(
                f"training diverged at step {step}: a weight, or the running mean of its squared gradient, is not "
                "finite. A lower learning_rate is the usual cure; the last checkpoint is kept."
            )
        return terms

    def _by_autograd(
        self, model: VAE, objective: Objective, batch: Batch, noise: Noise, step: int, total: int
    ) -> tuple[Terms, Tensor]:
        self._optimizer.zero_grad()
        terms = self._terms(model, objective, batch, noise, step, total)
        loss = terms.loss.mean()
        loss.backward()
        return terms, torch.isfinite(loss)

    def _terms(self, model: VAE, objective: Objective, batch: Batch, noise: Noise, step: int, total: int) -> Terms:
        with torch.autocast(batch.x.device.type, torch.bfloat16, enabled=self._bfloat16):
            trace = model.infer(batch, noise, objective.samples)
        return objective(trace, step, total)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return self._optimizer.state(), {}

    def restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        self._optimizer.restore(tensors)


def check_learning_rate(settings: Settings) -> None:
    """Raise SettingsError where the learning rate is 0 all along."""
    schedule = learning_rate_schedule(settings.learning_rate)
    if max(schedule(step, 10) for step in range(10)) <= 0:
        raise SettingsError(f"learning_rate: expected more than 0, got {settings.learning_rate!r}")
