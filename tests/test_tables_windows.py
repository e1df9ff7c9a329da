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


def test_normal_windows_and_features_are_numpys() -> None:
    values = np.random.default_rng(3).normal(7, 2, (6, 8))
    made = windows({"a": values.ravel()}, 8, normalise=True, features=True)
    cut = made.table.select([f"a@{k}" for k in range(8)]).to_pandas().to_numpy()
    np.testing.assert_allclose(cut, (values - values.mean(1)[:, None]) / values.std(1)[:, None])
    features = made.table.to_pandas()
    np.testing.assert_allclose(features["a:mean"], values.mean(1))
    np.testing.assert_allclose(features["a:sd"], values.std(1))
    np.testing.assert_allclose(features["a:slope"], np.polyfit(np.arange(8), values.T, 1)[0])
    np.testing.assert_allclose(features["a:jump"], np.abs(np.diff(values)).max(1))
    np.testing.assert_allclose(features["a:step"], np.abs(np.diff(values)).mean(1))
    assert features["a:min"].tolist() == values.min(1).tolist()


def test_features_pass_over_what_is_missing() -> None:
    made = windows({"a": np.array([1.0, np.nan, 5.0, np.nan, np.nan, np.nan])}, 3, features=True, values=False)
    assert made.table.to_pandas()["a:mean"].tolist()[0] == 3
    assert made.table.to_pandas()["a:slope"].tolist()[0] == 2
    assert made.table.column("a:mean").to_pylist()[1] is None


def test_time_that_is_out_of_order_or_has_gaps_is_noted() -> None:
    frame = pd.DataFrame({"t": [0, 1, 2, 4, 3, 20, 21, 22], "v": np.arange(8.0)})
    made = windows(frame, 4, time="t")
    assert made.notes.lines == [
        "column 't': 1 rows come earlier than the row before; sorted",
        "column 't': 1 of 7 steps are not the usual 1",
    ]
    assert made.beside.column("gap").to_pylist() == [False, True]
    assert made.table.column("v@3").to_pylist() == [4.0, 7.0]


def test_short_groups_are_filled_up() -> None:
    made = windows(pl.DataFrame({"g": ["a", "a", "b", "a"], "v": [1, 2, 3, 4]}), 3, group="g")
    assert made.table.to_pylist() == [{"v@0": 1, "v@1": 2, "v@2": 4}, {"v@0": 3, "v@1": None, "v@2": None}]
    assert "1 rows are in groups shorter than 3" in str(made.notes)
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
