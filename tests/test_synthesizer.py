"""Synthetic rows: exact conditionals on a toy, then one small table through everything that a synthesizer does."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from scipy import stats
from sklearn.exceptions import NotFittedError
from sklearn.mixture import GaussianMixture as SklearnMixture
from torch.distributions import Normal

from dreamgen.applications.synthesis.conditioning import Condition, conditional_codes, rows_of_codes
from dreamgen.applications.synthesis.conditions import parse_conditions, read_condition
from dreamgen.applications.synthesis.constraints import Constraint, parse_constraints
from dreamgen.applications.synthesis.missingness import MissingFlags
from dreamgen.applications.synthesis.synthesizer import Synthesizer
from dreamgen.cli import main
from dreamgen.cli.common import asked_settings
from dreamgen.config import Settings
from dreamgen.data.columns import ColumnShape
from dreamgen.distributions import Columns, ColumnsLikelihood, StepNoise, fitting
from dreamgen.distributions.fitting import _expected, _of_sums, _products, _sums, fit_prior
from dreamgen.errors import DataError, ModelFileError, OutputError, SettingsError
from dreamgen.tables import Column, Schema, fit_codec, infer_schema

# A toy whose conditionals are known: one code, and columns that hang together through it alone


class Toy:
    """z ~ N(0, 1); a category of 2, one of 3, a number with an atom at 0: logits and locations linear in z."""

    def __init__(self) -> None:
        shapes = [ColumnShape(levels=2), ColumnShape(levels=3), ColumnShape(atoms=(0.0,))]
        self.likelihood = ColumnsLikelihood(shapes, components=2, family="normal")
        size = self.likelihood.parameters_shape((3,))[0]
        generator = torch.Generator().manual_seed(0)
        self.weight = 1.5 * torch.randn(size, 1, generator=generator)
        self.bias = torch.randn(size, generator=generator)
        self.prior = Normal(torch.zeros(1), torch.ones(1), validate_args=False)

    def decode(self, z: torch.Tensor) -> Columns:
        p = self.likelihood(z @ self.weight.T + self.bias)
        assert isinstance(p, Columns)
        return p

    def exact(self, conditions: list[Condition]) -> tuple[float, float, list[float]]:
        """P(conditions), E[z | conditions] and P(second column | conditions), by a sum over a fine grid."""
        grid = torch.linspace(-8, 8, 8001).unsqueeze(1)
        p = self.decode(grid.unsqueeze(0))
        weight = (-0.5 * grid[:, 0].square()).exp()
        mass = torch.stack([c.log_mass(p)[0] for c in conditions]).sum(0).exp() * weight
        posterior = (mass / mass.sum()).double()
        second = (posterior.unsqueeze(1) * p.probs(1)[0]).sum(0)
        return float(mass.sum() / weight.sum()), float((posterior * grid[:, 0]).sum()), second.tolist()


TOY = Toy()
CASES = {
    "a category": [Condition(0, codes=(1,))],
    "a share of a category": [Condition(0, codes=(0, 1), weights=(0.1, 1.0))],
    "a range beside a category": [Condition(0, codes=(0,)), Condition(2, low=0.5, high=1.5)],
    "one exact number": [Condition(2, low=0.7, high=0.7)],
    "a range around an atom": [Condition(2, low=-0.2, high=0.2)],
    "a rare tail": [Condition(2, low=3.0)],
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("with_proposal", [False, True])
def test_conditional_rows_are_those_of_the_exact_posterior(name: str, with_proposal: bool) -> None:
    conditions, n = CASES[name], 4000
    probability, mean, second = TOY.exact(conditions)
    # A proposal may be wrong: the weights put it right.
    proposal = (torch.tensor([[1.5], [-1.0]]), torch.tensor([[0.5], [0.8]])) if with_proposal else None
    found = conditional_codes(TOY.prior, TOY.decode, conditions, n, StepNoise(1), proposal)
    x = rows_of_codes(TOY.decode, found.z, conditions, StepNoise(2))
    if name == "one exact number":
        assert found.probability is None
    else:
        assert found.probability == pytest.approx(probability, rel=0.15)
    spread = float(found.z.std())
    assert float(found.z.mean()) == pytest.approx(mean, abs=5 * spread / math.sqrt(n / 4))
    counts = torch.bincount(x[:, 1].long(), minlength=3).double() / n
    assert counts.tolist() == pytest.approx(second, abs=0.04)
    for condition in conditions:
        cells = x[:, condition.column]
        if condition.codes:
            assert set(cells.long().tolist()) <= set(condition.codes)
        else:
            assert condition.low - 1e-4 <= float(cells.min()) <= float(cells.max()) <= condition.high + 1e-4


def test_conditioned_numbers_follow_the_truncated_law() -> None:
    conditions = [Condition(2, low=0.5, high=2.5)]
    x = rows_of_codes(TOY.decode, torch.full((4000, 1), 0.3), conditions, StepNoise(3))[:, 2].double().numpy()
    p = TOY.decode(torch.full((1, 1, 1), 0.3))

    def below(values: Any) -> Any:
        probe = torch.zeros(1, len(values), 3)
        probe[0, :, 2] = torch.as_tensor(values).float()
        return p.cdf_of_draws(probe)[0, :, 2].double().numpy()

    low, high = below(np.array([0.5, 2.5]))
    assert stats.kstest(x, lambda values: (below(values) - low) / (high - low)).pvalue > 0.001


@pytest.mark.parametrize("name", CASES)
def test_conditional_rows_are_made_where_the_model_is(name: str) -> None:
    proposal = (torch.tensor([[1.5], [-1.0]]), torch.tensor([[0.5], [0.8]]))
    with torch.device("meta"):  # what names no device is made there, and meets the model's tensors in vain
        found = conditional_codes(TOY.prior, TOY.decode, CASES[name], 50, StepNoise(1), proposal, moves=2)
        x = rows_of_codes(TOY.decode, found.z, CASES[name], StepNoise(2))
    assert found.z.device == x.device == TOY.bias.device


def test_atoms_within_a_range_keep_their_share() -> None:
    p = TOY.decode(torch.zeros(1, 1, 1))
    condition = Condition(2, low=-0.5, high=0.5)
    cells = rows_of_codes(TOY.decode, torch.zeros(4000, 1), [condition], StepNoise(4))[:, 2]
    assert p.numbers is not None
    share = float(p.numbers.log_weight[0, 0, 0, 0].exp() / condition.log_mass(p)[0, 0].exp())
    assert float((cells == 0).float().mean()) == pytest.approx(share, abs=0.04)


# The prior


def test_the_mixture_of_sums_is_scikit_learns_step() -> None:
    rng = np.random.default_rng(0)
    z = np.concatenate([rng.normal(-2, 1, (400, 3)), rng.normal(2, 0.5, (600, 3))])
    fitted = SklearnMixture(2, random_state=0, max_iter=200, tol=1e-9).fit(z)
    codes = torch.from_numpy(z).float()
    share = torch.from_numpy(fitted.predict_proba(z)).float()
    mixture = _of_sums(share.T @ _products(codes), 3)
    hard = torch.from_numpy(fitted.predict(z))
    assert _sums(codes, hard, 2).numpy() == pytest.approx(
        np.stack([_products(codes[hard == c]).sum(0).numpy() for c in (0, 1)]), rel=1e-3, abs=0.1
    )
    again = _of_sums(_expected(mixture, codes), 3)
    for one in (mixture, again):
        assert one.loc.numpy() == pytest.approx(fitted.means_, abs=0.02)
        assert one.logits.exp().numpy() == pytest.approx(fitted.weights_, abs=0.01)
        covariance = (one.scale_tril @ one.scale_tril.mT).numpy()
        assert covariance == pytest.approx(fitted.covariances_, abs=0.03)  # ours are shrunk a little
        assert float(one.log_prob(codes).mean()) == pytest.approx(fitted.score(z), abs=0.01)


def test_the_size_of_the_mixture_is_chosen_by_held_out_codes() -> None:
    generator = torch.Generator().manual_seed(0)
    centres = torch.tensor([[-4.0, 0.0], [4.0, 0.0], [0.0, 5.0]])
    loc = centres[torch.randint(3, (3000,), generator=generator)] + torch.randn(3000, 2, generator=generator)
    q = Normal(loc, torch.full_like(loc, 0.5))
    fitted = fit_prior(q, (1, 3, 40))
    assert max(fitted.tried, key=lambda size: fitted.tried[size]) != 1
    prior = fitted.prior(None)
    # The truth: unit scatter plus the posterior's own.
    truth = torch.stack([Normal(c, math.sqrt(1.25)).log_prob(loc).sum(1) for c in centres]).logsumexp(0) - math.log(3)
    assert float(prior.log_prob(loc).mean().detach()) == pytest.approx(float(truth.mean()), abs=0.05)
    few = fit_prior(Normal(loc[:50], torch.ones(50, 2)), (1, 3, 40))
    assert len(few.prior.logits) == 1


def test_many_latents_are_fitted_in_blocks_and_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    loc = torch.randn(300, 5, generator=torch.Generator().manual_seed(1))
    q = Normal(loc, torch.full_like(loc, 0.3))
    whole = fit_prior(q, (1, 2))
    monkeypatch.setattr(fitting, "_BLOCK_NUMBERS", 21 * 7)  # 7 codes at once, of 15 + 5 + 1 products each
    largest = []
    products = fitting._products
    monkeypatch.setattr(fitting, "_products", lambda z: largest.append(z.shape[0]) or products(z))
    parts = fit_prior(q, (1, 2))
    assert max(largest) == 7
    assert parts.tried == pytest.approx(whole.tried, abs=1e-4)
    for one, other in zip(whole.prior.parameters(), parts.prior.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)
    wide = torch.zeros(1, 5000).expand(50, 5000)
    with pytest.raises(SettingsError, match="1 of 5000 x 5000"):
        fit_prior(Normal(wide, 1.0), (1,))


def test_codes_far_away_and_close_together_have_a_prior_too() -> None:
    loc = 3000 + torch.randn(2000, 4, generator=torch.Generator().manual_seed(0)) * torch.tensor([1, 1, 1, 1e-4])
    before = torch.random.get_rng_state()
    fitted = fit_prior(Normal(loc, torch.full_like(loc, 0.01)), (1, 2))
    assert torch.equal(before, torch.random.get_rng_state())  # the caller's generator stays where it was
    single = fitted.prior(None)
    assert single.mean.detach().flatten().numpy() == pytest.approx(loc.mean(0).numpy(), abs=0.2)
    spread = fitted.prior.log_scale.detach().exp()
    assert 0.8 < float(spread[:, :3].amax()) < 1.3


def test_components_far_apart_keep_their_own_covariance() -> None:
    generator = torch.Generator().manual_seed(0)
    loc = torch.randn(2000, 3, generator=generator) + 5000.0 * torch.randint(2, (2000, 1), generator=generator)
    mixture = _of_sums(_sums(loc, (loc[:, 0] > 2500).long(), 2), 3)
    assert bool(torch.isfinite(mixture.scale_tril).all())


# One table through everything


def people(n: int, seed: int) -> pd.DataFrame:
    """Keys, a category with rare values, numbers on a grid and with a spike, gaps, times, low <= high."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["Female", "Male"], n, p=[0.3, 0.7])
    height = np.round(rng.normal(np.where(sex == "Male", 180, 167), 6), 1)
    low = rng.integers(10, 50, n)
    job = rng.choice(["clerk", "smith", "baker"], n).astype(object)
    job[rng.random(n) < np.where(sex == "Female", 0.3, 0.1)] = None
    job[:3] = ["zeppelin-captain", "royal-hatter", "lighthouse-keeper"]
    return pd.DataFrame(
        {
            "key": [f"person-{seed}-{i}" for i in range(n)],
            "sex": sex,
            "height": height,
            "job": job,
            "gain": np.where(rng.random(n) < 0.7, 0.0, np.round(rng.gamma(2, 1000, n), 2)),
            "low": low,
            "high": low + rng.integers(0, 30, n),
            "born": pd.Timestamp("1980-01-01") + pd.to_timedelta(rng.integers(0, 9000, n), "D"),
            "planet": "Earth",
        }
    )


