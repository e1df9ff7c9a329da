"""Objectives: a trace in, named terms for each example out. Bounds go up, `loss` goes down; everything is in nats.

Evaluation never uses these: it reports the plain bound from the trace, without beta and without free bits.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from torch import Tensor

from dreamgen.config import Settings
from dreamgen.errors import SettingsError
from dreamgen.models.trace import Trace
from dreamgen.objectives.schedules import SCHEDULES, Schedule
from dreamgen.registry import Registry


@dataclass(frozen=True)
class Terms:
    """Terms of each example, (B,), in nats.

    Attributes:
        loss: what is minimised; the step takes its mean over the batch.
        distortion: -log p(x|z).
        rate: KL(q ‖ p), without beta.
    """

    loss: Tensor
    distortion: Tensor
    rate: Tensor


class Objective(Protocol):
    """A loss for a trace."""

    samples: int
    """K, the latents to draw for each example."""

    couples_rows: ClassVar[bool]
    """Whether the loss of an example depends on the others of its batch: then none has a gradient of its own."""

    def __call__(self, trace: Trace, step: int, total: int) -> Terms:
        """The terms at one step of `total`."""

    def weight(self, step: int, total: int) -> float:
        """beta at one step of `total`."""


OBJECTIVES: Registry[Objective] = Registry("objective")


def build_objective(settings: Settings, rows: int | None = None) -> Objective:
    """The objective that the settings name, for a number of training rows, where that is known.

    Raises SettingsError where its parts do not go together.
    """
    beta = SCHEDULES.build(settings.beta)
    return OBJECTIVES.build(settings.objective, beta=beta, free_bits=settings.free_bits, rows=rows)


@OBJECTIVES.register("elbo")
class NegativeELBO:
    """distortion + beta · rate, the mission's loss at beta = 1.

    Args:
        beta: weight of the rate over time (beta-VAE, 2017, https://openreview.net/forum?id=Sy2fzU9gl).
        free_bits: λ, nats per latent unit and example that cost nothing: the rate becomes Σ_j max(KL_j, λ)
            (Improving Variational Inference with Inverse Autoregressive Flow, 2016,
            https://arxiv.org/abs/1606.04934, with the maximum taken per example, so the loss stays a sum over
            examples).
        samples: K; the distortion is averaged over them.
    """

    couples_rows: ClassVar[bool] = False

    def __init__(self, beta: Schedule, free_bits: float, samples: int = 1) -> None:
        self.beta = beta
        self.free_bits = free_bits
        self.samples = _at_least_one(samples)

    def weight(self, step: int, total: int) -> float:
        return self.beta(step, total)

    def __call__(self, trace: Trace, step: int, total: int) -> Terms:
        loss = trace.distortion + self.weight(step, total) * self._paid(trace)
        return Terms(loss, trace.distortion, trace.rate)

    def _paid(self, trace: Trace) -> Tensor:
        if not self.free_bits:
            return trace.rate
        paid: Any = 0.0
        for latent in trace.latents:
            if latent.rate_per_unit is None or latent.is_point:
                raise SettingsError("free_bits: expected a posterior and prior with a rate for each unit")
            paid = paid + latent.rate_per_unit.clamp(min=self.free_bits).flatten(1).sum(-1)
        return paid  # type: ignore[no-any-return]


@OBJECTIVES.register("iwae")
class NegativeIWAE:
    """-log (1/K) Σ_k w_k, the importance-weighted bound.

    Importance Weighted Autoencoders, 2015, https://arxiv.org/abs/1509.00519. Its loss is the bound itself, so
    there is no rate to weigh: beta must be 1 and free_bits 0.
    """

    couples_rows: ClassVar[bool] = False

    def __init__(self, beta: Schedule, free_bits: float, samples: int = 50) -> None:
        if any(beta(step, 2) != 1.0 for step in range(3)) or free_bits:
            raise SettingsError("objective 'iwae' is a bound and takes no weights: expected beta = 1, free_bits = 0")
        self.samples = _at_least_one(samples)

    def weight(self, step: int, total: int) -> float:
        return 1.0

    def __call__(self, trace: Trace, step: int, total: int) -> Terms:
        if not trace.has_bound:
            raise SettingsError("objective 'iwae': expected a posterior with a density, got a point")
        return Terms(-trace.iwae_bound, trace.distortion, trace.rate)


def _at_least_one(samples: int) -> int:
    if samples < 1:
        raise SettingsError(f"objective, samples: expected 1 or more, got {samples}")
    return samples
