"""Odd rows: scores against scipy and scikit-learn, ranks against their definition, and scikit-learn's own checks."""

import json
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.covariance import LedoitWolf
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import _get_check_estimator_ids, estimator_checks_generator

from dreamgen import AnomalyDetector
from dreamgen.applications.anomaly.judge import settings_for
from dreamgen.applications.anomaly.scores import SCORES, Scale, without_model
from dreamgen.applications.inspection import inspector
from dreamgen.applications.logs import series
from dreamgen.cli import main
from dreamgen.errors import DataError, ModelFileError, SettingsError
from dreamgen.evaluation.conformal import p_values_of, threshold_at, too_few
from dreamgen.files import dump_json, read_folder, write_folder
from dreamgen.tables import infer_schema
from dreamgen.tensors import dump_tensors, parse_tensors

QUICK: dict[str, Any] = {"epochs": 4, "hidden_dim": [16], "latent_dim": 2}


def lines(n: int, seed: int) -> np.ndarray:
    """Rows on a noisy plane in four columns."""
    random = np.random.default_rng(seed)
    a, b = random.normal(size=(2, n))
    return np.stack([a, b, a + b, a - 2 * b], axis=1) + 0.1 * random.normal(size=(n, 4))


def broken(n: int, seed: int) -> np.ndarray:
    """The same columns, each in an order of its own."""
    random = np.random.default_rng(seed)
    return np.stack([random.permutation(column) for column in lines(n, seed).T], axis=1)


@pytest.fixture(scope="module")
def detector() -> AnomalyDetector:
    return AnomalyDetector(settings={"epochs": 40, "hidden_dim": [32]}, random_state=0).fit(lines(400, 0))


