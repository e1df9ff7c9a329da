"""The judge and `compare`: figures against direct computation, models whose figures are known, and bad input."""

import copy
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch
from PIL import Image
from sklearn.metrics import pairwise_distances

from dreamgen import RECIPES, DreamGenerator
from dreamgen.applications.compare import BOUNDS, FIGURES, LOOKS, compare
from dreamgen.cli import main
from dreamgen.data import Dataset, Examples
from dreamgen.errors import DataError, SettingsError
from dreamgen.evaluation.judge import Judge
from dreamgen.export import export_decoder
from dreamgen.io import load_model

Floats = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def classifier(digits: Dataset) -> DreamGenerator:
    generator = DreamGenerator(
        model="classifier", context="labels", hidden_dim=[64, 16], batch_size=64, epochs=25, random_state=1
    )
    return generator.fit(digits.train.x, digits.train.labels, classes=digits.classes)


@pytest.fixture(scope="module")
def judge(classifier: DreamGenerator) -> Judge:
    return Judge(classifier.saved_, "digits judge")


@pytest.fixture(scope="module")
def told(digits: Dataset) -> DreamGenerator:
    generator = DreamGenerator(
        latent_dim=4, hidden_dim=32, batch_size=64, epochs=15, context="labels", random_state=2
    )
    return generator.fit(digits.train.x, digits.train.labels, classes=digits.classes)


class Stub(DreamGenerator):
    """A model that dreams of what it is given."""

    pictures: Floats

    def dream(self, n: int = 64, **_: Any) -> Floats:
        return self.pictures[:n]


def dreaming(model: DreamGenerator, pictures: Floats) -> DreamGenerator:
    stub = Stub.of(model.saved_, "cpu")
    assert isinstance(stub, Stub)
    stub.pictures = pictures
    return stub


def test_features_are_the_networks_and_readings_its_chances(judge: Judge, digits: Dataset) -> None:
    x = digits.test.x
    state = judge.saved.model.state_dict()
    h, weights = torch.from_numpy(x).flatten(1).double(), [name for name in state if name.endswith("weight")]
    for name in weights[:-1]:
        h = (h @ state[name].double().T + state[name.replace("weight", "bias")].double()).relu()
    np.testing.assert_allclose(judge.features(x), h.numpy(), atol=1e-4)
    logits = h @ state[weights[-1]].double().T + state[weights[-1].replace("weight", "bias")].double()
    np.testing.assert_allclose(judge.read(x), logits.softmax(1).numpy(), atol=1e-5)
    np.testing.assert_array_equal(judge.classes(x), logits.argmax(1).numpy())
    assert (judge.classes(x) == digits.test.labels).mean() > 0.9


def test_a_pictures_features_depend_on_nothing_else(judge: Judge, digits: Dataset) -> None:
    x = digits.test.x
    np.testing.assert_array_equal(judge.features(x)[7:8], judge.features(x[7:8]))
    np.testing.assert_array_equal(judge.features(x.reshape(len(x), -1)), judge.features(x))
    raw = np.rint(x * 255).astype(np.uint8)
    np.testing.assert_allclose(judge.features(raw), judge.features(raw / 255.0), atol=1e-6)


def test_a_saved_judge_is_the_same(judge: Judge, classifier: DreamGenerator, digits: Dataset, tmp_path: Path) -> None:
    classifier.save(tmp_path / "judge")
    again = Judge.load(tmp_path / "judge")
    np.testing.assert_array_equal(again.features(digits.test.x), judge.features(digits.test.x))
    assert again.context == judge.context


def brute(real: Floats, fake: Floats) -> tuple[float, float, float]:
    """Frechet distance by scipy's square root, precision and recall by all distances."""
    a, b = real.astype(np.float64), fake.astype(np.float64)
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    eigenvalues = scipy.linalg.eigvals(first @ second).real.clip(0)
    frechet = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(first + second) - 2 * np.sqrt(eigenvalues).sum()
    of_real, of_fake = (np.sort(pairwise_distances(x), axis=1)[:, 3] for x in (a, b))
    precision = (pairwise_distances(b, a) <= of_real).any(1).mean()
    return float(frechet), float(precision), float((pairwise_distances(a, b) <= of_fake).any(1).mean())


