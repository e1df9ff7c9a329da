"""Private training: no row moves the weights by more than noise can hide.

Deep Learning with Differential Privacy, 2016, https://arxiv.org/abs/1607.00133. A step draws every row with the same
chance (a Poisson sample), bends the gradient g_i of each to at most the length C, and moves along

    (Σ_i g_i min(1, C / |g_i|) + noise · C · N(0, I)) / batch_size

What noise is needed for (ε, δ) is in `dreamgen.privacy`. Everything that is computed from the noisy gradients alone
(Adam's means, averaged weights) is as private as they are.

The sample and the noise are functions of (seed, step), so a run can be resumed and repeated. **The seed is therefore
a secret**: who knows it can draw the same noise and take it away. It is never saved with a private model; take one
that nobody guesses (`secrets.randbits(63)`). The generator is Mersenne's twister and numbers are floats, which holds
against who sees the weights, not against who could watch the noise itself (On Significance of the Least Significant
Bits for Differential Privacy, 2012).
"""

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from dreamgen.config import Settings
from dreamgen.data.batch import Batch
from dreamgen.distributions import Noise, generator
from dreamgen.errors import DivergedError, SettingsError
from dreamgen.models import VAE
from dreamgen.objectives import Objective, Terms, learning_rate_schedule
from dreamgen.privacy import Accountant, Charge, Spending, check_budget, noise_for
from dreamgen.training.optimizer import OPTIMIZERS
from dreamgen.training.private_layers import clipped_sum_of_layers, rows_stay_apart
from dreamgen.training.private_rows import clipped_sum_of_rows
from dreamgen.training.update import UPDATES


