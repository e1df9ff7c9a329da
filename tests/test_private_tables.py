"""Stand-ins for tables and private models of them: counts against scipy, charges against the ledger."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from dreamgen.applications.private_table import PRIVATE, fit_private
from dreamgen.applications.table_model import TableModel
from dreamgen.errors import DataError, SettingsError
from dreamgen.privacy import Charge, Spending, epsilon_of
from dreamgen.tables import Schema, infer_schema
from dreamgen.tables.private import cost, stand_in
from dreamgen.tables.private_cells import Measure

pytest.importorskip("opacus")

ROWS = 4000


def people(rows: int = ROWS, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    town = rng.choice(["north", "south", "east"], rows, p=[0.6, 0.3, 0.1])
    rich = np.where(town == "north", rng.random(rows) < 0.7, rng.random(rows) < 0.1)
    income = np.where(rich, rng.normal(80_000, 5_000, rows), rng.normal(20_000, 3_000, rows))
    gain = np.where(rng.random(rows) < 0.9, 0, rng.integers(1000, 9000, rows))
    gaps = rng.random(rows) < 0.2
    return pa.table(
        {
            "town": pa.array(town, mask=gaps),
            "income": np.round(income, 2),
            "gain": gain,
            "rich": rich,
            "born": pa.array(rng.integers(0, 15_000, rows).astype("datetime64[D]")),
            "key": [f"id-{i}" for i in range(rows)],
        }
    )


def make(table: pa.Table, noise: float, **changes: Any) -> tuple[pa.Table, Spending]:
    spending = Spending()
    made = stand_in(table, infer_schema(table), noise, 1e-6, np.random.default_rng(1), spending, **changes)
    return made, spending


def test_a_stand_in_is_like_the_table_where_the_noise_is_small() -> None:
    table = people()
    made, _ = make(table, 2.0)
    assert made.schema.types == table.schema.types
    assert made.num_rows == table.num_rows
    real, fake = table.to_pandas(), made.to_pandas()
    assert fake["town"].isna().mean() == pytest.approx(0.2, abs=0.03)
    for town, share in real["town"].value_counts(normalize=True).items():
        assert (fake["town"] == town).sum() / fake["town"].notna().sum() == pytest.approx(share, abs=0.03)
    assert stats.ks_2samp(real["income"], fake["income"]).statistic < 0.06
    assert (fake["gain"] == 0).mean() == pytest.approx((real["gain"] == 0).mean(), abs=0.02)
    # The strongest dependence is in the tree, and a model of the stand-in sees it.
    given = fake.groupby("rich")["income"].mean()
    assert given[True] - given[False] == pytest.approx(60_000, rel=0.1)
    assert not set(fake["key"]) & set(real["key"])


def test_independent_columns_are_independent() -> None:
    made, spending = make(people(), 2.0, pairs=False)
    fake = made.to_pandas()
    assert abs(np.corrcoef(fake["rich"], fake["income"])[0, 1]) < 0.1
    assert not any("with" in charge.what for charge in spending.charges)


@pytest.mark.parametrize("pairs", [True, False])
@pytest.mark.parametrize("bounds", [{}, {"income": (0.0, 100_000.0)}])
def test_the_cost_is_what_the_ledger_says(pairs: bool, bounds: dict[str, tuple[float, float]]) -> None:
    table = people()
    known = {"town": ["north", "south"]} if bounds else {}
    _, spending = make(table, 9.0, pairs=pairs, bounds=bounds, categories=known)
    # Gaussian mechanisms compose like one whose inverse variance is the sum of theirs.
    together = sum(charge.noise**-2 for charge in spending.charges) ** -0.5
    assert together == pytest.approx(9.0 / cost(infer_schema(table), known, bounds, pairs))
    assert 0 < sum(charge.delta for charge in spending.charges) <= 1e-6
    alone = Charge("all", together, delta=sum(charge.delta for charge in spending.charges))
    assert spending.epsilon(1e-5) == pytest.approx(epsilon_of([alone], 1e-5))


def test_a_row_alone_is_not_named() -> None:
    delta, trials = 0.05, 3000
    measure = Measure(3.0, delta, np.random.default_rng(0), Spending())
    named = sum(bool(measure.named("x", ["only one"], [1])) for _ in range(trials))
    assert stats.binomtest(named, trials, delta).pvalue > 1e-3
    table = pa.table({"name": ["many"] * 2000 + ["some"] * 1500 + ["the only one"], "y": [1.5, 2.5, 3.5] * 1167})
    made, _ = make(table, 20.0)
    assert set(made.column("name").to_pylist()) == {"many", "some"}
    known, _ = make(table, 20.0, categories={"name": ["many", "some", "the only one", "nobody"]})
    assert {"many", "some"} <= set(known.column("name").to_pylist())


def test_a_value_beside_gaps_is_no_public_constant() -> None:
    table = people().append_column("planet", pa.array(["Earth"] * ROWS))
    table = table.append_column("note", pa.array(["the only one"] + [None] * (ROWS - 1)))
    made, _ = make(table, 5.0)
    assert set(made.column("planet").to_pylist()) == {"Earth"}
    assert made.column("note").null_count == ROWS
    assert made.column("note").type == pa.string()


def test_the_extremes_are_not_the_rows() -> None:
    rng = np.random.default_rng(0)
    values = np.round(rng.normal(500, 20, ROWS), 2)
    values[0] = 7_654_321.25
    table = pa.table({"x": values, "y": rng.normal(size=ROWS)})
    made, _ = make(table, 10.0)
    fake = np.array(made.column("x"))
    assert 400 < fake.min() < fake.max() < 600
    assert np.array_equal(fake, np.round(fake, 2))
    bounded, _ = make(table, 10.0, bounds={"x": (0.0, 1000.0)})
    assert np.array(bounded.column("x")).max() <= 1000


def test_counts_have_the_noise_that_is_charged() -> None:
    measure = Measure(5.0, 1e-6, np.random.default_rng(0), Spending())
    noisy = measure.counts("x", np.zeros(100, np.int64), 4000)
    assert stats.kstest((noisy - np.eye(1, 4000)[0] * 100) / 5.0, "norm").pvalue > 1e-3
    assert measure.spending.charges == [Charge("x", 5.0)]


def test_nothing_of_the_schema_but_what_is_public_reaches_the_stand_in() -> None:
    table = people()
    schema = infer_schema(table)
    facts = {"low": -1e9, "high": 1e9, "spikes": (12345.0,), "summary": {"secret": 1}}
    told = Schema(
        tuple(
            schema.replace(c.name, **facts)[c.name]
            if c.name in ("income", "gain")
            else schema.replace(c.name, categories=("Atlantis", *c.categories))[c.name]
            if c.name == "town"
            else c
            for c in schema.columns
        )
    )
    made = [
        stand_in(table, s, 5.0, 1e-6, np.random.default_rng(1), Spending(), categories={}) for s in (schema, told)
    ]
    assert made[0].equals(made[1])


QUICK = PRIVATE.replace(latent_dim=2, hidden_dim=[16], batch_size=500, epochs=2)


def test_a_private_model_of_a_table_says_what_it_cost(tmp_path: Path) -> None:
    table = people()
    schema = infer_schema(table)
    model, spending = fit_private(table, schema, 3.0, 1e-5, settings=QUICK, first_steps=20, seed=3)
    card = model.saved.card["privacy"]
    assert 2.9 < card["epsilon"] <= 3.0
    assert card["epsilon"] == spending.epsilon(1e-5)
    assert card["charges"][-1]["what"] == "training"
    assert card["charges"][-1]["steps"] == 16
    assert any(charge["what"] == "categories of town" for charge in card["charges"])
    made = model.codec.decode(model.sample(200, seed=0).numpy(), noise=0)
    assert made.schema.names == table.schema.names
    assert set(made.column("town").to_pylist()) <= {"north", "south", "east", None}
    again, _ = fit_private(table, schema, 3.0, 1e-5, settings=QUICK, first_steps=20, seed=3)
    other, _ = fit_private(table, schema, 3.0, 1e-5, settings=QUICK, first_steps=20)
    weights = [m.saved.model.decoder.network.out.weight for m in (model, again, other)]  # type: ignore[union-attr]
    assert weights[0].equal(weights[1])
    assert not weights[0].equal(weights[2])
    assert card["seed"] == "given: private only while it is a secret"
    assert other.saved.card["privacy"]["seed"] == "drawn from the system and not kept"
    model.save(tmp_path / "model")
    loaded = TableModel.load(tmp_path / "model")
    assert loaded.saved.card["privacy"] == card
    assert loaded.saved.origin["seed"] is None
    assert loaded.saved.history == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epsilon": 0.0}, "epsilon: expected more than 0"),
        ({"delta": 0.1}, "delta: expected more than 0 and less than 1 / rows"),
        ({"share": 1.0}, "share: expected a part of the budget"),
        ({"settings": QUICK.replace(validation=0.1)}, "validation: expected 0"),
        ({"settings": QUICK.replace(start="mean")}, "start: expected 'random'"),
    ],
)
def test_what_cannot_be_private_is_refused(changes: dict[str, Any], message: str) -> None:
    table = people(500)
    given = {"epsilon": 1.0, "delta": 1e-5, "settings": QUICK, "first_steps": 20} | changes
    with pytest.raises(SettingsError, match=message):
        fit_private(table, infer_schema(table), seed=0, **given)


def test_a_budget_too_small_for_the_table_says_so() -> None:
    table = pa.table({"town": ["a", "b"] * 20, "other": ["c", "d", "d", "d"] * 10})
    with pytest.raises(DataError, match="varies by more than the noise"):
        fit_private(table, infer_schema(table), 0.1, 1e-5, settings=QUICK, first_steps=20, seed=0)


def test_the_share_of_the_counts_is_a_share_of_the_noise() -> None:
    table = people(1000)
    _, spending = fit_private(
        table, infer_schema(table), 2.0, 1e-5, settings=QUICK, first_steps=20, seed=0, share=0.25
    )
    counts = sum(charge.noise**-2 for charge in spending.charges[:-1])
    alone = math.sqrt(0.25 / counts)  # the noise at which one look at the whole budget would stand
    assert epsilon_of([Charge("one look", alone)], 1e-5) == pytest.approx(2.0, rel=0.01)
