"""Autoencoder, noise, and the rate: four models of one network, and what lies between their codes.

The question: does the rate, and not the noise alone, make a latent space without holes? Everything but the posterior
and beta is equal, the seed too. See docs/experiments/contrast.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dreamgen.config import Settings
from dreamgen.data import Dataset, as_float
from dreamgen.data.dataset import Array
from dreamgen.distributions import Delta, StepNoise, generator
from dreamgen.errors import DataError
from dreamgen.evaluation.report import one_sample_loss
from dreamgen.experiments.holes import VIEWS, Holes, Share
from dreamgen.experiments.runs import Watch, claim, identity_of, obtain
from dreamgen.files import make_folder
from dreamgen.generator import DreamGenerator
from dreamgen.recipes import RECIPES, find_settings
from dreamgen.training.checkpoint import locked

MODELS: dict[str, dict[str, Any]] = {
    "autoencoder": {"posterior": "point", "beta": 0.0},
    "fixed noise": {"posterior": {"kind": "fixed-noise", "scale": 1.0}, "beta": 0.0},
    "learned noise": {"posterior": "gaussian", "beta": 0.0},
    "VAE": {"posterior": "gaussian", "beta": 1.0},
}
"""The four, by name. The second and third have noise and no rate; they differ in who chooses its scale."""

SOURCES = ("prior", "fitted", "midpoints", "reconstructions")
"""Where codes come from: N(0, I); a Gaussian fitted to the training rows' codes; half way between two test rows of
different labels; test rows themselves, as a control."""

_FEW = 2000  # codes of every source but the prior


@dataclass(frozen=True)
class Measured:
    """One model with what was measured of it.

    Attributes:
        name: a key of MODELS.
        generator: the model.
        figures: plain values: of the codes, of the loss.
        pictures: decoder means by source, (n, *event).
        distances: to the nearest training row, by view ("grey", "shape") and source, (n,).
        holes: the share of pictures beyond the threshold, likewise.
    """

    name: str
    generator: DreamGenerator
    figures: dict[str, Any]
    pictures: dict[str, Tensor]
    distances: dict[str, dict[str, Tensor]]
    holes: dict[str, dict[str, Share]]


@dataclass(frozen=True)
class Contrast:
    """What `contrast` found.

    Attributes:
        base: settings of the VAE; the flat models have 2 latents and the network of recipe `mnist-2d`.
        measures: the measure of holes by view.
        overlays: the share of holes by view among pixel averages of two test rows of the two labels: a control,
            for this is what a bad midpoint looks like.
        models: by number of latents.
    """

    base: Settings
    measures: dict[str, Holes]
    overlays: dict[str, Share]
    models: dict[int, list[Measured]]


def contrast(
    dataset: Dataset,
    folder: Path,
    *,
    epochs: int | None = None,
    seed: int = 0,
    labels: tuple[int, int] = (1, 7),
    draws: int = 10_000,
    device: str = "auto",
    watch: Watch | None = None,
) -> Contrast:
    """Train the four models, each with the latents of the data's recipe and with 2, and look for holes.

    Args:
        dataset: with labels and a test part.
        folder: for the models; what is there already is not trained again.
        epochs: of each training; None: the recipe's.
        seed: of the trainings and the draws.
        labels: the two kinds of test rows between which midpoints lie.
        draws: from the prior; 2,000 at most from each other source.
        device: to train on.
        watch: told where it stands.

    Raises:
        DataError: the test part lacks one of the labels.
        SettingsError: the folder holds another experiment.
        Interrupted: the watch said so; the same call goes on from there.
    """
    watch = watch or Watch()
    _check_labels(dataset, labels)
    base = find_settings(None, dataset.name).replace(binarise="none", beta=1.0, posterior="gaussian")
    base = base if epochs is None else base.replace(epochs=epochs)
    flat = base.replace(latent_dim=2, hidden_dim=RECIPES["mnist-2d"].settings.hidden_dim)
    train, test = (torch.from_numpy(part.x.copy()) for part in (dataset.train, dataset.test))
    with locked(make_folder(folder)):
        claim(folder, identity_of("contrast", dataset, base, seed))
        trained = {
            settings.latent_dim: list(_train(dataset, settings, folder, seed, device, watch))
            for settings in (base, flat)
        }
    measures = {view: Holes(train, test, view, watch) for view in VIEWS}
    models = {
        latents: [
            _measure(name, model, seconds, dataset, measures, labels, draws, seed, watch)
            for name, model, seconds in kinds
        ]
        for latents, kinds in trained.items()
    }
    pairs = [as_float(test[rows]) for rows in draw_pairs(dataset, labels, min(draws, _FEW), seed)]
    overlays = {
        view: holes.share(holes.distances((pairs[0] + pairs[1]) / 2, watch, "overlays"))
        for view, holes in measures.items()
    }
    return Contrast(base, measures, overlays, models)


def _check_labels(dataset: Dataset, labels: tuple[int, int]) -> None:
    found = set() if dataset.test.labels is None else set(dataset.test.labels.tolist())
    for label in labels:
        if label not in found:
            raise DataError(f"{dataset.name}: expected test rows with the labels {labels[0]} and {labels[1]}")


def _train(
    dataset: Dataset, base: Settings, folder: Path, seed: int, device: str, watch: Watch
) -> Iterator[tuple[str, DreamGenerator, float | None]]:
    for name, changes in MODELS.items():
        settings = base.replace(**changes)
        what = f"{name}, {settings.latent_dim} latents"
        run = folder / "runs" / f"{name.replace(' ', '-')}-{settings.latent_dim}"
        model, seconds = obtain(settings, dataset, run, seed, watch, what, device)
        yield name, model, seconds


def _measure(
    name: str,
    model: DreamGenerator,
    seconds: float | None,
    dataset: Dataset,
    measures: dict[str, Holes],
    labels: tuple[int, int],
    draws: int,
    seed: int,
    watch: Watch,
) -> Measured:
    codes = draw_codes(model, dataset, labels, draws, seed)
    pictures = {source: torch.from_numpy(model.inverse_transform(z.numpy())) for source, z in codes.items()}
    latents = codes["prior"].shape[1]
    distances = {
        view: {
            source: holes.distances(x, watch, f"{name}, {latents} latents, {source}")
            for source, x in pictures.items()
        }
        for view, holes in measures.items()
    }
    shares = {
        view: {source: measures[view].share(d) for source, d in by_source.items()}
        for view, by_source in distances.items()
    }
    figures = {"latents": latents, "seconds": seconds, **describe_codes(model, dataset.test.x)}
    return Measured(name, model, figures, pictures, distances, shares)


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
    noise, few = StepNoise(seed, "contrast"), min(draws, _FEW)
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