def test_every_figure_is_what_it_is_by_itself(judge: Judge, trained: DreamGenerator, digits: Dataset) -> None:
    found = compare({"vae": trained}, digits, judge, samples=5, seed=3, binarise=True)
    (row,) = found.rows
    x = digits.test.x
    expected = trained.evaluate(x, samples=5, seed=3, binarise=True)
    for name in ("nll", "nll_stderr", "rate", "distortion", "score", "active_units"):
        assert row[name] == pytest.approx(expected[name]), name
    dreams = trained.dream(len(x), seed=3)
    figures = brute(judge.features(x), judge.features(dreams))
    assert (row["frechet"], row["precision"], row["recall"]) == pytest.approx(figures, rel=1e-4)
    assert 0 < row["seconds"] < 600
    assert set(row) == {"model", "told", "reasons", *FIGURES}
    assert set(row["reasons"]) == {"as_asked"}
    assert found.facts["pictures"] == len(x)
    assert found.facts["judge_accuracy"] == pytest.approx((judge.classes(x) == digits.test.labels).mean())
    np.testing.assert_array_equal(found.pictures["vae"], dreams[:12])
    assert compare({"vae": trained}, digits, judge, samples=5, seed=3, binarise=True).rows == found.rows


def test_a_model_that_dreams_of_the_test_pictures_is_perfect(
    judge: Judge, trained: DreamGenerator, digits: Dataset
) -> None:
    x = digits.test.x
    blurred = (x + np.roll(x, 1, 1) + np.roll(x, 1, 2) + np.roll(x, (1, 1), (1, 2))) / 4
    models = {
        "real": dreaming(trained, x),
        "blurred": dreaming(trained, blurred),
        "one digit": dreaming(trained, np.repeat(x[:1], len(x), 0)),
    }
    perfect, blurry, single = compare(models, digits, judge, samples=1).rows
    assert perfect["frechet"] == pytest.approx(0, abs=1e-4)
    assert (perfect["precision"], perfect["recall"]) == (1, 1)
    assert (perfect["laplacian"], perfect["high_frequency"]) == pytest.approx((1, 1))
    assert 0 < blurry["laplacian"] < 0.5
    assert 0 < blurry["high_frequency"] < 0.5
    assert blurry["neighbours"] > perfect["neighbours"] + 0.1
    assert blurry["frechet"] > 1
    assert single["precision"] == 1
    assert single["recall"] < 0.05
    assert single["neighbours"] is None
    assert single["reasons"]["neighbours"] == "the dreams are all alike"


def test_the_floor_is_what_training_pictures_get(judge: Judge, trained: DreamGenerator, digits: Dataset) -> None:
    n = len(digits.test)
    both = Examples(np.concatenate([digits.test.x] * 2), np.concatenate([digits.test.labels] * 2))
    twice = replace(digits, rows=both, is_test=np.arange(2 * n) < n)
    real = compare({"vae": trained}, twice, judge, samples=1).real
    assert real["frechet"] == pytest.approx(0, abs=1e-4)
    assert [real[name] for name in ("precision", "recall")] == [1, 1]
    assert [real[name] for name in ("laplacian", "high_frequency")] == pytest.approx([1, 1])
    assert [real[name] for name in (*BOUNDS, "as_asked", "seconds")] == [None] * (len(BOUNDS) + 2)
    # With rows of its own the training part is close, and the model's dreams are farther away.
    found = compare({"vae": trained}, digits, judge, samples=1)
    assert 0 < found.real["frechet"] < found.rows[0]["frechet"]
    assert found.real["precision"] > 0.8


