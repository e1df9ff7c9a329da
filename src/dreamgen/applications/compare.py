"""Several models beside real pictures, all measured in one way.

Dreams are the decoder's means, as they are: nothing is thresholded and no noise is added. Their codes are those that
`dream` takes: from the prior, or, where a row says so, from a mixture of Gaussians. They are compared with as many
test pictures in the features of one judge, and so are as many training pictures: what real pictures get against real
ones is the floor, which no honest model beats by more than chance.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dreamgen.data import Dataset, Examples
from dreamgen.data.context import LABEL
from dreamgen.distributions import Delta, generator
from dreamgen.errors import DataError, SettingsError
from dreamgen.evaluation import binarise_rows, encode_rows, score_rows
from dreamgen.evaluation.frechet import frechet_distance
from dreamgen.evaluation.judge import Judge
from dreamgen.evaluation.latents import active_units
from dreamgen.evaluation.manifold import precision_recall
from dreamgen.evaluation.report import kind_of_score, no_likelihood, stderr
from dreamgen.evaluation.sharpness import grey, high_frequency_power, laplacian_variance, neighbour_correlation
from dreamgen.experiments.runs import Observer
from dreamgen.generator import DreamGenerator
from dreamgen.models import VAE

Row = dict[str, Any]
Pictures = npt.NDArray[Any]

NEIGHBOURS = 3
"""k of precision and recall."""

BOUNDS = ("nll", "nll_stderr", "rate", "distortion", "score", "binarised", "active_units")
LOOKS = ("laplacian", "high_frequency", "neighbours", "frechet", "precision", "recall", "as_asked")
FIGURES = (*BOUNDS, *LOOKS, "seconds")

_FEWEST = 10  # pictures on each side
_SHOWN = 12  # dreams of each model that are kept to be drawn


@dataclass(frozen=True)
class Comparison:
    """What was found.

    Attributes:
        rows: for each model its name, what it is `told` of each picture, `FIGURES`, and `reasons`, which says why a
            figure is None. In nats per example, given what the model is told: `nll`, `rate`, `distortion`. Relative
            to the test pictures, 1 for as much as they have: `laplacian`, `high_frequency`. As they are:
            `neighbours`, `frechet`, `precision`, `recall`, and `as_asked`, the share of a conditional model's dreams
            that the judge reads as the class that they were asked for.
        real: the same figures of real training pictures.
        facts: the data, the judge and how well it reads the test pictures, how many pictures on each side, the seed,
            importance samples, and the test pictures' own sharpness.
        pictures: some dreams of each model by its name, after test pictures as "real", (12, *event) at most.
    """

    rows: list[Row]
    real: Row
    facts: dict[str, Any]
    pictures: dict[str, Pictures]


def compare(
    models: Mapping[str, DreamGenerator],
    dataset: Dataset,
    judge: Judge,
    *,
    rows: int = 10_000,
    samples: int = 100,
    seed: int = 0,
    binarise: bool = False,
    mixture: int | None = None,
    watch: Observer | None = None,
) -> Comparison:
    """Measure trained models on the test part of the data that they are of.

    Args:
        models: by name; a conditional one is told what a draw of training rows is told.
        dataset: pictures, with a test part.
        judge: of pictures of that shape.
        rows: pictures on each side, or as many as there are.
        samples: K, importance samples for each row.
        seed: of the rows, the dreams and the samples.
        binarise: draw grey pixels as 0 or 1 for the bounds, also where the model was not trained on such.
        mixture: dream of each model once more, from that many Gaussians fitted to its codes; a row of its own, for
            those models that keep codes, and one from the prior for those whose settings name a mixture already.
        watch: told where it stands.

    Raises:
        DataError: no test part, no pictures, too few of them, or labels that a conditional model needs.
        SettingsError: a model or a judge of another shape, a model that cannot dream, or one that was trained with
            the judge in its loss.
        Interrupted: the watch said so.
    """
    watch = watch or Observer()
    _check(models, dataset, judge, rows)
    n = min(rows, len(dataset.test), len(dataset.train))
    test, train = _draw(dataset.test, n, seed, "test"), _draw(dataset.train, n, seed, "train")
    watch.step("the judge reads real pictures", 0, len(models))
    bench = _Bench(dataset, judge, test, train, judge.features(test.x), _sharpness(test.x), samples, seed, binarise)
    found, pictures = [], {"real": test.x[:_SHOWN]}
    for number, (name, model) in enumerate(models.items()):
        watch.step(name, number, len(models))
        for called, drawn in _ways(name, model, mixture).items():
            row, dreams = bench.measure(model, drawn)
            found.append({"model": called, **row})
            if len(dreams):
                pictures[called] = dreams
    real = {"model": "real (train)", **dict.fromkeys(FIGURES), **bench.look(train.x)}
    facts = {
        "data": dataset.name,
        "pictures": n,
        "judge": judge.name,
        "judge_accuracy": bench.right(),
        "k": NEIGHBOURS,
        "samples": samples,
        "seed": seed,
        "sharpness_of_real": bench.sharpness,
    }
    return Comparison(found, real, facts, pictures)


def _ways(name: str, model: DreamGenerator, mixture: int | None) -> dict[str, int | None]:
    """How a model dreams, each by what its row is called: the first as its settings say (None), others asked for."""
    settings = model.fitted().settings
    own, picked = settings.mixture, f", one of {settings.picked}" if settings.picked > 1 else ""

    def called(gaussians: int) -> str:
        return f"{name} ({f'{gaussians} Gaussians' if gaussians else 'prior'}{picked})"

    ways: dict[str, int | None] = {called(own) if own or picked else name: None}
    if mixture is not None and model.fitted().codes:
        ways |= {called(mixture): mixture} if mixture != own else {}
        ways |= {called(0): 0} if own else {}
    return ways


def _plain(shape: tuple[int, ...]) -> tuple[int, ...]:
    """A picture's shape without its one channel."""
    return shape[:2] if len(shape) == 3 and shape[2] == 1 else shape


