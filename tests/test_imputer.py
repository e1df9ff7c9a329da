"""Gaps filled, against tables whose conditional distributions are known exactly."""

import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from click.testing import CliRunner

from dreamgen import Imputer
from dreamgen.applications.imputation import coverage, training
from dreamgen.applications.imputation.coverage import Coverage
from dreamgen.applications.imputation.filling import blocks
from dreamgen.applications.imputation.gaps import find_gaps
from dreamgen.applications.imputation.log_rows import LogRows, read_log
from dreamgen.applications.imputation.predictor import Predictor
from dreamgen.applications.imputation.training import Trained, filling_settings, settings_for, train_models
from dreamgen.applications.table_model import TableModel
from dreamgen.cli import cli
from dreamgen.data.batch import Batch
from dreamgen.errors import DataError, ModelFileError, OutputError, SettingsError
from dreamgen.files import read_folder, write_folder
from dreamgen.tables import Notes, fit_codec, infer_schema, read_frame
from dreamgen.tables.places import find_places

QUICK: dict[str, Any] = {"steps": 30, "samples": 10, "random_state": 0}


def mixed(n: int = 120, seed: int = 0) -> pd.DataFrame:
    """A table of several kinds with gaps everywhere but in the last two columns."""
    random = np.random.default_rng(seed)
    z = random.normal(size=n)
    frame = pd.DataFrame(
        {
            "real": z + 0.3 * random.normal(size=n),
            "positive": np.exp(z),
            "word": np.where(z > 0, "up", "down").astype(object),
            "whole": pd.array(random.integers(100, 999, n), dtype="Int64"),
            "kind": pd.Categorical(np.where(z > 0.5, "p", "q")),
            "when": pd.date_range("2020-01-01", periods=n, freq="h"),
            "same": 1.5,
            "key": [f"u{i}" for i in range(n)],
        },
        index=np.arange(n) * 3,
    )
    for name in frame.columns[:6]:
        frame.loc[random.random(n) < 0.2, name] = None
    return frame


@pytest.fixture(scope="module")
def imputer() -> Imputer:
    return Imputer(**QUICK).fit(mixed())


# The exact oracle: x = W z + noise has a known normal distribution given any of its parts.

W = np.array([[1.0, 0.2], [0.8, -0.6], [-0.5, 1.0], [0.3, 0.9], [0.9, 0.4]])
NOISE = 0.4


