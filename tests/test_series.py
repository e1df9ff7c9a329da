"""Odd windows of a log: windows as rows, an oddness for each moment, and what is flagged."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from dreamgen.applications.logs.series import LikelihoodDetector, SeriesFindings, detect_in_series
from dreamgen.applications.logs.windows import describe, windows_of
from dreamgen.errors import DataError, SettingsError

pa = pytest.importorskip("pyarrow")

N = 1600
ODD = slice(1200, 1260)


def times(n: int = N) -> np.ndarray[Any, Any]:
    return np.datetime64("2024-03-01", "us") + np.arange(n) * np.timedelta64(300_000_000, "us")


def log(**more: Any) -> dict[str, Any]:
    """Two series that rise and fall together, but for one stretch in which the second does not."""
    rng = np.random.default_rng(0)
    wave = np.sin(np.arange(N) / 8)
    load, heat = wave + rng.normal(0, 0.1, N), 2 * wave + rng.normal(0, 0.1, N) + 20
    heat[ODD] = 20 + 0.3 * rng.normal(size=60)
    return {"when": times(), "load": load, "heat": heat, **more}


class Forest:
    """A quick detector: what `detect_in_series` asks for and nothing else."""

    def fit(self, X: Any) -> "Forest":
        self.names = list(X)
        self.forest = IsolationForest(random_state=0, n_estimators=30).fit(self.rows(X))
        return self

    def rows(self, X: Any) -> np.ndarray[Any, Any]:
        assert list(X) == self.names
        return np.nan_to_num(np.column_stack(list(X.values())))

    def decision_function(self, X: Any) -> np.ndarray[Any, Any]:
        return -self.forest.score_samples(self.rows(X))


@pytest.fixture(scope="module")
def found() -> SeriesFindings:
    return detect_in_series(log(), time="when", window=40, detector=Forest())


def test_a_window_is_told_as_numpy_tells_it() -> None:
    rng = np.random.default_rng(1)
    series = rng.normal(size=(100, 2)).cumsum(0)
    windows = windows_of(100, 24, 7)
    rows = describe(windows, series, ["a", "b"])
    assert windows.starts.tolist() == [*range(0, 77, 7), 76]
    for w, start in enumerate(windows.starts):
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
    series = np.arange(96.0)[:, None]
    whole = describe(windows_of(96, 24, 24), series, ["x"])
    holes = series.copy()
    holes[3] = np.nan  # one moment of the first window
    holes[24:48] = np.nan  # all of the second
    holes[48:62] = np.nan  # most of the third
    rows = describe(windows_of(96, 24, 24), holes, ["x"])
    assert rows["x: level"][0] == pytest.approx(np.nanmean(holes[:24]))
    assert rows["x: highest"][0] == pytest.approx(23 - np.nanmean(holes[:24]))
    assert all(np.isnan(values[1:3]).all() for values in rows.values())
    assert all(values[3] == whole[name][3] for name, values in rows.items())


def test_every_moment_gets_the_mean_of_its_windows() -> None:
    windows, rng = windows_of(53, 10, 4), np.random.default_rng(2)
    scores = rng.normal(size=len(windows))
    expected = [
        scores[[w for w, start in enumerate(windows.starts) if start <= i < start + 10]].mean() for i in range(53)
    ]
    np.testing.assert_allclose(windows.spread(scores), expected)
    sparse = windows_of(53, 5, 20)  # most moments are in no window
    assert sparse.spread(np.arange(4.0))[[0, 4, 20, 24, 40, 52]].tolist() == [0, 0, 1, 1, 2, 3]


def test_the_odd_stretch_is_flagged_and_little_else(found: SeriesFindings) -> None:
    truth = np.zeros(N, bool)
    truth[ODD] = True
    assert roc_auc_score(truth, found.oddness) > 0.95
    assert found.flagged[ODD].mean() > 0.9
    assert found.flagged[~truth].mean() < 0.15
    oddest = max(found.spans, key=lambda span: span.score)
    assert (oddest.begins, oddest.ends) == (times()[oddest.first], times()[oddest.last])
    assert oddest.first <= 1230 <= oddest.last
    assert oddest.score == found.oddness.max()
    assert found.learned == round(0.4 * N)


def test_rows_come_back_as_they_came(found: SeriesFindings) -> None:
    import pandas as pd

    order = np.random.default_rng(3).permutation(N)
    shuffled = pd.DataFrame({name: values[order] for name, values in log().items()}, index=order + 7)
    again = detect_in_series(shuffled, time="when", window=40, detector=Forest())
    np.testing.assert_array_equal(again.oddness, found.oddness)
    frame = again.frame()
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.tolist() == ["when", "load", "heat", "oddness", "flagged"]
    assert frame.index.tolist() == (order + 7).tolist()
    pd.testing.assert_frame_equal(frame[["when", "load", "heat"]], shuffled)
    np.testing.assert_array_equal(frame["oddness"], found.oddness[order])
    np.testing.assert_array_equal(frame["flagged"], found.flagged[order])


def test_another_log_is_judged_by_what_was_learned(found: SeriesFindings) -> None:
    data = log()
    known = {name: values[:640] for name, values in data.items()}
    later = {name: values[640:] for name, values in data.items()}
    other = detect_in_series(known, later, time="when", window=40, detector=Forest())
    assert other.threshold == found.threshold
    assert other.learned == 0
    assert other.flagged[ODD.start - 640 : ODD.stop - 640].mean() > 0.9
    with pytest.raises(DataError, match="no column 'heat'"):
        detect_in_series(known, {"when": times(), "load": data["load"]}, time="when", detector=Forest())


def test_the_threshold_lets_as_many_through_as_it_says() -> None:
    rng, shares = np.random.default_rng(4), []
    for _ in range(10):
        known, later = ({"x": rng.normal(size=4000)} for _ in range(2))
        found = detect_in_series(known, later, window=8, step=8, detector=Forest(), false_alarms=0.2)
        shares.append((found.scores > found.threshold).mean())
    # 125 windows set the threshold and 500 are judged: a standard error of .04 for each log.
    assert np.mean(shares) == pytest.approx(0.2, abs=2.5 * 0.04 / np.sqrt(10))


def test_the_default_is_the_likelihood_and_deterministic() -> None:
    first, second = (
        detect_in_series(log(), time="when", window=40, detector=LikelihoodDetector(5, samples=4, epochs=25))
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.scores, second.scores)
    truth = np.zeros(N, bool)
    truth[ODD] = True
    assert roc_auc_score(truth, first.oddness) > 0.95
    assert first.flagged[ODD].mean() > 0.9
    assert first.flagged[~truth].mean() < 0.2


def test_the_report_names_the_stretches_and_what_was_left_out() -> None:
    found = detect_in_series(log(where=np.full(N, "hall 1")), time="when", window=40, detector=Forest())
    blocks = found.report().to_dict()["sections"][0]["blocks"]
    kinds = [block["kind"] for block in blocks]
    assert kinds == ["facts", "text", "warning", "figure", "table"]
    assert blocks[0]["facts"]["flagged stretches"] == len(found.spans)
    assert "where" in blocks[2]["text"]
    assert len(blocks[3]["data"]["oddness"]) == N
    assert blocks[4]["rows"][0][0] == str(max(found.spans, key=lambda span: span.score).begins)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": "wen"}, "no column 'wen'.*when"),
        ({"columns": ["load", "where"]}, "expected numbers in column 'where'"),
        ({"window": 1}, "window: expected 2 or more"),
        ({"step": 0}, "step: expected 1 or more"),
        ({"window": 200}, "expected at least 800 moments to learn from, got 640"),
        ({"false_alarms": 1}, "false_alarms: expected a share"),
        ({"time": "where"}, "expected time stamps"),
        ({"time": "holes"}, "expected a time stamp in each row, 1 are missing"),
        ({"columns": ["still"]}, "no series of the log varies"),
    ],
)
def test_bad_input_is_one_clear_line(change: dict[str, Any], message: str) -> None:
    holes = np.arange(float(N))
    holes[5] = np.nan
    data = log(where=np.full(N, "hall 1"), holes=holes, still=np.ones(N))
    with pytest.raises((DataError, SettingsError), match=message):
        detect_in_series(data, **({"time": "when", "detector": Forest()} | change))
