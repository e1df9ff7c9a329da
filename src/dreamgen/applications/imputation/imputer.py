"""Gaps of a table, filled by a model that was trained on the table with its gaps."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamgen.applications.imputation.conditional import conditional_draws
from dreamgen.applications.imputation.coverage import LEVEL, Coverage, measure
from dreamgen.applications.imputation.files import MOST_MODELS
from dreamgen.applications.imputation.gaps import Gaps, find_gaps
from dreamgen.applications.imputation.keeping import keep, recall
from dreamgen.applications.imputation.log_imputer import LogImputer
from dreamgen.applications.imputation.predictor import Member, Predictor
from dreamgen.applications.imputation.training import missing_share, settings_for, train_models
from dreamgen.config import Settings
from dreamgen.data.batch import Batch
from dreamgen.distributions import derive_seed
from dreamgen.errors import DataError, SettingsError
from dreamgen.estimator import Estimator, chosen_seed
from dreamgen.registry import nearest
from dreamgen.tables import Codec, Frame, Notes, Schema, fit_codec, infer_schema, read_frame
from dreamgen.tables.cells import Floats
from dreamgen.training import Record

_LOG_SAMPLES = 50  # a row about each gap is one of many
_LOG_STEPS = 1000  # of a model that says how far regressions may be off
_INDICATOR = "missingindicator_"


class Imputer(Estimator):
    """Fill the gaps of tables: with what is expected, or with draws that belong together.

    A pandas or polars frame, an Arrow table, a numpy array or a file goes in, and the same kind comes back. What was
    observed is returned bit for bit; an infinite number counts as a gap. Numbers get their conditional mean,
    categories their likeliest level (a category never seen in training stays, and the model does not look at it).
    Whole numbers are rounded where the column's dtype holds no fractions. Identifiers, and columns that had no value
    at all in training, keep their gaps.

    MIWAE: Deep Generative Modelling and Imputation of Incomplete Data, 2018, https://arxiv.org/abs/1812.02633.

    Args:
        samples: latents drawn for each row.
        models: how many are trained, whose distributions are averaged; of few rows as many pairs.
        refine: trees go on from what the model expects, and are averaged with it; see `refine.Refiner`.
        add_indicator: further columns that say what was filled, for the columns that had gaps in training.
        sample_posterior: `transform` returns one draw instead of means.
        window: the table is a log: the gaps of its columns of numbers are filled from what lies up to so many rows
            before and after, and from the other columns at that time; None: rows stand for themselves.
        time: with `window`, the column by which rows are ordered; None: they are in order.
        group: with `window`, the column that tells several logs apart.
        schema: what the columns hold; None: inferred.
        steps: of the training, 1 or more; None: 4,000, for logs 1,000; of few rows 4,000 of one model and 500 of a
            second, which are averaged.
        settings: of the training; None: those of `training.filling_settings`.
        device: "auto", "cpu", "cuda".
        random_state: seed of everything random; None: a fresh one, kept in `seed_`.

    Attributes:
        coverage_: what held-out cells say of the intervals; see `Coverage`.
        notes_: what the last table met: dropped, changed or left as it was, counted and named.

    >>> import numpy as np
    >>> x = np.linspace(0, 1, 60)[:, None] * [1.0, -1.0]
    >>> x[7, 1] = np.nan
    >>> imputer = Imputer(settings={"epochs": 2}, samples=8, random_state=0)
    >>> imputer.fit_transform(x).shape
    (60, 2)
    """

    def __init__(
        self,
        *,
        samples: int = 200,
        models: int = 1,
        refine: bool = True,
        add_indicator: bool = False,
        sample_posterior: bool = False,
        window: int | None = None,
        time: str | None = None,
        group: str | None = None,
        schema: Schema | None = None,
        steps: int | None = None,
        settings: Settings | Mapping[str, Any] | None = None,
        device: str = "auto",
        random_state: int | None = None,
    ) -> None:
        self.samples = samples
        self.models = models
        self.refine = refine
        self.add_indicator = add_indicator
        self.sample_posterior = sample_posterior
        self.window = window
        self.time = time
        self.group = group
        self.schema = schema
        self.steps = steps
        self.settings = settings
        self.device = device
        self.random_state = random_state

    # Training

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        asked: Sequence[str] | None = None,
        stop: Callable[[], bool] = lambda: False,
        on_record: Callable[[Record], None] = lambda record: None,
    ) -> "Imputer":
        """Learn from a table with gaps.

        Args:
            X: any frame or file of n rows.
            y: not used.
            asked: the columns that will be asked for, on which intervals are checked; by default all.
            stop, on_record: as `DreamGenerator.fit` has them.

        Raises:
            DataError: a table that cannot be read, or that has no rows or columns.
            SettingsError: a parameter is not valid.
            DivergedError: a loss that is not finite.
        """
        self._check_parameters()
        frame = read_frame(X)
        self._check_rows(frame)
        if unknown := [name for name in asked or () if name not in frame.table.column_names]:
            raise SettingsError(f"asked: no column {unknown[0]!r}: {nearest(unknown[0], frame.table.column_names)}")
        self.seed_: int = chosen_seed(self.random_state)
        schema = self.schema or infer_schema(frame.table)
        # Means are asked for: where a column is bent, they hang on the farthest tail of every component.
        self.codec_: Codec = fit_codec(frame.table, schema, transform="affine")
        gaps = find_gaps(self.codec_, frame.table)
        self.notes_: Notes = Notes.of(frame.notes, schema.met(frame.table), gaps.notes())
        self.missing_: dict[str, float] = {name: float(cells.mean()) for name, cells in gaps.cells.items()}
        self.feature_names_in_ = np.array(frame.table.column_names, dtype=object)
        self.n_features_in_ = len(self.feature_names_in_)
        self.models_: list[Member] = []
        self.coverage_ = Coverage()
        self.log_: LogImputer | None = None
        if self.window is not None:
            self._fit_log(frame.table, self.window, stop=stop, on_record=on_record)
        elif self.codec_.codings:
            self._train(gaps.rows, asked, stop, on_record)
        return self

    def _fit_log(self, table: Any, window: int, **run: Any) -> None:
        if window < 1:
            raise SettingsError(f"window: expected 1 or more, got {window}")
        inner = Imputer(
            samples=min(self.samples, _LOG_SAMPLES),
            models=self.models,
            refine=False,
            steps=self.steps or (_LOG_STEPS if self.refine else None),
            settings=self.settings,
            device=self.device,
            random_state=self.seed_,
        )
        self.log_ = LogImputer.fit(
            inner, self.codec_, table, window, self.time, self.group, refine=self.refine, seed=self.seed_, **run
        )
        self.coverage_ = self.log_.coverage

    def _train(
        self, rows: Batch, asked: Sequence[str] | None, stop: Callable[[], bool], on_record: Callable[[Record], None]
    ) -> None:
        settings = settings_for(rows, self.steps, self.settings)
        run: dict[str, Any] = {"device": self.device, "stop": stop, "on_record": on_record}
        run |= {"refine": self.refine, "asked": asked}
        made = train_models(self.codec_, rows, settings, self.models, self.seed_, **run)
        self.models_ = made.members
        # The rows have gaps already: few more, so that they stay like the rows that will be asked about.
        share = 0.1 if missing_share(rows) > 0.05 else 0.2
        self.coverage_ = measure(self.codec_, made, share, self.samples, self.seed_, asked)

    def _check_parameters(self) -> None:
        for name in ("models", "samples", "steps"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise SettingsError(f"{name}: expected 1 or more, got {value}")
        if self.models > MOST_MODELS:
            raise SettingsError(f"models: expected {MOST_MODELS} or fewer, got {self.models}")

    def _check_rows(self, frame: Frame) -> None:
        if not frame.table.num_rows:
            raise DataError(f"{frame.source}: expected a table with rows, got none")

    # Filling

    def transform(self, X: Any) -> Any:
        """The table without its gaps, as the caller's kind; nothing is learned from it.

        Raises:
            DataError: a column is missing, or holds another kind of values than in training.
        """
        frame, gaps = self._gaps(X)
        if self.sample_posterior:
            filled = self._drawn(gaps, 1, 0)[0]
        elif self.log_ is not None:
            filled = self._bridged(gaps, self.log_, None)[0]
        else:
            filled = gaps.with_numbers(*self.predictor.expected(gaps.rows))
        return frame.like(self._with_indicators(filled, gaps))

    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """`fit(X)`, then `transform(X)`."""
        return self.fit(X).transform(X)

    def draws(self, X: Any, m: int = 5, *, first: int = 0) -> list[Any]:
        """m completed tables, each a draw from what the gaps may have held; cells of a row belong together.

        Numbers are on their column's grid and within the bounds of the training table.

        Args:
            X: rows to fill.
            m: how many draws.
            first: the number of the first row, where X is a part of a larger table: a row's draws are a function of
                the seed, what was observed in it, and its number, so that rows that look alike differ.
        """
        if m < 1:
            raise SettingsError(f"m: expected 1 or more, got {m}")
        frame, gaps = self._gaps(X)
        return [frame.like(self._with_indicators(table, gaps)) for table in self._drawn(gaps, m, first)]

    def intervals(self, X: Any, level: float = LEVEL) -> tuple[Any, Any]:
        """Two tables: the lower and the upper ends of intervals that hold a gap's number with a chance of `level`.

        Calibrated on held-out cells where there are enough (`coverage_`). What was observed has no width; a category
        is the likeliest one in both.
        """
        if not 0 < level < 1:
            raise SettingsError(f"level: expected 0 < level < 1, got {level}")
        frame, gaps = self._gaps(X)
        central = self.coverage_.level(level)
        levels = (0.5 - central / 2, 0.5 + central / 2)
        if self.log_ is not None:
            low, high = self._bridged(
                gaps, self.log_, lambda log, rows: log.imputer.predictor.quantiles(rows, levels), 2
            )
        else:
            shares = self.predictor.expected(gaps.rows)[1]
            ends = zip(levels, self.predictor.quantiles(gaps.rows, levels), strict=True)
            low, high = (gaps.with_numbers(values, shares, level) for level, values in ends)
        return frame.like(low), frame.like(high)

    def conditional(
        self, X: Any, *, columns: Sequence[str] | None = None, given: Sequence[str] | None = None, m: int = 1
    ) -> list[Any]:
        """m draws of some columns given others, each a table of the given columns and the drawn ones.

        Args:
            X: rows with at least the given columns; their gaps are gaps.
            columns: what to draw; by default every modelled column that is not given.
            given: what is known; by default the columns of X that are not to be drawn.
            m: how many draws.
        """
        self._check_fitted()
        if m < 1:
            raise SettingsError(f"m: expected 1 or more, got {m}")
        if self.log_ is not None:
            raise SettingsError(
                "conditional: a log is filled by `transform` or `draws`; fit an Imputer without window"
            )
        frame = read_frame(X)
        self._check_rows(frame)
        return conditional_draws(self.predictor, frame, columns, given, m)

    def _gaps(self, X: Any) -> tuple[Frame, Gaps]:
        self._check_fitted()
        frame = read_frame(X)
        notes = self.codec_.check(frame.table)
        if isinstance(X, np.ndarray) and X.shape[1] != self.n_features_in_:
            raise DataError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting {self.n_features_in_} "
                "features as input"
            )
        gaps = find_gaps(self.codec_, frame.table)
        self.notes_ = Notes.of(frame.notes, notes, gaps.notes())
        return frame, gaps

    @property
    def predictor(self) -> Predictor:
        """What the models say of rows."""
        return Predictor(self.models_, self.codec_, self.samples, self.seed_)

    def _bridged(
        self, gaps: Gaps, log: LogImputer, guess: Callable[[LogImputer, Batch], list[Floats]] | None, tables: int = 1
    ) -> list[Any]:
        """The log with what is guessed for rows about its gaps, as many tables as are guessed."""
        made, notes = log.fill(gaps, None if guess is None else lambda rows: guess(log, rows), tables)
        self.notes_.update(notes)
        return [gaps.with_numbers(values, {}) for values in made]

    def _drawn(self, gaps: Gaps, m: int, first: int) -> list[Any]:
        if self.log_ is not None:
            codec = self.log_.imputer.codec_
            return self._bridged(
                gaps,
                self.log_,
                lambda log, rows: [codec.natural(x) for x in log.imputer.predictor.draws(rows, m, first)],
                m,
            )
        drawn = self.predictor.draws(gaps.rows, m, first)
        return [gaps.with_rows(x, derive_seed(self.seed_, "rare", number)) for number, x in enumerate(drawn)]

    # scikit-learn's manners

    def _with_indicators(self, filled: Any, gaps: Gaps) -> Any:
        if self.add_indicator:
            for name in self._indicated:
                filled = filled.append_column(f"{_INDICATOR}{name}", [gaps.cells[name]])
        return filled

    @property
    def _indicated(self) -> list[str]:
        return [name for name, share in self.missing_.items() if share > 0]

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """The names of the columns that `transform` returns."""
        self._check_fitted()
        names = list(self.feature_names_in_)
        if input_features is not None and list(input_features) != names:
            raise SettingsError("input_features is not equal to feature_names_in_")
        more = [f"{_INDICATOR}{name}" for name in self._indicated] if self.add_indicator else []
        return np.array([*names, *more], dtype=object)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "models_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.three_d_array = False
        return tags

    # Keeping

    def save(self, folder: str | Path) -> None:
        """Write a folder that `load` reads; raises OutputError."""
        self._check_fitted()
        keep(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto") -> "Imputer":
        """An imputer from a folder; nothing in it is executed. Raises ModelFileError."""
        return recall(cls, Path(folder), device)
