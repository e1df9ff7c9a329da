"""Synthetic rows: learned from a table, drawn in its own form, and a model that may be handed on without the data."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamgen.applications.synthesis.conditioning import Found
from dreamgen.applications.synthesis.conditions import parse_conditions
from dreamgen.applications.synthesis.constraints import parse_constraints
from dreamgen.applications.synthesis.forms import dtypes_of, form_of, like_of
from dreamgen.applications.synthesis.missingness import MissingFlags
from dreamgen.applications.synthesis.sampling import Sampler, is_shared
from dreamgen.applications.table_model import TableModel, rows_of
from dreamgen.config import Settings
from dreamgen.distributions.fitting import fit_prior
from dreamgen.errors import DataError, ModelFileError, SettingsError
from dreamgen.estimator import Estimator, chosen_seed
from dreamgen.files import dump_json, parse_json
from dreamgen.recipes import RECIPES
from dreamgen.registry import shorten
from dreamgen.tables import Column, Notes, Schema, infer_schema, read_frame
from dreamgen.training import Record

if TYPE_CHECKING:
    import pyarrow as pa

    from dreamgen.reports import Report

_FILE = "synthesizer.json"

# Chosen on rows held out of the training parts of Adult and California. Less than the rate's full weight lets codes
# say more than a standard normal could hold, which the fitted prior makes good; the wide floor keeps them from
# spelling out digits of numbers.
SETTINGS = RECIPES["table"].settings.replace(
    masking="none",
    beta=0.4,
    encoder={"kind": "columns", "activation": "silu"},
    decoder={"kind": "mlp", "activation": "silu"},
    likelihood={"kind": "columns", "components": 5, "family": "normal", "floor": 2.5},
    learning_rate=4e-3,
    validation=0.05,
    precision="auto",
)
"""Settings of the model where the caller gives none; batches and epochs follow the number of rows."""

_STEPS, _LARGEST_BATCH, _MOST_EPOCHS = 3000, 512, 300


_COMPONENTS, _TRANSFORM = (1, 10, 50, 200), "normal"


def _never() -> bool:
    return False


class Synthesizer(Estimator):
    """Learns a table, and draws rows like its own: same columns, dtypes, bounds, rounding and categories.

    Keys are made anew, constants put back, and cells are missing as often as they were. What the rows give away of
    those of the training is for `report` to say; a model by itself promises nothing.

    Args:
        schema: what the columns hold; None: inferred.
        constraints: inequalities that every row keeps: "low <= high", "age >= 18", "opened >= 2024-01-31".
        settings: of the model, changes to those of SETTINGS.
        components: sizes of the prior's mixture to choose from.
        epsilon, delta: the budget of a differentially private training, see `private_table`; then `settings` change
            those of PRIVATE, and the prior stays the standard normal. Names, kinds, dtypes and decimals of columns,
            and which of them have gaps, are taken as public. None: no promise.
        transform: of numbers, as the codec has it: "normal", "auto" or "affine".
        device: "auto" (CUDA if there is one), "cpu", "cuda".
        random_state: seed of weights, order and noise, with the same rows on machines alike (matrix products are in
            bfloat16 where the processor has them); None: a fresh one, kept in `seed_`. Who knows that of a
            private training knows its noise: leave it None there.

    Attributes:
        notes_: what was dropped or changed, at the fit and by all samples since, a line each.
        priors_: the held-out log density of codes by the prior's number of components; 0 is the standard normal.
    """

    def __init__(
        self,
        schema: Schema | None = None,
        *,
        constraints: Sequence[str] = (),
        settings: Mapping[str, Any] | None = None,
        components: Sequence[int] = _COMPONENTS,
        transform: str = _TRANSFORM,
        epsilon: float | None = None,
        delta: float = 1e-5,
        device: str = "auto",
        random_state: int | None = None,
    ) -> None:
        self.schema = schema
        self.constraints = constraints
        self.settings = settings
        self.components = components
        self.transform = transform
        self.epsilon = epsilon
        self.delta = delta
        self.device = device
        self.random_state = random_state

    # Training

    def fit(
        self,
        X: Any,
        y: object = None,
        *,
        out: Path | None = None,
        resume: bool = False,
        stop: Callable[[], bool] = _never,
        on_record: Callable[[Record], None] = lambda record: None,
    ) -> "Synthesizer":
        """Learn a table.

        Args:
            X: a pandas or polars frame, an Arrow table, an array, a mapping, or paths of files.
            y: ignored; a target is a column like others.
            out, resume, stop, on_record: as `DreamGenerator.fit` has them; a private training takes only the last.

        Raises:
            DataError: no rows, or no column that varies.
            SettingsError: a constraint or setting that is not valid, or that a private training cannot serve.
        """
        if self.epsilon is not None:
            self._check_private(out, resume, stop)
        frame = read_frame(X)
        table = frame.table
        schema = self.schema or infer_schema(table)
        self.notes_ = Notes.of(frame.notes, schema.notes) if self.epsilon is None else Notes()
        if self.epsilon is not None:
            self._note_left_out(schema)
        if not schema.modelled:
            raise DataError("no column varies: there is nothing to learn")
        self._constraints = parse_constraints(self.constraints, schema)
        for constraint in self._constraints if self.epsilon is None else ():
            broken = int(constraint.broken(table).sum())
            if broken:
                self.notes_.add(f"constraint {str(constraint)!r}", "{n} rows of the training break it", broken)
        self._gaps = MissingFlags.find(table, schema)
        self.seed_ = chosen_seed(self.random_state)
        known = self._gaps.add_to_schema(schema)
        table = self._gaps.add(table.select(schema.names))
        if self.epsilon is not None:
            self._fit_private(table, known, self.epsilon, on_record)
        else:
            self.model_ = TableModel.fit(
                table,
                schema=known,
                transform=self.transform,
                settings=_settings_for(table.num_rows, self.settings or {}),
                seed=self.seed_,
                device=self.device,
                out=out,
                resume=resume,
                stop=stop,
                on_record=on_record,
            )
            self._fit_prior(table)
        self._like: Callable[[Any], Any] = frame.new
        self._form, self._dtypes = form_of(X), dtypes_of(X)
        return self

    def _fit_prior(self, table: "pa.Table") -> None:
        saved = self.model_.saved
        rows = rows_of(self.model_.codec, table)
        fitted = fit_prior(self.model_.posterior(rows), self.components, self.seed_)
        self.priors_ = fitted.tried
        saved.model.prior = fitted.prior.to(self.model_.device).eval()
        prior = {"kind": "mixture", "components": len(fitted.prior.logits)}
        saved.settings = saved.settings.replace(prior=prior)

    def _note_left_out(self, schema: Schema) -> None:
        """Of a private training, only what is public: neither counts of the rows nor values of few of them."""
        for column in schema:
            if not column.modelled:
                self.notes_.column(column.name, f"its kind is {column.kind}; left out of the model")

    def _check_private(self, out: Path | None, resume: bool, stop: Callable[[], bool]) -> None:
        """Nothing that a private training cannot serve is passed over without a word."""
        asked = {
            "out": out is not None,
            "resume": resume,
            "stop": stop is not _never,
            "transform": self.transform != _TRANSFORM,
            "components": tuple(self.components) != _COMPONENTS,
        }
        if unserved := [name for name, given in asked.items() if given]:
            raise SettingsError(f"{', '.join(unserved)}: not with epsilon: a private training has none of it")

    def _fit_private(
        self, table: "pa.Table", schema: Schema, epsilon: float, on_record: Callable[[Record], None]
    ) -> None:
        from dreamgen.applications.private_table import PRIVATE, fit_private

        settings = PRIVATE.replace(**(self.settings or {}))
        # The seed of private noise is a secret: without random_state it is nobody's guess, and not kept.
        self.model_, _ = fit_private(
            table,
            schema,
            epsilon,
            self.delta,
            settings=settings,
            # That there are gaps is taken as public; a level that went unnamed would empty its column.
            categories=dict.fromkeys(self._gaps.told_by.values(), (False, True)),
            seed=self.random_state,
            device=self.device,
            on_record=on_record,
        )
        self.priors_ = {}

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    # Rows

    def sample(self, n: int, conditions: Mapping[str, Any] | None = None, seed: int | None = None) -> Any:
        """New rows, in the form in which the table came.

        Args:
            n: how many.
            conditions: by column: a value, a list of categories, (low, high) of numbers with None for no end, or
                None for an empty cell. Rows come from p(the other columns | the conditions); see `conditioning`.
            seed: the rows are a function of it; None: fresh ones at every call.

        Raises:
            DataError: a category or number that the training never had, or conditions that no row meets.
            SettingsError: n below 1, a condition on a column that is not modelled.
        """
        table = self.sample_table(n, conditions, seed)
        return self._like(table)

    def sample_table(
        self, n: int, conditions: Mapping[str, Any] | None = None, seed: int | None = None
    ) -> "pa.Table":
        """`sample` as an Arrow table."""

        self._check_fitted()
        if not hasattr(n, "__index__") or n < 1:
            raise SettingsError(f"n: expected a whole number, 1 or more, got {n!r}")
        seed = chosen_seed(seed)
        asked = parse_conditions(conditions or {}, self.model_.codec, self._gaps)
        sampler = Sampler(self.model_, self._own, self._gaps, self._constraints)
        table = sampler.table(n, asked, seed)
        self.notes_.update(sampler.notes)
        if sampler.found is not None:
            self.found_: Found = sampler.found
        return table

    # What it is made of

    @property
    def shared(self) -> bool:
        """Whether this is a decoder alone, as `share` hands it over."""
        return is_shared(self.model_)

    @property
    def _own(self) -> tuple[Column, ...]:
        """The columns of the table, without those that tell of gaps."""
        telling = set(self._gaps.told_by.values())
        return tuple(column for column in self.model_.codec.schema if column.name not in telling)

    @property
    def schema_(self) -> Schema:
        """What the columns hold."""
        return Schema(self._own)

    # Saying what it is worth

    def report(
        self,
        train: Any,
        test: Any = None,
        *,
        target: str | None = None,
        synthetic: Any = None,
        rows: int | None = None,
        seed: int = 0,
        augment: bool = False,
    ) -> "Report":
        """Likeness, use and privacy of rows of this model, beside real rows.

        Args:
            train: the rows that it learned from.
            test: real rows that it did not; without them there is no figure of use or privacy.
            target: the column that judges predict.
            synthetic: rows already drawn; None: draw as many as `train` has, or `rows`.
            rows: how many to draw.
            seed: of the rows, sub-samples and judges.
            augment: also train on 100, 500 and 2,000 of the rows, as many as there are, and tell whether synthetic
                rows beside them help a judge; it takes as long as that many trainings.

        Raises:
            SettingsError: `augment` without a target, without rows that the model did not see, or of a private model.
        """
        from dreamgen.applications.synthesis.report import write_report

        frames = [None if one is None else read_frame(one).table for one in (train, test, synthetic)]
        real, held_out, made = frames
        assert real is not None
        if made is None:
            made = self.sample_table(rows or real.num_rows, seed=seed)
        return write_report(self, real, held_out, made, target=target, seed=seed, augment=augment)

    # Keeping

    def save(self, folder: str | Path) -> None:
        """Write everything, encoder included; for the one who has the data. To hand it on, `share`.

        Raises OutputError, ModelFileError.
        """
        self._check_fitted()
        self.model_.save(folder, {_FILE: dump_json(self._facts())})

    def share(self, folder: str | Path) -> list[str]:
        """Write what another may have: the decoder, the prior, and a codec without what single rows give away.

        Returns:
            The names of the facts that left; `sharing.MAY_LEAVE` says why each may.

        Raises:
            OutputError: the folder holds something, or cannot be written.
        """
        from dreamgen.applications.synthesis.sharing import hand_over

        self._check_fitted()
        return hand_over(self.model_, self._facts(), Path(folder), _FILE)

    def _facts(self) -> dict[str, Any]:
        return {
            "constraints": [str(constraint) for constraint in self._constraints],
            "gaps": self._gaps.told_by,
            "form": self._form,
            "dtypes": self._dtypes,
        }

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto") -> "Synthesizer":
        """A synthesizer that was saved or shared; raises ModelFileError."""
        model = TableModel.load(folder, device)
        if _FILE not in model.saved.more:
            raise ModelFileError(f"{folder} is no synthesizer: it has no {_FILE}")
        facts = parse_json(model.saved.more[_FILE], _FILE)
        try:
            constraints, gaps, form = (facts[name] for name in ("constraints", "gaps", "form"))
            dtypes = {str(name): str(text) for name, text in facts.get("dtypes", {}).items()}
            names = model.codec.names
            known = model.codec.schema
            if not all(t in names and known[t].kind == "boolean" and n in known.names for n, t in gaps.items()):
                raise ModelFileError(f"{_FILE}, gaps: expected columns of the model, and for each one of truths")
            made = cls(constraints=[str(one) for one in constraints], device=device)
            made.model_, made._gaps, made._form = model, MissingFlags(dict(gaps)), str(form)
            made._constraints = parse_constraints(made.constraints, made.schema_)
        except (KeyError, TypeError, AttributeError, SettingsError) as error:
            raise ModelFileError(f"{_FILE}: expected a synthesizer's facts, got {shorten(facts)}: {error}") from error
        made.notes_, made.priors_ = Notes(), {}
        seed = model.saved.origin.get("seed")
        made.seed_ = seed if isinstance(seed, int) else 0
        made._dtypes, made._like = dtypes, like_of(made._form, dtypes)
        return made


def _settings_for(rows: int, changes: Mapping[str, Any]) -> Settings:
    """SETTINGS with some changed, and batches and epochs for a number of rows where they are not."""
    batch = min(_LARGEST_BATCH, max(16, rows // 8))
    steps = -(-rows // batch)
    epochs = min(_MOST_EPOCHS, max(10, round(_STEPS / steps)))
    return SETTINGS.replace(**{"batch_size": batch, "epochs": epochs, **changes})
