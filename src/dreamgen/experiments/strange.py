"""Sets of strangers, and scores that should be higher for them. Everything in nats; n pictures in each set."""

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dreamgen.data import NAMED_SETS, Dataset, as_float, load_data
from dreamgen.distributions import BernoulliLikelihood, GreyBernoulli, derive_seed
from dreamgen.errors import DataError
from dreamgen.evaluation import binarise_rows, score_rows
from dreamgen.experiments.complexity import context_length, is_binary, png_length
from dreamgen.generator import DreamGenerator

Bytes = npt.NDArray[np.uint8]
Scores = dict[str, npt.NDArray[np.float64]]


def sets_beside(dataset: Dataset, rows: int, seed: int) -> dict[str, Bytes]:
    """Pictures by the name of their set, (n, H, W) bytes: the test part first, then strangers of the same shape.

    Strangers are the other named sets, uniform noise, and the test pictures with their pixels shuffled, each in its
    own way. A set that is not at hand is left out with a warning.
    """
    random = np.random.default_rng(derive_seed(seed, "strangers"))
    inside = _some(dataset, rows, random)
    sets = {f"{dataset.name}, test": inside}
    for name, known in NAMED_SETS.items():
        if name != dataset.name and known.holds == "pictures":
            try:
                other = load_data(name)
            except DataError as error:
                warnings.warn(f"left out: {error}", stacklevel=2)
                continue
            if other.test.x.shape[1:] == inside.shape[1:]:
                sets[name] = _some(other, rows, random)
    sets["noise"] = random.integers(0, 256, inside.shape, np.uint8)
    sets["shuffled"] = random.permuted(inside.reshape(len(inside), -1), axis=1).reshape(inside.shape)
    return sets


def as_bytes(x: npt.NDArray[Any]) -> Bytes:
    """Pictures as bytes 0..255; floats lie in [0, 1]."""
    return np.asarray(x if x.dtype == np.uint8 else np.rint(np.asarray(x, np.float64) * 255), np.uint8)


def _some(dataset: Dataset, rows: int, random: np.random.Generator) -> Bytes:
    x = dataset.part("test").x
    return as_bytes(x[np.sort(random.permutation(len(x))[:rows])])


class Scorer:
    """A model, and what it needs to know of its training rows to score others.

    Args:
        model: trained, on binarised pictures or not; others are prepared as it is used to.
        train: some of its training pictures, (n, H, W) bytes.
        samples: K of the importance-weighted bound.
        seed: of samples and binarisation.
    """

    def __init__(self, model: DreamGenerator, train: Bytes, samples: int, seed: int) -> None:
        self._model, self._samples, self._seed = model, samples, seed
        seen = self._seen(train)
        self._pixels = seen.mean(0).clamp(1e-3, 1 - 1e-3)
        self._typical = self._bounds(seen).log_likelihood.double().mean().item()

    def _seen(self, x: Bytes) -> Tensor:
        prepared = self._model.prepare(x)
        return binarise_rows(prepared, self._seed) if self._model.sees_binary else as_float(prepared)

    def _bounds(self, seen: Tensor) -> Any:
        return score_rows(self._model.saved_.model, seen, self._samples, self._seed)

    def scores(self, x: Bytes) -> Scores:
        """Every score of each picture, (n,), by name; higher is stranger."""
        seen = self._seen(x)
        pictures = seen.numpy()
        bounds = self._bounds(seen)
        surprise = -bounds.log_likelihood.double().numpy()
        codes = self._model.encode(pictures).mean
        found = {
            "-ELBO": -bounds.elbo.double().numpy(),
            "-log p(x)": surprise,
            "distortion": bounds.distortion.double().numpy(),
            "rate": bounds.rate.double().numpy(),
            "length of the code": codes.double().norm(dim=1).numpy(),
            "-log p(x) less PNG": surprise - png_length(pictures),
            "distance from typical": np.abs(surprise + self._typical),
        }
        if is_binary(pictures):
            found["-log p(x) less own length"] = surprise - context_length(pictures)
        likelihood = self._model.saved_.model.decoder.likelihood
        if isinstance(likelihood, BernoulliLikelihood):
            alone = GreyBernoulli(torch.logit(self._pixels)).log_prob(seen).flatten(1).sum(1)
            found["ratio to independent pixels"] = surprise + alone.double().numpy()
        if likelihood.has_mean:
            again = self._model.reconstruct(pictures)
            found["squared error"] = np.square(again - pictures).reshape(len(x), -1).sum(1, dtype=np.float64)
        return found


def auroc(inside: npt.NDArray[np.float64], outside: npt.NDArray[np.float64]) -> float:
    """How often a stranger scores higher than one of the known, ties counted half: 1 is perfect, 0.5 is guessing."""
    known = np.sort(inside)
    below = np.searchsorted(known, outside, "left") + np.searchsorted(known, outside, "right")
    return float(below.mean() / (2 * len(known)))
