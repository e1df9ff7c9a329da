"""Scores of oddness, by name. Each is higher for odder rows, and each is computed from the same views of a row.

Scores are brought to one scale, the surprise -log P(a normal row scores as high), measured on rows that were held
out. Rows far from their neighbours are odd, and so are rows that are near each other and far from most: a group of
copies has near neighbours. So distances are measured to the five nearest rows and to the nearest tenth of a sample,
and the greater surprise of the two counts, which is somewhat more than either alone. `combined` is a weighted mean of
some scores. Widths and weights were chosen on other data than any benchmark's.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamgen.applications.anomaly.features import Floats, whitening
from dreamgen.applications.anomaly.views import Views
from dreamgen.registry import Registry

NEIGHBOURS = 5
REFERENCE = 20_000  # rows among which neighbours are looked for
SAMPLE, WIDE = 512, 0.1  # rows of these, chosen at random, and the share of them that is near in the wide sense
COMBINED = {"neighbours": 0.4, "rows": 0.2, "whitened": 0.2, "likelihood": 0.2}
_KNOTS = 512
_ROWS = 8192  # whose neighbours are looked for at once
_PLACES = ("deep", "white", "plain")
_FARTHEST = 1e150

Indices = NDArray[np.int64]


class Geometry:
    """The coordinates in which distances are measured, and the reference rows.

    Args:
        tensors: `input`, `latent` and `residual` each as loc and matrix; `reference`, numbers of the reference
            rows; `deep`, `white` and `plain`, where they lie.
        rows: how many rows were trained on.
    """

    def __init__(self, tensors: Mapping[str, Any], rows: int) -> None:
        self.tensors, self.rows = dict(tensors), rows
        self._indices: dict[tuple[str, bool], Any] = {}

    @classmethod
    def of(cls, views: Views, seed: int, kept: Indices | None = None) -> "Geometry":
        """Fitted to the views of the training rows, all of which are neighbours; the covariances are of those that
        are `kept`, so that held-out rows lie in the geometry as new ones do."""
        tensors: dict[str, Any] = {}
        part = views if kept is None else views.take(kept)
        for name, values in (("input", part.points), ("latent", part.latent), ("residual", part.residual)):
            tensors[f"{name}.loc"], tensors[f"{name}.matrix"] = whitening(values)
        order = np.random.default_rng(seed).permutation(len(views))[:REFERENCE]
        made = cls({**tensors, "reference": np.sort(order)}, len(views))
        chosen = views.take(made.tensors["reference"])
        made.tensors |= {name: made.place(name, chosen) for name in _PLACES}
        return made

    def _white(self, name: str, values: Floats) -> Floats:
        centred, matrix = values - self.tensors[f"{name}.loc"], self.tensors[f"{name}.matrix"]
        white: Floats = centred @ matrix if matrix.ndim == 2 else centred * matrix
        return white

    def latent(self, views: Views) -> Floats:
        """Latents without covariance, (n, L)."""
        return self._white("latent", views.latent)

    def deep(self, views: Views) -> Floats:
        """Latents and residuals without covariance, of equal weight, (n, L + D)."""
        latent, residual = self.latent(views), self._white("residual", views.residual)
        balance = np.sqrt(residual.shape[1] / latent.shape[1])
        return np.concatenate([balance * latent, residual, self._strange(views)], axis=1)

    def white(self, views: Views) -> Floats:
        """Rows without covariance, no model involved, (n, D + 1)."""
        return np.concatenate([self._white("input", views.points), self._strange(views)], axis=1)

    def place(self, which: str, views: Views) -> NDArray[np.float32]:
        """Where rows lie: "deep", "white", or "plain", the standardised rows themselves."""
        if which == "plain":
            return _plain(views.points, views.strange)
        return (self.deep if which == "deep" else self.white)(views).astype(np.float32)

    def holds(self, points: Floats, strange: Floats) -> NDArray[np.bool_]:
        """Which rows are equal to one of the reference rows, (n,)."""
        return np.array([row.tobytes() in self._held for row in _plain(points, strange)], bool)

    @property
    def repeated(self) -> float:
        """The share of the reference rows that are not there once alone."""
        return 1 - sum(n == 1 for n in self._held.values()) / self._held.total()

    @cached_property
    def _held(self) -> Counter[bytes]:
        return Counter(row.tobytes() for row in np.asarray(self.tensors["plain"]))

    @staticmethod
    def _strange(views: Views) -> Floats:
        return _apart(views.strange)

    def distance(self, which: str, views: Views, own: Indices | None, wide: bool = False) -> Floats:
        """Mean distance to the five nearest reference rows, (n,).

        Args:
            which: "deep", "white" or "plain".
            views: of n rows.
            own: their numbers among the training rows, where they are from there: no row is its own neighbour.
            wide: to the nearest tenth of a sample of the reference rows instead, at least five.
        """
        from sklearn.neighbors import NearestNeighbors

        among = self._sample if wide else slice(None)
        reference, numbers = self.tensors[which][among], self.tensors["reference"][among]
        if (which, wide) not in self._indices:
            self._indices[which, wide] = NearestNeighbors().fit(reference)
        count = min(max(NEIGHBOURS, int(WIDE * len(reference)) if wide else 0), len(reference) - 1)
        far = np.empty(len(views))
        for start in range(0, len(views), _ROWS):
            part = slice(start, start + _ROWS)
            points = self.place(which, views.take(np.arange(len(views))[part]))
            distance, found = self._indices[which, wide].kneighbors(points, count + 1)
            oneself = np.zeros(found.shape, bool) if own is None else numbers[found] == own[part, None]
            oneself[:, -1] |= ~oneself.any(1)  # not among them: the farthest goes
            far[part] = distance[~oneself].reshape(len(points), count).mean(1)
        return far

    @cached_property
    def _sample(self) -> Indices:
        """Places of some reference rows, the same for every table of as many."""
        return np.random.default_rng(0).permutation(len(self.tensors["reference"]))[:SAMPLE]


def _plain(points: Floats, strange: Floats) -> NDArray[np.float32]:
    return np.concatenate([points, _apart(strange)], axis=1).astype(np.float32)


def _apart(strange: Floats) -> Floats:
    """A value never seen is as far from all others as two independent values are from each other, (n, 1)."""
    found: Floats = np.sqrt(2 * strange)[:, None]
    return found


SCORES: Registry[Floats] = Registry("score")


@SCORES.register("reconstruction")
def reconstruction(views: Views, geometry: Geometry, own: Indices | None) -> Floats:
    """Root of the summed squared residuals: the mission's own score."""
    found: Floats = np.sqrt(np.square(views.residual).sum(1) + 2 * views.strange)
    return found


