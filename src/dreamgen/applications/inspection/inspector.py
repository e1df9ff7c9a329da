"""Pictures of parts: which is odd, and where. Learned from pictures without defects alone.

Each patch of a picture gets a code from a variational autoencoder of patches, and the distance of that code to the
nearest codes of normal patches, near the same place, says how odd the patch is: reconstruction errors do not, as a
model that restores texture restores a scratch as well (Towards Total Recall in Industrial Anomaly Detection, 2021,
https://arxiv.org/abs/2106.08265, with codes in place of a classifier's features).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from dreamgen.applications.inspection.keeping import files_of, memory_of
from dreamgen.applications.inspection.patches import LIGHTS, Light, Memory, View
from dreamgen.errors import DataError, ModelFileError, SettingsError
from dreamgen.estimator import Estimator, chosen_seed
from dreamgen.evaluation.conformal import threshold_at
from dreamgen.files import check_manifest, dump_json, parse_json, read_folder, write_folder
from dreamgen.registry import plain

Array = npt.NDArray[Any]

_FACTS = "inspector.json"
_CALIBRATION = 1 / 3  # of the normal pictures: what heat is usual at each place, and how large scores get
_FEWEST = 12
_CHANNELS = 4  # more are no picture, but its axes in another order
_SMOOTH = 1.0  # pixels over which what is usual is averaged
_WEIGHTS = (2.0, 1.0)  # of what is seen without the light, and as it is
_TOP = 0.02  # the share of a picture's pixels, the hottest, whose mean is its score


class PictureInspector(Estimator):
    """Finds odd pictures of parts and where they are odd, after PyOD's manners.

    Args:
        light: what in a picture is light or finish and no defect: "vertical" or "horizontal" streaks of grinding,
            "even" for what varies slowly, or "as it is".
        sizes: sides of the patches in pixels: without that light, and as they are.
        latents: numbers that tell a patch of each of the two.
        false_alarms: the share of normal pictures that may be flagged.
        random_state: of weights, order and what is kept; None: a fresh one, kept in `seed_`.

    After `fit`: `threshold_`, and `calibration_`, the numbers of the pictures that it came from.
    """

    def __init__(
        self,
        light: Light = "vertical",
        *,
        sizes: Sequence[int] = (16, 12),
        latents: Sequence[int] = (12, 4),
        false_alarms: float = 0.05,
        random_state: int | None = 0,
    ) -> None:
        self.light, self.sizes, self.latents = light, sizes, latents
        self.false_alarms, self.random_state = false_alarms, random_state

    def fit(self, X: npt.ArrayLike, y: None = None, *, groups: npt.ArrayLike | None = None) -> "PictureInspector":
        """Learn what normal pictures look like.

        Args:
            X: (n, height, width) or, in colour, (n, height, width, channels), bytes or floats in [0, 1], none with
                a defect that should be found.
            y: ignored.
            groups: (n,) pictures of the same part have the same number: they are learned from or calibrate together.

        Raises:
            DataError: no pictures, too small ones, or too few.
            SettingsError: a parameter is not valid.
        """
        if not 0 < self.false_alarms < 1:
            raise SettingsError(f"false_alarms: expected a share between 0 and 1, got {self.false_alarms!r}")
        x = as_parts(X)
        self.shape_ = x.shape[1:]
        if len(x) < _FEWEST:
            raise DataError(f"expected at least {_FEWEST} pictures to learn from, got {len(x)}")
        views = self._views()
        if min(self.shape_[:2]) < 2 * max(self.sizes):
            raise DataError(f"expected pictures of at least {2 * max(self.sizes)} pixels a side, got {self.shape_}")
        self.seed_ = chosen_seed(self.random_state)
        self.calibration_ = self._held_out(len(x), groups)
        kept = np.setdiff1d(np.arange(len(x)), self.calibration_)
        self.memories_ = [Memory(view, self.seed_).learn(x[kept]) for view in views]
        held_out = x[self.calibration_]
        heats = [memory.heat(held_out) for memory in self.memories_]
        self.usual_ = [_usual(heat) for heat in heats]
        parts = self.calibration_ if groups is None else np.asarray(groups)[self.calibration_]
        self.threshold_ = threshold_at(np.sort(_scores_apart(heats, parts)), self.false_alarms)
        return self

    def _views(self) -> list[View]:
        if self.light not in LIGHTS:
            raise SettingsError(f"light: expected one of {', '.join(map(repr, LIGHTS))}, got {self.light!r}")
        if len(self.sizes) != 2 or min(self.sizes) < 4:
            raise SettingsError(f"sizes: expected two sides of 4 pixels or more, got {self.sizes!r}")
        if len(self.latents) != 2 or min(self.latents) < 1:
            raise SettingsError(f"latents: expected two numbers, 1 or more, got {self.latents!r}")
        lights: list[Light] = [self.light, "as it is"]
        return [
            View(light, size, max(1, 3 * size // 8), latents)
            for light, size, latents in zip(lights, self.sizes, self.latents, strict=True)
        ]

    def _held_out(self, n: int, groups: npt.ArrayLike | None) -> npt.NDArray[np.int64]:
        """Numbers of the pictures that calibrate: whole groups, drawn by the seed."""
        numbers = np.arange(n) if groups is None else np.asarray(groups)
        if numbers.shape != (n,):
            raise DataError(f"groups: expected a number for each of {n} pictures, got shape {numbers.shape}")
        names = np.unique(numbers)
        if len(names) < 3:
            raise DataError(f"groups: expected pictures of 3 parts or more, got {len(names)}")
        count = max(2, round(_CALIBRATION * len(names)))  # one part's heat is measured by the others'
        drawn = np.random.default_rng(self.seed_).permutation(names)[:count]
        return np.flatnonzero(np.isin(numbers, drawn))

    def heat_map(self, X: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """How odd each place is, (n, height, width), in deviations of normal pictures.

        It is measured from each picture's own median: a part that is rougher than others is so all over.
        """
        x = self._check(X)
        return _measured([memory.heat(x) for memory in self.memories_], self.usual_)

    def decision_function(self, X: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """How odd each picture is, (n,): the mean heat of its hottest places."""
        return hottest(self.heat_map(X))

    def predict(self, X: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """1 for a picture whose score is beyond the threshold, else 0."""
        return (self.decision_function(X) > self.threshold_).astype(np.int64)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "memories_")

    # Keeping

    def save(self, folder: str | Path) -> None:
        """Write a folder of safetensors and JSON, all or nothing. It holds no pictures, but codes of their patches,
        which the model beside them turns into something like the patches again.
        """
        self._check_fitted()
        facts = {
            "parameters": {**plain(self.get_params()), "random_state": self.seed_},
            "shape": list(self.shape_),
            "calibration": self.calibration_.tolist(),
            "threshold": self.threshold_,
        }
        files = {_FACTS: dump_json(facts)}
        for number, (memory, usual) in enumerate(zip(self.memories_, self.usual_, strict=True)):
            files |= files_of(number, memory, usual)
        write_folder(Path(folder), files)

    @classmethod
    def load(cls, folder: str | Path) -> "PictureInspector":
        """An inspector from a folder. Raises ModelFileError."""
        files = read_folder(Path(folder))
        if _FACTS not in files:
            raise ModelFileError(f"{folder} is no inspector: it has no {_FACTS}")
        facts = parse_json(files[_FACTS], _FACTS)
        try:
            made = cls(**facts["parameters"])
            made.shape_, made.seed_ = tuple(int(side) for side in facts["shape"]), int(made.random_state or 0)
            made.calibration_ = np.array(facts["calibration"], np.int64)
            made.threshold_ = float(facts["threshold"])
            views = made._views()
            kept = [
                memory_of(number, view, made.seed_, files, made.shape_, Path(folder))
                for number, view in enumerate(views)
            ]
        except (KeyError, TypeError, ValueError, OverflowError, SettingsError) as error:
            raise error if isinstance(error, ModelFileError) else ModelFileError(f"{_FACTS}: {error!r}") from error
        made.memories_, made.usual_ = [memory for memory, _ in kept], [usual for _, usual in kept]
        check_manifest(Path(folder))
        return made

    def _check(self, X: npt.ArrayLike) -> Array:
        self._check_fitted()
        x = as_parts(X)
        if x.shape[1:] != self.shape_:
            raise DataError(f"expected pictures of shape {self.shape_}, got {x.shape[1:]}")
        return x


def _usual(heat: Array) -> tuple[Array, Array]:
    """The mean heat of each place over pictures, (n, height, width), and its spread, both (height, width)."""
    spread = ndimage.gaussian_filter(heat.std(0), _SMOOTH) + 1e-6
    return ndimage.gaussian_filter(heat.mean(0), _SMOOTH), spread


def _measured(heats: Sequence[Array], usual: Sequence[tuple[Array, Array]]) -> npt.NDArray[np.float32]:
    """The heat of each view in deviations of what is usual, together, (n, height, width)."""
    seen = zip(_WEIGHTS, heats, usual, strict=True)
    heat = np.sum([weight * (one - mean) / spread for weight, one, (mean, spread) in seen], 0)
    return np.asarray((heat - np.median(heat, (1, 2), keepdims=True)) / np.linalg.norm(_WEIGHTS), np.float32)


def _scores_apart(heats: Sequence[Array], parts: Array) -> npt.NDArray[np.float64]:
    """The score of each picture by what is usual among those of other parts, (n,).

    A picture that had a say in what is usual lies nearer to it than a new one does: a threshold from such scores
    flags too many.
    """
    scores = np.zeros(len(parts))
    for part in np.unique(parts):
        own = parts == part
        usual = [_usual(heat[~own]) for heat in heats]
        scores[own] = hottest(_measured([heat[own] for heat in heats], usual))
    return scores


def hottest(heat: Array) -> npt.NDArray[np.float64]:
    """The mean over the hottest pixels of each map, (n,)."""
    flat = heat.reshape(len(heat), -1).astype(np.float64)
    count = max(1, int(_TOP * flat.shape[1]))
    mean: npt.NDArray[np.float64] = np.partition(flat, -count, axis=1)[:, -count:].mean(1)
    return mean


def as_parts(X: npt.ArrayLike) -> Array:
    """Pictures as floats in [0, 1], (n, height, width) or (n, height, width, channels); raises DataError where they
    are none."""
    x = np.asarray(X)
    x = x[..., 0] if x.ndim == 4 and x.shape[-1] == 1 else x
    if x.ndim not in (3, 4) or (x.ndim == 4 and not 2 <= x.shape[-1] <= _CHANNELS) or not len(x):
        raise DataError(
            f"expected pictures, (n, height, width) or (n, height, width, channels) of up to {_CHANNELS} channels, "
            f"got shape {x.shape}"
        )
    if x.dtype == np.uint8:
        return (x / np.float32(255)).astype(np.float32)
    if x.dtype.kind not in "fiub" or not np.isfinite(x).all() or x.min() < 0 or x.max() > 1:
        raise DataError("expected pictures as bytes, or as numbers in [0, 1], got others")
    return x.astype(np.float32)
