"""What a model is told: encoded rightly, kept with the model, obeyed by dreams, refused where it was not learned."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch.distributions import Normal, kl_divergence

from dreamgen import DreamGenerator, Settings, build_model, load_data
from dreamgen.cli import cli
from dreamgen.data import Dataset
from dreamgen.data.context import Context, Field
from dreamgen.data.meaning import Meaning
from dreamgen.distributions import StepNoise
from dreamgen.errors import DataError, ModelFileError, SettingsError
from dreamgen.io import load_model
from dreamgen.models import Classifier, Trace

LABEL = Field("label", "class", ("cat", "dog", "owl"))
SMILE = Field("Smiling", "flag")
AGE = Field("age", "number", (), 40.0, 10.0)
CONTEXT = Context((LABEL, SMILE, AGE))


@pytest.fixture(scope="module")
def conditional(digits: Dataset) -> DreamGenerator:
    """Told the digit, with a place of its own for each in latent space."""
    settings = {"hidden_dim": 64, "latent_dim": 4, "batch_size": 64, "epochs": 25, "random_state": 0}
    generator = DreamGenerator(**settings, context="labels", prior="conditional")  # type: ignore[arg-type]
    return generator.fit(digits.train.x, digits.train.labels)


def test_fields_are_one_hot_signed_and_standardised() -> None:
    found = CONTEXT.encode({"age": [30, 45], "Smiling": [0, 1], "label": ["owl", "cat"]}, 2)
    expected = [[0, 0, 1, -1, -1.0], [1, 0, 0, 1, 0.5]]
    np.testing.assert_allclose(found.numpy(), expected)
    one_for_all = CONTEXT.encode({"age": 40, "Smiling": 0.5, "label": 1}, 3)
    np.testing.assert_allclose(one_for_all.numpy(), [[0, 1, 0, 0, 0]] * 3)
    assert CONTEXT.width == 5


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"label": 3}, DataError, r"label: expected 0 to 2 \(cat, dog, owl\), got 3"),
        ({"label": "cow"}, DataError, "'owl'.*got 'cow'"),
        ({"label": 0.5}, DataError, "by number or name"),
        ({"Smiling": 2}, DataError, "0 .no. to 1"),
        ({"age": "old"}, DataError, "age: expected a number"),
        ({"age": np.nan}, DataError, "finite"),
        ({"age": [1, 2]}, DataError, "expected one value, or 3"),
        ({"lable": 0}, SettingsError, "did you mean 'label'"),
    ],
)
def test_what_was_not_learned_is_refused(given: dict[str, object], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        CONTEXT.encode({"label": 0, "Smiling": 0, "age": 40} | given, 3)


def test_classes_that_are_called_by_numbers_go_by_their_names() -> None:
    field = Field("label", "class", ("1", "2", "3"))
    assert field.encode("1", 1).tolist() == [[1, 0, 0]]
    assert field.encode(1, 1).tolist() == [[0, 1, 0]]
    assert field.encode("0", 1).tolist() == [[1, 0, 0]]  # no name: a number
    assert LABEL.encode(["2", "dog"], 2).tolist() == [[0, 0, 1], [0, 1, 0]]
    with pytest.raises(DataError, match="expected 0 to 2"):
        field.encode("4", 1)
    from dreamgen.cli.common import parse_given

    told = parse_given(("Smiling=0.5", "age=45"), "2")
    np.testing.assert_allclose(CONTEXT.encode(told, 1).numpy(), [[0, 0, 1, 0, 0.5]])


def test_a_field_that_is_left_out_is_named() -> None:
    with pytest.raises(SettingsError, match="age is not given"):
        CONTEXT.encode({"label": 0, "Smiling": 0}, 3)


def test_the_context_is_found_in_the_data() -> None:
    labels, age = np.array([0, 2, 1]), np.array([20.0, 30.0, 40.0])
    attributes = {"Smiling": np.array([0, 1, 1]), "age": age}
    every = Context.of(["label", "Smiling", "age"], labels, ("cat", "dog", "owl"), attributes)
    assert every == Context((LABEL, SMILE, Field("age", "number", (), 30.0, float(age.std()))))
    assert Context.of("none", labels, (), {}) is None
    assert Context.of("labels", labels, (), {}) == Context((Field("label", "class", ("0", "1", "2")),))
    for asked, says in (("labels", "no labels"), ("attributes", "no attributes"), (["Smilin"], "'Smiling'")):
        with pytest.raises(DataError, match=says):
            Context.of(asked, None, (), attributes if asked == ["Smilin"] else {})


def test_private_training_measures_no_field_on_its_rows() -> None:
    labels, flag, age = np.array([0, 2, 1]), np.array([0, 1, 1]), np.array([20.0, 30.0, 40.0])
    asked = {"attributes": {"Smiling": flag}, "declared": True}
    found = Context.of(["label", "Smiling"], labels, ("cat", "dog", "owl", "elk"), **asked)  # type: ignore[arg-type]
    assert found == Context((Field("label", "class", ("cat", "dog", "owl", "elk")), SMILE))
    for classes in ((), ("cat", "dog")):
        with pytest.raises(
            SettingsError, match=f"`classes` that name every label, got {len(classes)} for labels up to 2"
        ):
            Context.of("labels", labels, classes, {}, declared=True)
    private = {"kind": "private", "noise": 1.0, "delta": 1e-3}
    x = np.random.default_rng(0).random((40, 4))
    shared = {"latent_dim": 2, "hidden_dim": 4, "batch_size": 10, "epochs": 1, "validation": 0.0, "update": private}
    for context, more in (
        ("attributes", {"attributes": {"age": np.resize(age, 40)}}),
        ("labels", {"y": np.resize(labels, 40)}),
    ):
        generator = DreamGenerator(**shared, context=context, random_state=0)  # type: ignore[arg-type]
        with pytest.raises(SettingsError, match="private training, context"):
            generator.fit(x, **more)  # type: ignore[arg-type]
        assert not hasattr(generator, "saved_")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("objective", "iwae"),
        ("objective", {"kind": "perceptual"}),
        ("objective", "tcvae"),
        ("update", "adversarial"),
        ("update", {"kind": "private", "noise": 1.0}),
        ("update", "posterior-matching"),
        ("update", "factor"),
        ("masking", "random"),
        ("start", "mean"),
        ("mixture", 3),
    ],
)
def test_a_classifier_has_no_use_for_what_needs_a_decoder(name: str, value: object) -> None:
    reader = DreamGenerator(model="classifier", context="labels", hidden_dim=8, epochs=1, batch_size=10)
    reader.set_params(**{name: value})
    x, y = np.random.default_rng(0).random((40, 8, 8)), np.arange(40) % 2
    with pytest.raises(SettingsError, match=f"{name}: expected"):
        reader.fit(x, y, classes=("even", "odd"))


def test_it_survives_json_and_a_damaged_one_is_refused() -> None:
    entries = json.loads(json.dumps(CONTEXT.to_dict()))
    assert Context.from_dict(entries) == CONTEXT
    for change in ({"kind": "spell"}, {"classes": []}, {"scale": 0.0}, {"more": 1}, {"name": 7}):
        with pytest.raises(SettingsError):
            Context.from_dict([entries[0] | change if "scale" not in change else entries[2] | change])
    with pytest.raises(SettingsError, match="different names"):
        Context.from_dict([entries[0], entries[0]])


def test_a_conditional_prior_has_its_own_rate() -> None:
    settings = Settings(latent_dim=2, hidden_dim=8, prior="conditional", context="labels")
    model = build_model(settings, Meaning((4,), Context((LABEL,))), seed=0)
    with torch.no_grad():
        model.prior.loc.weight.copy_(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    told = torch.eye(3)
    from dreamgen import Batch

    trace: Trace = model.infer(Batch(torch.rand(3, 4), context=told), StepNoise(0), samples=3)
    q = trace.latents[0].q
    place = torch.tensor([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]])
    expected = kl_divergence(q, Normal(place, torch.ones(3, 2))).sum(1)
    torch.testing.assert_close(trace.rate, expected)


def test_dreams_are_what_was_asked_for(conditional: DreamGenerator, digits: Dataset) -> None:
    # The nearest mean digit is a rough reader; it gets nine of ten real ones right, and dreams are to be as readable.
    means = np.stack([digits.train.x[digits.train.labels == k].mean(0) for k in range(10)])

    def read(x: np.ndarray) -> np.ndarray:
        return np.square(x[:, None] - means).sum((2, 3)).argmin(1)

    asked = np.arange(200) % 10
    right = (read(conditional.dream(200, given={"label": asked}, seed=0)) == asked).mean()
    real = (read(digits.test.x) == digits.test.labels).mean()
    assert right > real - 0.1
    styles = conditional.styles(5, seed=1)
    assert styles.shape == (5, 10, 8, 8)
    assert (read(styles.reshape(-1, 8, 8)).reshape(5, 10) == np.arange(10)).mean() > real - 0.15


def test_without_a_label_dreams_are_told_what_training_rows_were(conditional: DreamGenerator) -> None:
    # A dream that is told nothing is one of those that are told something, and the same for any number of dreams.
    few, many = conditional.dream(3, seed=4), conditional.dream(300, seed=4)
    np.testing.assert_array_equal(few, many[:3])
    told = np.stack([conditional.dream(3, given={"label": k}, seed=4) for k in range(10)])
    for i in range(3):
        assert min(np.abs(told[k, i] - few[i]).max() for k in range(10)) < 1e-5


def test_rows_must_come_with_what_the_model_is_told(conditional: DreamGenerator, digits: Dataset) -> None:
    x, given = digits.test.x, {"label": digits.test.labels}
    with pytest.raises(SettingsError, match="label is not given"):
        conditional.transform(x)
    z = conditional.transform(x, given)
    of_class = np.stack([digits.train.x[digits.train.labels == k].mean(0) for k in range(10)])[digits.test.labels]
    assert np.square(conditional.inverse_transform(z, given) - x).mean() < 0.9 * np.square(of_class - x).mean()
    wrong = {"label": (digits.test.labels + 1) % 10}
    right, crossed = (conditional.score_samples(x, told).mean() for told in (given, wrong))
    assert right > crossed
    report = conditional.evaluate(x, given=given, samples=5, binarise=True, train=digits.train.x)
    assert report["nll"] < -report["elbo"]
    assert 0 < report["memorisation"] < 1


def test_it_is_kept_with_the_model(conditional: DreamGenerator, tmp_path: Path) -> None:
    conditional.save(tmp_path / "m")
    again = DreamGenerator.load(tmp_path / "m")
    given = {"label": 3}
    np.testing.assert_array_equal(again.dream(4, given=given, seed=1), conditional.dream(4, given=given, seed=1))
    np.testing.assert_array_equal(again.dream(4, seed=1), again.dream(4, seed=1))
    config = json.loads((tmp_path / "m" / "config.json").read_text())
    config["context"][0]["classes"] = config["context"][0]["classes"][:9]
    from dreamgen.files import dump_json, read_folder, write_folder

    write_folder(tmp_path / "bad", read_folder(tmp_path / "m") | {"config.json": dump_json(config)})
    with pytest.raises(ModelFileError, match="expected shape"):
        load_model(tmp_path / "bad")


def test_the_command_dreams_what_it_is_told(conditional: DreamGenerator, tmp_path: Path) -> None:
    conditional.save(tmp_path / "m")
    out = tmp_path / "x.npz"
    model = str(tmp_path / "m")
    run = CliRunner().invoke(cli, ["dream", model, "--label", "3", "-n", "7", "--seed", "2", "--out", str(out)])
    assert run.exit_code == 0, run.output
    np.testing.assert_array_equal(np.load(out)["x"], conditional.dream(7, given={"label": 3}, seed=2))
    sheet = tmp_path / "styles.png"
    assert CliRunner().invoke(cli, ["dream", model, "--styles", "-n", "3", "--out", str(sheet)]).exit_code == 0
    for arguments, says in (
        ([model, "--label", "11"], "expected 0 to 9"),
        (["mnist", "--label", "7"], "told nothing"),
        (["mnist", "--styles"], "told the class"),
        ([model, "--styles", "--picked"], "expected no --label"),
        (["mnist", "--given", "7"], "FIELD=VALUE"),
    ):
        error = CliRunner().invoke(cli, ["dream", *arguments, "--out", str(out)]).exception
        assert says in str(error)


def test_the_verbs_take_what_the_model_is_to_be_told(conditional: DreamGenerator, tmp_path: Path) -> None:
    conditional.save(tmp_path / "m")
    model, out = str(tmp_path / "m"), str(tmp_path / "x.npz")
    np.save(tmp_path / "z.npy", np.zeros((2, 4), np.float32))

    def run(verb: str, *arguments: str) -> dict[str, np.ndarray]:
        done = CliRunner().invoke(cli, [verb, model, *arguments, "--out", out])
        assert done.exit_code == 0, (verb, done.output, done.exception)
        return dict(np.load(out))

    codes = run("encode", "digits", "--split", "test")  # labels come with the data
    expected = conditional.transform(load_data("digits").test.x, {"label": load_data("digits").test.labels})
    np.testing.assert_allclose(codes["loc"], expected, atol=1e-6)
    three = {"label": 3}
    np.testing.assert_allclose(
        run("decode", str(tmp_path / "z.npy"), "--label", "3")["x"],
        conditional.inverse_transform(np.zeros((2, 4)), three),
        atol=1e-6,
    )
    assert len(run("map", "--size", "3", "--label", "3")["x"]) == 9
    assert len(run("traverse", "-n", "3", "--from", "digits:0", "--given", "label=3")["x"]) == 12
    assert len(run("morph", "digits:0", "digits:1", "-n", "3", "--label", "3")["x"]) == 3
    assert run("fill", "digits", "-n", "2", "-m", "2")["filled"].shape == (2, 2, 8, 8)
    assert run("fill", "digits:0", "-m", "2", "--label", "3")["filled"].shape == (2, 1, 8, 8)
    assert len(run("project", "digits", "-n", "20", "--morph", "digits:0", "digits:1", "--label", "3")["way"]) == 65


def test_a_classifier_is_trained_by_the_same_loop_and_reads(digits: Dataset, tmp_path: Path) -> None:
    model = {"kind": "classifier", "dropout": 0.1}
    reader = DreamGenerator(model=model, context="labels", hidden_dim=64, batch_size=64, epochs=20, random_state=0)
    reader.fit(digits.train.x, digits.train.labels)
    reader.save(tmp_path / "judge")
    saved = load_model(tmp_path / "judge")
    assert isinstance(saved.model, Classifier)
    x = torch.from_numpy(digits.test.x)
    right = (saved.model.read(x).argmax(1).numpy() == digits.test.labels).mean()
    assert right > 0.93
    assert saved.model.features(x).shape == (len(x), 64)
    torch.testing.assert_close(saved.model.read(x).sum(1), torch.ones(len(x)))
    with pytest.raises(SettingsError, match="classifier reads"):
        DreamGenerator.load(tmp_path / "judge").dream(3)


def test_a_classifiers_loss_is_the_cross_entropy_of_its_fields() -> None:
    from sklearn.metrics import log_loss

    from dreamgen import Batch

    settings = Settings(model="classifier", context=["label", "Smiling", "age"], hidden_dim=8)
    model = build_model(settings, Meaning((4,), CONTEXT), seed=0).eval()
    x, given = torch.rand(6, 4), {"label": [0, 1, 2, 0, 1, 2], "Smiling": [0, 1, 1, 0, 0, 1], "age": [30, 40, 50] * 2}
    told = CONTEXT.encode(given, 6)
    with torch.no_grad():
        found = model.infer(Batch(x, context=told), StepNoise(0)).distortion
        p, h = model.read(x).double().numpy(), model(x)
    for i in range(6):
        expected = log_loss([given["label"][i]], p[i : i + 1, :3] / p[i, :3].sum(), labels=[0, 1, 2])
        expected += log_loss([given["Smiling"][i]], [[1 - p[i, 3], p[i, 3]]], labels=[0, 1])
        expected += 0.5 * (h[i, 4].item() - told[i, 4].item()) ** 2 + 0.5 * np.log(2 * np.pi)
        assert found[i].item() == pytest.approx(expected, abs=1e-5)