@pytest.fixture(scope="module")
def kept(detector: AnomalyDetector, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("kept") / "model"
    detector.save(folder)
    return read_folder(folder)


def frame(n: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    city = random.choice(["Oslo", "Rome", "Lima"], n, p=[0.6, 0.3, 0.1])
    warm = np.select([city == "Oslo", city == "Rome"], [2.0, 15.0], 19.0)
    found = pd.DataFrame({"city": city, "degrees": np.round(warm + random.normal(size=n), 1), "site": "A"})
    found.loc[::17, "degrees"] = np.nan
    return found


@pytest.fixture(scope="module")
def mixed() -> AnomalyDetector:
    return AnomalyDetector(random_state=0).fit(frame(300, 0))


class TestRanks:
    def test_the_threshold_is_the_rank_of_conformal_prediction(self) -> None:
        held_out = np.arange(1.0, 100.0)  # 99 rows: rank 100 * 0.95
        assert threshold_at(held_out, 0.05) == 95
        assert threshold_at(held_out[:10], 0.05) == 10  # too few for this rate
        assert too_few(18, 0.05)
        assert not too_few(19, 0.05)  # rank 19 of 19
        assert threshold_at(held_out, 0.41) == 59  # 100 (1 - 0.41) is a little more than 59 to a computer

    def test_logs_and_pictures_take_the_same_rank(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Itself:
            def fit(self, rows: Any) -> None: ...

            def decision_function(self, rows: Any) -> np.ndarray:
                return np.asarray(rows["a"])

        windows = SimpleNamespace(table=pa.table({"a": np.arange(1.0, 100.0)}), whole=np.ones(99, bool))
        assert series._learn(Itself(), windows, windows, 0.41)[0] == 59  # type: ignore[arg-type]
        monkeypatch.setattr(inspector.Memory, "learn", lambda self, x: self)
        monkeypatch.setattr(inspector.Memory, "heat", lambda self, x: x)
        monkeypatch.setattr(inspector, "_scores_apart", lambda heats, parts: np.arange(1.0, 1 + len(parts)))
        fitted = inspector.PictureInspector(sizes=(8, 8), false_alarms=0.41).fit(np.zeros((297, 16, 16)))
        assert fitted.threshold_ == 59

    def test_a_share_of_new_rows_lies_above_it(self) -> None:
        random = np.random.default_rng(0)
        rates = [
            np.mean(random.normal(size=500) > threshold_at(np.sort(random.normal(size=199)), 0.1)) for _ in range(200)
        ]
        assert np.mean(rates) == pytest.approx(0.1, abs=0.005)

    def test_p_values_count_those_as_odd(self) -> None:
        held_out, scores = np.array([1.0, 2.0, 2.0, 5.0]), np.array([0.0, 2.0, 3.0, 6.0])
        expected = [(np.sum(held_out >= score) + 1) / 5 for score in scores]
        np.testing.assert_allclose(p_values_of(held_out, scores), expected)

    def test_surprise_rises_everywhere_and_is_the_share_of_rows_as_odd(self) -> None:
        values = np.random.default_rng(0).normal(size=5000)
        scale = Scale.of(values)
        at = np.quantile(values, [0.5, 0.9, 0.99])
        np.testing.assert_allclose(scale(at), -np.log([0.5, 0.1, 0.01]), rtol=0.02)
        points = np.linspace(-20, 20, 500)
        assert (np.diff(scale(points)) > 0).all()
        assert np.isfinite(scale(np.array([np.inf, -np.inf, np.nan]))).all()


class TestScores:
    def test_without_a_model_they_are_those_of_scipy(self) -> None:
        train, test = lines(60, 0), lines(20, 1)
        fitted = LedoitWolf().fit(train)
        values, vectors = np.linalg.eigh(fitted.covariance_)
        white = vectors / np.sqrt(np.maximum(values, 1e-3 * values.mean()))
        near = np.sort(cdist(test @ white, train @ white), axis=1)[:, :5].mean(1)
        found = without_model(train, test, 0)
        np.testing.assert_allclose(found["whitened"], near, rtol=1e-4)
        plain = np.sort(cdist(test, train), axis=1)[:, :5].mean(1)
        np.testing.assert_allclose(found["rows"], plain, rtol=1e-4)
        far = cdist(test @ white, [train.mean(0) @ white])[:, 0]
        np.testing.assert_allclose(found["Mahalanobis"], far, rtol=1e-4)
        wide = np.sort(cdist(test, train), axis=1)[:, :6].mean(1)  # a tenth of sixty
        np.testing.assert_allclose(found["rows, wide"], wide, rtol=1e-4)

    def test_no_row_is_its_own_neighbour(self) -> None:
        train = lines(60, 0)
        fitted = LedoitWolf().fit(train)
        values, vectors = np.linalg.eigh(fitted.covariance_)
        white = train @ (vectors / np.sqrt(np.maximum(values, 1e-3 * values.mean())))
        others = np.sort(cdist(white, white), axis=1)[:, 1:6].mean(1)
        np.testing.assert_allclose(without_model(train, None, 0)["whitened"], others, rtol=1e-3)

    def test_a_group_of_odd_rows_does_not_hide_itself(self) -> None:
        train = np.concatenate([lines(380, 0), [6, -6, 6, -6] + 0.01 * lines(20, 1)])
        odd = np.arange(400) >= 380
        found = without_model(train, None, 0)
        assert roc_auc_score(odd, found["rows"]) < 0.1
        assert roc_auc_score(odd, found["all"]) > 0.95
        detector = AnomalyDetector(score="rows", settings=QUICK, random_state=0).fit(train)
        assert roc_auc_score(odd, detector.decision_scores_) > 0.95

    @pytest.mark.parametrize("score", [*SCORES, "combined"])
    def test_each_finds_rows_far_out(self, detector: AnomalyDetector, score: str) -> None:
        test = np.concatenate([lines(100, 1), lines(20, 2) + np.array([8, -8, 8, 8])])
        if score == "ratio":  # what is odd by itself is not odd as a combination
            test[100:] = broken(20, 2)
        assert roc_auc_score(np.arange(120) >= 100, detector.score_table(test)[score]) > 0.65

    def test_broken_dependencies_are_found(self, detector: AnomalyDetector) -> None:
        test = np.concatenate([lines(200, 1), broken(50, 2)])
        assert roc_auc_score(np.arange(250) >= 200, detector.decision_function(test)) > 0.9

    def test_a_score_does_not_depend_on_the_batch(self, detector: AnomalyDetector) -> None:
        test = lines(300, 3)
        whole = detector.decision_function(test)
        parts = [detector.decision_function(test[start : start + 7]) for start in range(0, 300, 7)]
        np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-6)

    def test_the_same_seed_gives_the_same_scores(self) -> None:
        first, second = (
            AnomalyDetector(settings=QUICK, random_state=3).fit(lines(60, 0)).decision_function(lines(9, 1))
            for _ in range(2)
        )
        np.testing.assert_array_equal(first, second)


class TestDetector:
    def test_false_alarms_are_as_many_as_asked_for(self, detector: AnomalyDetector) -> None:
        normal = lines(2000, 5)
        held_out = detector.calibration_rows_
        for rate in (0.05, 0.2):
            error = np.sqrt(rate * (1 - rate) * (1 / 2000 + 1 / held_out))
            flagged = np.mean(detector.decision_function(normal) > detector.threshold(rate))
            assert flagged == pytest.approx(rate, abs=3 * error)

    def test_the_threshold_moves_without_a_fit(self, detector: AnomalyDetector) -> None:
        normal = lines(500, 6)
        before = detector.predict(normal).sum()
        detector.set_threshold(0.2)
        after, share = detector.predict(normal).sum(), detector.labels_.mean()
        detector.set_threshold(0.05)
        assert after > before == detector.predict(normal).sum()
        assert share > detector.labels_.mean() > 0

    def test_a_threshold_that_was_moved_stays_so(self, detector: AnomalyDetector, tmp_path: Path) -> None:
        detector.set_threshold(0.2)
        wide = detector.threshold_
        assert detector.set_score(detector.score).threshold_ == wide
        detector.save(tmp_path / "moved")
        moved = AnomalyDetector.load(tmp_path / "moved", device="cpu")
        assert (moved.contamination, moved.device) == (0.2, "cpu")
        detector.set_threshold(0.05)

    def test_what_new_rows_hold_that_was_never_seen_is_noted(self) -> None:
        rows = {"x": np.arange(40) / 7, "where": ["here", "there"] * 20}
        detector = AnomalyDetector(np.float32(0.1), settings=QUICK, random_state=0)
        np.testing.assert_array_equal(detector.fit_predict(rows), detector.labels_)
        detector.predict({"x": [1.0, np.inf], "where": ["here", "nowhere"], "more": [1, 2]})
        assert detector.notes_.count("'where'") == detector.notes_.count("'x'") == 1
        assert any("'more'" in line for line in detector.notes_)
        met = AnomalyDetector(settings=QUICK, random_state=0).fit({"x": [*rows["x"][:-1], np.inf]}).notes_
        assert met.count("'x'", "infinite") == 1
        table = pa.table({"x": [*rows["x"][:-1], np.inf], "where": rows["where"], "none": pa.nulls(40)})
        given = infer_schema(table)
        met = AnomalyDetector(schema=given, settings=QUICK, random_state=0).fit(table).notes_
        assert met.count("'x'", "infinite") == 1
        assert any("'none': has no value at all" in line for line in met)

    def test_its_answers_agree(self, detector: AnomalyDetector) -> None:
        test = np.concatenate([lines(50, 1), broken(50, 2)])
        odd = detector.predict(test)
        np.testing.assert_array_equal(odd, detector.decision_function(test) > detector.threshold_)
        proba = detector.predict_proba(test)
        np.testing.assert_allclose(proba.sum(1), 1)
        np.testing.assert_array_equal(odd, proba[:, 1] > 0.5)
        assert (detector.p_values(test)[odd == 1] <= 0.05 + 1e-9).all()

    def test_it_is_saved_and_loaded(self, detector: AnomalyDetector, tmp_path: Path) -> None:
        detector.save(tmp_path / "model")
        loaded = AnomalyDetector.load(tmp_path / "model")
        test = broken(50, 2)
        np.testing.assert_allclose(loaded.decision_function(test), detector.decision_function(test), rtol=1e-6)
        np.testing.assert_array_equal(loaded.labels_, detector.labels_)
        assert loaded.threshold_ == detector.threshold_
        loaded.save(tmp_path / "again")
        for path in (tmp_path / "model").glob("*.safetensors"):
            assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
        (tmp_path / "model" / "detector.json").write_text("{}")
        with pytest.raises(ModelFileError, match=r"detector\.json"):
            AnomalyDetector.load(tmp_path / "model")

    @pytest.mark.parametrize(
        ("name", "wrong"),
        [
            ("0.space.loc", torch.zeros(3)),
            ("0.space.scale", torch.zeros(4)),
            ("0.usual", torch.zeros(5)),
            ("0.marginals", torch.zeros(7)),
            ("1.geometry.latent.matrix", torch.zeros(3, 2)),
            ("2.geometry.deep", torch.zeros(400, 3)),
            ("0.geometry.reference", torch.full((400,), 400)),
            ("0.scale.rows", torch.zeros(2, 0)),
            ("0.scale.rows", torch.zeros(2, 5)),
            ("0.spread.rows", torch.zeros(1)),
            ("calibration.combined", torch.zeros(0)),
            ("training.combined", torch.zeros(3, 1)),
        ],
    )
    def test_numbers_that_do_not_fit_are_refused_at_once(
        self, kept: dict[str, bytes], tmp_path: Path, name: str, wrong: torch.Tensor
    ) -> None:
        numbers = parse_tensors(kept["detector.safetensors"], "") | {name: wrong}
        write_folder(tmp_path, kept | {"detector.safetensors": dump_tensors(numbers)})
        named = name[2:] if name[0].isdigit() else name.partition(".")[0]
        with pytest.raises(ModelFileError, match=rf"detector\.safetensors: .*{named}: expected"):
            AnomalyDetector.load(tmp_path)

    def test_a_detector_of_no_judge_or_no_calibration_is_refused(
        self, kept: dict[str, bytes], tmp_path: Path
    ) -> None:
        facts = json.loads(kept["detector.json"])
        write_folder(tmp_path / "seeds", kept | {"detector.json": dump_json(facts | {"seeds": []})})
        with pytest.raises(ModelFileError, match="seeds: expected one for each judge"):
            AnomalyDetector.load(tmp_path / "seeds")
        numbers = parse_tensors(kept["detector.safetensors"], "")
        numbers |= {key: value[:0] for key, value in numbers.items() if key.startswith("calibration.")}
        write_folder(tmp_path / "none", kept | {"detector.safetensors": dump_tensors(numbers)})
        with pytest.raises(ModelFileError, match="calibration: expected as many scores"):
            AnomalyDetector.load(tmp_path / "none")
        numbers = parse_tensors(kept["detector.safetensors"], "")
        numbers["calibration.rows"] = numbers["calibration.rows"].flip(0)
        write_folder(tmp_path / "falls", kept | {"detector.safetensors": dump_tensors(numbers)})
        with pytest.raises(ModelFileError, match="calibration: expected scores that rise"):
            AnomalyDetector.load(tmp_path / "falls")

    def test_no_row_is_one_clear_line(self, detector: AnomalyDetector) -> None:
        nothing = pd.DataFrame(lines(1, 0)[:0], columns=list("0123"))
        for judge in (detector.predict, detector.p_values, detector.score_table, detector.explain):
            with pytest.raises(DataError, match="expected at least 1 row"):
                judge(nothing)

    def test_it_works_in_a_pipeline(self) -> None:
        made = make_pipeline(StandardScaler(), AnomalyDetector(settings=QUICK, random_state=0)).fit(lines(60, 0))
        assert made.predict(lines(5, 1)).shape == (5,)
        assert clone(made[-1]).get_params()["settings"] == QUICK

    def test_trimmed_training_leaves_out_the_oddest(self) -> None:
        rows = np.concatenate([lines(95, 0), np.full((5, 4), 30.0) + lines(5, 1)])
        fitted = AnomalyDetector(trim=0.05, settings=QUICK, random_state=0).fit(rows)
        assert fitted.rows_ == 95
        assert len(fitted.labels_) == 100
        assert fitted.labels_[95:].all()


class TestMixedColumns:
    def test_cells_may_be_missing_and_texts(self, mixed: AnomalyDetector) -> None:
        odd = pd.DataFrame({"city": ["Lima", None, "Oslo"], "degrees": [2.0, np.nan, 2.1], "site": "A"})
        scores = mixed.decision_function(odd)
        assert np.isfinite(scores).all()
        assert mixed.predict(odd)[[0, 2]].tolist() == [1, 0]

    def test_the_columns_that_made_a_row_odd(self, mixed: AnomalyDetector) -> None:
        odd = pd.DataFrame({"city": ["Oslo", "Oslo"], "degrees": [21.0, 2.0], "site": "A"})
        (found, nothing) = mixed.explain(odd)
        assert nothing == []
        degrees = next(one for one in found if one.column == "degrees")
        assert degrees.value == 21.0
        assert degrees.low < 2 < degrees.high < 19
        assert "degrees 21 (expected" in str(degrees)
        city = next((one for one in found if one.column == "city"), None)
        assert city is None or city.expected in ("Lima", "Rome")

    def test_reasons_do_not_depend_on_the_batch(self, detector: AnomalyDetector) -> None:
        rows = broken(60, 5)
        whole = detector.explain(rows, rows=np.arange(60))
        parts = [found for k in range(0, 60, 7) for found in detector.explain(rows[k : k + 7], rows=slice(None))]
        assert [list(map(str, found)) for found in parts] == [list(map(str, found)) for found in whole]

    def test_values_never_seen_are_odd(self, mixed: AnomalyDetector) -> None:
        odd = pd.DataFrame({"city": ["Paris", "Oslo"], "degrees": [2.0, 2.0], "site": ["A", "B"]})
        usual = pd.DataFrame({"city": ["Oslo", "Oslo"], "degrees": [2.0, 2.0], "site": ["A", "A"]})
        assert (mixed.decision_function(odd) > mixed.decision_function(usual) + 0.5).all()
        (paris, site) = mixed.explain(odd, rows=[0, 1], most=1)
        assert (paris[0].column, paris[0].value, paris[0].expected, paris[0].unseen) == (
            "city",
            "Paris",
            "Oslo",
            True,
        )
        assert (site[0].column, site[0].value, site[0].expected) == ("site", "B", "A")

    def test_numbers_stay_numbers_however_few(self) -> None:
        rows = np.random.default_rng(0).integers(0, 5, (100, 3)).astype(float)
        fitted = AnomalyDetector(settings=QUICK, random_state=0).fit(rows)
        scores = fitted.decision_function([[2, 2, 2], [9, 9, 9], [40, 40, 40]])
        assert scores[0] < scores[1] < scores[2]


class TestBadInput:
    @pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, "a"])
    def test_contamination(self, share: Any) -> None:
        with pytest.raises(SettingsError, match="contamination: expected a share, 0 < share < 1"):
            AnomalyDetector(contamination=share).fit(lines(20, 0))

    def test_unknown_score(self) -> None:
        with pytest.raises(SettingsError, match="did you mean 'likelihood'"):
            AnomalyDetector(score="likelyhood").fit(lines(20, 0))

    def test_too_few_rows(self) -> None:
        with pytest.raises(DataError, match="8 rows or more"):
            AnomalyDetector().fit(lines(1, 0))

    def test_constants(self) -> None:
        with pytest.raises(DataError, match="no column varies"):
            AnomalyDetector().fit(np.ones((20, 3)))

    def test_one_column_is_enough(self) -> None:
        fitted = AnomalyDetector(settings=QUICK, random_state=0).fit(lines(60, 0)[:, :1])
        assert fitted.predict([[0.0], [50.0]]).tolist() == [0, 1]

    def test_a_missing_column(self, mixed: AnomalyDetector) -> None:
        with pytest.raises(DataError, match="no column 'degrees'"):
            mixed.predict(pd.DataFrame({"city": ["Oslo"], "site": ["A"]}))

    def test_infinity_is_odd(self, detector: AnomalyDetector) -> None:
        scores = detector.decision_function([[0, 0, 0, 0], [np.inf, 0, 0, 0]])
        assert np.isfinite(scores).all()
        assert scores[1] > scores[0]