def _check(models: Mapping[str, DreamGenerator], dataset: Dataset, judge: Judge, rows: int) -> None:
    shape = dataset.part("test").x.shape[1:]
    grey(dataset.test.x[:1])
    most = min(rows, len(dataset.test), len(dataset.train))
    if most < _FEWEST:
        raise DataError(f"{dataset.name}: expected {_FEWEST} pictures or more on each side, got {most}")
    if not models:
        raise SettingsError("expected at least one model to measure")
    for name, model in models.items():
        if not isinstance(model.fitted().model, VAE):
            raise SettingsError(f"{name} cannot dream: expected a model with a decoder, got a classifier")
        if judge.served_in(model.fitted()):
            raise SettingsError(f"{name} was trained with the judge {judge.name} in its loss: expected another judge")
    shapes = {name: model.fitted().event_shape for name, model in models.items()}
    for name, other in {**shapes, f"the judge {judge.name}": judge.event_shape}.items():
        if _plain(other) != _plain(shape):
            raise SettingsError(
                f"{name}: expected examples of shape {shape}, as {dataset.name} has them, got {other}"
            )


def _draw(part: Examples, n: int, seed: int, name: str) -> Examples:
    """n rows in their order, a function of the seed."""
    if n == len(part):
        return part
    return part[np.sort(torch.randperm(len(part), generator=generator(seed, "compare", name))[:n].numpy())]


def _sharpness(x: Pictures) -> dict[str, float]:
    return {
        "laplacian": laplacian_variance(x),
        "high_frequency": high_frequency_power(x),
        "neighbours": neighbour_correlation(x),
    }