@UPDATES.register("private")
class PrivateUpdate:
    """Differentially private steps.

    Args:
        model, settings, rows, steps, seed: of the run.
        epsilon: the budget of everything, the earlier charges and all steps; the noise follows from it.
        delta: the budget's probability of failure, less than 1 / rows.
        noise: the noise's standard deviation over `clip`, in place of `epsilon`.
        clip: C, the most that one row can move the sum.
        accountant: "rdp" or "prv".
        earlier: what was measured on the rows before, as [noise, rate, steps, delta] each (see `Charge`).

    Raises:
        SettingsError: a part of the run looks at the rows beside the gradients, or the budget is none.
    """

    needs_whole: ClassVar[bool] = False
    scored_by_objective: ClassVar[bool] = True

    def __init__(
        self,
        model: VAE,
        settings: Settings,
        rows: int,
        steps: int,
        seed: int,
        epsilon: float | None = None,
        delta: float = 1e-5,
        noise: float | None = None,
        clip: float = 1.0,
        accountant: Accountant = "rdp",
        earlier: list[list[float]] | None = None,
    ) -> None:
        check_settings(settings)
        _check_model(model)
        if (epsilon is None) == (noise is None):
            raise SettingsError("update 'private': expected either epsilon or noise, got both or none")
        if not 0 < clip < math.inf:
            raise SettingsError(f"update 'private', clip: expected more than 0, got {clip!r}")
        check_budget(1.0 if epsilon is None else epsilon, delta, rows)
        before = [Charge(f"before training, {i}", *_numbers(e)) for i, e in enumerate(earlier or [], 1)]
        self._rate = min(1.0, settings.batch_size / rows)
        if noise is not None:
            Charge("training", noise, self._rate, steps)  # its numbers are checked now
        self._epsilon, self._given, self._before, self._steps = epsilon, noise, before, steps
        self._rows, self._seed, self._delta, self._accountant = rows, seed, delta, accountant
        self._clip, self._expected = clip, self._rate * rows
        self._trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self._optimizer = OPTIMIZERS.build(settings.optimizer, parameters=list(model.parameters()))
        self._schedule = learning_rate_schedule(settings.learning_rate)

    @cached_property
    def noise(self) -> float:
        """Standard deviation of the noise over `clip`. Opacus is needed from here on, not to read a settings file."""
        if self._given is not None:
            return self._given
        assert self._epsilon is not None
        return noise_for(self._epsilon, self._delta, self._rate, self._steps, self._before, self._accountant)

    def learning_rate(self, step: int, total: int) -> float:
        return self._schedule(step, total)

    def sample(self, step: int) -> Tensor:
        """A Poisson sample: every row is in it with the same chance, whatever becomes of the others."""
        chance = torch.rand(self._rows, generator=generator(self._seed, "private rows", step), dtype=torch.float64)
        return (chance < self._rate).nonzero().flatten()

    def card(self) -> dict[str, Any]:
        spending = Spending([*self._before, Charge("training", self.noise, self._rate, self._steps)])
        return {"privacy": spending.to_dict(self._delta, self._accountant) | {"clip": self._clip}}

    def __call__(self, model: VAE, objective: Objective, batch: Batch, noise: Noise, step: int, total: int) -> Terms:
        if objective.couples_rows:
            raise SettingsError(
                "update 'private': expected an objective that is a sum over rows, got one that is not"
            )
        terms, sums = self.clipped_sum(model, objective, batch, noise, step, total)
        for (name, parameter), hidden in zip(self._trained.items(), self.hiding(step), strict=True):
            parameter.grad = (sums[name] + hidden.to(parameter)) / self._expected
        if not self._optimizer.step(self._schedule(step, total)):
            raise DivergedError(
                f"training diverged at step {step}: a weight is not finite. A lower learning_rate is the usual cure."
            )
        return terms

    def hiding(self, step: int) -> Iterator[Tensor]:
        """The noise of a step for each trained parameter, of standard deviation noise · clip, on the CPU."""
        source = generator(self._seed, "private noise", step)
        for parameter in self._trained.values():
            yield torch.randn(parameter.shape, generator=source) * (self.noise * self._clip)

    def clipped_sum(
        self, model: VAE, objective: Objective, batch: Batch, noise: Noise, step: int, total: int
    ) -> tuple[Terms, dict[str, Tensor]]:
        """The sum over rows of their gradients, each no longer than `clip`, by parameter; and the rows' terms.

        A row whose gradient is not finite counts as nothing, so no row can do more than its share, nor stop the run.
        """
        if len(batch) and rows_stay_apart(model, objective) and len(self._trained) == len(list(model.parameters())):
            return clipped_sum_of_layers(model, objective, batch, noise, step, total, self._clip)
        return clipped_sum_of_rows(model, self._trained, objective, batch, noise, step, total, self._clip)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return self._optimizer.state(), {}

    def restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        self._optimizer.restore(tensors)


def _numbers(values: list[float]) -> tuple[Any, ...]:
    if not 1 <= len(values) <= 4:
        raise SettingsError(f"update 'private', earlier: expected [noise, rate, steps, delta], got {values!r}")
    return tuple(int(v) if i == 2 else v for i, v in enumerate(values))


def is_private(settings: Settings) -> bool:
    """Whether settings ask for private training."""
    return bool(UPDATES.normalise(settings.update)["kind"] == "private")


def check_settings(settings: Settings) -> None:
    """Refuse settings that would look at the rows beside the gradients."""
    for name, expected, why in (
        ("validation", 0, "a choice by held-out rows is not counted"),
        ("patience", 0, "a choice by held-out rows is not counted"),
        ("start", "random", "a mean of the rows is not counted"),
        ("precision", "float32", "lengths of gradients need the digits"),
        ("mixture", 0, "no codes of rows are kept to fit one to"),
        ("picked", 1, "no codes of rows are kept to compare dreams with"),
    ):
        if (got := getattr(settings, name)) != expected:
            raise SettingsError(f"update 'private', {name}: expected {expected!r} ({why}), got {got!r}")


def _check_model(model: VAE) -> None:
    """Refuse layers in which rows meet."""
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            raise SettingsError(f"update 'private': expected layers that treat rows apart, got batch norm at {name}")