def test_rows_of_the_fit_are_told_from_rows_that_are_equal_by_chance() -> None:
    random = np.random.default_rng(0)
    few = pd.DataFrame({"a": random.choice(["x", "y"], 200), "b": random.choice(["u", "v"], 200)})
    quick = AnomalyDetector(settings=QUICK, random_state=0).fit(few)
    assert quick.learned_from(few).all()
    quick.decision_function(few)  # every row of such a table is equal to others: no warning
    many = AnomalyDetector(settings=QUICK, random_state=0).fit(lines(100, 0))
    both = np.concatenate([lines(100, 0)[:30], lines(60, 1)])
    np.testing.assert_array_equal(many.learned_from(both), np.arange(90) < 30)
    many.decision_function(both)  # most are new
    with pytest.warns(UserWarning, match="30 of 50 rows are equal to rows that were learned from"):
        many.predict(both[:50])


def test_a_wide_table_takes_one_judge_and_no_covariance() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(60, 1)) + 0.3 * random.normal(size=(60, 2100))
    wide = AnomalyDetector(settings={**QUICK, "epochs": 2}, random_state=0).fit(rows)
    assert len(wide.panel_.judges) == 1
    assert wide.panel_.judges[0].geometry.tensors["input.matrix"].shape == (2100,)
    odd = wide.decision_function(np.concatenate([rows[:1] + 0.01, 9 * random.normal(size=(1, 2100))]))
    assert odd[1] > odd[0]
    assert settings_for(500, 5000).epochs < settings_for(500, 1600).epochs == settings_for(500, 100).epochs