@dataclass(frozen=True)
class _Bench:
    """What every model is measured with."""

    dataset: Dataset
    judge: Judge
    test: Examples
    train: Examples
    features: npt.NDArray[np.float32]
    sharpness: dict[str, float]
    samples: int
    seed: int
    binarise: bool

    def measure(self, model: DreamGenerator, mixture: int | None = None) -> tuple[Row, Pictures]:
        """A model's row, and some of its dreams: as its settings say, or from a mixture; 0: from the prior."""
        saved = model.fitted()
        told = saved.context.names if saved.context else []
        row: Row = {"told": told, **dict.fromkeys(FIGURES), "reasons": {}}
        row["seconds"] = saved.card.get("seconds", saved.seconds)
        if row["seconds"] is None:
            row["reasons"]["seconds"] = "the card does not say how long the training took"
        if mixture is None:
            self._add_bounds(row, model)
        else:
            row["reasons"] |= dict.fromkeys(BOUNDS, "the model is the same as above: only its dreams differ")
        if not saved.model.decoder.likelihood.has_mean:
            row["reasons"] |= dict.fromkeys(LOOKS, "its pixels depend on each other: there is no mean to look at")
            return row, self._dreams(model, min(_SHOWN, len(self.test)), sample=True, mixture=mixture)[0]
        try:
            dreams, asked = self._dreams(model, len(self.test), mixture=mixture)
        except SettingsError as error:  # too few codes for a mixture: the other figures stand
            row["reasons"] |= dict.fromkeys(LOOKS, str(error))
            return row, np.empty(0)
        row |= self.look(dreams)
        if asked is None:
            row["reasons"]["as_asked"] = "it is not told the class that the judge reads"
        else:
            row["as_asked"] = float((self.judge.classes(dreams) == asked).mean())
        for name in LOOKS:
            if isinstance(row[name], float) and not math.isfinite(row[name]):
                row[name], row["reasons"][name] = None, "the dreams are all alike"
        return row, dreams[:_SHOWN]

    def _dreams(self, model: DreamGenerator, n: int, **how: Any) -> tuple[Pictures, Any]:
        """n dreams, and the class that each was to be of, (n,), where the judge can tell."""
        context = model.fitted().context
        if context is None:
            return model.dream(n, seed=self.seed, **how), None
        rows = _draw(self.dataset.train, n, self.seed, "told")
        told = self.dataset.given(rows, context)
        dreams = model.dream(n, given=told, seed=self.seed, **how)
        reads = LABEL in context.names and self._reads(context[LABEL].classes)
        return dreams, rows.labels if reads else None

    def _reads(self, classes: Sequence[str]) -> bool:
        """Whether the judge tells these classes apart, in this order."""
        known = self.judge.context
        return LABEL in known.names and tuple(known[LABEL].classes) == tuple(classes)

    def look(self, pictures: Pictures) -> Row:
        """What pictures, (n, *event), look like beside the test pictures."""
        features = self.judge.features(pictures)
        own = _sharpness(pictures)
        relative = {
            name: own[name] / self.sharpness[name] if self.sharpness[name] else math.nan
            for name in ("laplacian", "high_frequency")
        }
        precision, recall = precision_recall(self.features, features, NEIGHBOURS)
        return {
            **relative,
            "neighbours": own["neighbours"],
            "frechet": frechet_distance(self.features, features),
            "precision": precision,
            "recall": recall,
        }

    def _add_bounds(self, row: Row, model: DreamGenerator) -> None:
        saved = model.fitted()
        if not saved.model.reads:
            row["reasons"] |= dict.fromkeys(BOUNDS, "there is no encoder: it dreams, and reads no pictures")
            return
        told = self.dataset.given(self.test, saved.context) if saved.context else None
        batch = model.rows(self.test.x, told)
        binary = self.binarise or model.sees_binary
        if binary:
            batch = replace(batch, x=binarise_rows(batch.x, self.seed))
        q = encode_rows(saved.model, batch)
        reason, point = no_likelihood(saved.model, batch.x, q), isinstance(q, Delta)
        # Without a likelihood there is nothing for more samples to tighten.
        scores = score_rows(saved.model, batch, 1 if reason else self.samples, self.seed)
        nll = -scores.log_likelihood.double()
        row |= {
            "nll": None if reason else nll.mean().item(),
            "nll_stderr": None if reason else stderr(nll),
            "rate": None if point else scores.rate.double().mean().item(),
            "distortion": scores.distortion.double().mean().item(),
            "score": kind_of_score(saved.model, batch, q),
            "binarised": binary,
            "active_units": active_units(q),
        }
        if reason:
            row["reasons"] |= dict.fromkeys(("nll", "nll_stderr"), reason)
        if point:
            row["reasons"]["rate"] = "the posterior is a point: nothing is paid for a code"

    def right(self) -> float | None:
        """The share of the test pictures whose class the judge reads rightly; None where it reads others, or none."""
        if self.test.labels is None or not self._reads(self.dataset.classes):
            return None
        return float((self.judge.classes(self.test.x) == self.test.labels).mean())
