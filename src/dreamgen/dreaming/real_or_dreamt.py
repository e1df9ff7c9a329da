"""Real or dreamt: a classifier of codes, those of training rows and those of dreams that the model has read again.

Discriminator Rejection Sampling, 2018, https://arxiv.org/abs/1810.06758, where the classifier is a trained GAN's own;
here it is fitted afterwards, to the codes that are kept with a model, in seconds.
"""

from copy import deepcopy
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dreamgen.data.batch import Batch
from dreamgen.distributions import derive_seed
from dreamgen.dreaming.codes import BLOCK, CodeSource, decode_rows, dream_context, dream_level
from dreamgen.errors import SettingsError
from dreamgen.evaluation.aggregated import kept_codes
from dreamgen.evaluation.likelihood import blocks, encode_rows
from dreamgen.io import SavedModel

_DREAMS = 3000  # that it learns from, beside all codes that are kept
_FEWEST = 100  # of either
_HIDDEN, _DECAY = 128, 1e-3
_EPOCHS, _PATIENCE = 200, 10
_HELD_OUT = 10  # every so-manieth row says when to stop
_LEAST = 1e-9  # chance of being one or the other: the classifier has not seen enough to be surer

Rows = npt.NDArray[np.float64]


class RealOrDreamt:
    """The odds that a code is of a training row and not of a dream that was read again.

    Args:
        saved: a model that keeps codes.
        mixture, sample: as of the dreams that it is to judge.

    Raises:
        SettingsError: fewer than 100 codes are kept with the model, or not what their rows were told.
    """

    def __init__(self, saved: SavedModel, mixture: int = 0, sample: bool = False) -> None:
        if not self.possible(saved):
            many = len(saved.codes.get("loc", ()))
            raise SettingsError(f"picked: expected {_FEWEST} kept codes or more to compare dreams with, got {many}")
        seed = derive_seed(0, "real or dreamt")
        told = dream_context(saved, _DREAMS, {}, seed)
        z = CodeSource(saved, mixture).codes(_DREAMS, seed, told)
        x = decode_rows(saved, z, told, seed if sample else None, dream_level(saved))
        codes, readable = read_again(saved, x, told)
        real, dreamt = _beside(saved.codes["loc"], saved.codes.get("context")), _beside(codes, told)[readable.numpy()]
        # Where hardly a dream can be read again, whether it can is all there is to choose by.
        self._classifier = _Classifier(real, dreamt) if len(dreamt) >= _FEWEST else None

    @staticmethod
    def possible(saved: SavedModel) -> bool:
        """Whether enough codes are kept, with what their rows were told."""
        told = saved.context is None or "context" in saved.codes
        return told and len(saved.codes.get("loc", ())) >= _FEWEST

    def log_odds(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """log p(real | z) - log p(dreamt | z), (n,), of codes (n, D) of rows that were told `context`, (n, C).

        Up to a constant, and between -21 and 21.
        """
        if self._classifier is None:
            return torch.zeros(len(z))
        both = _beside(z, context)
        found = [self._classifier.log_odds(both[rows])[:real] for rows, real in blocks(torch.arange(len(z)), BLOCK)]
        return torch.from_numpy(np.concatenate(found)).float()


class _Classifier:
    """A perceptron, stopped where it explains what was held out best: its odds are used, and not its verdict."""

    def __init__(self, real: Rows, dreamt: Rows) -> None:
        from sklearn.metrics import log_loss  # slow to import
        from sklearn.neural_network import MLPClassifier

        random = np.random.default_rng(0)
        few = min(len(real), len(dreamt))
        x = np.concatenate([rows[random.permutation(len(rows))[:few]] for rows in (real, dreamt)])
        y, held = np.repeat([1, 0], few), np.arange(2 * few) % _HELD_OUT == 0
        self._middle, self._spread = x.mean(0), x.std(0) + 1e-6
        x = self._scaled(x)
        network = MLPClassifier((_HIDDEN,), alpha=_DECAY, random_state=0)
        best, at = np.inf, 0
        for epoch in range(_EPOCHS):
            network.partial_fit(x[~held], y[~held], classes=[0, 1])
            loss = log_loss(y[held], network.predict_proba(x[held]))
            if loss < best:
                best, at, self._network = loss, epoch, deepcopy(network)
            elif epoch - at >= _PATIENCE:
                break

    def _scaled(self, x: Rows) -> Rows:
        scaled: Rows = (x - self._middle) / self._spread
        return scaled

    def log_odds(self, x: Rows) -> Rows:
        p = self._network.predict_proba(self._scaled(x))[:, 1].clip(_LEAST, 1 - _LEAST)
        odds: Rows = np.log(p) - np.log1p(-p)
        return odds


def _beside(z: Tensor, context: Tensor | None) -> Rows:
    """Codes as they are kept, for rounding is not to tell them apart, and what their rows were told."""
    z = kept_codes(z).float().cpu()
    both: npt.NDArray[Any] = (z if context is None else torch.cat([z, context.to(z)], dim=1)).numpy()
    return both.astype(np.float64)


def read_again(saved: SavedModel, x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
    """Codes of examples (n, *event) that a model wrote, (n, D), and which of them it can read, bool (n,)."""
    x, readable = saved.form.again(x)
    return encode_rows(saved.model, Batch(x, context=context)).mean.cpu(), readable