PEOPLE = people(1500, 0)


@pytest.fixture(scope="module")
def fitted() -> Synthesizer:
    settings = {"epochs": 25, "hidden_dim": [64, 64], "latent_dim": 6, "learning_rate": 0.004}
    return Synthesizer(constraints=["low <= high"], settings=settings, random_state=0).fit(PEOPLE)


@pytest.fixture(scope="module")
def made(fitted: Synthesizer) -> pd.DataFrame:
    frame = fitted.sample(3000, seed=1)
    assert isinstance(frame, pd.DataFrame)
    return frame


def test_what_comes_back_has_the_form_of_what_came(made: pd.DataFrame) -> None:
    assert list(made.columns) == list(PEOPLE.columns)
    assert (made.dtypes == PEOPLE.dtypes).all()
    assert made["key"].is_unique
    assert not set(made["key"]) & set(PEOPLE["key"])
    assert set(made["planet"]) == {"Earth"}
    for name in ("height", "gain", "low", "high", "born"):
        assert PEOPLE[name].min() <= made[name].min() <= made[name].max() <= PEOPLE[name].max()
    assert np.allclose(made["height"], made["height"].round(1))
    assert set(made["job"].dropna()) <= set(PEOPLE["job"].dropna())
    assert (made["gain"] == 0).mean() == pytest.approx(0.7, abs=0.05)


