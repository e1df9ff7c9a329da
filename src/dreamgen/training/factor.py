"""FactorVAE: a discriminator says how far the aggregated posterior is from one with independent units.

It is trained to tell codes z ~ q(z) from codes whose units were shuffled among rows, which are draws of Π_j q(z_j).
Its logit is then log q(z) - log Π_j q(z_j), whose mean is the total correlation, and gamma times that is added to the
loss (Disentangling by Factorising, 2018, https://arxiv.org/abs/1802.05983). Every step has two phases: the model
moves against the discriminator as it stands, then the discriminator learns from the codes that were just drawn. The
paper shuffles the codes of a second batch, here those of the same one are taken.

The discriminator is not part of the model: checkpoints hold it, a saved model does not.
"""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dreamgen.config import Settings
from dreamgen.data.batch import Batch
from dreamgen.distributions import Noise, derive_seed
from dreamgen.errors import DivergedError, SettingsError
from dreamgen.models import VAE
from dreamgen.nn.mlp import trunk
from dreamgen.objectives import Objective, Terms
from dreamgen.training.optimizer import OPTIMIZERS
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
        device = next(model.parameters()).device
        self.discriminator = _discriminator(settings.latent_dim, hidden, seed).to(device)
        parameters = list(self.discriminator.parameters())
        self._critic = OPTIMIZERS.build({"kind": "adam", "beta1": 0.5, "beta2": 0.9}, parameters=parameters)
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
        # The model is to move the codes and not the discriminator.
        self.discriminator.requires_grad_(False)
        correlation = self.discriminator(z).squeeze(-1).mean(0)
        return Terms(terms.loss + self._gamma * correlation, terms.distortion, terms.rate)

    def _teach(self, noise: Noise, step: int) -> None:
        """One step of the discriminator on the codes of the batch, and on the same with every unit shuffled."""
        assert self._codes is not None
        order = noise.uniform((1, *self._codes.shape))[0].argsort(0)
        codes = torch.stack([self._codes, self._codes.gather(0, order)])
        self.discriminator.requires_grad_(True)
        self._critic.zero_grad()
        logits = self.discriminator(codes).squeeze(-1)
        true = torch.tensor([[1.0], [0.0]], device=logits.device).expand_as(logits)
        F.binary_cross_entropy_with_logits(logits, true).backward()
        finite = self._critic.step(self._critic_rate)
        if codes.device.type == "cpu" and not finite:
            raise DivergedError(f"training diverged at step {step}: a weight of the discriminator is not finite")

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors, values = super().state()
        tensors = {f"model.{name}": value for name, value in tensors.items()}
        tensors |= {f"discriminator.{name}": value for name, value in self.discriminator.state_dict().items()}
        return tensors | {f"critic.{name}": value for name, value in self._critic.state().items()}, values

    def restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "discriminator": {}, "critic": {}}
        for key, value in tensors.items():
            part, _, name = key.partition(".")
            parts[part][name] = value
        super().restore(parts["model"], values)
        self.discriminator.load_state_dict(parts["discriminator"])
        self._critic.restore(parts["critic"])


def _discriminator(latent_dim: int, hidden: tuple[int, ...], seed: int) -> nn.Module:
    """Codes, (..., D), to logits, (..., 1); its weights are a function of the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(derive_seed(seed, "discriminator"))
        layers = trunk(latent_dim, hidden, "leaky-relu")
        return nn.Sequential(layers, nn.Linear(hidden[-1] if hidden else latent_dim, 1))
