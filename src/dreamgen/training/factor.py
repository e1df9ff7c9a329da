"""FactorVAE: a discriminator says how far the aggregated posterior is from one with independent units.

It is trained to tell codes z ~ q(z) from codes whose units were shuffled among rows, which are draws of Π_j q(z_j).
Its logit is then log q(z) - log Π_j q(z_j), whose mean is the total correlation, and gamma times that is added to the
loss (Disentangling by Factorising, 2018, https://arxiv.org/abs/1802.05983). Every step has two phases: the model
moves against the discriminator as it stands, then the discriminator learns from the codes that were just drawn. The
paper shuffles the codes of a second batch, here those of the same one are taken.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dreamgen.config import Settings
from dreamgen.data.batch import Batch
from dreamgen.devices import device_of
from dreamgen.distributions import Noise
from dreamgen.errors import SettingsError
from dreamgen.models import VAE
from dreamgen.nn.mlp import trunk
from dreamgen.objectives import Objective, Terms
from dreamgen.training.rival import Rival
from dreamgen.training.update import UPDATES, PlainUpdate


@UPDATES.register("factor")
class Factor(PlainUpdate):
    """Two optimisers in phases, for the model and for a discriminator of its codes.

    Args:
        gamma: weight of the total correlation, beside the 1 that it has in the rate.
        hidden: widths of the discriminator's layers.
        learning_rate: of the discriminator, the same at every step.
    """

    needs_whole: ClassVar[bool] = False
    scored_by_objective: ClassVar[bool] = False

    def __init__(
        self,
        model: VAE,
        settings: Settings,
        seed: int,
        gamma: float = 10.0,
        hidden: tuple[int, ...] = (256, 256, 256),
        learning_rate: float = 1e-4,
    ) -> None:
        for name, value in (("gamma", gamma), ("learning_rate", learning_rate)):
            if value <= 0:
                raise SettingsError(f"update 'factor', {name}: expected more than 0, got {value!r}")
        super().__init__(model, settings.replace(gradients="autograd"))
        self._gamma, self._critic_rate = gamma, learning_rate
        self._rival = Rival(
            "discriminator",
            lambda: _discriminator(settings.latent_dim, hidden),
            {"kind": "adam", "beta1": 0.5, "beta2": 0.9},
            seed,
            device_of(model),
        )
        self.discriminator = self._rival.network
        self._codes: Tensor | None = None

    def __call__(self, model: VAE, objective: Objective, batch: Batch, noise: Noise, step: int, total: int) -> Terms:
        terms = super().__call__(model, objective, batch, noise, step, total)
        self._teach(noise, step)
        return terms

    def _terms(self, model: VAE, objective: Objective, batch: Batch, noise: Noise, step: int, total: int) -> Terms:
        with torch.autocast(batch.x.device.type, torch.bfloat16, enabled=self._bfloat16):
            trace = model.infer(batch, noise, objective.samples)
        if len(trace.latents) != 1 or not trace.has_bound:
            raise SettingsError("update 'factor': expected one latent, and a posterior with a density")
        terms, z = objective(trace, step, total), trace.latents[0].z
        self._codes = z.detach().flatten(0, 1)
        correlation = self.discriminator(z).squeeze(-1).mean(0)
        return Terms(terms.loss + self._gamma * correlation, terms.distortion, terms.rate)

    def _teach(self, noise: Noise, step: int) -> None:
        """One step of the discriminator on the codes of the batch, and on the same with every unit shuffled."""
        assert self._codes is not None
        order = noise.uniform((1, *self._codes.shape))[0].argsort(0)
        codes = torch.stack([self._codes, self._codes.gather(0, order)])

        def loss() -> Tensor:
            logits = self.discriminator(codes).squeeze(-1)
            true = torch.tensor([[1.0], [0.0]], device=logits.device).expand_as(logits)
            return F.binary_cross_entropy_with_logits(logits, true)

        self._rival.teach(loss, self._critic_rate, step)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        own, values = super().state()
        return self._rival.beside(own), values

    def restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        super().restore(self._rival.restore(tensors), values)


def _discriminator(latent_dim: int, hidden: tuple[int, ...]) -> nn.Module:
    """Codes, (..., D), to logits, (..., 1)."""
    layers = trunk(latent_dim, hidden, "leaky-relu")
    return nn.Sequential(layers, nn.Linear(hidden[-1] if hidden else latent_dim, 1))