def test_cells_are_missing_as_often_and_for_whom_they_were(made: pd.DataFrame) -> None:
    assert made["job"].isna().mean() == pytest.approx(PEOPLE["job"].isna().mean(), abs=0.03)
    share = made["job"].isna().groupby(made["sex"]).mean()
    assert share["Female"] > share["Male"] + 0.07
    assert not made.drop(columns="job").isna().any().any()


def test_columns_hang_together(made: pd.DataFrame) -> None:
    real, ours = (f.groupby("sex")["height"].mean().diff().iloc[-1] for f in (PEOPLE, made))
    assert ours == pytest.approx(real, rel=0.25)


def test_rows_are_a_function_of_seed_and_place(fitted: Synthesizer) -> None:
    many = fitted.sample_table(40, seed=5).drop_columns("key")
    assert fitted.sample_table(40, seed=5).drop_columns("key") == many
    assert fitted.sample_table(40, seed=6).drop_columns("key") != many
    assert fitted.sample_table(1).num_rows == 1


def test_every_row_keeps_the_constraint_and_what_it_took_is_counted(fitted: Synthesizer, made: pd.DataFrame) -> None:
    assert (made["low"] <= made["high"]).all()
    assert fitted.notes_.count("constraints", "drawn anew") > 0


def test_a_constraint_that_no_draw_keeps_is_mended_and_counted(fitted: Synthesizer) -> None:
    strict = Synthesizer(settings={"epochs": 1, "hidden_dim": 8, "latent_dim": 2}, random_state=0)
    strict.constraints = ["low > high"]
    strict.fit(PEOPLE[["low", "high"]])
    assert strict.notes_.count("low > high", "training break it") == 1500
    frame = strict.sample(200, seed=0)
    assert (frame["low"] > frame["high"]).all()
    strict.constraints = ["low > high", "high > low"]
    with pytest.raises(
        DataError, match="cannot keep all constraints at once, within the columns' bounds: low > high, high > low"
    ):
        strict.fit(PEOPLE[["low", "high"]]).sample(200, seed=0)


