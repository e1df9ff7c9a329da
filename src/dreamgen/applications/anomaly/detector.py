"""Odd rows: which they are, how odd, and what made them so. In the manners of PyOD and scikit-learn."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamgen.applications.anomaly.features import Floats
from dreamgen.applications.anomaly.judge import Bench, Scores, settings_for
from dreamgen.applications.anomaly.keeping import FACTS, files_of, panel_of
from dreamgen.applications.anomaly.oddities import Oddity, oddities_of
from dreamgen.applications.anomaly.panel import ALL, LEAST_ROWS, Panel, cells_of
from dreamgen.applications.anomaly.sklearn_inputs import check_plain, check_width
from dreamgen.applications.anomaly.strange import of_one_measure, without_levels
from dreamgen.applications.table_model import TableModel
from dreamgen.errors import DataError, ModelFileError, SettingsError
from dreamgen.estimator import Estimator, chosen_seed
from dreamgen.evaluation.conformal import p_values_of, threshold_at
from dreamgen.files import dump_json, parse_json
from dreamgen.registry import nearest, plain
from dreamgen.tables import Notes, Schema, fit_codec, read_frame
from dreamgen.training import Record

if TYPE_CHECKING:
    import pyarrow as pa

_FLOOR = 0.1  # least scale around a number: finer detail of single columns would outweigh what is odd


class AnomalyDetector(Estimator):
    """Finds rows that do not belong, after a table of rows that do, or that mostly do.

    Rows are a frame (pandas, polars, Arrow), an array (n, d), a mapping of columns or a path; cells may be missing.

    Args:
        contamination: the share of normal rows that is flagged, approximately; `set_threshold` changes it without a
            new fit.
        score: "combined", of "likelihood", "neighbours", "rows" and "whitened"; one of these alone; or
            "reconstruction", "ratio", "latent".
        schema: what the columns hold; None: inferred. Columns of numbers stay numbers, however few values they have.
        settings: of the models, as names and values over those that the table's size suggests.
        trim: share of the training rows, the oddest, that a second fit leaves out: for training rows that are
            known to hold odd ones.
        device: "auto", "cpu", "cuda".
        random_state: seed; None: a fresh one, kept in `seed_`.

    Attributes:
        threshold_: scores above it are odd.
        decision_scores_, labels_: of the training rows, held out where a judge held them out.
        notes_: what the last table met, at the fit or judged: dropped, changed or never seen, counted and named.
        seed_, schema_, n_features_in_.

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
        if len(frame) < LEAST_ROWS:
            raise DataError(f"expected {LEAST_ROWS} rows or more to learn from, got n_samples = {len(frame)}")
        self.seed_ = chosen_seed(self.random_state)
        self.schema_ = self.schema if self.schema is not None else without_levels(frame)
        self.notes_ = Notes.of(frame.notes, self.schema_.met(frame.table))
        if not self.schema_.modelled:
            raise DataError("no column varies: there is nothing that could be odd")
        panel = self._learn(frame.table, on_record)
        self._choose(self._trimmed(panel, frame.table, on_record) if self.trim else panel)
        return self

    def fit_predict(self, X: Any, y: Any = None) -> NDArray[np.int64]:
        """`labels_` of the rows that are learned from, (n,); y is ignored. Raises as `fit` does."""
        return self.fit(X).labels_

    def _trimmed(self, panel: Panel, table: "pa.Table", on_record: Callable[[Record], None]) -> Panel:
        """A panel that learned without the rows that the first one finds oddest."""
        order = np.argsort(panel.training[self.score], kind="stable")
        kept = np.sort(order[: len(order) - int(self.trim * len(order))])
        panel = self._learn(table.take(kept), on_record)
        # The rows that were left out were never seen: their scores are those of new rows.
        found = panel.scores(table)
        for name, values in panel.training.items():
            found[name][kept] = values
        return replace(panel, training=found)

    def _check_settings(self) -> None:
        if not isinstance(self.contamination, int | float | np.number) or not 0 < self.contamination < 1:
            raise SettingsError(f"contamination: expected a share, 0 < share < 1, got {self.contamination!r}")
        if not 0 <= self.trim < 0.5:
            raise SettingsError(f"trim: expected a share, 0 <= share < 0.5, got {self.trim!r}")
        _check_score(self.score)

    def _learn(self, table: "pa.Table", on_record: Callable[[Record], None]) -> Panel:
        codec = of_one_measure(fit_codec(table, self.schema_, transform="affine", floor=_FLOOR))
        bench = Bench(codec, *cells_of(codec, table))
        settings = settings_for(len(bench.rows), len(codec.shapes))
        if self.settings:
            settings = settings.replace(**self.settings)
        return Panel.train(bench, settings, self.seed_, self.device, on_record)

    def _choose(self, panel: Panel) -> None:
        self.panel_ = panel
        self.decision_scores_ = panel.training[self.score]
        self.set_threshold(self.contamination)

    # The threshold

    @property
    def rows_(self) -> int:
        """How many rows were learned from."""
        return self.panel_.rows

    @property
    def training_scores_(self) -> Scores:
        """Every score of the training rows by name, (n,) each, held out where a judge held them out."""
        return self.panel_.training

    @property
    def held_out_scores_(self) -> Floats:
        """What the threshold and the p-values rest on: scores of training rows by judges that did not see them,
        ascending.

        Below 2,000 rows there are three judges, and a training row's score is the mean of the one to three that did
        not see it, a new row's of all three: the two are only approximately exchangeable.
        """
        return self.panel_.calibration[self.score]

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
        self.threshold_, self.contamination = self.threshold(rate), rate
        self.labels_ = (self.decision_scores_ > self.threshold_).astype(np.int64)
        return self

    def set_score(self, score: str) -> "AnomalyDetector":
        """Judge by another score from now on, without a new fit. Raises SettingsError."""
        _check_score(score)
        self.score = score
        self._choose(self.panel_)
        return self

    # Judging

    def score_table(self, X: Any) -> Scores:
        """Every score by name, (n,) each, as mean surprise: -log of the share of held-out rows that score as high."""
        self._check_fitted()
        return self.panel_.scores(self._table(X))

    def _table(self, X: Any) -> "pa.Table":
        check_plain(X)
        frame = read_frame(X)
        check_width(self, X, frame.table.num_columns)
        if not len(frame):
            raise DataError("expected at least 1 row to judge, got 0")
        self.notes_ = Notes.of(frame.notes, self.schema_.check(frame.table))
        return frame.table

    def decision_function(self, X: Any) -> Floats:
        """How odd each row is, (n,); higher is odder. A row's score does not depend on the others.

        Rows of the training look less odd than they are, for they were learned from: a warning says so where most
        rows are such. `decision_scores_` and `labels_` are theirs, held out where a judge held them out.

        Raises:
            DataError: columns are missing or of another kind than in training, or there is no row.
        """
        self._check_fitted()
        table = self._table(X)
        met = self.panel_.knows(table)
        if self.panel_.knows_most(int(met.sum()), len(met)):
            warnings.warn(
                f"{int(met.sum())} of {len(met)} rows are equal to rows that were learned from, and look less odd "
                "than they are: labels_ and decision_scores_ hold what was found of them held out",
                stacklevel=2,
            )
        return self.judged(table)

    def judged(self, table: "pa.Table") -> Floats:
        """`decision_function` of an Arrow table that may be a part of another, without its warning."""
        return self.panel_.scores(table, [self.score])[self.score]

    def learned_from(self, X: Any) -> NDArray[np.bool_]:
        """Which rows are equal to rows of the training, (n,), of which up to 20,000 are kept to be compared with."""
        self._check_fitted()
        return self.panel_.knows(self._table(X))

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
            for place, oddities in zip(
                where, oddities_of(self.panel_.judges[0], table.take(where), most), strict=True
            ):
                found[place] = oddities
        return found

    # Keeping

    def save(self, folder: str | Path) -> None:
        """Write a folder of safetensors and JSON, all or nothing.

        It holds up to 20,000 of the training rows themselves, standardised, as neighbours, and the scores of all:
        do not give it to anyone who may not see the rows.
        """
        self._check_fitted()
        facts = {
            "parameters": {**plain(self.get_params()), "schema": None, "random_state": self.seed_},
            "seeds": [judge.seed for judge in self.panel_.judges],
            "rows": self.rows_,
            "features": self.n_features_in_,
            "names": [str(name) for name in getattr(self, "feature_names_in_", [])],
            "threshold": self.threshold_,
        }
        self.panel_.judges[0].model.save(folder, {FACTS: dump_json(facts), **files_of(self.panel_)})

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto") -> "AnomalyDetector":
        """A detector from a folder. Raises ModelFileError."""
        model = TableModel.load(folder, device)
        files = model.saved.more
        if FACTS not in files:
            raise ModelFileError(f"{folder} is no detector: it has no {FACTS}")
        facts = parse_json(files[FACTS], FACTS)
        try:
            detector = cls(**{**facts["parameters"], "device": device})
            detector.seed_ = int(detector.random_state or 0)
            detector.n_features_in_ = int(facts["features"])
            if facts["names"]:
                detector.feature_names_in_ = np.array(facts["names"], dtype=object)
            detector.schema_, detector.notes_ = model.codec.schema, Notes()
            detector.panel_ = panel_of(model, files, int(facts["rows"]), facts["seeds"])
            detector.decision_scores_ = detector.training_scores_[detector.score]
            detector.threshold_ = float(facts["threshold"])
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise error if isinstance(error, ModelFileError) else ModelFileError(f"{FACTS}: {error!r}") from error
        detector.labels_ = (detector.decision_scores_ > detector.threshold_).astype(np.int64)
        return detector

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "panel_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.three_d_array = False
        return tags


def _check_score(score: Any) -> None:
    if score not in ALL:
        raise SettingsError(f"unknown score {score!r}: {nearest(str(score), ALL)}")
