"""Windows over logs and back."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamgen.errors import DataError, SettingsError
from dreamgen.tables import unwindow, windows
from dreamgen.tables.window_features import features_of


def log(n: int = 23, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    return pa.table(
        {
            "when": pa.array(np.arange(n) * 300 + 10**9).cast(pa.timestamp("s")),
            "machine": ["a"] * (n - 5) + ["b"] * 5,
            "load": pa.array(rng.normal(50, 9, n), mask=rng.random(n) < 0.2),
            "count": rng.integers(0, 9, n),
            "state": rng.choice(["on", "off"], n).tolist(),
        }
    )


def test_windows_are_the_rows_of_the_log() -> None:
    table = log()
    made = windows(table, 4, 2, time="when", group="machine")
    assert made.table.column_names[:4] == ["load@0", "load@1", "load@2", "load@3"]
    frame = table.to_pandas()
    for row, beside in zip(made.table.to_pylist(), made.beside.to_pandas().itertuples(), strict=True):
        part = frame[(frame.when >= beside.start) & (frame.when <= beside.end)]
        assert set(part.machine) == {beside.group}
        assert [row[f"count@{k}"] for k in range(4)] == part["count"].tolist()
        assert [row[f"state@{k}"] for k in range(4)] == part.state.tolist()
    # 18 rows of a in windows from 0, 2, .. 14; 5 rows of b in windows from 0 and 1
    assert len(made) == 8 + 2
    assert not made.beside.column("gap").to_pylist().count(True)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 30), st.integers(1, 12), st.integers(1, 15), st.booleans(), st.booleans())
def test_any_windows_go_back(n: int, length: int, stride: int, grouped: bool, normalise: bool) -> None:
    table = log(max(n, 6))
    if normalise:
        table = table.drop_columns(["state"])
    shuffled = table.take(np.random.default_rng(n).permutation(len(table)))
    made = windows(
        shuffled, length, min(stride, length), time="when", group="machine" if grouped else None, normalise=normalise,
        columns=["load", "count"] if normalise else None,
    )  # fmt: skip
    back = unwindow(made)
    for name in back.column_names:
        if name == "load":
            np.testing.assert_allclose(back.column(name).to_pandas(), shuffled.column(name).to_pandas(), rtol=1e-9)
        else:
            assert back.column(name).to_pylist() == shuffled.column(name).to_pylist()
    assert not np.isnan(made.spread(np.arange(len(made)))).any()


def test_overlaps_are_averaged() -> None:
    made = windows({"a": np.arange(5.0)}, 3, 1)
    table = made.table.set_column(2, "a@2", pa.array([12.0, 3.0, 4.0]))
    # row 2 is the end of window 0, the middle of 1, the beginning of 2
    assert unwindow(made, table).column("a").to_pylist() == [0.0, 1.0, (12 + 2 + 2) / 3, 3.0, 4.0]
    assert made.spread(np.array([1.0, 5.0, 3.0])).tolist() == [1, 3, 3, 4, 3]
    assert made.spread(np.array([1.0, 5.0, 3.0]), "max").tolist() == [1, 5, 5, 5, 3]


def test_a_row_in_no_window_gets_the_next_ones() -> None:
    made = windows({"a": np.arange(53.0)}, 5, 20)
    assert made.spread(np.arange(4.0))[[0, 4, 5, 20, 24, 40, 52]].tolist() == [0, 0, 1, 1, 1, 2, 3]


def test_every_row_gets_the_mean_of_its_windows() -> None:
    made, rng = windows({"a": np.arange(53.0)}, 10, 4), np.random.default_rng(2)
    scores, starts = rng.normal(size=len(made)), [*range(0, 41, 4), 43]
    assert made.places[:, 0].tolist() == starts
    expected = [scores[[w for w, start in enumerate(starts) if start <= i < start + 10]].mean() for i in range(53)]
    np.testing.assert_allclose(made.spread(scores), expected)


def test_normal_windows_are_numpys() -> None:
    values = np.random.default_rng(3).normal(7, 2, (6, 8))
    made = windows({"a": values.ravel()}, 8, normalise=True)
    cut = made.table.to_pandas().to_numpy()
    np.testing.assert_allclose(cut, (values - values.mean(1)[:, None]) / values.std(1)[:, None])


def test_features_are_numpys() -> None:
    series = np.random.default_rng(1).normal(size=(100, 2)).cumsum(0)
    made = windows({"a": series[:, 0], "b": series[:, 1]}, 24, 7, values=False, features=True)
    rows = made.table.to_pandas()
    for w, start in enumerate([*range(0, 77, 7), 76]):
        x = series[start : start + 24, 1]
        fit = np.polynomial.Polynomial.fit(np.linspace(-1, 1, 24), x, 1).convert().coef
        expected = {
            "level": x.mean(),
            "spread": x.std(),
            "trend": fit[1],
            "highest": x.max() - x.mean(),
            "lowest": x.min() - x.mean(),
            "step": np.abs(np.diff(x)).mean(),
            "largest step": np.abs(np.diff(x)).max(),
            "part 2": x[4:8].mean() - x.mean(),
        }
        for name, value in expected.items():
            assert rows[f"b: {name}"][w] == pytest.approx(value, abs=1e-9), name


def test_what_is_missing_decides_nothing() -> None:
    values = np.arange(96.0)
    holes = values.copy()
    holes[3] = np.inf  # one moment of the first window
    holes[24:48] = np.nan  # all of the second
    holes[48:62] = np.nan  # most of the third
    whole, rows = (windows({"x": x}, 24, values=False, features=True).table.to_pandas() for x in (values, holes))
    seen = np.delete(values[:24], 3)
    assert rows["x: level"][0] == pytest.approx(seen.mean())
    assert rows["x: highest"][0] == pytest.approx(23 - seen.mean())
    assert rows[1:3].isna().all(axis=None)
    pd.testing.assert_series_equal(rows.loc[3], whole.loc[3])


@pytest.mark.parametrize("length", [1, 2, 5])
def test_short_windows_have_features_too(length: int) -> None:
    made = windows({"x": np.arange(10.0)}, length, values=False, features=True).table.to_pandas()
    assert made["x: level"].tolist() == [np.mean(range(i, i + length)) for i in range(0, 10, length)]


def test_time_that_is_out_of_order_or_has_gaps_is_noted() -> None:
    frame = pd.DataFrame({"t": [0, 1, 2, 4, 3, 20, 21, 22], "v": np.arange(8.0)})
    made = windows(frame, 4, time="t")
    assert made.notes.lines == [
        "column 't': 1 row comes earlier than the row before; sorted",
        "column 't': 1 of 7 steps is not the usual 1",
    ]
    assert made.beside.column("gap").to_pylist() == [False, True]
    assert made.table.column("v@3").to_pylist() == [4.0, 7.0]


def test_rows_of_machines_in_turn_are_in_order() -> None:
    made = windows({"t": [0, 0, 1, 1, 3, 2], "g": list("baabab"), "v": range(6)}, 2, time="t", group="g")
    assert made.groups == ("b", "a")
    assert made.order.tolist() == [0, 3, 5, 1, 2, 4]
    assert made.notes.lines == ["column 't': 1 of 4 steps is not the usual 1"]


def test_short_groups_are_filled_up() -> None:
    made = windows(pl.DataFrame({"g": ["a", "a", "b", "a"], "v": [1, 2, 3, 4]}), 3, group="g")
    assert made.table.to_pylist() == [{"v@0": 1, "v@1": 2, "v@2": 4}, {"v@0": 3, "v@1": None, "v@2": None}]
    assert "1 row is in groups shorter than 3" in str(made.notes)
    assert unwindow(made).column("v").to_pylist() == [1, 2, 3, 4]


def test_what_cannot_be_cut_is_refused() -> None:
    with pytest.raises(SettingsError, match="length"):
        windows(log(), 0)
    with pytest.raises(SettingsError, match="neither"):
        windows(log(), 3, values=False)
    with pytest.raises(DataError, match=r"'lod'.*'load'"):
        windows(log(), 3, columns=["lod"])
    with pytest.raises(DataError, match="column 'state': expected numbers"):
        windows(log(), 3, columns=["state"], normalise=True)
    with pytest.raises(DataError, match="in row 1"):
        windows({"t": np.array([1, np.nan]), "v": np.zeros(2)}, 1, time="t")
    made = windows(log(), 3)
    with pytest.raises(DataError, match="'load@1'"):
        unwindow(made, made.table.drop_columns(["load@1"]))


def test_the_trend_of_a_line_is_its_slope_whatever_is_missing() -> None:
    line = np.linspace(-1, 1, 21)
    half, holes = line.copy(), line.copy()
    half[:10], holes[[3, 4, 11]] = np.nan, np.nan
    np.testing.assert_allclose(features_of(np.stack([line, half, holes, 2 * line + 7]))["trend"], [1, 1, 1, 2])