MENDED = pa.table(
    {
        "age": pa.array([15, 17, 18, 40, None], pa.int64()),
        "limit": pa.array([17.5, 17.5, 18.0, 45.0, 99.0]),
        "tenth": pa.array([0.1, 0.25, 0.3, 0.7, 0.9], pa.float32()),
        "day": pa.array([0, 5, 9, 3, 1], pa.int32()).cast(pa.date32()),
        "other": pa.array([3, 5, 2, 9, 1], pa.int32()).cast(pa.date32()),
    }
)


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("age >= 17.5", "age", [18, 18, 18, 40, None]),
        ("age > 17", "age", [18, 18, 18, 40, None]),
        ("age <= 17.5", "age", [15, 17, 17, 17, None]),
        ("age < 17", "age", [15, 16, 16, 16, None]),
        ("age >= limit", "age", [18, 18, 18, 45, None]),
        ("age > limit", "age", [18, 18, 19, 46, None]),
        ("tenth > 0.35", "tenth", [0.4, 0.4, 0.4, 0.7, 0.9]),
        ("tenth <= 0.22", "tenth", [0.1, 0.2, 0.2, 0.2, 0.2]),
        ("day > other", "day", [4, 6, 9, 10, 2]),
    ],
)
def test_mended_cells_keep_the_constraint_their_grid_and_their_bounds(
    text: str, name: str, values: list[Any]
) -> None:
    schema = Schema(
        (
            Column("age", "count", "int64", low=15.0, high=60.0),
            Column("limit", "real", "double"),
            Column("tenth", "real", "float", low=0.0, high=1.0, decimals=1, step=0.1),
            Column("day", "datetime", "date32[day]"),
            Column("other", "datetime", "date32[day]"),
        )
    )
    (constraint,) = parse_constraints([text], schema)
    mended = constraint.mend(MENDED, schema)
    assert not constraint.broken(mended).any()
    found = mended.column(name)
    found = found.cast(pa.int32()) if name == "day" else found
    assert found.type == (MENDED.schema.field(name).type if name != "day" else pa.int32())
    assert [v if v is None else pytest.approx(v, rel=1e-6) for v in values] == found.to_pylist()
    # What the bounds keep from moving is met half-way by the other side, and stays broken where there is none.
    narrow = schema.replace("age", high=30.0)
    beyond = Constraint("age", ">=", "limit").mend(MENDED, narrow)
    assert beyond.column("age").to_pylist() == [18, 18, 18, 30, None]
    assert beyond.column("limit").to_pylist() == [17.5, 17.5, 18.0, 30.0, 99.0]
    assert Constraint("age", ">=", 31.0).mend(MENDED, narrow).column("age").to_pylist() == [30, 30, 30, 40, None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("low = high", "expected COLUMN <= COLUMN"),
        ("lov <= high", "no column 'lov'.*low"),
        ("sex <= high", "'sex' is categorical"),
        ("low <= hihg", "no number and no column.*high"),
    ],
)
def test_constraints_that_cannot_be_meant_are_named(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        parse_constraints([text], infer_schema(pa.Table.from_pandas(PEOPLE)))


def test_conditions_agree_with_drawing_until_they_are_met(fitted: Synthesizer) -> None:
    everybody = fitted.sample(60_000, seed=2)
    wanted = everybody[(everybody["sex"] == "Female") & everybody["low"].between(20, 30)]
    ours = fitted.sample(2000, {"sex": "Female", "low": (20, 30)}, seed=3)
    assert set(ours["sex"]) == {"Female"}
    assert ours["low"].between(20, 30).all()
    assert fitted.found_.probability == pytest.approx(len(wanted) / len(everybody), rel=0.1)
    for name in ("height", "high", "gain"):
        assert stats.ks_2samp(ours[name], wanted[name]).statistic < 0.06
    assert ours["job"].isna().mean() == pytest.approx(wanted["job"].isna().mean(), abs=0.05)


def test_every_way_to_ask(fitted: Synthesizer) -> None:
    asked: dict[str, Any] = {"job": ["clerk", "royal-hatter"], "gain": 0, "height": (None, 170.0)}
    frame = fitted.sample(400, asked, seed=0)
    assert set(frame["job"]) <= {"clerk", "royal-hatter"}
    assert set(frame["gain"]) == {0.0}
    assert frame["height"].max() <= 170
    assert set(fitted.sample(50, {"job": "zeppelin-captain"}, seed=0)["job"]) == {"zeppelin-captain"}
    assert fitted.sample(50, {"job": None}, seed=0)["job"].isna().all()
    late = fitted.sample(50, {"born": ("2000-01-01", None)}, seed=0)["born"]
    assert late.min() >= pd.Timestamp("2000-01-01")
    assert set(fitted.sample(50, {"low": 33}, seed=0)["low"]) == {33}


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"job": "clark"}, DataError, "'clark' was never seen in training.*clerk"),
        ({"low": 200}, DataError, "expected something from 10 to 49"),
        ({"sxe": "Male"}, SettingsError, "no such column.*sex"),
        ({"key": "person-0-1"}, SettingsError, "its kind is identifier, and it is not modelled"),
        ({"sex": None}, DataError, "never empty in training"),
        ({"low": [1, 2]}, SettingsError, "a number or \\(low, high\\)"),
        ({"low": (40, 20)}, SettingsError, "expected low <= high"),
        ({"low": "many"}, SettingsError, "expected a number, got 'many'"),
        ({"job": []}, SettingsError, "expected a category, got none"),
    ],
)
def test_what_cannot_be_asked_is_said(fitted: Synthesizer, asked: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fitted.sample(5, asked, seed=0)


def test_conditions_from_a_command_line(fitted: Synthesizer) -> None:
    schema = fitted.schema_
    assert read_condition("job=clerk|smith", schema) == ("job", ["clerk", "smith"])
    assert read_condition("low=30..", schema) == ("low", ("30", None))
    assert read_condition("job=", schema) == ("job", None)
    scale = infer_schema(pa.table({"grade": np.arange(400) % 7, "word": ["a..b", "c"] * 200}))
    assert read_condition("grade=2..4", scale) == ("grade", ("2", "4"))
    assert read_condition("grade=2|4", scale) == ("grade", ["2", "4"])
    assert read_condition("word=a..b", scale) == ("word", ["a..b"])
    assert read_condition("low=3", schema) == ("low", "3")
    with pytest.raises(SettingsError, match="expected COLUMN=VALUE"):
        read_condition("job", schema)


@pytest.mark.parametrize("telling", ["low", "sex", "nobody"])
def test_gaps_are_told_by_truths(
    fitted: Synthesizer, tmp_path: Path, telling: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitted, "_gaps", MissingFlags({"job": telling}))
    fitted.save(tmp_path / "model")
    with pytest.raises(ModelFileError, match="gaps: expected columns"):
        Synthesizer.load(tmp_path / "model")


def test_a_range_of_a_scale_is_the_categories_inside_it() -> None:
    schema = infer_schema(pa.table({"grade": [1, 2, 4, 5, 9] * 80, "y": np.arange(400) / 7}))
    codec = fit_codec(pa.table({"grade": [1, 2, 4, 5, 9] * 80, "y": np.arange(400) / 7}), schema)
    assert schema["grade"].kind == "ordinal"
    for ends, codes in (((2, 5), (1, 2, 3)), (("3", None), (2, 3, 4)), ((None, 1.5), (0,)), ((9, 12), (4,))):
        assert parse_conditions({"grade": ends}, codec, MissingFlags({})).conditions[0].codes == codes
    with pytest.raises(DataError, match="expected something from 1 to 9"):
        parse_conditions({"grade": (6, 8)}, codec, MissingFlags({}))
    with pytest.raises(SettingsError, match="expected low <= high"):
        parse_conditions({"grade": (8, 6)}, codec, MissingFlags({}))


@pytest.mark.parametrize("base", [None, Settings(beta=0.4)])
def test_an_option_that_equals_a_default_is_an_option(base: Settings | None) -> None:
    asked = asked_settings(("beta=0.4", "decoder.activation=silu"), base)
    assert asked["beta"] == 0.4
    assert set(asked) == {"beta", "decoder"}


def test_a_saved_model_draws_the_same_rows(fitted: Synthesizer, tmp_path: Path) -> None:
    fitted.save(tmp_path / "model")
    loaded = Synthesizer.load(tmp_path / "model")
    assert loaded.sample_table(50, seed=4) == fitted.sample_table(50, seed=4)
    assert isinstance(loaded.sample(2, seed=0), pd.DataFrame)
    asked = {"sex": "Male"}
    assert loaded.sample_table(20, asked, seed=4) == fitted.sample_table(20, asked, seed=4)
    (tmp_path / "model" / "synthesizer.json").write_text("{}")
    with pytest.raises(ModelFileError):
        Synthesizer.load(tmp_path / "model")


def test_what_is_shared_has_no_row_no_rare_name_and_no_extreme(fitted: Synthesizer, tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    left = fitted.share(folder)
    text = b"\n".join(path.read_bytes() for path in folder.iterdir() if path.suffix == ".json").decode()
    for secret in ("zeppelin", "royal", "lighthouse", "person-0-"):
        assert secret not in text
    numbers = {float(word) for word in json_numbers(text)}
    for name in ("height", "gain"):
        rows = PEOPLE[name][PEOPLE[name] > 0]
        assert not {float(rows.max()), float(rows.min())} & numbers, name
    seconds = PEOPLE["born"].astype("int64") // 10**6
    assert not {float(seconds.min()), float(seconds.max())} & numbers
    assert not any("encoder" in name or "optim" in name for name in left)
    weights = fitted.model_.saved.model.state_dict()
    assert set(left) >= {f"weights.{name}" for name in weights if name.startswith(("decoder.network", "prior."))}
    assert not {"history", "origin.seed", "origin.data", "card.epochs", "settings.epochs"} & set(left)
    with pytest.raises(OutputError, match="not an empty folder"):
        fitted.share(folder)

    received = Synthesizer.load(folder)
    frame = received.sample(500, seed=1)
    assert list(frame.columns) == list(PEOPLE.columns)
    assert (frame["low"] <= frame["high"]).all()
    assert set(frame["sex"]) == {"Female", "Male"}
    assert not {"zeppelin-captain", "royal-hatter", "lighthouse-keeper"} & set(frame["job"].dropna())
    assert set(received.sample(30, {"sex": "Female"}, seed=1)["sex"]) == {"Female"}
    with pytest.raises(SettingsError, match="no encoder"):
        received.model_.saved.model.encoder(None)  # type: ignore[arg-type]


def json_numbers(text: str) -> list[str]:
    """Every number in JSON documents that stand one after the other."""
    found: list[str] = []
    decoder = json.JSONDecoder(parse_float=lambda t: found.append(t) or 0.0, parse_int=lambda t: found.append(t) or 0)
    while text := text.strip():
        text = text[decoder.raw_decode(text)[1] :]
    return found


def test_a_polars_frame_comes_back_as_one() -> None:
    frame = pl.DataFrame({"a": np.arange(300) % 7, "b": np.random.default_rng(0).normal(size=300)})
    made = Synthesizer(settings={"epochs": 1, "hidden_dim": 8, "latent_dim": 2}, random_state=0).fit(frame).sample(9)
    assert isinstance(made, pl.DataFrame)
    assert made.schema == frame.schema
    assert made.height == 9


def test_a_table_that_cannot_be_learned_is_refused() -> None:
    with pytest.raises(SettingsError, match="likelihood: expected 'columns' for a table"):
        Synthesizer(settings={"likelihood": "gaussian"}).fit(PEOPLE[["low", "high"]])
    (kept,) = parse_constraints(["low <= high"], infer_schema(pa.table({"low": [1.0, 2.0], "high": [3.0, 4.0]})))
    assert not kept.broken(pa.table({"low": [math.nan, 1.0], "high": [0.0, math.nan]})).any()
    with pytest.raises(DataError, match="no column varies"):
        Synthesizer().fit(pd.DataFrame({"a": [1, 1, 1]}))
    with pytest.raises(NotFittedError, match="not fitted"):
        Synthesizer().sample(3)
    with pytest.raises(SettingsError, match=r"unknown setting 'bata'.*beta"):
        Synthesizer(settings={"bata": 1}).fit(PEOPLE[["low", "high"]])


def test_the_report_has_its_figures_and_claims_nothing_without(fitted: Synthesizer, tmp_path: Path) -> None:
    told = fitted.report(PEOPLE[:500], people(300, 9), target="sex", seed=0, rows=400)
    told.write(tmp_path / "report.html")
    text = json.dumps(told.to_dict())
    for words in ("column shape", "pair trend", "boosted trees", "membership inference", "equal to a row"):
        assert words in text
    assert "not differentially private" in text
    alone = json.dumps(
        fitted.report(PEOPLE[["sex", "low"]][:300], synthetic=PEOPLE[["sex", "low"]][300:500]).to_dict()
    )
    assert "Nothing is known of safety" in alone
    assert "rows are few" not in text
    assert (tmp_path / "report.html").read_text().count("<img") >= 3


def test_a_report_tells_whether_synthetic_rows_help_where_real_ones_are_few() -> None:
    few = Synthesizer(settings={"epochs": 2, "hidden_dim": 8, "latent_dim": 2}, components=(1,), random_state=0)
    few.fit(PEOPLE[:520])
    told = few.report(PEOPLE[:520], people(200, 9), target="sex", rows=100, augment=True)
    blocks = [block for section in told.to_dict()["sections"] for block in section["blocks"]]
    (table,) = (block for block in blocks if "rows are few" in str(block.get("title")))
    assert [row[0] for row in table["rows"]] == [100, 100, 500, 500]
    with pytest.raises(SettingsError, match="augment: expected a target"):
        few.report(PEOPLE[:520], people(200, 9), augment=True)


def test_a_model_of_a_table_dreams_no_pictures(
    fitted: Synthesizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fitted.save(tmp_path / "rows")
    with pytest.raises(SystemExit) as end:
        main(["dream", str(tmp_path / "rows"), "--out", str(tmp_path / "x.png")])
    assert end.value.code == 2
    assert "is a model of tables: it serves detect, impute and synthesize" in capsys.readouterr().err


def test_the_command_makes_rows_a_model_and_what_may_be_handed_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    PEOPLE[:500].to_csv(tmp_path / "people.csv", index=False)
    small = [part for name in ("epochs=2", "hidden_dim=16", "latent_dim=3") for part in ("-o", name)]
    options = [
        "-n",
        "120",
        "--holdout",
        "0.4",
        "--out",
        str(tmp_path / "fake.parquet"),
        "--report",
        str(tmp_path / "report.json"),
    ]
    folders = ["--save", str(tmp_path / "model"), "--share", str(tmp_path / "shared")]
    command = ["synthesize", str(tmp_path / "people.csv"), *options, *folders, *small, "--target", "sex", "--json"]
    with pytest.raises(SystemExit) as end:
        main(command)
    assert end.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["rows"], told["held_out"]) == (120, 200)
    assert pd.read_parquet(tmp_path / "fake.parquet").shape == (120, len(PEOPLE.columns))
    assert "membership" in (tmp_path / "report.json").read_text()
    again = ["synthesize", "--model", str(tmp_path / "shared"), "-n", "7", "--where", "sex=Female"]
    with pytest.raises(SystemExit) as end:
        main([*again, "--out", str(tmp_path / "few.csv")])
    assert end.value.code == 0
    assert set(pd.read_csv(tmp_path / "few.csv")["sex"]) == {"Female"}
    with pytest.raises(SystemExit) as end:
        main(["synthesize", "-n", "7"])
    assert end.value.code == 2


# A private training


@pytest.mark.parametrize(
    ("made", "fit"),
    [
        ({}, {"out": Path("run")}),
        ({}, {"resume": True}),
        ({}, {"stop": lambda: True}),
        ({"transform": "auto"}, {}),
        ({"components": (1, 2)}, {}),
    ],
)
def test_what_a_private_training_cannot_serve_is_refused(made: dict[str, Any], fit: dict[str, Any]) -> None:
    (name,) = {**made, **fit}
    with pytest.raises(SettingsError, match=f"{name}: not with epsilon"):
        Synthesizer(epsilon=1.0, **made).fit(PEOPLE, **fit)


@pytest.fixture(scope="module")
def private() -> Synthesizer:
    pytest.importorskip("opacus")
    rng = np.random.default_rng(0)
    job = rng.choice(["clerk", "smith"], 3000).astype(object)
    job[rng.random(3000) < 0.002] = None
    job[:3] = ["zeppelin-captain", "royal-hatter", "lighthouse-keeper"]
    frame = pd.DataFrame({"job": job, "pay": rng.normal(1000, 100, 3000).round()})
    settings = {"latent_dim": 2, "hidden_dim": [16], "batch_size": 500, "epochs": 1}
    return Synthesizer(settings=settings, epsilon=1.0, random_state=0).fit(frame)


def test_few_gaps_do_not_empty_a_column_of_a_private_model(private: Synthesizer) -> None:
    charges = private.model_.saved.card["privacy"]["charges"]
    assert not any(charge["what"] == "categories of job is missing" for charge in charges)
    job = private.sample_table(500, seed=0).column("job")
    assert job.null_count < 100


def test_notes_on_a_private_model_name_nobody_and_count_no_rows(private: Synthesizer) -> None:
    text = " ".join(private.notes_)
    assert not any(secret in text for secret in ("zeppelin", "royal", "lighthouse"))
    assert not any(letter.isdigit() for letter in text)
    frame = PEOPLE[["low", "high"]].assign(key=PEOPLE["key"], planet="Earth")
    settings = {"latent_dim": 2, "hidden_dim": [8], "batch_size": 500, "epochs": 1}
    noted = Synthesizer(constraints=["low >= high"], settings=settings, epsilon=8.0, delta=1e-5, random_state=0)
    assert list(noted.fit(frame).notes_) == [
        "column 'key': its kind is identifier; left out of the model",
        "column 'planet': its kind is constant; left out of the model",
    ]


def test_a_report_on_a_private_model_says_that_it_is_not_private(private: Synthesizer) -> None:
    rows = private.sample_table(200, seed=0)
    assert "it is not private itself" in json.dumps(private.report(rows, synthetic=rows).to_dict())


def test_the_command_says_that_a_report_on_a_private_model_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], private: Synthesizer
) -> None:
    private.save(tmp_path / "model")
    private.sample_table(300, seed=0).to_pandas().to_csv(tmp_path / "rows.csv", index=False)
    outs = ["--out", str(tmp_path / "fake.csv"), "--report", str(tmp_path / "report.json"), "--json"]
    with pytest.raises(SystemExit) as end:
        main(["synthesize", str(tmp_path / "rows.csv"), "--model", str(tmp_path / "model"), "-n", "50", *outs])
    assert end.value.code == 0
    assert any("not private itself" in note for note in json.loads(capsys.readouterr().out)["notes"])