@SCORES.register("likelihood")
def likelihood(views: Views, geometry: Geometry, own: Indices | None) -> Floats:
    """-log p(x), importance-weighted; a value never seen in n rows has a probability of about 1 / (n + 1)."""
    found: Floats = -views.log_likelihood + views.strange * np.log(geometry.rows + 1.0)
    return found


@SCORES.register("ratio")
def ratio(views: Views, geometry: Geometry, own: Indices | None) -> Floats:
    """-log p(x) less that of independent columns: what is odd about the combination, whatever each value is."""
    return views.marginal - views.log_likelihood


@SCORES.register("latent")
def latent(views: Views, geometry: Geometry, own: Indices | None) -> Floats:
    """Mahalanobis distance of the posterior mean from the mean of the training rows', full covariance."""
    found: Floats = np.sqrt(np.square(geometry.latent(views)).sum(1))
    return found


@SCORES.register("neighbours")
def neighbours(views: Views, geometry: Geometry, own: Indices | None, wide: bool = False) -> Floats:
    """Mean distance to the nearest training rows by latent and residual, both without covariance."""
    return geometry.distance("deep", views, own, wide)


@SCORES.register("rows")
def rows(views: Views, geometry: Geometry, own: Indices | None, wide: bool = False) -> Floats:
    """Mean distance to the nearest training rows, standardised, without the model."""
    return geometry.distance("plain", views, own, wide)


@SCORES.register("whitened")
def whitened(views: Views, geometry: Geometry, own: Indices | None, wide: bool = False) -> Floats:
    """The same without the covariance of the columns."""
    return geometry.distance("white", views, own, wide)


_DISTANCES = ("neighbours", "rows", "whitened")


def _wide(name: str) -> str:
    return f"{name}, wide"


