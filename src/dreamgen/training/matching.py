"""Posterior matching: the encoder learns from whole examples what to say of their parts.

The bound is that of whole examples, so the decoder is that of an ordinary model. Beside it, q(z|x_seen) is fitted to
the latents that q(z|x) draws, by maximising E_{z ~ q(z|x)} log q(z|x_seen), whose gradient stops at z. This is the
inclusive KL: q(z|x_seen) covers all that the missing part may bring, and does not choose (Posterior Matching for
Arbitrary Conditioning, 2022, https://arxiv.org/abs/2201.12414). A model trained on bounds of parts instead is drawn
to codes whose q(z|x_seen) is easy, and leaves most of its latents unused.
"""

from typing import ClassVar

import torch
from torch import Tensor

from dreamgen.config import Settings
from dreamgen.data.batch import Batch
from dreamgen.distributions import Noise
from dreamgen.errors import SettingsError
from dreamgen.models import VAE
from dreamgen.objectives import Objective, Terms
from dreamgen.training.update import UPDATES, PlainUpdate


@UPDATES.register("posterior-matching")
class PosteriorMatching(PlainUpdate):
    """One optimiser; the mask of a batch hides elements from the second encoding alone.

    Args:
        weight: of -log q(z|x_seen) beside the bound.
    """

    needs_whole: ClassVar[bool] = True
    scored_by_objective: ClassVar[bool] = False

    def __init__(self, model: VAE, settings: Settings, weight: float = 1.0) -> None:
        if weight <= 0:
            raise SettingsError(f"update 'posterior-matching', weight: expected more than 0, got {weight!r}")
        super().__init__(model, settings.replace(gradients="autograd"))
        self._weight = weight

    def _terms(self, model: VAE, objective: Objective, batch: Batch, noise: Noise, step: int, total: int) -> Terms:
        whole = Batch(batch.x, None, batch.context, batch.properties)
        with torch.autocast(batch.x.device.type, torch.bfloat16, enabled=self._bfloat16):
            trace = model.infer(whole, noise, objective.samples)
            q = model.encoder(batch)
        if not trace.has_bound:
            raise SettingsError("update 'posterior-matching': expected a posterior with a density, got a point")
        terms = objective(trace, step, total)
        matched: Tensor = (
            torch.stack([q.log_prob(latent.z.detach()) for latent in trace.latents]).sum((0, -1)).mean(0)
        )
        return Terms(terms.loss - self._weight * matched, terms.distortion, terms.rate)