def test_nullable_dtypes_survive_being_kept(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    whole = pd.array(random.integers(0, 900, 200), dtype="Int64")
    whole[::9] = pd.NA
    table = pd.DataFrame(
        {
            "whole": whole,
            "yes": pd.array(random.random(200) < 0.5, dtype="boolean"),
            "word": pd.array(random.choice(["a", "b"], 200), dtype="string"),
            "small": random.normal(size=200).astype(np.float32),
            "kind": pd.Categorical(random.choice(["x", "y"], 200)),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 99, 200), unit="D"),
        }
    )
    fitted = Synthesizer(settings={"epochs": 1, "hidden_dim": [8]}, components=(1,), random_state=0).fit(table)
    before = fitted.sample(30, seed=1)
    pd.testing.assert_series_equal(before.dtypes, table.dtypes)
    fitted.save(tmp_path / "kept")
    pd.testing.assert_frame_equal(Synthesizer.load(tmp_path / "kept").sample(30, seed=1), before)
    left = fitted.share(tmp_path / "shared")
    assert "synthesizer.dtypes" in left
    shared = Synthesizer.load(tmp_path / "shared")
    pd.testing.assert_series_equal(shared.sample(30, seed=1).dtypes, table.dtypes)


def test_made_rows_have_no_index_of_the_training(fitted: Synthesizer) -> None:
    rows = PEOPLE.iloc[:300].set_axis([f"patient-{i}" for i in range(300)])
    made = (
        Synthesizer(settings={"epochs": 1, "hidden_dim": [8], "latent_dim": 2}, random_state=0).fit(rows).sample(300)
    )
    pd.testing.assert_index_equal(made.index, pd.RangeIndex(300))
    assert made.dtypes.equals(rows.dtypes)


