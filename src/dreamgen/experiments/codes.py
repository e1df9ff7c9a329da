"""Codes of a model: how they lie, and where new ones are taken from."""

from typing import Any

import torch
from torch import Tensor

from dreamgen.data import Dataset
from dreamgen.data.dataset import Array
from dreamgen.distributions import Delta, StepNoise, generator
from dreamgen.evaluation.report import one_sample_loss
from dreamgen.generator import DreamGenerator

SOURCES = ("prior", "fitted", "midpoints", "reconstructions")
"""Where codes come from: N(0, I); a Gaussian fitted to the training rows' codes; half way between two test rows of
different labels; test rows themselves, as a control."""

FEW = 2000
"""At most so many codes from every source but the prior."""


def describe_codes(model: DreamGenerator, test: Array) -> dict[str, Any]:
    """Spread and noise of the test rows' codes, and the one-sample loss in nats; None for what a point has not."""
    q = model.encode(test)
    point = isinstance(q, Delta)
    loss = one_sample_loss(model.saved_.model, model.prepare(test))
    return {
        "distortion": loss["test_distortion"],
        "rate": None if point else loss["test_rate"],
        "spread": q.mean.std(0).mean().item(),
        "largest_code": q.mean.abs().max().item(),
        "sigma": None if point else q.stddev.mean().item(),
    }


def draw_codes(
    model: DreamGenerator, dataset: Dataset, labels: tuple[int, int], draws: int, seed: int
) -> dict[str, Tensor]:
    """Codes from each of SOURCES, (n, D): `draws` from the prior, 2,000 at most from the others.

    The Gaussian has the mean and the covariance of the training rows' posteriors taken together, noise included.
    """
    q, test = model.encode(dataset.train.x), model.encode(dataset.test.x).mean
    noise, few = StepNoise(seed, "contrast"), min(draws, FEW)
    covariance = torch.cov(q.mean.double().T) + torch.diag(q.variance.double().mean(0))
    values, vectors = torch.linalg.eigh(covariance)  # a unit that never varies makes it singular
    root = vectors * values.clamp(min=0).sqrt()
    ends = draw_pairs(dataset, labels, few, seed)
    prior = noise.normal((draws, q.mean.shape[1]))
    fitted = q.mean.double().mean(0) + noise.normal((few, q.mean.shape[1])).double() @ root.T
    return {
        "prior": prior,
        "fitted": fitted.float(),
        "midpoints": (test[ends[0]] + test[ends[1]]) / 2,
        "reconstructions": test[:few],
    }


def draw_pairs(dataset: Dataset, labels: tuple[int, int], n: int, seed: int) -> list[Tensor]:
    """Numbers of test rows with the first label and with the second, (n,) each, drawn with replacement."""
    assert dataset.test.labels is not None
    pairs = []
    for label in labels:
        rows = torch.from_numpy((dataset.test.labels == label).nonzero()[0])
        pairs.append(rows[torch.randint(len(rows), (n,), generator=generator(seed, "contrast pairs", label))])
    return pairs
