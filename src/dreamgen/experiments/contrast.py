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
from dreamgen.errors import DataError
from dreamgen.experiments.codes import FEW, describe_codes, draw_codes, draw_pairs
from dreamgen.experiments.holes import VIEWS, Holes, Share
from dreamgen.experiments.runs import Observer, claim, identity_of, obtain
from dreamgen.files import make_folder
from dreamgen.generator import DreamGenerator
from dreamgen.recipes import RECIPES
from dreamgen.training.checkpoint import locked

MODELS: dict[str, dict[str, Any]] = {
    "autoencoder": {"posterior": "point", "beta": 0.0},
    "fixed noise": {"posterior": {"kind": "fixed-noise", "scale": 1.0}, "beta": 0.0},
    "learned noise": {"posterior": "gaussian", "beta": 0.0},
    "VAE": {"posterior": "gaussian", "beta": 1.0},
}
"""The four, by name. The second and third have noise and no rate; they differ in who chooses its scale."""


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
    base: Settings,
    folder: Path,
    *,
    seed: int = 0,
    labels: tuple[int, int] = (1, 7),
    draws: int = 10_000,
    device: str = "auto",
    watch: Observer | None = None,
) -> Contrast:
    """Train the four models, each with the base's latents and with 2, and look for holes.

    Args:
        dataset: with labels and a test part.
        base: what the models have in common; its posterior and beta are not read.
        folder: for the models; what is there already is not trained again.
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
    watch = watch or Observer()
    _check_labels(dataset, labels)
    base = base.replace(**MODELS["VAE"])
    flat = base.replace(latent_dim=2, hidden_dim=RECIPES["mnist-2d"].settings.hidden_dim)
    train, test = (torch.from_numpy(part.x.copy()) for part in (dataset.train, dataset.test))
    with locked(make_folder(folder)):
        claim(folder, identity_of("contrast", dataset, base, seed))
        trained = {
            latents: list(_train(dataset, settings, folder, seed, device, watch))
            for latents, settings in {base.latent_dim: base, 2: flat}.items()
        }
    measures = {view: Holes(train, test, view, watch) for view in VIEWS}
    bench = _Bench(dataset, measures, labels, draws, seed, watch)
    models = {latents: [bench.measure(*model) for model in models] for latents, models in trained.items()}
    pairs = [as_float(test[rows]) for rows in draw_pairs(dataset, labels, min(draws, FEW), seed)]
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
    dataset: Dataset, base: Settings, folder: Path, seed: int, device: str, watch: Observer
) -> Iterator[tuple[str, DreamGenerator]]:
    for name, changes in MODELS.items():
        settings = base.replace(**changes)
        what = f"{name}, {settings.latent_dim} latents"
        run = folder / "runs" / f"{name.replace(' ', '-')}-{settings.latent_dim}"
        yield name, obtain(settings, dataset, run, seed, watch, what, device)[0]


@dataclass(frozen=True)
class _Bench:
    """What every model is measured with."""

    dataset: Dataset
    measures: dict[str, Holes]
    labels: tuple[int, int]
    draws: int
    seed: int
    watch: Observer

    def measure(self, name: str, model: DreamGenerator) -> Measured:
        codes = draw_codes(model, self.dataset, self.labels, self.draws, self.seed)
        latents = codes["prior"].shape[1]
        pictures = {source: torch.from_numpy(model.inverse_transform(z.numpy())) for source, z in codes.items()}
        distances: dict[str, dict[str, Tensor]] = {}
        holes: dict[str, dict[str, Share]] = {}
        for view, measure in self.measures.items():
            distances[view] = {
                source: measure.distances(x, self.watch, f"{name}, {latents} latents, {source}")
                for source, x in pictures.items()
            }
            holes[view] = {source: measure.share(d) for source, d in distances[view].items()}
        figures = {"latents": latents, **describe_codes(model, self.dataset.test.x)}
        return Measured(name, model, figures, pictures, distances, holes)