class TestCommand:
    def test_it_judges_with_a_kept_detector(self, mixed: AnomalyDetector, tmp_path: Path, capsys: Any) -> None:
        mixed.save(tmp_path / "model")
        new = pd.DataFrame({"city": ["Oslo", "=1+1", "Oslo"], "degrees": [2.0, 2.0, 40.0], "site": "A"})
        new.to_csv(tmp_path / "new.csv", index=False)
        out, report = tmp_path / "flagged.csv", tmp_path / "report.html"
        judged = ["detect", str(tmp_path / "new.csv"), "--model", str(tmp_path / "model"), "--contamination", "0.02"]
        with pytest.raises(SystemExit) as end:
            main([*judged, "--out", str(out), "--report", str(report), "--json"])
        assert end.value.code == 0
        told = json.loads(capsys.readouterr().out)
        found = pd.read_csv(out)
        assert list(found) == ["city", "degrees", "site", "odd", "oddness", "p_value", "why"]
        assert found["odd"].tolist() == [0, found["odd"][1], 1]
        assert told["odd"] == found["odd"].sum()
        np.testing.assert_allclose(found["oddness"], mixed.decision_function(new), atol=1e-6)
        assert found["city"][1] == "'=1+1"
        assert found["why"][2].startswith("degrees 40 (expected ")
        text = report.read_text()
        assert "degrees 40" in text
        assert "http://" not in text
        assert "https://" not in text

    def test_it_learns_keeps_and_names_new_columns_apart(self, tmp_path: Path, capsys: Any) -> None:
        rows = pd.DataFrame(lines(60, 0), columns=["a", "b", "c", "odd"])
        rows.to_csv(tmp_path / "fit.csv", index=False)
        quick = ["-o", "epochs=2", "-o", "hidden_dim=8"]
        tables = [str(tmp_path / "fit.csv")] * 2
        with pytest.raises(SystemExit) as end:
            main(["detect", *tables, *quick, "--out", str(tmp_path / "f.parquet"), "--save", str(tmp_path / "kept")])
        assert end.value.code == 0
        said = capsys.readouterr().out
        assert "of 60 rows are odd" in said
        assert "rows: 60 of these are equal to rows that were learned from" in said
        found = pd.read_parquet(tmp_path / "f.parquet")
        assert list(found)[-4:] == ["odd_", "oddness", "p_value", "why"]
        kept = AnomalyDetector.load(tmp_path / "kept")
        with pytest.warns(UserWarning, match="60 of 60 rows are equal .*labels_"):
            np.testing.assert_allclose(kept.decision_function(rows), found["oddness"], atol=1e-6)

    def test_of_many_rows_some_are_learned_from(
        self, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pd.DataFrame(lines(60, 0)).to_csv(tmp_path / "fit.csv", index=False)
        monkeypatch.setattr("dreamgen.cli.detect.FIT_ROWS", 40)
        quick = ["-o", "epochs=2", "-o", "hidden_dim=8", "--save", str(tmp_path / "kept")]
        with pytest.raises(SystemExit) as end:
            main(["detect", *[str(tmp_path / "fit.csv")] * 2, *quick, "--out", str(tmp_path / "flagged.csv")])
        assert end.value.code == 0
        assert "20 rows of" in capsys.readouterr().out
        assert AnomalyDetector.load(tmp_path / "kept").rows_ == 40
        assert len(pd.read_csv(tmp_path / "flagged.csv")) == 60

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (["one.csv"], 2, "two tables, FIT and NEW"),
            (["none.csv", "none.csv"], 3, "none.csv"),
            (["a.csv", "b.csv", "--out", "flagged.png"], 2, "expected a name that ends in"),
            (["a.csv", "--model", "nowhere"], 5, "nowhere"),
        ],
    )
    def test_bad_arguments(self, arguments: list[str], code: int, said: str, capsys: Any) -> None:
        with pytest.raises(SystemExit) as end:
            main(["detect", *arguments])
        assert end.value.code == code
        assert said in capsys.readouterr().err