SALARIES = pa.table(
    {
        "salary": np.random.default_rng(0).integers(20, 90, 400) * 1000,
        "b": np.random.default_rng(1).random(400) < 0.5,
        "rooms": np.random.default_rng(2).integers(1, 6, 400),
    }
)


@pytest.mark.parametrize(
    ("wanted", "least", "most"),
    [((50_500, None), 50_500, 90_000), ((None, 30_900.5), 20_000, 30_900.5), (50_000, 50_000, 50_000)],
)
def test_ranges_off_the_grid_hold_nothing_beyond_them(wanted: Any, least: float, most: float) -> None:
    schema = infer_schema(SALARIES, {"salary": "count"})
    assert schema["salary"].step == 1000
    codec = fit_codec(SALARIES, schema)
    (condition,) = parse_conditions({"salary": wanted}, codec, MissingFlags({})).conditions
    x = np.zeros((2, 3), np.float32)
    x[:, 0] = np.clip([condition.low, condition.high], -9, 9)
    ends = codec.decode(x).column("salary").to_pylist()
    assert least <= ends[0] <= ends[1] <= most


def test_a_range_between_two_values_of_a_grid_is_refused() -> None:
    codec = fit_codec(SALARIES, infer_schema(SALARIES, {"salary": "count"}))
    with pytest.raises(DataError, match="50,500 holds none of its values, which lie 1000 apart"):
        parse_conditions({"salary": 50_500}, codec, MissingFlags({}))