def test_a_conditional_model_is_told_what_rows_are_told_and_read_as_asked(
    judge: Judge, told: DreamGenerator, digits: Dataset
) -> None:
    (row,) = compare({"told": told}, digits, judge, samples=2).rows
    given = {"label": digits.test.labels}
    report = told.evaluate(digits.test.x, given=given, samples=2)
    assert row["rate"] == pytest.approx(report["rate"], rel=0.1)  # with one sample: there is no likelihood
    assert row["told"] == ["label"]
    assert row["nll"] is None
    assert row["as_asked"] > 0.7
    # Dreams that are the training rows of which the labels are: as well read as those rows are.
    seen: list[Floats] = []

    class Asked(Stub):
        def dream(self, n: int = 64, given: Any = None, **_: Any) -> Floats:
            seen.append(given["label"])
            places = [np.flatnonzero(digits.train.labels == label)[0] for label in given["label"]]
            return digits.train.x[places]

    (row,) = compare({"told": Asked.of(told.saved_, "cpu")}, digits, judge, samples=1).rows
    one = [np.flatnonzero(digits.train.labels == label)[0] for label in range(10)]
    right = judge.classes(digits.train.x[one]) == np.arange(10)
    assert row["as_asked"] == pytest.approx(right[seen[0]].mean())
    assert len(seen[0]) == len(digits.test)
    assert np.bincount(seen[0], minlength=10).min() > len(digits.test) / 10 / 3


def test_what_a_model_does_not_have_is_null_with_a_reason(
    judge: Judge, trained: DreamGenerator, digits: Dataset, tmp_path: Path
) -> None:
    export_decoder(trained, tmp_path / "decoder")
    small, x = (
        {"latent_dim": 3, "hidden_dim": 16, "batch_size": 64, "epochs": 1, "random_state": 0},
        digits.train.x[:300],
    )
    models = {
        "decoder": DreamGenerator.load(tmp_path / "decoder"),
        "point": DreamGenerator(posterior="point", beta=0.0, **small).fit(x),
        "pixels": DreamGenerator(likelihood="autoregressive", binarise="dynamic", **small).fit(x),
    }
    decoder, point, pixels = compare(models, digits, judge, samples=2).rows
    assert [decoder[name] for name in BOUNDS] == [None] * len(BOUNDS)
    assert "no encoder" in decoder["reasons"]["nll"]
    assert decoder["seconds"] is None
    assert decoder["frechet"] > 0
    assert point["nll"] is None
    assert point["rate"] is None
    assert "point" in point["reasons"]["rate"]
    assert point["distortion"] > 0
    assert [pixels[name] for name in LOOKS] == [None] * len(LOOKS)
    assert "no mean" in pixels["reasons"]["frechet"]
    assert pixels["nll"] > 0
    assert pixels["binarised"]
    for row in (decoder, point, pixels):
        assert {name for name in FIGURES if row[name] is None} == set(row["reasons"])


def test_a_mixture_is_a_row_of_its_own(
    judge: Judge, trained: DreamGenerator, digits: Dataset, tmp_path: Path
) -> None:
    export_decoder(trained, tmp_path / "decoder")
    models = {"vae": trained, "decoder": DreamGenerator.load(tmp_path / "decoder")}
    found = compare(models, digits, judge, samples=1, mixture=3)
    assert [row["model"] for row in found.rows] == ["vae", "vae (3 Gaussians)", "decoder"]  # which keeps no codes
    own = found.rows[1]
    assert [own[name] for name in BOUNDS] == [None] * len(BOUNDS)
    dreams = trained.dream(len(digits.test), seed=0, mixture=3)
    assert own["frechet"] == pytest.approx(brute(judge.features(digits.test.x), judge.features(dreams))[0], rel=1e-4)
    assert own["frechet"] != found.rows[0]["frechet"]