def cannot_apply(estimator: Any) -> dict[str, str]:
    """The checks of scikit-learn that cannot hold here, and why."""
    method = "`score` is the parameter that picks a score, as PyOD's detectors have no method of that name"
    return {
        "check_fit_score_takes_y": method,
        "check_n_features_in_after_fitting": method,
        "check_pipeline_consistency": method,
        "check_methods_sample_order_invariance": "rows are scored in float32: equal to 1e-6, asked for are 1e-9",
    }


def checks() -> list[Any]:
    estimator = AnomalyDetector(settings={"epochs": 1, "hidden_dim": [8], "latent_dim": 2}, random_state=0)
    with warnings.catch_warnings():  # it has scikit-learn's manners without its base class
        warnings.filterwarnings("ignore", message=".*does not inherit")
        return list(
            estimator_checks_generator(estimator, expected_failed_checks=cannot_apply(estimator), mark="skip")
        )


@pytest.mark.filterwarnings("ignore:.*does not inherit")
@pytest.mark.filterwarnings("ignore:.*that were learned from")
@pytest.mark.parametrize(("estimator", "check"), checks(), ids=_get_check_estimator_ids)
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_a_column_that_is_mostly_empty_costs_as_much_where_it_is_not() -> None:
    random = np.random.default_rng(0)
    level = random.choice(["low", "mid", "high"], 600)
    sparse = np.where(random.random(600) < 0.8, None, level)
    found = AnomalyDetector(settings=QUICK, random_state=0).fit(pd.DataFrame({"full": level, "sparse": sparse}))
    full, few = found.panel_.judges[0].usual
    assert few == pytest.approx(full, rel=0.1)