def test_categories_are_compared_by_what_they_are() -> None:
    schema = infer_schema(SALARIES)
    codec = fit_codec(SALARIES, schema)
    for given in (True, "true", "True", np.bool_(True)):
        (condition,) = parse_conditions({"b": given}, codec, MissingFlags({})).conditions
        assert schema["b"].categories[condition.codes[0]] == True  # noqa: E712 - 1 is as good
    (condition,) = parse_conditions({"rooms": [3.0]}, codec, MissingFlags({})).conditions
    assert schema["rooms"].categories[condition.codes[0]] == 3


DATES = pa.table(
    {
        "start": ["2024-01-05", "2024-03-01", None, "2024-02-02"],
        "end": pa.array(["2024-01-09", "2024-02-01", "2024-01-01", "2024-02-02"]),
        "at": pa.array(
            np.array(["2024-01-09T10:30", "2024-02-01T00:00", "2024-01-01", "2024-02-03"], "datetime64[s]")
        ),
        "age": [30, 20, 10, 5],
        "fine": pa.array(np.array(["2024-01-09T10:30", "2024-02-01", "2024-01-01", "2024-02-03"], "datetime64[ns]")),
        "minute": ["2024-01-09 10:30", "2024-02-01 00:00", "2024-01-01 00:00", "2024-02-03 00:00"],
    }
)


