"""Real or dreamt: a classifier of codes, of training rows and of dreams that the model has read again.

Discriminator Rejection Sampling, 2018, https://arxiv.org/abs/1810.06758, where the classifier is a trained GAN's own;
here it is fitted afterwards, to the codes that are kept with a model, in seconds.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dreamgen.data.batch import Batch
from dreamgen.distributions import derive_seed
from dreamgen.dreaming.codes import decode_rows, dream_codes, dream_context, dream_level
from dreamgen.errors import SettingsError
from dreamgen.evaluation.likelihood import encode_rows
from dreamgen.io import SavedModel

_DREAMS = 3000  # that it learns from, beside all codes that are kept
_FEWEST = 100  # of either
_HIDDEN, _DECAY, _EPOCHS = 128, 1e-3, 500


class Critic:
    """Tells codes of training rows from those of dreams.

    Args:
        saved: a model that keeps codes.
        mixture, sample: as of the dreams that it is to judge.

    Raises:
        SettingsError: fewer than 100 codes are kept with the model.
    """

    @staticmethod
    def possible(saved: SavedModel) -> bool:
        """Whether enough codes are kept."""
        return len(saved.codes.get("loc", ())) >= _FEWEST

    def __init__(self, saved: SavedModel, mixture: int = 0, sample: bool = False) -> None:
        from sklearn.neural_network import MLPClassifier  # slow to import

        if not self.possible(saved):
            many = len(saved.codes.get("loc", ()))
            raise SettingsError(f"picked: expected {_FEWEST} kept codes to compare dreams with, got {many}")
        kept, seed = saved.codes["loc"], derive_seed(0, "critic")
        told = dream_context(saved, _DREAMS, {}, seed)
        z = dream_codes(saved, _DREAMS, seed, told, mixture)
        x = decode_rows(saved, z, told, seed if sample else None, dream_level(saved))
        codes, readable = read_again(saved, x, told)
        real, dreamt = _beside(kept.float(), saved.codes.get("context")), _beside(codes, told)[readable.numpy()]
        self._learned = len(dreamt) >= _FEWEST
        if not self._learned:  # hardly a dream can be read again: that alone is to choose by
            return
        self._classifier = MLPClassifier(
            (_HIDDEN,), alpha=_DECAY, early_stopping=True, max_iter=_EPOCHS, random_state=0
        )
        self._classifier.fit(np.concatenate([real, dreamt]), np.repeat([1, 0], [len(real), len(dreamt)]))

    def log_ratio(self, z: Tensor, context: Tensor | None = None) -> Tensor:
        """log p(real | z) - log p(dreamt | z), (n,), of codes (n, D) of rows that were told `context`, (n, C).

        0 where the model could read too few of its dreams to learn from.
        """
        if not self._learned:
            return torch.zeros(len(z))
        both = self._classifier.predict_log_proba(_beside(z, context))
        return torch.from_numpy(both[:, 1] - both[:, 0]).float()


def _beside(z: Tensor, context: Tensor | None) -> npt.NDArray[Any]:
    z = z.half().float()  # as codes are kept: how they were rounded is not to tell them apart
    both: npt.NDArray[Any] = (z if context is None else torch.cat([z, context.to(z)], dim=1)).cpu().numpy()
    return both


def read_again(saved: SavedModel, x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
    """Codes of examples (n, *event) that a model wrote, (n, D), and which of them it can read, bool (n,).

    Lines are read as they would be met: molecules in their canonical form, which may hold what no token says.
    """
    readable = torch.ones(len(x), dtype=torch.bool)
    if saved.vocabulary:
        lines = saved.vocabulary.decode(x.numpy())
        tokens, bad = saved.vocabulary.encode(lines, saved.event_shape[0])
        x = torch.from_numpy(tokens).float()
        readable = torch.tensor([saved.vocabulary.valid(line) for line in lines])
        readable[list(bad)] = False
    return encode_rows(saved.model, Batch(x, context=context)).mean.cpu(), readable