def test_a_model_of_a_mixture_says_so_and_shows_its_prior_beside_it(
    judge: Judge, trained: DreamGenerator, digits: Dataset
) -> None:
    model = DreamGenerator.of(replace(trained.saved_, settings=trained.saved_.settings.replace(mixture=2)))
    assert [row["model"] for row in compare({"vae": model}, digits, judge, rows=50, samples=1).rows] == [
        "vae (2 Gaussians)"
    ]
    rows = compare({"vae": model}, digits, judge, rows=50, samples=1, mixture=2).rows
    assert [row["model"] for row in rows] == ["vae (2 Gaussians)", "vae (prior)"]
    plain = compare({"vae": trained}, digits, judge, rows=50, samples=1).rows[0]
    assert rows[1]["frechet"] == plain["frechet"] != rows[0]["frechet"]
    choosy = DreamGenerator.of(replace(trained.saved_, settings=trained.saved_.settings.replace(picked=2)))
    picked = compare({"vae": choosy}, digits, judge, rows=50, samples=1, mixture=2).rows
    assert [row["model"] for row in picked] == ["vae (prior, one of 2)", "vae (2 Gaussians, one of 2)"]
    assert picked[0]["frechet"] != plain["frechet"]


def test_a_mixture_that_cannot_be_fitted_is_a_reason_and_no_end(
    judge: Judge, trained: DreamGenerator, digits: Dataset
) -> None:
    class Refusing(Stub):
        def dream(self, n: int = 64, *, mixture: int | None = None, **_: Any) -> Floats:
            if mixture:
                raise SettingsError("mixture: too few codes")
            return self.pictures[:n]

    stub = Refusing.of(trained.saved_, "cpu")
    assert isinstance(stub, Refusing)
    stub.pictures = digits.test.x
    found = compare({"vae": stub, "other": trained}, digits, judge, rows=50, samples=1, mixture=3)
    assert [row["model"] for row in found.rows] == ["vae", "vae (3 Gaussians)", "other", "other (3 Gaussians)"]
    assert found.rows[1]["frechet"] is None
    assert found.rows[1]["reasons"]["frechet"] == "mixture: too few codes"
    assert found.rows[3]["frechet"] > 0
    assert set(found.pictures) == {"real", "vae", "other", "other (3 Gaussians)"}


def test_a_judge_that_served_in_a_loss_does_not_judge(
    classifier: DreamGenerator, trained: DreamGenerator, digits: Dataset, tmp_path: Path
) -> None:
    classifier.save(tmp_path / "judge")
    objective = {"kind": "perceptual", "features": {"kind": "model", "model": str(tmp_path / "judge")}}
    saved = replace(trained.saved_, settings=trained.saved_.settings.replace(objective=objective))
    with pytest.raises(SettingsError, match=r"vae was trained with the judge .* in its loss: expected another judge"):
        compare({"vae": DreamGenerator.of(saved)}, digits, Judge.load(tmp_path / "judge"))
    classifier.save(tmp_path / "copy")
    assert Judge.load(tmp_path / "copy").served_in(saved)
    other = copy.deepcopy(classifier.saved_)
    with torch.no_grad():
        next(other.model.network.parameters()).mul_(1.01)
    assert not Judge(other).served_in(saved)
    # A training notes what it looked through: the judge is known where its folder is gone, and called what it may be.
    small = DreamGenerator(2, 8, objective=objective, batch_size=64, epochs=1, random_state=0)
    small.fit(digits.train.x[:128]).save(tmp_path / "small")
    judge = Judge.load(tmp_path / "copy")
    shutil.rmtree(tmp_path / "judge")
    assert judge.served_in(load_model(tmp_path / "small"))
    assert not Judge(other).served_in(load_model(tmp_path / "small"))
    assert not judge.served_in(trained.saved_)
    export_decoder(small, tmp_path / "decoder")
    assert judge.served_in(load_model(tmp_path / "decoder"))


def test_the_network_of_the_shipped_recipe_does_not_judge() -> None:
    settings = RECIPES["perceptual"].settings
    sibling, judge = Judge.load("mnist-sibling"), Judge.load("mnist-judge")
    for objective in (settings.objective, "perceptual"):
        saved = DreamGenerator.load("mnist").saved_
        saved = replace(saved, settings=saved.settings.replace(objective=objective))
        assert sibling.served_in(saved)
        assert not judge.served_in(saved)