MEASURES = (*SCORES, *map(_wide, _DISTANCES))


def measured(
    views: Views, geometry: Geometry, own: Indices | None = None, names: Iterable[str] = tuple(SCORES)
) -> dict[str, Floats]:
    """What some scores rest on, of `MEASURES` by name, (n,) each; by default all."""
    found = {name: SCORES[name](views, geometry, own) for name in names}
    for name in _DISTANCES:
        if name in found:
            found[_wide(name)] = SCORES[name](views, geometry, own, wide=True)
    return {name: np.asarray(values, np.float64) for name, values in found.items()}


@dataclass(frozen=True)
class Scale:
    """From a score to surprise: 0 for the least odd of the held-out rows, log(n + 1) for the oddest of n, and more
    beyond, where the surprise goes on rising with the logarithm of the distance in units of their spread.

    Attributes:
        knots, surprise: a rising curve, (k,).
        spread: of the held-out scores.
    """

    knots: Floats
    surprise: Floats
    spread: float

    @classmethod
    def of(cls, values: Floats) -> "Scale":
        """Of the scores of held-out rows, (n,)."""
        ordered, n = np.sort(values), len(values)
        odder = n - np.arange(n)  # rows that score as high
        curve = -np.log(odder / (n + 1))
        if n > _KNOTS:  # evenly in surprise: the tail keeps every row
            chosen = np.unique(np.searchsorted(curve, np.linspace(curve[0], curve[-1], _KNOTS)).clip(0, n - 1))
            ordered, curve = ordered[chosen], curve[chosen]
        last = np.append(np.diff(ordered) > 0, True)
        return cls(ordered[last], curve[last], max(float(values.std()), 1e-12))

    def __call__(self, values: Floats) -> Floats:
        values = np.nan_to_num(values, nan=_FARTHEST).clip(-_FARTHEST, _FARTHEST)
        inside = np.interp(values, self.knots, self.surprise)
        above = np.log1p(np.maximum(values - self.knots[-1], 0) / self.spread)
        below = -np.log1p(np.maximum(self.knots[0] - values, 0) / self.spread)
        found: Floats = inside + above + below
        return found


def surprises(found: Mapping[str, Floats], scales: Mapping[str, Scale]) -> dict[str, Floats]:
    """Scores by name, (n,) each, of what was `measured`: of a distance and its wide form the greater surprise."""
    each = {name: scales[name](values) for name, values in found.items()}
    wide = {name: each.pop(_wide(name)) for name in found if _wide(name) in found}
    return {name: np.maximum(values, wide.get(name, values)) for name, values in each.items()}


def combine(scores: Mapping[str, Floats], weights: Mapping[str, float] = COMBINED) -> Floats:
    """The weighted mean of some scores, (n,)."""
    found: Floats = np.sum([weight * scores[name] for name, weight in weights.items()], axis=0)
    return found


def without_model(train: Floats, test: Floats | None, seed: int) -> dict[str, Floats]:
    """The same neighbours and distances of plain rows, (n, d), without any model, for comparison.

    Args:
        train: rows without gaps.
        test: rows to score; None: the training rows themselves, none of which is its own neighbour.
        seed: which rows are the reference, where there are too many.
    """
    judged = train if test is None else test
    own = np.arange(len(train)) if test is None else None
    nothing = np.zeros((len(train), 1))
    blank = Views(train, nothing, nothing, nothing[:, 0], nothing[:, 0], nothing[:, 0])
    some = np.zeros((len(judged), 1))
    rows_ = Views(judged, some, some, some[:, 0], some[:, 0], some[:, 0])
    geometry = Geometry.of(blank, seed)
    held = np.random.default_rng(seed).permutation(len(train))[:2000]

    def parts(views: Views, own: Indices | None) -> dict[str, Floats]:
        far = np.sqrt(np.square(geometry.white(views)).sum(1))
        return {**measured(views, geometry, own, ["rows", "whitened"]), "Mahalanobis": far}

    usual, found = parts(blank.take(held), held), parts(rows_, own)
    scores = surprises(found, {name: Scale.of(values) for name, values in usual.items()})
    return {**found, "all": combine(scores, dict.fromkeys(scores, 1 / len(scores)))}