def test_points_in_time_of_another_type_and_ordered_numbers_are_judged() -> None:
    random, n = np.random.default_rng(0), 60
    days = (np.datetime64("2024-01-01") + random.integers(0, 300, n)).astype("datetime64[D]")
    step = pd.Categorical(random.integers(1, 4, n), [1, 2, 3], ordered=True)
    table = pa.table({"day": pa.array(days), "x": random.normal(size=n)})
    fitted = AnomalyDetector(settings=QUICK, random_state=0).fit(table)
    late = pa.table({"day": pa.array([np.datetime64("2031-01-01", "us")]), "x": [0.0]})
    (why,) = fitted.explain(late, rows=[0])
    assert why[0].column == "day"
    assert "2031-01-01" in str(why[0])
    for far in (
        ["2500-01-01"],
        pa.array(np.array(["2500-01-01"], "datetime64[us]")),
    ):  # beyond nanoseconds, as text too
        (why,) = fitted.explain(pa.table({"day": far, "x": [0.0]}), rows=[0])
        assert str(why[0]).startswith("day 2500-01-01 00:00:00 (expected 2024-")
    ordered = AnomalyDetector(settings=QUICK, random_state=0).fit(
        pd.DataFrame({"step": step, "x": random.normal(size=n)})
    )
    assert ordered.schema_["step"].kind == "ordinal"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit.csv", "new.csv", "--out", "rows.txt.gz"], "rows.txt.gz: expected a name that ends in .parquet"),
        (["new.csv", "--model", "kept", "--trim", "0.1"], "--trim and -o: not with --model"),
        (["log.csv", "--window", "8", "--columns", "2"], "--window goes with"),
        (["fit.csv", "new.csv", "--seed", "-1"], "-1 is not in the range"),
    ],
)
def test_what_cannot_be_served_is_refused_before_the_work(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["detect", *arguments])
    assert message in capsys.readouterr().err