def test_fewer_rows_are_a_draw_of_both_parts(judge: Judge, trained: DreamGenerator, digits: Dataset) -> None:
    found = compare({"vae": trained}, digits, judge, rows=50, samples=1, seed=5)
    assert found.facts["pictures"] == 50
    assert compare({"vae": trained}, digits, judge, rows=50, samples=1, seed=6).real != found.real


def test_what_cannot_be_compared_is_refused(
    judge: Judge, classifier: DreamGenerator, trained: DreamGenerator, digits: Dataset
) -> None:
    def refuse(error: type[Exception], text: str, *arguments: Any, **options: Any) -> None:
        with pytest.raises(error, match=text):
            compare(*arguments, **options)

    other = DreamGenerator(latent_dim=2, hidden_dim=8, epochs=1, batch_size=10, random_state=0)
    other.fit(np.random.default_rng(0).random((20, 5, 5)))
    large = replace(digits, rows=Examples(np.zeros((60, 9, 9), np.uint8)), is_test=np.arange(60) < 30)
    flat = replace(digits, rows=Examples(digits.rows.x.reshape(-1, 64)))
    whole = replace(digits, is_test=np.zeros(len(digits.rows), bool))
    refuse(
        SettingsError, r"small: expected examples of shape \(8, 8\).* got \(5, 5\)", {"small": other}, digits, judge
    )
    refuse(SettingsError, r"vae: expected examples of shape \(9, 9\)", {"vae": trained}, large, judge)
    refuse(DataError, "expected pictures of 3x3", {"vae": trained}, flat, judge)
    refuse(DataError, "test", {"vae": trained}, whole, judge)
    refuse(SettingsError, "judge cannot dream", {"judge": classifier}, digits, judge)
    refuse(SettingsError, "at least one model", {}, digits, judge)
    few = replace(digits, rows=digits.rows[:40], is_test=np.arange(40) < 5)
    refuse(DataError, "10 pictures or more on each side, got 5", {"vae": trained}, few, judge)
    with pytest.raises(SettingsError, match="vae cannot judge: expected a classifier"):
        Judge(trained.saved_, "vae")
    wrong = Judge(replace(classifier.saved_, meaning=replace(classifier.saved_.meaning, event_shape=(4, 16))), "wide")
    refuse(SettingsError, r"the judge wide: expected examples of shape \(8, 8\)", {"vae": trained}, digits, wrong)


def test_labels_that_a_model_needs_and_the_data_lack(judge: Judge, told: DreamGenerator, digits: Dataset) -> None:
    bare = replace(digits, rows=Examples(digits.rows.x))
    with pytest.raises(DataError, match="label"):
        compare({"told": told}, bare, judge, samples=1)


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        output = capsys.readouterr()
        return int(end.value.code or 0), output.out, output.err

    return call


