"""Few labels: what a classifier gains from pictures that nobody labelled, and from dreams.

A VAE learns from all pictures without their labels. Labels spread over its codes, from each picture to those beside
it (Learning with Local and Global Consistency, 2003, https://papers.nips.cc/paper/2506), so that the pictures of
which that says enough can teach a classifier, or a conditional VAE whose dreams then do. (Codes as features:
Semi-Supervised Learning with Deep Generative Models, 2014, https://arxiv.org/abs/1406.5298, model M1.)
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamgen.config import Settings
from dreamgen.data import Dataset, Examples
from dreamgen.data.batch import as_float
from dreamgen.errors import DataError
from dreamgen.evaluation.reading import read_rows
from dreamgen.experiments.fitting import sized
from dreamgen.experiments.runs import Observer, claim, identity_of, obtain
from dreamgen.files import make_folder, sha256
from dreamgen.generator import DreamGenerator
from dreamgen.inputs import to_tensor
from dreamgen.recipes import RECIPES

Labels = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]

_NEIGHBOURS, _SPREAD = 10, 0.99  # of the graph that labels spread over; the share of neighbours in a label
_SURE = 0.9  # share of the pictures, the surest, whose spread labels are believed
_SPREAD_ROWS = 20_000


@dataclass(frozen=True)
class Recipes:
    """Settings of the three trainings.

    Attributes:
        codes: of the VAE that sees no labels.
        dreams: of the conditional VAE.
        reader: of the classifier.
    """

    codes: Settings
    dreams: Settings
    reader: Settings


@dataclass(frozen=True)
class FewLabels:
    """What was found.

    Attributes:
        table: one row for each way to use the labels, with the accuracy on the test part.
        labelled: rows of the training part whose labels were known.
        spread: share of the labels that were spread and believed and are right.
    """

    table: list[dict[str, str | float | None]]
    labelled: Labels
    spread: float


def few_labels(
    dataset: Dataset,
    recipes: Recipes,
    folder: Path,
    *,
    each: int,
    seed: int,
    device: str,
    watch: Observer,
    dreams: int = 10_000,
) -> FewLabels:
    """Hide all labels of the training part but `each` of every class, and learn from what is left.

    A network learns from `dreams` dreams beside as many labelled pictures, over and over; from fewer
    it learns for as many steps. Finished trainings in `folder` are not repeated.

    Raises:
        DataError: no labels, or a class with fewer examples.
        SettingsError: the folder was begun with something else.
        Interrupted: the watch said so.
    """
    train, test = dataset.part("train"), dataset.part("test")
    chosen = _choose(train.labels, each, seed)
    others = {f"{role}.{k}": v for role in ("codes", "dreams") for k, v in getattr(recipes, role).to_dict().items()}
    assert train.labels is not None
    assert test.labels is not None
    others["labels_sha256"] = sha256(np.concatenate([train.labels, test.labels]).tobytes())
    claim(
        make_folder(folder), identity_of("few labels", dataset, recipes.reader, seed, each=each, n=dreams, **others)
    )
    known, answers, truth = train[chosen], test.labels, train.labels

    def made(name: str, settings: Settings, of: Dataset) -> DreamGenerator:
        return obtain(settings, of, folder / "runs" / name, seed, watch, name, device)[0]

    encoder = made("codes", recipes.codes, dataset)
    codes, seen = encoder.transform(train.x), encoder.transform(test.x)
    watch.step("spreading labels", 0, 1)
    rows, labels = spread(codes, truth[chosen], chosen, seed)
    believed = Examples(train.x[rows], labels)

    def read(name: str, examples: Examples) -> float:
        """Accuracy of a network that learned from some examples."""
        reader = made(name, recipes.reader, _taught(dataset, _filled(examples, 2 * dreams)))
        p = read_rows(reader.fitted().model, as_float(to_tensor(test.x)))
        return float((p.argmax(1).numpy() == answers).mean())

    dreamer = made("dreams", recipes.dreams, _taught(dataset, believed))
    classes = np.unique(truth)
    asked = classes[np.arange(dreams) % len(classes)]
    made_up: npt.NDArray[Any] = dreamer.dream(dreams, given={"label": asked}, seed=seed)
    if train.x.dtype == np.uint8:
        made_up = np.round(255 * made_up).astype(np.uint8)
    again = np.arange(dreams) % len(known)
    dreamt = Examples(np.concatenate([known.x[again], made_up]), np.concatenate([truth[chosen][again], asked]))
    ways: list[tuple[str, int, Callable[[], float]]] = [
        ("logistic regression, pixels", len(known), lambda: _logistic(known.x, known.labels, test.x, answers)),
        ("logistic regression, codes", len(known), lambda: _logistic(codes[chosen], known.labels, seen, answers)),
        ("network, labelled pictures", len(known), lambda: read("labelled", known)),
        ("network, dreams beside them", len(dreamt), lambda: read("dreamt", dreamt)),
        ("network, pictures with spread labels", len(believed), lambda: read("spread", believed)),
        ("network, all labels", len(train), lambda: read("all", train)),
    ]
    table: list[dict[str, str | float | None]] = [
        {"learns from": name, "examples": float(many), "accuracy": way()} for name, many, way in ways
    ]
    spread_to = ~np.isin(rows, chosen)  # the others were given
    return FewLabels(table, chosen, float((labels == truth[rows])[spread_to].mean()))


def recipes_for(dataset: Dataset) -> Recipes:
    """The shipped recipes, with small batches and as many epochs as they need where the data are few."""
    rows = len(dataset.train)
    return Recipes(*(sized(RECIPES[name].settings, rows, None) for name in ("mnist", "conditional", "judge")))


def _choose(labels: Labels | None, each: int, seed: int) -> Labels:
    """`each` rows of every class, a function of the seed."""
    if labels is None:
        raise DataError("few labels: expected data with labels")
    random, chosen = np.random.default_rng([seed, each]), []
    for number in np.unique(labels):
        rows = np.flatnonzero(labels == number)
        if len(rows) < each:
            raise DataError(f"few labels: class {number} has {len(rows)} examples, expected {each} or more")
        chosen.append(random.choice(rows, each, replace=False))
    return np.sort(np.concatenate(chosen))


def spread(codes: Floats, labels: Labels, chosen: Labels, seed: int) -> tuple[Labels, Labels]:
    """Spread the labels of a few rows over the graph of nearest codes.

    Args:
        codes: (n, D).
        labels: (m,), of the rows `chosen`.
        chosen: (m,).
        seed: of the rows that the graph is made of, where there are more than 20,000.

    Returns:
        The surest nine tenths of those rows, and their labels; among them all that were known, and none that no label
        reaches.
    """
    from sklearn.semi_supervised import LabelSpreading

    others = np.setdiff1d(np.arange(len(codes)), chosen)
    if len(others) > _SPREAD_ROWS:
        others = np.sort(np.random.default_rng(seed).choice(others, _SPREAD_ROWS, replace=False))
    rows = np.concatenate([chosen, others])
    given = np.concatenate([labels, np.full(len(others), -1)])
    model = LabelSpreading(kernel="knn", n_neighbors=min(_NEIGHBOURS, len(rows) - 1), alpha=_SPREAD, max_iter=5000)
    p = model.fit(codes[rows], given).label_distributions_
    p = p / p.mean(0)  # else a class whose labels happened to lie in the middle spreads over the others
    reached = p.sum(1) > 0
    p[reached] /= p[reached].sum(1, keepdims=True)
    found = model.classes_[p.argmax(1)].astype(np.int64)
    found[: len(chosen)] = labels
    sure = p.max(1)
    sure[: len(chosen)] = np.inf
    kept = np.argsort(-sure, kind="stable")[: max(len(chosen), round(_SURE * len(rows)))]
    kept = kept[(sure > 0)[kept]]
    return rows[kept], found[kept]


def _logistic(x: npt.NDArray[Any], y: Labels | None, test: npt.NDArray[Any], answers: Labels) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    return float(model.fit(x.reshape(len(x), -1), y).score(test.reshape(len(test), -1), answers))


def _taught(dataset: Dataset, examples: Examples) -> Dataset:
    """A data set with other training examples."""
    test = dataset.test
    return Dataset.of_parts(dataset.name, replace(examples, attributes=None), test, classes=dataset.classes)


def _filled(examples: Examples, n: int) -> Examples:
    """Fewer than n examples over and over again, so that a network learns from them for as long as from n."""
    return examples if len(examples) >= n else examples[np.arange(n) % len(examples)]
