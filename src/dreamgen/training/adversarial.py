"""An update in two phases: a critic learns to tell real pictures from made ones, then the model learns from it.

Pixels that are independent given z make means, and means of what could be are blurred. A critic does not compare
pixels: it asks whether a picture could be real. Made pictures are what the decoder makes of codes from the prior, and
of the codes of real pictures. The critic is not part of the model and is not saved with it.

- VAE-GAN: the error of a reconstruction is taken in the critic's features and not in pixels (Autoencoding beyond
  pixels using a learned similarity metric, 2015, https://arxiv.org/abs/1512.09300).
- GAN: where there is no encoder, the decoder has the critic alone to learn from (Generative Adversarial Networks,
  2014, https://arxiv.org/abs/1406.2661).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.distributions import Distribution

from dreamgen.config import Settings
from dreamgen.data.batch import Batch
from dreamgen.devices import device_of
from dreamgen.distributions import Noise, draw, each_row
from dreamgen.errors import SettingsError
from dreamgen.models import VAE
from dreamgen.nn.critic import Critic, hinge_loss
from dreamgen.objectives import OBJECTIVES, Objective, Terms
from dreamgen.training.rival import Rival
from dreamgen.training.update import UPDATES, PlainUpdate


@UPDATES.register("adversarial")
class Adversarial(PlainUpdate):
    """The objective, the critic's features of reconstructions, and the critic's opinion, each with its weight.

    Args:
        event_shape: (H, W) or (H, W, C).
        seed: the critic's first weights are a function of it.
        weight: of -(critic's score), beside the objective in nats.
        pixels: of the objective's own distortion; 0 leaves reconstructions to the features alone. Other than 1 it is
            for the objective "elbo", in whose loss the distortion weighs 1.
        features: of half the squared error of the critic's features, summed over them: -log N(features of x; features
            of the reconstruction, 1) and a constant.
        start: the share of the run after which the critic comes in; before, training is plain, and much cheaper.
        both: whether the critic sees reconstructions too, or dreams alone.
        layer: which of the critic's layers the features are of, from 0; -1 is the last.
        channels: of the critic's layers.
        spread: whether the critic sees how far the pictures of a batch differ, against a decoder that makes one of
            them over and over.
        pace: the critic's learning rate, in those of the model.
        critic_optimizer: the critic's.

    Raises:
        SettingsError: an argument out of range, or one that the objective or a model without encoder has no use for;
            or examples that are no pictures.
    """

    needs_whole: ClassVar[bool] = True
    scored_by_objective: ClassVar[bool] = False

    def __init__(
        self,
        model: VAE,
        settings: Settings,
        event_shape: Sequence[int],
        seed: int,
        weight: float = 1.0,
        pixels: float = 1.0,
        features: float = 0.0,
        start: float = 0.0,
        both: bool = True,
        layer: int = -1,
        channels: tuple[int, ...] = (32, 64, 128),
        spread: bool = False,
        pace: float = 1.0,
        critic_optimizer: str | dict[str, Any] = {"kind": "adam", "beta1": 0.5, "beta2": 0.99},  # noqa: B006
    ) -> None:
        if min(weight, pixels, features) < 0 or pace <= 0:
            raise SettingsError(
                "update 'adversarial': expected weight, pixels and features of 0 or more, and pace of more than 0"
            )
        if not 0 <= start < 1:
            raise SettingsError(f"update 'adversarial', start: expected a share, 0 <= share < 1, got {start}")
        if start and not model.reads:
            raise SettingsError(
                f"update 'adversarial', start: expected 0, got {start}: without an encoder there is no plain training"
            )
        objective = OBJECTIVES.normalise(settings.objective)["kind"]
        if pixels != 1 and objective != "elbo":
            # In any other loss the distortion does not weigh 1, or is not a term of its own.
            raise SettingsError(
                f"update 'adversarial', pixels: expected 1 with the objective {objective!r}, got {pixels}"
            )
        super().__init__(model, settings.replace(gradients="autograd"))
        self._rival = Rival(
            "critic",
            lambda: Critic(event_shape, channels, spread),
            critic_optimizer,
            seed,
            device_of(model),
        )
        self._critic = self._rival.network
        if not -len(self._critic.layers) <= layer < len(self._critic.layers):
            raise SettingsError(
                f"update 'adversarial', layer: the critic has {len(self._critic.layers)}, got {layer}"
            )
        self._weight, self._pixels, self._features = weight, pixels, features
        self._start, self._both, self._layer, self._pace = start, both, layer, pace

    def _terms(self, model: VAE, objective: Objective, batch: Batch, noise: Noise, step: int, total: int) -> Terms:
        if step < self._start * total:
            return super()._terms(model, objective, batch, noise, step, total)
        with torch.autocast(batch.x.device.type, torch.bfloat16, enabled=self._bfloat16):
            trace = model.infer(batch, noise, objective.samples) if model.reads else None
            dreams = _mean(_dream(model, batch, noise))
        made = dreams if trace is None or not self._both else torch.cat([dreams, _mean(trace.p)])
        self._teach(batch.x, made.detach(), step, total)
        with torch.autocast(batch.x.device.type, torch.bfloat16, enabled=self._bfloat16):
            opinion = -self._weight * self._critic(made, len(made) // len(batch)).score.unflatten(
                0, (-1, len(batch))
            ).mean(0)
        if trace is None:
            return Terms(opinion, torch.zeros_like(opinion), torch.zeros_like(opinion))
        terms = objective(trace, step, total)
        loss = terms.loss - (1 - self._pixels) * terms.distortion + opinion
        if self._features:
            loss = loss + self._features * self._feature_error(batch.x, trace.p)
        return replace(terms, loss=loss)

    def _teach(self, real: Tensor, made: Tensor, step: int, total: int) -> None:
        """The critic's phase."""

        def loss() -> Tensor:
            with torch.autocast(real.device.type, torch.bfloat16, enabled=self._bfloat16):
                score = self._critic(torch.cat([real, made]), 1 + len(made) // len(real)).score
            return hinge_loss(score[: len(real)], score[len(real) :])

        self._rival.teach(loss, self._pace * self._rate(step, total), step)

    def _feature_error(self, x: Tensor, p: Distribution) -> Tensor:
        """Half the squared error of the features of reconstructions, (B,), averaged over the samples."""
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self._bfloat16):
            with torch.no_grad():
                wanted = self._critic(x).features[self._layer]
            found = self._critic(_mean(p)).features[self._layer]
        error = found.float().unflatten(0, (-1, len(x))) - wanted.float()
        half: Tensor = 0.5 * error.square().flatten(2).sum(2).mean(0)
        return half

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        own, values = super().state()
        return self._rival.beside(own), values

    def restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        super().restore(self._rival.restore(tensors), values)


def _dream(model: VAE, batch: Batch, noise: Noise) -> Distribution:
    """p(x|z) of a code from the prior for each row, told what the row is, batch shape (1, B, *event)."""
    prior = each_row(model.prior(batch.context), len(batch))
    p: Distribution = model.decoder(draw(prior, noise, 1), batch.context)
    return p


def _mean(p: Distribution) -> Tensor:
    """Means as pictures, (K · B, *event)."""
    return p.mean.flatten(0, 1)