DATES_FINE = DATES.column("fine").to_pylist()


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("start <= end", "start", ["2024-01-05", "2024-02-01", None, "2024-02-02"]),
        ("start < end", "start", ["2024-01-05", "2024-01-31", None, "2024-02-01"]),
        ("start >= 2024-02-01", "start", ["2024-02-01", "2024-03-01", None, "2024-02-02"]),
        ("end > at", "end", ["2024-01-10", "2024-02-02", "2024-01-02", "2024-02-04"]),
        ("minute >= 2024-02-03T10:30:30", "minute", ["2024-02-03 10:31"] * 4),
        ("fine < 9999-12-31", "fine", DATES_FINE),
    ],
)
def test_constraints_hold_of_dates_too(text: str, name: str, expected: list[str | None]) -> None:
    schema = Schema(
        (
            Column("start", "datetime", "string", format="%Y-%m-%d"),
            Column("end", "datetime", "string", format="%Y-%m-%d"),
            Column("at", "datetime", "timestamp[s]"),
            Column("age", "count", "int64"),
            Column("fine", "datetime", "timestamp[ns]", low=1.7e9, high=1.71e9),
            Column("minute", "datetime", "string", format="%Y-%m-%d %H:%M"),
        )
    )
    (constraint,) = parse_constraints([text], schema)
    mended = constraint.mend(DATES, schema)
    assert mended.column(name).to_pylist() == expected
    assert not constraint.broken(mended).any()
    assert parse_constraints([str(constraint)], schema) == (constraint,)
    beyond = Constraint("fine", ">", np.datetime64("2090-01-01", "us")).mend(DATES, schema).column("fine")
    assert beyond.cast(pa.int64()).to_pylist() == [1_710_000_000 * 10**9] * 4  # no further than the bounds
    for wrong, message in {
        "start <= age": "'start' holds points in time, and 'age' numbers",
        "start >= 5 o'clock": "is no date and no column",
        "start >= today": "is no date and no column",
        "start >= NaT": "is no date and no column",
        "age >= 2024-01-01": "is no number and no column",
    }.items():
        with pytest.raises(SettingsError, match=message):
            parse_constraints([wrong], schema)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "kept", "--epsilon", "1"], "not with --model"),
        (["t.csv", "--target", "a"], "--test and --target: expected --report"),
        (["t.csv", "--augment"], "--augment: expected --report and --target"),
        (["t.csv", "--out", "x.gz"], "expected a name that ends in .parquet"),
    ],
)
def test_options_that_nobody_would_serve_are_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["synthesize", *arguments])
    assert message in capsys.readouterr().err