def test_the_verb(run: Callable[..., tuple[int, str, str]], tmp_path: Path) -> None:
    train = ["train", "digits", "--epochs", 2, "-o", "hidden_dim=16", "-o", "batch_size=64"]
    assert run(*train, "--out", "A")[0] == 0
    assert run(*train, "-o", "context=labels", "--out", "B")[0] == 0
    assert run(*train, "-o", "model=classifier", "-o", "context=labels", "--out", "J")[0] == 0
    command = ["compare", "A", "B", "--judge", "J", "--rows", 100, "--samples", 2, "--out", "OUT"]
    code, out, err = run(*command, "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert [row["model"] for row in result["models"]] == ["A", "B"]
    assert result["data"] == "digits"
    assert result["models"][1]["as_asked"] is not None
    assert result["models"][0]["seconds"] > 0
    written = json.loads(Path(result["files"]["figures"]).read_text())
    assert written["models"] == result["models"]
    with Image.open(result["files"]["dreams"]) as picture:
        assert picture.width > 300
    page = Path(result["files"]["report"]).read_text()
    assert "data:image/png;base64," in page
    assert "no NLL of A, B: grey pixels under BCE" in page
    assert "B is told label of each picture" in page
    assert "real (train)" in page
    assert "no as asked" not in page  # of A, which is told nothing
    code, out, _ = run(*command)
    assert code == 0
    assert f"{result['models'][0]['frechet']:.4g}" in out
    assert "100 dreams beside 100 test pictures of digits" in out


def test_the_verb_names_what_is_wrong(
    run: Callable[..., tuple[int, str, str]], model_folder: Path, tmp_path: Path
) -> None:
    def refuse(code: int, text: str, *arguments: object) -> None:
        found = run("compare", *arguments)
        assert found[0] == code, found
        assert text in found[2]
        assert found[2].count("\n") == 1

    refuse(2, "no model folder and no shipped model is called 'nothing'", "nothing")
    refuse(5, "", ".", "--data", "digits")
    refuse(2, "expected each model once", model_folder, model_folder)
    refuse(2, "expected --data", model_folder)
    refuse(2, "no judge ships for digits: train one", model_folder, "--data", "digits")
    own = tmp_path / "digits.npz"  # a file that is called like a named set
    np.savez(own, x=np.random.default_rng(0).integers(0, 256, (60, 8, 8), np.uint8))
    assert run("train", own, "--epochs", 1, "--out", tmp_path / "mine")[0] == 0
    refuse(2, "was trained on another set called digits: expected --data", tmp_path / "mine")
    refuse(2, "mnist cannot judge: expected a classifier", model_folder, "--data", "digits", "--judge", "mnist")


def test_how_well_a_classifier_reads_is_sklearns_figure(digits: Dataset) -> None:
    from sklearn.metrics import accuracy_score, roc_auc_score

    dark, tall = digits.rows.x.mean((1, 2)) > 0.3, digits.rows.labels == 1
    never = np.zeros(len(dark))
    attributes = {"dark": dark.astype(float), "tall": tall.astype(float), "never": never}
    names = ["label", *attributes]
    model = DreamGenerator(
        model="classifier", context=names, hidden_dim=16, batch_size=64, epochs=3, validation=0.0, random_state=0
    )
    model.fit(digits.rows.x, digits.rows.labels, attributes=attributes, classes=digits.classes)
    report = model.evaluate(digits.rows.x, given={"label": digits.rows.labels, **attributes}, split="all")
    chances = Judge(model.saved_).read(digits.rows.x)
    truth = {"dark": dark, "tall": tall, "never": never > 0}
    for column, (name, values) in enumerate(truth.items(), start=10):
        found = report["fields"][name]
        assert found["accuracy"] == pytest.approx(accuracy_score(values, chances[:, column] > 0.5))
        assert found["majority"] == pytest.approx(max(values.mean(), 1 - values.mean()))
        if name != "never":
            assert found["auc"] == pytest.approx(roc_auc_score(values, chances[:, column]))
    assert "auc" not in report["fields"]["never"]
    assert report["fields"]["label"]["accuracy"] == pytest.approx(
        (chances[:, :10].argmax(1) == digits.rows.labels).mean()
    )
    assert report["fields"]["label"]["majority"] == pytest.approx(np.bincount(digits.rows.labels).max() / len(dark))
    assert report["auc"] == pytest.approx(np.mean([report["fields"][name]["auc"] for name in ("dark", "tall")]))
    assert report["accuracy"] == pytest.approx(np.mean([report["fields"][name]["accuracy"] for name in names]))
    assert (report["rows"], report["split"]) == (len(dark), "all")
    one_hot = np.log(chances[:, :10])[np.arange(len(dark)), digits.rows.labels]
    flags = sum(
        np.log(np.where(values, chances[:, c], 1 - chances[:, c])) for c, values in enumerate(truth.values(), 10)
    )
    assert report["loss"] == pytest.approx(-(one_hot + flags).mean(), rel=1e-3)
