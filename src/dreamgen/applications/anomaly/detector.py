"""Odd rows: which they are, how odd, and what made them so. In the manners of PyOD and scikit-learn."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamgen.applications.anomaly.features import Floats
from dreamgen.applications.anomaly.judge import (
    Bench,
    Judge,
    Scores,
    from_tensors,
    judges_for,
    settings_for,
    to_tensors,
)
from dreamgen.applications.anomaly.judge import train_judge as train
from dreamgen.applications.anomaly.oddities import Oddity, oddities_of
from dreamgen.applications.anomaly.scores import SCORES
from dreamgen.applications.anomaly.sklearn_inputs import check_plain, check_width
from dreamgen.applications.anomaly.strange import of_one_measure, strange_cells, without_levels
from dreamgen.applications.table_model import TableModel, rows_of
from dreamgen.distributions.noise import derive_seed
from dreamgen.errors import DataError, ModelFileError, SettingsError
from dreamgen.estimator import Estimator, chosen_seed
from dreamgen.evaluation.conformal import p_values_of, threshold_at
from dreamgen.files import dump_json, parse_json
from dreamgen.registry import nearest, plain
from dreamgen.tables import Schema, fit_codec, read_frame
from dreamgen.tensors import dump_tensors, parse_tensors
from dreamgen.training import Record

if TYPE_CHECKING:
    import pyarrow as pa

ALL = (*SCORES, "combined")
_FLOOR = 0.1  # least scale around a number: finer detail of single columns would outweigh what is odd
_LEAST_ROWS = 8
_ROWS = 8192  # judged at once
_FACTS, _NUMBERS = "detector.json", "detector.safetensors"


class AnomalyDetector(Estimator):
    """Finds rows that do not belong, after a table of rows that do, or that mostly do.

    Rows are a frame (pandas, polars, Arrow), an array (n, d), a mapping of columns or a path; cells may be missing.

    Args:
        contamination: the share of normal rows that is flagged, approximately; `set_threshold` changes it without a
            new fit.
        score: "combined", or one of its parts: "reconstruction", "likelihood", "ratio", "latent", "neighbours",
            "rows", "whitened".
        schema: what the columns hold; None: inferred. Columns of numbers stay numbers, however few values they have.
        settings: of the models, as names and values over those that the table's size suggests.
        trim: share of the training rows, the oddest, that a second fit leaves out: for training rows that are
            known to hold odd ones.
        device: "auto", "cpu", "cuda".
        random_state: seed; None: a fresh one, kept in `seed_`.

    Attributes:
        threshold_: scores above it are odd.
        decision_scores_, labels_: of the training rows, held out where a judge held them out.
        seed_, schema_, notes_, n_features_in_.

    >>> rows = np.random.default_rng(0).normal(size=(200, 3))
    >>> detector = AnomalyDetector(settings={"epochs": 3}, random_state=0).fit(rows)
    >>> detector.predict([[0.0, 0.0, 0.0], [9.0, -9.0, 9.0]])
    array([0, 1])
    """

    n_features_in_: int
    feature_names_in_: NDArray[Any]

    def __init__(
        self,
        contamination: float = 0.05,
        score: str = "combined",
        *,
        schema: Schema | None = None,
        settings: Mapping[str, Any] | None = None,
        trim: float = 0.0,
        device: str = "auto",
        random_state: int | None = None,
    ) -> None:
        self.contamination = contamination
        self.score = score
        self.schema = schema
        self.settings = settings
        self.trim = trim
        self.device = device
        self.random_state = random_state

    # Training

    def fit(
        self, X: Any, y: Any = None, *, on_record: Callable[[Record], None] = lambda record: None
    ) -> "AnomalyDetector":
        """Learn what is usual; y is ignored.

        Raises:
            SettingsError: a contamination that is not between 0 and 1, an unknown score.
            DataError: fewer than 8 rows, or no column that varies.
        """
        self._check_settings()
        check_plain(X)
        frame = read_frame(X)
        check_width(self, X, frame.table.num_columns, first=True)
        if len(frame) < _LEAST_ROWS:
            raise DataError(f"expected {_LEAST_ROWS} rows or more to learn from, got n_samples = {len(frame)}")
        self.seed_ = chosen_seed(self.random_state)
        self.schema_ = self.schema if self.schema is not None else without_levels(frame)
        self.notes_ = [*frame.notes, *self.schema_.notes, *self.schema_.check(frame.table)]
        if not self.schema_.modelled:
            raise DataError("no column varies: there is nothing that could be odd")
        self._learn(frame.table, on_record)
        if self.trim:
            kept = np.sort(
                np.argsort(self.decision_scores_, kind="stable")[: len(frame) - int(self.trim * len(frame))]
            )
            everything = frame.table
            self._learn(everything.take(kept), on_record)
            # The rows that were left out were never seen: their scores are those of new rows.
            table = {name: values.copy() for name, values in self.score_table(everything).items()}
            for name, values in self.training_scores_.items():
                table[name][kept] = values
            self._keep_scores(table)
        return self

    def _check_settings(self) -> None:
        if not isinstance(self.contamination, int | float) or not 0 < self.contamination < 1:
            raise SettingsError(f"contamination: expected a share, 0 < share < 1, got {self.contamination!r}")
        if not 0 <= self.trim < 0.5:
            raise SettingsError(f"trim: expected a share, 0 <= share < 0.5, got {self.trim!r}")
        _check_score(self.score)

    def _learn(self, table: "pa.Table", on_record: Callable[[Record], None]) -> None:
        codec = of_one_measure(fit_codec(table, self.schema_, transform="affine", floor=_FLOOR))
        bench = Bench(codec, rows_of(codec, table), strange_cells(codec, table).sum(1).astype(np.float64))
        n = len(bench.rows)
        settings = settings_for(n, len(codec.shapes))
        if self.settings:
            settings = settings.replace(**self.settings)
        count, share = judges_for(n, len(codec.shapes))
        self.judges_: list[Judge] = []
        seen: list[Scores] = []
        held = np.zeros((count, n), bool)
        for number in range(count):
            seed = derive_seed(self.seed_, "judge", number) % 2**31
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*latent")  # a collapsed latent is no worse a judge
                judge, views, held_out = train(bench, settings, share, seed, self.device, on_record)
            self.judges_.append(judge)
            held[number, held_out] = True
            seen.append(judge.scores(views, np.arange(n)))
        self.rows_ = n
        # Of the judges that never saw a row, where there are any.
        weight = np.where(held.any(0), held, True).astype(np.float64)
        weight /= weight.sum(0)
        table_ = {name: np.einsum("kn,kn->n", weight, np.stack([s[name] for s in seen])) for name in seen[0]}
        judged = held.any(0)
        self._calibration = {name: np.sort(values[judged]) for name, values in table_.items()}
        self._keep_scores(table_)

    def _keep_scores(self, table: Scores) -> None:
        self.training_scores_ = table
        self.decision_scores_ = table[self.score]
        self.set_threshold(self.contamination)

    # The threshold

    @property
    def held_out_scores_(self) -> Floats:
        """What the threshold and the p-values rest on: scores of training rows by judges that did not see them,
        ascending.

        Below 2,000 rows there are three judges, and a training row's score is the mean of the one to three that did
        not see it, a new row's of all three: the two are only approximately exchangeable.
        """
        return self._calibration[self.score]

    @property
    def calibration_rows_(self) -> int:
        """How many they are."""
        return len(self.held_out_scores_)

    def threshold(self, rate: float) -> float:
        """The score that a share `rate` of normal rows exceeds, approximately below 2,000 training rows (see
        `held_out_scores_`): of n held-out rows the one of rank ceil((n + 1)(1 - rate)), or the greatest where n is
        too small for the rate. Raises SettingsError.
        """
        if not 0 < rate < 1:
            raise SettingsError(f"rate: expected a share, 0 < rate < 1, got {rate!r}")
        return threshold_at(self.held_out_scores_, rate)

    def set_threshold(self, rate: float) -> "AnomalyDetector":
        """Flag this share of normal rows from now on, without a new fit."""
        self.threshold_ = self.threshold(rate)
        self.labels_ = (self.decision_scores_ > self.threshold_).astype(np.int64)
        return self

    def set_score(self, score: str) -> "AnomalyDetector":
        """Judge by another score from now on, without a new fit. Raises SettingsError."""
        _check_score(score)
        self.score = score
        self._keep_scores(self.training_scores_)
        return self

    # Judging

    def score_table(self, X: Any) -> Scores:
        """Every score by name, (n,) each, as mean surprise: -log of the share of held-out rows that score as high."""
        self._check_fitted()
        return self._score(self._table(X), ALL)

    def _table(self, X: Any) -> "pa.Table":
        check_plain(X)
        frame = read_frame(X)
        check_width(self, X, frame.table.num_columns)
        if not len(frame):
            raise DataError("expected at least 1 row to judge, got 0")
        return frame.table

    def _score(self, table: "pa.Table", names: Sequence[str]) -> Scores:
        parts = [self._score_part(part, names) for part in _parts(table)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _score_part(self, table: "pa.Table", names: Sequence[str]) -> Scores:
        codec = self.judges_[0].model.codec
        rows, strange = rows_of(codec, table), strange_cells(codec, table).sum(1).astype(np.float64)
        found = [judge.scores(judge.views(rows, strange), names=names) for judge in self.judges_]
        return {name: np.mean([one[name] for one in found], axis=0) for name in found[0]}

    def decision_function(self, X: Any) -> Floats:
        """How odd each row is, (n,); higher is odder. A row's score does not depend on the others.

        Rows of the training look less odd than they are, for they were learned from: a warning says so where most
        rows are such. `decision_scores_` and `labels_` are theirs, held out where a judge held them out.

        Raises:
            DataError: columns are missing or of another kind than in training, or there is no row.
        """
        self._check_fitted()
        table = self._table(X)
        met = self.learned_from(table)
        if self.knows_most(int(met.sum()), len(met)):
            warnings.warn(
                f"{int(met.sum())} of {len(met)} rows are equal to rows that were learned from, and look less odd "
                "than they are: labels_ and decision_scores_ hold what was found of them held out",
                stacklevel=2,
            )
        return self.judged(table)

    def judged(self, table: "pa.Table") -> Floats:
        """`decision_function` of an Arrow table that may be a part of another, without its warning."""
        return self._score(table, [self.score])[self.score]

    def learned_from(self, X: Any) -> NDArray[np.bool_]:
        """Which rows are equal to rows of the training, (n,), of which up to 20,000 are kept to be compared with."""
        self._check_fitted()
        codec, first = self.judges_[0].model.codec, self.judges_[0]
        return np.concatenate(
            [
                first.knows(rows_of(codec, part), strange_cells(codec, part).sum(1).astype(np.float64))
                for part in _parts(self._table(X))
            ]
        )

    def knows_most(self, met: int, rows: int) -> bool:
        """Whether so many rows equal to kept ones, of `rows`, mean that most rows are of the training.

        In a table of few categories rows are equal by chance: as often as in the training itself.
        """
        geometry = self.judges_[0].geometry
        kept, chance = len(geometry.tensors["reference"]) / self.rows_, geometry.repeated
        return rows >= _LEAST_ROWS and met > rows * (chance + kept * (1 - chance) / 2)

    def predict(self, X: Any) -> NDArray[np.int64]:
        """1 for odd rows, 0 for others, (n,)."""
        scores = self.decision_function(X)
        return (scores > self.threshold_).astype(np.int64)

    def p_values(self, X: Any) -> Floats:
        """(r + 1) / (n + 1) of each row, where r of n held-out rows are as odd or odder, (n,).

        Below 2,000 training rows they hold approximately: see `held_out_scores_`.
        """
        scores = self.decision_function(X)
        return p_values_of(self.held_out_scores_, scores)

    def predict_proba(self, X: Any) -> Floats:
        """Of being normal and of being odd, (n, 2): one half at the threshold, the logistic function of the distance
        from it in units of the held-out rows' spread. No frequency is promised; `p_values` are for that.
        """
        self._check_fitted()
        spread = max(float(np.std(self.held_out_scores_)), 1e-12)
        u = np.clip((self.decision_function(X) - self.threshold_) / spread, -500, 500)
        odd = 1 / (1 + np.exp(-u))
        return np.stack([1 - odd, odd], axis=1)

    def explain(self, X: Any, rows: Any = None, most: int = 3) -> list[list[Oddity]]:
        """Which cells made rows odd, and what was expected there, given the rest of the row.

        Args:
            X: n rows.
            rows: which of them, a mask (n,) or numbers; None: those that are flagged. Others get an empty list.
            most: cells of a row, the oddest first.
        """
        self._check_fitted()
        table = self._table(X)
        chosen = np.zeros(table.num_rows, bool)
        chosen[self.judged(table) > self.threshold_ if rows is None else rows] = True
        found: list[list[Oddity]] = [[] for _ in range(table.num_rows)]
        where = np.flatnonzero(chosen)
        if len(where):
            for place, oddities in zip(where, oddities_of(self.judges_[0], table.take(where), most), strict=True):
                found[place] = oddities
        return found

    # Keeping

    def save(self, folder: str | Path) -> None:
        """Write a folder of safetensors and JSON, all or nothing.

        It holds up to 20,000 of the training rows themselves, standardised, as neighbours, and the scores of all:
        do not give it to anyone who may not see the rows.
        """
        self._check_fitted()
        first, *others = self.judges_
        facts = {
            "parameters": {**plain(self.get_params()), "schema": None, "random_state": self.seed_},
            "seeds": [judge.seed for judge in self.judges_],
            "rows": self.rows_,
            "features": self.n_features_in_,
            "names": [str(name) for name in getattr(self, "feature_names_in_", [])],
            "threshold": self.threshold_,
        }
        numbers = {f"{k}.{name}": v for k, judge in enumerate(self.judges_) for name, v in to_tensors(judge).items()}
        for kind, table in (("calibration", self._calibration), ("training", self.training_scores_)):
            numbers |= {f"{kind}.{name}": _tensor(values) for name, values in table.items()}
        more = {_FACTS: dump_json(facts), _NUMBERS: dump_tensors(numbers)}
        for k, judge in enumerate(others, 1):
            more[f"judge{k}.safetensors"] = dump_tensors(judge.model.saved.model.state_dict())
        first.model.save(folder, more)

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto") -> "AnomalyDetector":
        """A detector from a folder. Raises ModelFileError."""
        model = TableModel.load(folder, device)
        files = model.saved.more
        if _FACTS not in files or _NUMBERS not in files:
            raise ModelFileError(f"{folder} is no detector: it has no {_FACTS}")
        facts, numbers = parse_json(files[_FACTS], _FACTS), parse_tensors(files[_NUMBERS], _NUMBERS)
        try:
            detector = cls(**facts["parameters"])
            detector.seed_, detector.rows_ = int(detector.random_state or 0), int(facts["rows"])
            detector.n_features_in_ = int(facts["features"])
            if facts["names"]:
                detector.feature_names_in_ = np.array(facts["names"], dtype=object)
            detector.schema_, detector.notes_ = model.codec.schema, []
            detector.judges_ = list(_judges(model, files, numbers, facts))
            tables = {
                kind: {n.removeprefix(f"{kind}."): v.numpy() for n, v in numbers.items() if n.startswith(f"{kind}.")}
                for kind in ("calibration", "training")
            }
            _check_tables(tables["calibration"], tables["training"])
            detector._calibration, detector.training_scores_ = tables["calibration"], tables["training"]
            detector.decision_scores_ = detector.training_scores_[detector.score]
            detector.threshold_ = float(facts["threshold"])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise error if isinstance(error, ModelFileError) else ModelFileError(f"{_FACTS}: {error!r}") from error
        detector.labels_ = (detector.decision_scores_ > detector.threshold_).astype(np.int64)
        return detector

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "judges_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.three_d_array = False
        return tags


def _check_score(score: Any) -> None:
    if score not in ALL:
        raise SettingsError(f"unknown score {score!r}: {nearest(str(score), ALL)}")


def _parts(table: "pa.Table") -> Iterator["pa.Table"]:
    for start in range(0, table.num_rows, _ROWS):
        yield table.slice(start, _ROWS)


def _check_tables(calibration: Mapping[str, Any], training: Mapping[str, Any]) -> None:
    """Raise ModelFileError unless there are held-out scores and training scores, of every name and in order."""
    for kind, table in (("calibration", calibration), ("training", training)):
        counts = {values.shape for values in table.values()}
        if table.keys() != set(ALL) or len(counts) != 1 or len(first := counts.pop()) != 1 or not first[0]:
            raise ModelFileError(f"{_NUMBERS}: {kind}: expected as many scores of each kind, one or more")
    if any((np.diff(values) < 0).any() for values in calibration.values()):
        raise ModelFileError(f"{_NUMBERS}: calibration: expected scores that rise")


def _tensor(values: Floats) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(values, np.float64))


def _judges(
    model: TableModel, files: Mapping[str, bytes], numbers: Mapping[str, Any], facts: Mapping[str, Any]
) -> Iterator[Judge]:
    if not isinstance(facts["seeds"], list) or not facts["seeds"]:
        raise ModelFileError(f"{_FACTS}: seeds: expected one for each judge, got {facts['seeds']!r}")
    for k, seed in enumerate(facts["seeds"]):
        own = {name.removeprefix(f"{k}."): v for name, v in numbers.items() if name.startswith(f"{k}.")}
        name = f"judge{k}.safetensors"
        weights = parse_tensors(files[name], name) if k else None
        yield from_tensors(model, weights, own, int(facts["rows"]), int(seed))
