"""Trees as arrays against scikit-learn's, and what they add to a model's means."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

from dreamgen import Imputer
from dreamgen.applications.imputation.forests import Forest, as_arrays, grow
from dreamgen.applications.imputation.log_refine import LogRefiner
from dreamgen.applications.imputation.log_rows import LogRows, read_log
from dreamgen.applications.imputation.refine import Refiner
from dreamgen.data.columns import ColumnShape
from dreamgen.errors import ModelFileError
from dreamgen.tensors import dump_tensors, parse_tensors


def table(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.normal(size=(n, 4)).round(1).astype(np.float32)  # rounded: many inputs lie on thresholds
    return x, np.stack([x[:, 0] * x[:, 1], np.where(x[:, 2] > 0, 1.0, x[:, 3])], 1)


@pytest.mark.parametrize("kind", [ExtraTreesRegressor, RandomForestRegressor])
@pytest.mark.parametrize("outputs", [1, 2])
def test_arrays_predict_as_scikit_learn_does(kind: type, outputs: int) -> None:
    x, y = table(400, 0)
    y = y[:, :outputs]
    fitted = kind(12, min_samples_leaf=3, random_state=0).fit(x, y if outputs > 1 else y[:, 0])
    new = np.concatenate([x, table(300, 1)[0]])
    ours = as_arrays([tree.tree_ for tree in fitted.estimators_]).predict(new)
    np.testing.assert_allclose(ours, fitted.predict(new).reshape(len(new), -1), atol=1e-6)


def forest() -> Forest:
    x, y = table(100, 0)
    return grow(x, y[:, :1], trees=3, leaves=(5,), features=0.5, seed=0)


@pytest.mark.parametrize("outputs", [1, 2])
def test_leaves_are_small_where_inputs_decide_and_large_where_they_do_not(outputs: int) -> None:
    x, decided = table(400, 0)
    noise = np.random.default_rng(1).normal(size=decided.shape)
    for y, best in ((decided, 1), (noise, 20)):
        chosen, wanted = (
            grow(x, y[:, :outputs], trees=4, leaves=leaves, features=0.5, seed=0) for leaves in ((1, 20), (best,))
        )
        np.testing.assert_array_equal(chosen.predict(x), wanted.predict(x))


def test_trees_survive_a_file_and_a_damaged_one_is_refused() -> None:
    shapes = (ColumnShape(),) * 4
    made = Refiner(shapes, {2: forest()}, 0.5)
    again = Refiner.from_bytes(made.to_bytes(), shapes)
    x = table(50, 3)[0]
    np.testing.assert_array_equal(again.forests[2].predict(x), made.forests[2].predict(x))
    assert again.weight == 0.5
    with pytest.raises(ModelFileError):
        Refiner.from_bytes(made.to_bytes()[:-9], shapes)
    with pytest.raises(ModelFileError, match="inputs"):
        Refiner.from_bytes(made.to_bytes(), shapes[:3])


@pytest.mark.parametrize(
    ("part", "value"), [("left", 0), ("right", 10**6), ("feature", 4), ("feature", -1), ("roots", -1)]
)
def test_trees_that_do_not_end_are_refused(part: str, value: int) -> None:
    shapes = (ColumnShape(),) * 4
    tensors = parse_tensors(Refiner(shapes, {0: forest()}, 0.5).to_bytes(), "x")
    tensors[f"0.{part}"][0 if part != "left" else 1] = value
    with pytest.raises(ModelFileError, match="trees of column 0"):
        Refiner.from_bytes(dump_tensors(tensors), shapes)


def stairs(n: int, seed: int) -> pd.DataFrame:
    """A column that is a stair of another, which a smooth decoder cannot follow."""
    random = np.random.default_rng(seed)
    x = random.uniform(-2, 2, n)
    y = np.floor(x) % 2 + 0.05 * random.normal(size=n)
    return pd.DataFrame({"x": x, "y": y, "word": np.where(y > 0.5, "odd", "even").astype(object)})


def test_trees_better_means_and_leave_what_was_seen() -> None:
    train, new = stairs(600, 0), stairs(200, 1)
    asked = new.assign(y=np.nan, word=None)
    quick = {"steps": 60, "samples": 20, "random_state": 0}
    errors, words = [], []
    for refine in (False, True):
        by_words = Imputer(refine=refine, **quick).fit(train[["x", "word"]])  # type: ignore[arg-type]
        words.append(float(np.mean(by_words.transform(asked[["x", "word"]])["word"] == new["word"])))
        made = Imputer(refine=refine, **quick).fit(train[["x", "y"]])  # type: ignore[arg-type]
        filled = made.transform(asked[["x", "y"]])
        assert (filled["x"] == new["x"]).all()
        errors.append(float(np.mean((filled["y"] - new["y"]) ** 2)))
    assert errors[1] < 0.5 * errors[0]
    assert words[1] > words[0] + 0.2
    # Draws and intervals are about the same means.
    draws = np.mean([d["y"] for d in made.draws(asked[["x", "y"]], 60)], 0)
    assert np.mean((draws - filled["y"]) ** 2) < 0.02
    low, high = made.intervals(asked[["x", "y"]], 0.9)
    assert ((low["y"] <= filled["y"]) & (filled["y"] <= high["y"])).mean() > 0.95


def test_a_saved_imputer_keeps_its_trees(tmp_path: Path) -> None:
    frame = stairs(200, 0)
    frame.loc[::3, "y"] = np.nan
    made = Imputer(steps=20, samples=10, models=2, random_state=0).fit(frame)
    made.save(tmp_path / "model")
    again = Imputer.load(tmp_path / "model")
    pd.testing.assert_frame_equal(again.transform(frame), made.transform(frame))
    assert again.get_params()["refine"]


def test_straight_lines_by_hand() -> None:
    import pyarrow as pa

    log = pa.table({"g": [0, 0, 0, 0, 1, 1, 2], "x": [None, 1.0, None, 4.0, 3.0, None, None]})
    rows = LogRows(read_log(log, ["x"], None, "g"), 2, np.array([9.0]))
    np.testing.assert_allclose(rows.straight()[:, 0], [1.0, 1.0, 2.5, 4.0, 3.0, 3.0, 9.0])


def test_regressions_of_a_log_see_through_noise_and_survive_a_file() -> None:
    import pyarrow as pa

    random = np.random.default_rng(0)
    trend = np.sin(np.arange(600) / 40)
    values = trend[:, None] + 0.3 * random.normal(size=(600, 3))
    gaps = np.zeros((600, 3), bool)
    gaps[50:60, 0] = gaps[300:312, 0] = gaps[200:210, 1] = gaps[420:430, 0] = True
    frame = pd.DataFrame(np.where(gaps, np.nan, values), columns=["a", "b", "c"])
    log = read_log(pa.Table.from_pandas(frame), ["a", "b", "c"], None, None)
    rows = LogRows(log, 16, np.nanmean(log.values, 0))
    made = LogRefiner.fit(rows, 0)
    filled = made.fill(rows)
    wrong = [np.mean((x - trend[:, None])[gaps] ** 2) for x in (filled, rows.straight())]
    assert wrong[0] < 0.5 * wrong[1]
    assert (filled[~gaps] == values[~gaps]).all()
    np.testing.assert_array_equal(LogRefiner.from_bytes(made.to_bytes(), 3).fill(rows), filled)
    with pytest.raises(ModelFileError):
        LogRefiner.from_bytes(made.to_bytes(), 2)
    tensors = parse_tensors(made.to_bytes(), "x")
    tensors["0-0.scale"] = torch.zeros_like(tensors["0-0.scale"])
    with pytest.raises(ModelFileError):
        LogRefiner.from_bytes(dump_tensors(tensors), 3)


def test_intervals_of_a_log_hold_what_they_promise() -> None:
    random = np.random.default_rng(0)
    trend = np.sin(np.arange(800) / 30)
    values = trend[:, None] * [1.0, 2.0, -1.0] + 0.3 * random.normal(size=(800, 3))
    gaps = np.zeros((800, 3), bool)
    for start in range(20, 780, 40):
        gaps[start : start + 12, start // 40 % 3] = True
    frame = pd.DataFrame(np.where(gaps, np.nan, values), columns=["a", "b", "c"])
    made = Imputer(window=16, steps=100, samples=20, random_state=0).fit(frame)
    low, high = (ends.to_numpy() for ends in made.intervals(frame, 0.9))
    # 228 gaps: two standard errors are .04, and those of the calibration come on top.
    assert abs(((low <= values) & (values <= high))[gaps].mean() - 0.9) < 0.07
    assert made.coverage_.cells > 500