def linear_gaussian(n: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.normal(size=(n, 2)) @ W.T + NOISE * random.normal(size=(n, len(W)))


def exact(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Conditional means and variances of the gaps of each row, in float64."""
    covariance = W @ W.T + NOISE**2 * np.eye(len(W))
    mean, variance = np.zeros_like(x), np.zeros_like(x)
    for row, values in enumerate(x):
        gap = np.isnan(values)
        seen = ~gap
        gain = covariance[np.ix_(gap, seen)] @ np.linalg.inv(covariance[np.ix_(seen, seen)])
        mean[row, gap] = gain @ values[seen]
        rest = covariance[np.ix_(gap, gap)] - gain @ covariance[np.ix_(seen, gap)]
        variance[row, gap] = np.diag(rest)
    return mean, variance


@pytest.fixture(scope="module")
def gaussian() -> tuple[Imputer, np.ndarray]:
    random = np.random.default_rng(5)
    train, new = linear_gaussian(3000, 1), linear_gaussian(400, 2)
    train[random.random(train.shape) < 0.2] = np.nan
    new[random.random(new.shape) < 0.3] = np.nan
    settings = {"likelihood": {"kind": "columns", "components": 1, "family": "normal"}, "latent_dim": 4}
    return Imputer(steps=900, samples=100, settings=settings, random_state=0).fit(train), new


def test_means_are_those_of_the_normal_distribution(gaussian: tuple[Imputer, np.ndarray]) -> None:
    imputer, new = gaussian
    mean, _ = exact(new)
    gaps = np.isnan(new)
    wrong = (imputer.transform(new) - mean)[gaps]
    # A quarter of what a table of zeros would be wrong by, squared: a twentieth.
    assert np.mean(wrong**2) < 0.05 * np.mean(mean[gaps] ** 2)


def test_draws_spread_as_the_normal_distribution(gaussian: tuple[Imputer, np.ndarray]) -> None:
    imputer, new = gaussian
    _, variance = exact(new)
    gaps = np.isnan(new)
    draws = np.stack(imputer.draws(new, 40))
    found = draws.var(0, ddof=1)[gaps]
    assert 0.85 < np.mean(found) / np.mean(variance[gaps]) < 1.2
    assert np.corrcoef(found, variance[gaps])[0, 1] > 0.6


def test_intervals_hold_what_they_promise(gaussian: tuple[Imputer, np.ndarray]) -> None:
    imputer, new = gaussian
    truth = linear_gaussian(400, 2)
    gaps = np.isnan(new)
    for level in (0.5, 0.9):
        low, high = imputer.intervals(new, level)
        held = np.mean(((low <= truth) & (truth <= high))[gaps])
        # 600 gaps: two standard errors are .025 at 90% and .041 at 50%, and the calibration's come on top.
        assert abs(held - level) < 0.06
    assert imputer.coverage_.calibrated == pytest.approx(0.9, abs=0.04)


def test_any_columns_given_any_others(gaussian: tuple[Imputer, np.ndarray]) -> None:
    imputer, _ = gaussian
    given = pd.DataFrame({"0": [1.5] * 400})
    drawn = imputer.conditional(given, columns=["1", "3"], given=["0"])[0]
    assert list(drawn.columns) == ["0", "1", "3"]
    covariance = W @ W.T + NOISE**2 * np.eye(len(W))
    gain = covariance[[1, 3], 0] / covariance[0, 0]
    rest = covariance[np.ix_([1, 3], [1, 3])] - np.outer(gain, covariance[0, [1, 3]])
    # The rows are the same one, and so is their noise: m draws of one row are what varies.
    many = np.stack([d[["1", "3"]].to_numpy()[0] for d in imputer.conditional(given[:1], columns=["1", "3"], m=400)])
    assert np.allclose(many.mean(0), gain * 1.5, atol=0.2)
    assert np.allclose(np.cov(many.T), rest, atol=0.25)


# What comes back


def test_observed_cells_come_back_bit_for_bit_with_dtypes_and_index(imputer: Imputer) -> None:
    frame = mixed()
    for filled in (imputer.transform(frame), *imputer.draws(frame, 2), *imputer.intervals(frame)):
        assert list(filled.columns) == list(frame.columns)
        assert filled.index.equals(frame.index)
        assert (filled.dtypes == frame.dtypes).all()
        assert not filled.isna().to_numpy().any()
        for name in frame:
            seen = frame[name].notna()
            assert (filled[name][seen] == frame[name][seen]).all(), name


@pytest.mark.parametrize("kind", ["polars", "arrow", "numpy", "csv"])
def test_the_callers_kind_comes_back(kind: str, tmp_path: Path) -> None:
    x = np.linspace(0, 1, 50)[:, None] * [1.0, -2.0, 3.0]
    x[::7, 1] = np.nan
    frame = pd.DataFrame(x, columns=["a", "b", "c"])
    source: Any = {"polars": pl.from_pandas(frame), "arrow": pa.table(dict(frame)), "numpy": x}.get(kind)
    if kind == "csv":
        source = tmp_path / "x.csv"
        frame.to_csv(source, index=False)
    filled = Imputer(**QUICK).fit(source).transform(source)
    expected = {"polars": pl.DataFrame, "arrow": pa.Table, "numpy": np.ndarray, "csv": pa.Table}[kind]
    assert isinstance(filled, expected)
    assert not np.isnan(np.asarray(filled if kind == "numpy" else filled["b"].to_numpy())).any()


def test_rows_do_not_depend_on_each_other(imputer: Imputer) -> None:
    frame = mixed()
    numbers = ["real", "positive"]
    together = imputer.transform(frame)[numbers]
    apart = pd.concat([imputer.transform(frame[i : i + 17]) for i in range(0, len(frame), 17)])[numbers]
    np.testing.assert_allclose(together, apart, rtol=0, atol=1e-6)


def test_seeds_decide(imputer: Imputer) -> None:
    frame = mixed()
    pd.testing.assert_frame_equal(Imputer(**QUICK).fit(frame).transform(frame), imputer.transform(frame))
    other = Imputer(**{**QUICK, "random_state": 1}).fit(frame).transform(frame)
    assert not other["real"].equals(imputer.transform(frame)["real"])


def test_several_models_are_averaged() -> None:
    frame = mixed()
    two = Imputer(**QUICK, models=2).fit(frame)
    one = [two.transform(frame)]
    both = list(two.models_)
    for model in both:
        two.models_ = [model]
        one.append(two.transform(frame))
    np.testing.assert_allclose(one[0]["real"], (one[1]["real"] + one[2]["real"]) / 2, atol=1e-6)


def test_indicators_and_samples() -> None:
    frame = mixed()
    made = Imputer(**QUICK, add_indicator=True, sample_posterior=True).fit(frame)
    filled = made.transform(frame)
    assert list(filled.columns) == list(made.get_feature_names_out())
    assert (filled["missingindicator_real"] == frame["real"].isna()).all()
    assert "missingindicator_same" not in filled


# Keeping


def test_saved_and_loaded(imputer: Imputer, tmp_path: Path) -> None:
    imputer.save(tmp_path / "model")
    again = Imputer.load(tmp_path / "model")
    pd.testing.assert_frame_equal(again.transform(mixed()), imputer.transform(mixed()))
    assert again.coverage_ == imputer.coverage_
    assert not [
        p for p in (tmp_path / "model").rglob("*") if p.is_file() and p.suffix not in (".json", ".safetensors")
    ]


def test_a_changed_folder_is_refused(imputer: Imputer, tmp_path: Path) -> None:
    imputer.save(tmp_path / "model")
    facts = tmp_path / "model" / "imputer.json"
    facts.write_bytes(facts.read_bytes().replace(b'"samples"', b'"sampled"'))
    with pytest.raises(ModelFileError):
        Imputer.load(tmp_path / "model")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"columns": []}, "columns"),
        ({"missing": {"zzz": 0.5}}, "missing"),
        ({"models": 10**30}, "models"),
        ({"coverage": {"levels": [-5.0, 7.0], "cells": 9}}, "coverage"),
        ({"coverage": {"levels": [10**400], "cells": 9}}, "coverage"),
        ({"coverage": {"cells": 9, "raw": "<b>x"}}, "coverage"),
    ],
)
def test_facts_that_do_not_fit_are_refused(
    imputer: Imputer, tmp_path: Path, facts: dict[str, Any], said: str
) -> None:
    imputer.save(tmp_path / "model")
    contents = read_folder(tmp_path / "model")
    known = json.loads(contents["imputer.json"])
    write_folder(tmp_path / "model", {**contents, "imputer.json": json.dumps({**known, **facts}).encode()})
    with pytest.raises(ModelFileError, match=said):
        Imputer.load(tmp_path / "model")


def test_a_log_with_sensors_that_its_table_has_not_is_refused(tmp_path: Path) -> None:
    log = pd.DataFrame({"t": np.arange(200), "x": np.sin(np.arange(200) / 9)})
    Imputer(window=5, time="t", steps=5, samples=5, random_state=0).fit(log).save(tmp_path / "model")
    contents = read_folder(tmp_path / "model")
    known = json.loads(contents["imputer.json"])
    known["log"]["sensors"] = ["y"]
    write_folder(tmp_path / "model", {**contents, "imputer.json": json.dumps(known).encode()})
    with pytest.raises(ModelFileError, match="a sensor 'y'"):
        Imputer.load(tmp_path / "model")


# Bad input


def test_a_missing_column_and_a_changed_type_are_named(imputer: Imputer) -> None:
    with pytest.raises(DataError, match="real"):
        imputer.transform(mixed().drop(columns="real"))
    with pytest.raises(DataError, match=r"positive.*expected numbers"):
        imputer.transform(mixed().assign(positive="three"))


def test_unseen_categories_stay_and_infinities_are_filled(imputer: Imputer) -> None:
    frame = mixed()
    frame.iloc[0, 2], frame.iloc[1, 1] = "sideways", np.inf
    filled = imputer.transform(frame)
    assert filled["word"].iloc[0] == "sideways"
    assert np.isfinite(filled["positive"]).all()
    assert any("'sideways', never seen" in line for line in imputer.notes_)
    assert any("'positive': 1 cell is infinite" in line for line in imputer.notes_)


def test_rows_and_columns_without_any_value() -> None:
    frame = mixed().drop(columns="key")
    frame["nothing"] = np.nan
    frame.loc[frame.index[:3], ["real", "positive", "word", "whole", "kind", "when"]] = None
    made = Imputer(**QUICK).fit(frame)
    filled = made.transform(frame)
    assert filled["nothing"].isna().all()
    assert any("'nothing': 120 gaps stay" in line for line in made.notes_)
    assert not filled.drop(columns="nothing").isna().to_numpy().any()


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.array([[1.0, 2.0]]), [[1.0, 2.0]]),
        (np.array([[3.0, np.nan], [3.0, 5.0], [np.nan, 5.0]]), [[3.0, 5.0]] * 3),
    ],
)
def test_constants_and_a_single_row(x: np.ndarray, expected: list[list[float]], tmp_path: Path) -> None:
    made = Imputer(**QUICK).fit(x)
    np.testing.assert_array_equal(made.transform(x), expected)
    made.save(tmp_path / "constant")
    np.testing.assert_array_equal(Imputer.load(tmp_path / "constant").transform(x), expected)


def test_one_column() -> None:
    x = np.array([[1.0], [2.0], [np.nan], [4.0]] * 10)
    filled = Imputer(**QUICK).fit_transform(x)
    assert 1 < filled[2, 0] < 4


@pytest.mark.parametrize("arguments", [{"models": 0}, {"samples": 0}, {"window": 0}])
def test_settings_are_checked(arguments: dict[str, int]) -> None:
    with pytest.raises(SettingsError):
        Imputer(**arguments).fit(np.ones((3, 2)) * [[1], [2], [3]])


def test_masking_follows_the_gaps_of_the_table() -> None:
    full, half = filling_settings(1000, 0.0), filling_settings(1000, 0.5)
    assert full.masking["most"] > 0.5  # type: ignore[index]
    assert half.masking["most"] == 0  # type: ignore[index]


def test_calibration_is_the_conformal_rank() -> None:
    scores = tuple(np.linspace(0, 1, 101))
    assert Coverage(scores, 100).level(0.9) == pytest.approx(0.909)
    wide = tuple(np.linspace(0, 0.5, 101))  # the model's own intervals are too wide, say 500 cells
    assert Coverage(wide, 500).level(0.9) == pytest.approx((0.9 + 0.45 * (1 + 1 / 500)) / 2)
    assert Coverage().level(0.9) == 0.9


def test_between_the_two_ends_of_a_cell_is_its_probability() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"dice": random.integers(1, 30, 200), "half": random.integers(0, 40, 200) / 2})
    predictor = dataclasses.replace(Imputer(**QUICK, refine=False).fit(frame).predictor, samples=10, seed=0)
    model = predictor.models[0].model
    assert all(shape.step > 0 for shape in model.codec.shapes)
    rows = model.encode(read_frame(frame.head(50)).table)
    high, low = predictor.below(rows, rows.x)
    (block,) = blocks(model, rows, 10, 0)
    mass = (block.weights.unsqueeze(-1) * block.p.log_prob(block.trace.batch.x).exp()).sum(0)[:50]
    np.testing.assert_allclose(high - low, mass.detach().numpy(), atol=1e-5)


def test_estimator_checks() -> None:
    from sklearn.base import clone
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = np.random.default_rng(0).normal(size=(60, 3))
    x[::5, 0] = np.nan
    made = clone(Imputer(**QUICK))
    assert make_pipeline(made, StandardScaler()).fit_transform(x).shape == (60, 3)
    from sklearn.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        Imputer().transform(x)


# Logs


def sensor_log(n: int = 400) -> pd.DataFrame:
    t = np.arange(n)
    random = np.random.default_rng(0)
    x = np.sin(t / 9)
    frame = pd.DataFrame(
        {"time": t, "a": x + 0.02 * random.normal(size=n), "b": 2 * x + 0.02 * random.normal(size=n)}
    )
    frame.loc[100:112, "a"] = np.nan
    frame.loc[0:4, "b"] = np.nan
    return frame


def test_reaches_and_lines_of_gaps_by_hand() -> None:
    table = pa.table({"g": [0, 0, 0, 0, 0, 1, 1], "x": [1.0, None, None, 4.0, 8.0, None, 3.0]})
    rows = LogRows(read_log(table, ["x"], None, "g"), 3, np.array([9.0]))
    t, a, b = rows.gaps(0)
    assert (t.tolist(), a.tolist(), b.tolist()) == ([1, 2, 5], [1, 2, 4], [2, 1, 1])
    about = rows.about(t, a, b)
    # rest, line, slope, bend, rows back, rows ahead; in the second group there is nothing before.
    np.testing.assert_allclose(about[:, 1], [2.0, 3.0, 3.0])
    np.testing.assert_allclose(about[:, 2], [3.0, 3.0, np.nan])
    np.testing.assert_allclose(about[:, 3], [(1 + 4 + 8) / 3 - 2, (1 + 4 + 8) / 3 - 3, 0.0])
    assert np.isnan(about[:, 0]).all()


def test_a_log_is_bridged_from_the_other_sensor(tmp_path: Path) -> None:
    frame = sensor_log()
    made = Imputer(window=20, time="time", steps=300, samples=20, random_state=0).fit(frame)
    filled = made.transform(frame)
    truth = np.sin(np.arange(400) / 9)
    line = frame["a"].interpolate()
    ours, theirs = (np.sqrt(np.mean((x[100:113] - truth[100:113]) ** 2)) for x in (filled["a"], line))
    assert ours < theirs / 2
    assert filled["time"].equals(frame["time"])
    assert (filled["b"][5:] == frame["b"][5:]).all()
    made.save(tmp_path / "log")
    pd.testing.assert_frame_equal(Imputer.load(tmp_path / "log").transform(frame), filled)


def test_logs_are_read_in_the_order_in_which_windows_are_cut() -> None:
    random = np.random.default_rng(0)
    table = pa.table(
        {
            "t": random.permutation(60).astype(float),
            "m": pa.array(random.choice(["b", "a"], 60).tolist()[:55] + [None] * 5),
            "x": random.normal(size=60),
        }
    )
    log = read_log(table, ["x"], "t", "m")
    parts = find_places(table, 3, 3, "t", "m", Notes()).parts
    np.testing.assert_array_equal(log.order, np.concatenate(parts))
    np.testing.assert_array_equal(np.unique(log.end - log.first), np.unique([len(part) for part in parts]))
    table = table.set_column(0, "t", pa.array(np.where(np.arange(60) == 7, np.nan, 1.0)))
    with pytest.raises(DataError, match="'t': expected a time in every row, got none in row 7"):
        read_log(table, ["x"], "t", "m")


def test_of_few_rows_a_long_and_a_short_training_are_averaged_and_all_rows_are_learned_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(0)
    noise = random.normal(size=(120, 5))
    noise[::9, 2] = np.nan
    rows = find_gaps(fit_codec(table := read_frame(noise).table, infer_schema(table), transform="affine"), table).rows
    assert len(settings_for(rows, 300, None)) == len(settings_for(rows, None, {"epochs": 3})) == 1
    monkeypatch.setattr(training, "STEPS", 16)
    long, short = (one.epochs for one in settings_for(rows, None, None))
    assert long == 8 * short
    imputer = Imputer(samples=5, refine=False, random_state=0).fit(noise)
    assert [one.model.saved.settings.epochs for one in imputer.models_] == [long, short]
    seen = find_gaps(imputer.codec_, table).rows
    both, *each = (
        Predictor(models, imputer.codec_, 5, imputer.seed_).expected(seen)[0]
        for models in (imputer.models_, imputer.models_[:1], imputer.models_[1:])
    )
    np.testing.assert_allclose(both, (each[0] + each[1]) / 2, atol=1e-12)
    assert np.abs(each[0] - each[1]).max() > 1e-3
    imputer.save(tmp_path / "kept")
    again = Imputer.load(tmp_path / "kept", device="cpu")
    assert again.models == imputer.models == 1
    np.testing.assert_array_equal(again.transform(noise), imputer.transform(noise))
    made = train_models(imputer.codec_, rows, settings_for(rows, None, None), 1, 0, refine=False, device="cpu")
    assert len(made.held_out) == 24
    assert len(made.members) == len(made.witnesses) == 2


def test_levels_in_order_are_calibrated_like_numbers() -> None:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"stars": random.integers(1, 6, 300).astype(float), "x": random.normal(size=300)})
    frame.loc[::10, "stars"] = np.nan
    imputer = Imputer(steps=60, samples=20, refine=False, random_state=0).fit(frame)
    assert imputer.codec_.schema["stars"].kind == "ordinal"
    assert imputer.coverage_.columns is not None
    assert "stars" in imputer.coverage_.columns
    low, high = (one.loc[::10, "stars"] for one in imputer.intervals(frame))
    assert ((low <= 2) & (high >= 4)).all()  # five values, each as likely
    seen = Batch(torch.zeros(2, 2), torch.tensor([[False, True]] * 2))
    above, below = imputer.predictor.below(seen, torch.tensor([[0.0, 0.0], [4.0, 0.0]]))
    shares = imputer.predictor.expected(seen)[1][0]
    np.testing.assert_allclose(above[:, 0], [shares[0, 0], 1.0], rtol=1e-6)
    np.testing.assert_allclose(below[:, 0], [0.0, 1 - shares[1, 4]], atol=1e-6)


def test_rare_levels_in_order_have_means_and_quantiles_too() -> None:
    counts = {0.0: 300, 1.0: 100, 5.0: 3, 8.0: 1}
    table = pa.table({"kin": [v for v, n in counts.items() for _ in range(n)], "x": np.arange(404) % 7 * 1.5})
    codec = fit_codec(table, infer_schema(table, {"kin": "ordinal"}), transform="affine")
    assert codec.schema["kin"].rare == (5.0, 8.0)
    gap = table.slice(0, 1).set_column(0, "kin", pa.array([None], pa.float64()))
    gaps, shares = find_gaps(codec, gap), {0: np.array([[0.5, 0.3, 0.2]])}
    mean = gaps.with_numbers(np.zeros((1, 2)), shares).column("kin")[0].as_py()
    assert mean == pytest.approx(0.3 + 0.2 * (0.75 * 5 + 0.25 * 8))
    assert [
        gaps.with_numbers(np.zeros((1, 2)), shares, q).column("kin")[0].as_py() for q in (0.4, 0.7, 0.94, 0.96)
    ] == [
        0.0,
        1.0,
        5.0,
        8.0,
    ]


# The command


def test_the_command_writes_draws_and_a_report(tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    frame = mixed().drop(columns="when")
    frame.loc[0, "word"] = "=1+1"
    frame.to_csv(data, index=False)
    report = tmp_path / "report.json"
    arguments = ["impute", str(data), "--out", str(tmp_path / "full.csv"), "-m", "2", "--steps", "20"]
    run = CliRunner().invoke(cli, [*arguments, "--report", str(report), "--json"], catch_exceptions=False)
    result = json.loads(run.stdout)
    assert [Path(name).name for name in result["out"]] == ["full-1.csv", "full-2.csv"]
    for name in result["out"]:
        filled = pd.read_csv(name)
        assert filled["word"][0] == "'=1+1"
        assert not filled.isna().to_numpy().any()
    assert result["filled"] == int(frame.isna().to_numpy().sum())
    assert json.loads(report.read_text())["title"] == "Gaps filled"
    assert io.StringIO(run.stdout).readline().startswith("{")


def test_a_kept_model_draws_by_the_seed_that_is_typed(tmp_path: Path) -> None:
    data, kept = tmp_path / "data.csv", str(tmp_path / "kept")
    mixed().drop(columns="when").to_csv(data, index=False)

    def filled(name: str, *more: str) -> tuple[int, str]:
        out = tmp_path / name
        arguments = ["impute", str(data), "--out", str(out), "-m", "1", "--json", *more]
        run = CliRunner().invoke(cli, arguments, catch_exceptions=False)
        result = json.loads(run.stdout)
        return result["seed"], Path(result["out"][0]).read_text()

    first = filled("a.csv", "--steps", "20", "--seed", "7", "--save", kept)
    assert filled("b.csv", "--model", kept) == first
    seed, text = filled("c.csv", "--model", kept, "--seed", "8")
    assert (first[0], seed) == (7, 8)
    assert text != first[1]


def test_a_kind_that_was_changed_in_the_schema_takes_its_categories_from_the_table(tmp_path: Path) -> None:
    data, schema = tmp_path / "data.csv", tmp_path / "s.toml"
    rng = np.random.default_rng(0)
    pd.DataFrame({"rooms": rng.integers(1, 40, 80), "x": rng.normal(size=80)}).to_csv(data, index=False)
    CliRunner().invoke(cli, ["schema", str(data), "--out", str(schema)], catch_exceptions=False)
    assert 'kind = "count"' in schema.read_text()
    schema.write_text('[columns.rooms]\nkind = "categorical"\n[columns.x]\nkind = "real"\n')
    out = str(tmp_path / "full.csv")
    command = ["impute", str(data), "--schema", str(schema), "--steps", "5", "--out", out]
    assert CliRunner().invoke(cli, command, catch_exceptions=False).exit_code == 0


def test_parameters_that_are_none_are_refused() -> None:
    for parameters in ({"steps": 0}, {"steps": -5}, {"models": 0}, {"samples": 0}):
        with pytest.raises(SettingsError, match="expected 1 or more"):
            Imputer(**parameters).fit(mixed())  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="asked: no column 'wrod': did you mean 'word'"):
        Imputer().fit(mixed(), asked=["wrod"])


def test_the_command_refuses_before_it_works(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        CliRunner().invoke(cli, ["impute", str(tmp_path / "no.csv")], catch_exceptions=False)
    with pytest.raises(SettingsError):
        CliRunner().invoke(cli, ["impute", "x.csv", "--time", "t"], catch_exceptions=False)


def test_nothing_random_is_global(imputer: Imputer) -> None:
    before = torch.random.get_rng_state()
    imputer.transform(mixed())
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_log_without_gaps_gives_as_many_tables_as_were_asked_for(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    log = pd.DataFrame({"t": np.arange(200.0), "a": random.normal(size=200), "b": random.normal(size=200)})
    log.loc[50:55, "a"] = np.nan
    imputer = Imputer(**QUICK, window=4, time="t").fit(log)
    whole = log.fillna(0.0)
    assert all(table.equals(whole) for table in imputer.draws(whole, 3))
    assert len(imputer.draws(whole, 3)) == 3
    low, high = imputer.intervals(whole)
    assert low.equals(whole)
    assert high.equals(whole)
    imputer.save(tmp_path)
    assert Imputer.load(tmp_path).transform(log).equals(imputer.transform(log))


def test_a_save_that_was_killed_leaves_the_old_imputer_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = mixed()
    old, new = (Imputer(**{**QUICK, "random_state": seed}, models=3).fit(frame) for seed in (0, 1))
    old.save(tmp_path)
    expected = old.transform(frame)
    saves: list[Any] = []
    real = TableModel.save

    def dies(model: TableModel, folder: Any, more: Any = None) -> None:
        if len(saves) == 2:
            raise KeyboardInterrupt
        saves.append(real(model, folder, more))

    with monkeypatch.context() as patch:
        patch.setattr(TableModel, "save", dies)
        with pytest.raises(KeyboardInterrupt):
            new.save(tmp_path)
    pd.testing.assert_frame_equal(Imputer.load(tmp_path).transform(frame), expected)
    new.save(tmp_path)
    pd.testing.assert_frame_equal(Imputer.load(tmp_path).transform(frame), new.transform(frame))
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2


def test_a_save_leaves_folders_that_are_not_its_own(tmp_path: Path) -> None:
    mine = tmp_path / "12-2024"
    mine.mkdir()
    (mine / "data.csv").write_text("a,b\n")
    for seed in (0, 1):
        Imputer(**{**QUICK, "random_state": seed}, models=2).fit(mixed()).save(tmp_path)
    assert (mine / "data.csv").read_text() == "a,b\n"
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 2


def test_what_was_observed_keeps_its_levels_and_means_are_rounded() -> None:
    frame = mixed()
    frame["grade"] = pd.Categorical(
        np.resize(["hi", "lo", None, "mid"], len(frame)), ["lo", "mid", "hi"], ordered=True
    )
    fitted = Imputer(**QUICK).fit(frame.assign(whole=frame["whole"].astype(float)))
    table = read_frame(frame).table
    filled = fitted.transform(table)
    assert filled.schema.field("grade").type.ordered
    assert filled.column("grade").combine_chunks().dictionary.to_pylist() == ["lo", "mid", "hi"]
    assert filled.column("grade").null_count == 0
    assert filled.column("whole").type == pa.int64()
    made = fitted.transform(frame.assign(whole=frame["whole"].astype(float)))["whole"].to_numpy()
    np.testing.assert_array_equal(filled.column("whole").to_numpy(), np.rint(made))


def test_cells_that_were_asked_several_times_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    n = 60
    imputer, held_out = Imputer(**QUICK).fit(mixed(60)), Batch(torch.zeros(n, 2))
    members = imputer.models_
    trained = Trained(members, members, held_out, np.arange(n) + 7)
    for rounds in (1, 3):
        found = (np.linspace(0, 1, rounds * n), np.zeros(rounds * n, np.int64), np.tile(np.arange(n), rounds))
        monkeypatch.setattr(coverage, "_scores", lambda *more, found=found: found)
        assert coverage.measure(imputer.codec_, trained, 0.1, 5, 0).cells == n


@pytest.fixture
def two_apart() -> tuple[Predictor, Batch]:
    """Two models of two columns, the second of which expects far more, and rows without the first column."""
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(120, 2)), columns=["x", "y"])
    frame.loc[:79, "x"] = np.nan
    predictor = Imputer(**QUICK, refine=False, models=2).fit(frame).predictor
    with torch.no_grad():
        predictor.models[1].model.saved.model.decoder.network.output_bias[[1, 4]] += (
            20  # of (logit, location, scale) each
        )
    return predictor, predictor.models[0].model.encode(read_frame(frame.head(80)).table)


def test_quantiles_of_several_models_are_those_of_the_mean_of_their_distributions(
    two_apart: tuple[Predictor, Batch],
) -> None:
    predictor, rows = two_apart
    levels = (0.05, 0.25, 0.75, 0.95)
    for level, ends in zip(levels, predictor.quantiles(rows, levels), strict=True):
        zero, one = (predictor.codec.natural(np.full((1, 2), at))[0] for at in (0.0, 1.0))
        above = predictor.below(rows, torch.from_numpy((ends - zero) / (one - zero)).float())[0][:, 0]
        assert above.mean() == pytest.approx(level, abs=0.015)  # of 80 rows with 160 values each
    lower, upper = (
        dataclasses.replace(predictor, models=[member]).quantiles(rows, [0.5])[0][:, 0] for member in predictor.models
    )
    low, high = (ends[:, 0] for ends in predictor.quantiles(rows, [0.25, 0.75]))
    np.testing.assert_allclose(low, lower, atol=0.5)  # what an average of quantiles is not
    np.testing.assert_allclose(high, upper, atol=0.5)


def test_one_draw_is_not_one_models(two_apart: tuple[Predictor, Batch]) -> None:
    predictor, rows = two_apart
    for m in (1, 3):
        high = predictor.draws(rows, m, 0)[:, :, 0] > predictor.expected(rows)[0][:, 0]
        assert high.mean() == pytest.approx(0.5, abs=0.01)
    np.testing.assert_array_equal(predictor.draws(rows, 3, 0)[:, 10:], predictor.draws(rows[10:], 3, 10))


def test_a_log_says_which_gaps_stay_and_whose_numbers_were_hidden(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    log = pd.DataFrame({"t": np.arange(400), "x": np.sin(np.arange(400) / 9) + 0.1 * rng.normal(size=400)})
    log["state"] = np.where(log["x"] > 0, "on", "off").astype(object)
    log.loc[50:60, ["x", "state"]] = None
    log.to_csv(tmp_path / "log.csv", index=False)
    arguments = ["impute", str(tmp_path / "log.csv"), "--window", "10", "--time", "t", "--steps", "20"]
    done = CliRunner().invoke(cli, [*arguments, "--out", str(tmp_path / "full.csv")])
    assert done.exit_code == 0, done.output
    assert "column 'state': 11 gaps stay: of a log, only columns of numbers are filled" in done.stdout
    assert "held-out" not in done.stdout
    refused = CliRunner().invoke(cli, [*arguments, "--out", str(tmp_path / "full.parquet.gz")])
    assert isinstance(refused.exception, OutputError)
