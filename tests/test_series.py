"""Odd windows of a log: windows as rows, an oddness for each moment, and what is flagged."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from dreamgen.applications.anomaly.detector import AnomalyDetector
from dreamgen.applications.logs.findings import SeriesFindings, spoken
from dreamgen.applications.logs.series import detect_in_series
from dreamgen.cli import cli
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
        self.names, self.first = list(X), next(iter(X.values()))
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


def test_the_likelihood_of_a_model_finds_it_and_is_deterministic() -> None:
    first, second = (
        detect_in_series(log(), time="when", window=40, detector=AnomalyDetector(score="likelihood", random_state=5))
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.scores, second.scores)
    truth = np.zeros(N, bool)
    truth[ODD] = True
    assert roc_auc_score(truth, first.oddness) > 0.95
    assert first.flagged[ODD].mean() > 0.9
    assert first.flagged[~truth].mean() < 0.2


def test_the_default_says_what_was_odd_and_is_a_function_of_the_seed() -> None:
    data = {name: values[900:1300] for name, values in log().items()}
    first, second = (detect_in_series(data, time="when", window=40, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.scores, second.scores)
    assert first.flagged[300:360].mean() > 0.5
    assert "heat" in str(max(first.spans, key=lambda span: span.score).why)


def of_two() -> dict[str, Any]:
    """The log of two machines, row by row in turn: the second has no odd stretch, and half of the rows."""
    first, second = log(machine=np.full(N, "a")), log(machine=np.full(N, "b"))
    second["heat"] = 2 * second["load"] + 20
    joined = {name: np.concatenate([values, second[name][: N // 2]]) for name, values in first.items()}
    order = np.argsort(joined["when"], kind="stable")
    return {name: values[order] for name, values in joined.items()}


def test_machines_of_one_log_are_judged_each_by_itself() -> None:
    data = of_two()
    forest = Forest()
    found = detect_in_series(data, time="when", group="machine", window=40, detector=forest)
    assert found.learned == round(0.4 * N) + round(0.2 * N)
    # trained on: 480 and 240 moments, a window every 3 of them and one that ends with them
    assert len(forest.first) == (147 + 1) + (67 + 1)
    machine = data["machine"][found.windows.order]
    assert machine.tolist() == ["a"] * N + ["b"] * (N // 2)
    truth = np.zeros(N + N // 2, bool)
    truth[ODD] = True
    assert roc_auc_score(truth, found.oddness) > 0.95
    for span in found.spans:
        assert set(machine[span.first : span.last + 1]) == {span.group}
    oddest = max(found.spans, key=lambda span: span.score)
    assert oddest.group == "a"
    assert oddest.first <= 1230 <= oddest.last
    table = found.table()
    np.testing.assert_array_equal(table["machine"].to_pylist(), data["machine"])
    np.testing.assert_array_equal(table["oddness"].to_numpy()[data["machine"] == "b"], found.oddness[N:])
    block = found.report().to_dict()["sections"][0]["blocks"][-1]
    assert block["rows"][0][block["columns"].index("group")] == "a"


def test_a_machine_with_too_few_moments_is_noted_and_not_learned_from() -> None:
    data = log(machine=np.where(np.arange(N) < N - 30, "a", "b"))
    found = detect_in_series(data, time="when", group="machine", window=40, detector=Forest())
    assert "30 rows are in groups shorter than 40" in str(found.windows.notes)
    assert found.windows.whole.sum() == len(found.windows) - 1
    with pytest.raises(DataError, match="expected at least 160 moments to learn from, got 12"):
        detect_in_series(
            {name: values[-30:] for name, values in data.items()}, group="machine", window=40, detector=Forest()
        )


def test_a_span_says_what_made_it_odd() -> None:
    detector = AnomalyDetector(score="likelihood", settings={"epochs": 25}, random_state=0)
    found = detect_in_series(log(), time="when", window=40, detector=detector)
    oddest = max(found.spans, key=lambda span: span.score)
    assert oddest.why[0].startswith("heat: ")  # the series that does not rise and fall there
    block = found.report().to_dict()["sections"][0]["blocks"][-1]
    assert block["rows"][0][block["columns"].index("why")] == "; ".join(oddest.why)


def test_the_report_names_the_stretches_and_what_was_left_out() -> None:
    found = detect_in_series(log(where=np.full(N, "hall 1")), time="when", window=40, detector=Forest())
    blocks = found.report().to_dict()["sections"][0]["blocks"]
    kinds = [block["kind"] for block in blocks]
    assert kinds == ["facts", "text", "warning", "warning", "figure", "table"]
    assert blocks[0]["facts"]["flagged stretches"] == len(found.spans)
    assert "where" in blocks[2]["text"]
    assert "too few to promise 5.0% false alarms" in blocks[3]["text"]
    assert len(blocks[4]["data"]["oddness"]) == N
    assert blocks[5]["rows"][0][0] == spoken(max(found.spans, key=lambda span: span.score).begins)


def test_the_report_of_a_file_names_the_file_and_the_seed(tmp_path: Path) -> None:
    pd.DataFrame(log()).to_csv(tmp_path / "pump.csv", index=False)
    found = detect_in_series(
        str(tmp_path / "pump.csv"),
        time="when",
        window=40,
        detector=AnomalyDetector(settings={"epochs": 1}, random_state=7),
    )
    report = found.report().to_dict()
    assert report["subtitle"].endswith("pump.csv")
    assert report["sections"][0]["blocks"][0]["facts"]["seed"] == 7
    assert spoken(found.times[1]) == "2024-03-01 00:05:00"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"time": "wen"}, "no column 'wen'.*when"),
        ({"columns": ["load", "where"]}, "column 'where': expected numbers"),
        ({"window": 1}, "window: expected 2 or more"),
        ({"step": 0}, "step: expected 1 or more"),
        ({"window": 200}, "expected at least 800 moments to learn from, got 640"),
        ({"false_alarms": 1}, "false_alarms: expected a share"),
        ({"time": "where"}, "column 'where': expected times"),
        ({"time": "holes"}, "expected a time in every row, got none in row 5"),
        ({"group": "wher"}, "no column 'wher'.*where"),
        ({"columns": ["still"]}, "no series of the log varies"),
    ],
)
def test_bad_input_is_one_clear_line(change: dict[str, Any], message: str) -> None:
    holes = np.arange(float(N))
    holes[5] = np.nan
    data = log(where=np.full(N, "hall 1"), holes=holes, still=np.ones(N))
    with pytest.raises((DataError, SettingsError), match=message):
        detect_in_series(data, **({"time": "when", "detector": Forest()} | change))


def test_the_verb_judges_the_named_series_of_a_log(tmp_path: Path) -> None:
    moments = np.arange(1200)
    load = np.sin(moments / 5) + np.random.default_rng(0).normal(0, 0.1, 1200)
    load[900:940] = 6
    log = pd.DataFrame({"when": moments, "load": load, "label": (load == 6).astype(int)})
    log.to_csv(tmp_path / "log.csv", index=False)
    out, report = tmp_path / "judged.csv", tmp_path / "report.json"
    arguments = ["detect", str(tmp_path / "log.csv"), "--window", "24", "--time", "when", "--series", "load"]
    arguments += ["--out", str(out), "--report", str(report), "--score", "likelihood", "--json"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["moments"] == 1200
    worst = found["stretches"][0]
    assert 870 <= float(worst["from"]) <= 940
    judged = pd.read_csv(out)
    assert judged["flagged"][900:940].all()
    assert "label" not in report.read_text()
    refused = CliRunner().invoke(cli, ["detect", "a.csv", "b.csv", "--series", "load"])
    assert isinstance(refused.exception, SettingsError)


def test_what_reading_met_and_which_log_is_odd_are_said(tmp_path: Path) -> None:
    two = pd.concat([pd.DataFrame(log()).assign(pump=name) for name in ("north", "south")])
    two["remark"] = ["NA", *["good"] * (len(two) - 1)]
    two.to_csv(tmp_path / "pumps.csv", index=False)
    arguments = ["detect", str(tmp_path / "pumps.csv"), "--window", "40", "--time", "when", "--group", "pump"]
    arguments += ["--score", "likelihood", "--contamination", "0.01", "--out", str(tmp_path / "out.csv")]
    spoken_out = CliRunner().invoke(cli, arguments)
    assert spoken_out.exit_code == 0, spoken_out.output
    assert "column 'remark': 1 cell holds 'NA'; read as missing" in spoken_out.stdout
    assert "held-out windows, which overlap, too few to promise 1.0% false alarms" in spoken_out.stdout
    assert " odd stretches in 3,200 moments" in spoken_out.stdout
    assert "  north, 2024-03-0" in spoken_out.stdout
    found = json.loads(CliRunner().invoke(cli, [*arguments, "--json"]).stdout)
    assert {stretch["group"] for stretch in found["stretches"]} == {"north", "south"}
