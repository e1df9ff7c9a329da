"""Scores of examples, and the report on a model."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dreamgen.data.batch import Batch, as_float
from dreamgen.distributions import Delta
from dreamgen.errors import DataError
from dreamgen.evaluation import binarise_rows, encode_rows, evaluate, score_rows
from dreamgen.evaluation.reading import reading_report
from dreamgen.evaluation.report import COMPARED, needs_drawing
from dreamgen.models import Classifier
from dreamgen.verbs.fitted import Fitted, Given

_SCORE_SAMPLES = 16


class Scoring(Fitted):
    """Likelihoods, scores, and the report."""

    def log_likelihood(
        self, X: npt.ArrayLike, samples: int = 100, *, given: Given | None = None, seed: int = 0
    ) -> npt.NDArray[np.float64]:
        """log p(x) of each row, (n,), in nats: the importance-weighted bound with `samples` samples.

        Of a conditional model it is log p(x|context).

        A Bernoulli likelihood knows only 0 and 1. Grey pixels are drawn as 0 or 1 first, once, by a function of the
        seed and the row, and a warning says so.

        Raises:
            DataError: the posterior is a point, so there is no bound.
        """
        batch = self.rows(X, given)
        if isinstance(encode_rows(self._model, batch[:1]), Delta):
            raise DataError("the posterior is a point: an autoencoder has no likelihood")
        if not self._model.decoder.likelihood.is_likelihood(as_float(batch.x)):
            warnings.warn("grey pixels have no Bernoulli likelihood: they are drawn as 0 or 1", stacklevel=2)
            batch = replace(batch, x=binarise_rows(batch.x, seed))
        return score_rows(self._model, batch, samples, seed).log_likelihood.double().numpy()

    def score_samples(self, X: npt.ArrayLike, given: Given | None = None) -> npt.NDArray[np.float64]:
        """A score for each row, (n,), higher for rows more like the training data; deterministic.

        The importance-weighted bound with 16 samples, in nats. For grey pixels under a Bernoulli, and for a point
        posterior, the same sum is a score and not a likelihood.
        """
        return score_rows(self._model, self.rows(X, given), _SCORE_SAMPLES).log_likelihood.double().numpy()

    def score(self, X: npt.ArrayLike, y: npt.ArrayLike | None = None) -> float:
        """The mean of `score_samples`; `y` are the labels, for a model that is told them."""
        return float(self.score_samples(X, self._given_of(y)).mean())

    def evaluate(
        self,
        X: npt.ArrayLike,
        *,
        given: Given | None = None,
        binarise: bool | None = None,
        train: npt.ArrayLike | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """`dreamgen.evaluate` on rows of X; see there for options.

        With `train`, the training rows, it is asked whether dreams, as `dream` gives them, are copies of those.
        A model that was trained on binarised data is measured on it, unless `binarise` says otherwise. Of a
        classifier it is `reading_report`: how well it reads.
        """
        model = self.fitted().model
        if isinstance(model, Classifier):
            return reading_report(model, self.rows(X, given), options.get("split", "test"))
        binarise = self.sees_binary if binarise is None else binarise
        rows = self.rows(X, given)
        if train is not None:
            drawn = binarise or needs_drawing(self._model, rows.x)
            options |= {
                "train": self.prepare(train),
                "dreams": self._dreams_like(rows, options.get("seed", 0), drawn),
            }
        return evaluate(self._model, rows, binarise=binarise, **options)

    def _dreams_like(self, rows: Batch, seed: int, drawn: bool) -> Tensor:
        """As many dreams as a test of copies takes, told what the rows are told, (n, *event)."""
        told = rows.context
        if told is not None:
            told = told[torch.arange(COMPARED) % len(told)]
        return self._dreams(COMPARED, seed, told, sample=drawn)
