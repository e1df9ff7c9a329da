"""Attributes in codes: directions and probes with known answers, edits measured in pixels, files, commands."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner
from PIL import Image
from scipy.optimize import minimize
from scipy.stats import norm
from sklearn.linear_model import LinearRegression

from dreamgen import DreamGenerator, load_data
from dreamgen.applications.attributes.directions import LONGEST, Directions, find_directions
from dreamgen.applications.attributes.model import (
    AttributeModel,
    attributes_in,
    attributes_of,
    find_attributes,
    keep_attributes,
)
from dreamgen.applications.attributes.probes import probe_codes
from dreamgen.cli import cli, main
from dreamgen.data import Dataset
from dreamgen.data.framing import FACE_SHARE, Framing
from dreamgen.errors import DataError, ModelFileError, SettingsError

Floats = npt.NDArray[np.float64]
NAMES = ("Red", "Green", "Blue")


def correlated(n: int = 4000, latents: int = 6) -> tuple[Floats, Floats]:
    """Codes with a full covariance, and three attributes of which the second goes with the first."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n, latents)) @ rng.normal(size=(latents, latents)) + 3
    first = z[:, 0] - z[:, 0].mean() + rng.normal(size=n)
    second = 0.8 * first + z[:, 1] - z[:, 1].mean() + rng.normal(size=n)
    third = z[:, 2] - 4 + rng.normal(size=n)
    return z, np.stack([first > 0, second > 0.5, third > 0], axis=1).astype(float)


# Directions


def test_a_reading_is_least_squares() -> None:
    z, present = correlated()
    found, expected = find_directions(z, present, NAMES), LinearRegression().fit(z, 2 * present - 1)
    assert np.abs(found.read(z) - expected.predict(z)).max() < 1e-2
    assert found.read(z)[present[:, 0] == 1, 0].mean() > found.read(z)[present[:, 0] == 0, 0].mean()


@pytest.mark.parametrize("apart", [1e-9, 0.03, 1e9])
def test_a_step_raises_its_reading_by_one(apart: float) -> None:
    z, present = correlated()
    found = find_directions(z, present, NAMES, apart)
    assert np.diag(found.read(found.steps) - found.offset) == pytest.approx(np.ones(3))


def test_without_slack_no_other_reading_changes() -> None:
    z, present = correlated()
    found = find_directions(z, present, NAMES, 1e-9)
    assert found.read(found.steps) - found.offset == pytest.approx(np.eye(3), abs=1e-5)
    loose = find_directions(z, present, NAMES, 1e9)
    assert np.abs(loose.read(loose.steps) - loose.offset - np.eye(3)).max() > 0.3


def test_with_all_slack_it_is_the_difference_of_class_means() -> None:
    z, present = correlated()
    found = find_directions(z, present, NAMES, 1e9)
    for step, has in zip(found.steps, present.T == 1, strict=True):
        means = z[has].mean(0) - z[~has].mean(0)
        cosine = step @ means / np.linalg.norm(step) / np.linalg.norm(means)
        assert cosine == pytest.approx(1, abs=1e-6)


def test_a_step_is_the_least_of_what_the_module_says() -> None:
    z, present = correlated()
    slack = 0.05
    found, inverse = find_directions(z, present, NAMES, slack), np.linalg.inv(np.cov(z.T, bias=True))

    def cost(d: Floats) -> float:
        others = found.weights[1:] @ d
        return float(d @ inverse @ d + others @ others / slack)

    constraint = {"type": "eq", "fun": lambda d: found.weights[0] @ d - 1}
    start = found.weights[0] / (found.weights[0] @ found.weights[0])
    least = minimize(cost, start, constraints=[constraint], options={"maxiter": 500, "ftol": 1e-12})
    assert cost(found.steps[0]) == pytest.approx(least.fun, rel=1e-4)
    assert found.steps[0] == pytest.approx(least.x, abs=2e-3)


def test_codes_that_never_vary_and_attributes_that_are_one_are_no_trouble() -> None:
    z, present = correlated()
    z, present = np.concatenate([z, np.zeros((len(z), 2))], 1), np.concatenate([present, present[:, :1]], 1)
    found = find_directions(z, present, (*NAMES, "Scarlet"))
    assert np.isfinite(found.steps).all()
    assert found.steps[0] == pytest.approx(found.steps[3])
    assert found.steps[:, 6:] == pytest.approx(np.zeros((4, 2)))


def test_what_codes_hardly_tell_is_not_chased_out_of_them() -> None:
    z, present = correlated()
    present[:, 2] = np.random.default_rng(1).integers(0, 2, len(z))  # told by nothing
    found, inverse = find_directions(z, present, NAMES), np.linalg.inv(np.cov(z.T, bias=True))
    lengths = np.sqrt(((found.steps @ inverse) * found.steps).sum(1))
    assert lengths[2] == pytest.approx(LONGEST, rel=1e-3)
    assert (lengths[:2] < LONGEST).all()
    assert found.read(found.steps[2])[2] - found.offset[2] < 0.5


def test_shifts_add_up_and_names_are_checked() -> None:
    z, present = correlated()
    found = find_directions(z, present, NAMES)
    assert found.shift({"Red": 2, "Blue": -1}) == pytest.approx(2 * found.steps[0] - found.steps[2])
    with pytest.raises(SettingsError, match=r"no attribute 'red': .*Red"):
        found.shift({"red": 1})
    with pytest.raises(SettingsError, match="expected a number, got nan"):
        found.shift({"Red": float("nan")})


def test_directions_of_nothing_are_refused() -> None:
    z, present = correlated(50)
    with pytest.raises(DataError, match=r"expected attributes of shape \(50, 2\)"):
        find_directions(z, present, ("Red", "Green"))
    with pytest.raises(DataError, match="tell nothing of 'Green'"):
        find_directions(z, present * [1, 0, 1], NAMES)
    with pytest.raises(SettingsError, match="apart: expected more than 0"):
        find_directions(z, present, NAMES, 0)


# Probes


def test_probes_find_the_area_that_is_known() -> None:
    rng, distance = np.random.default_rng(0), 1.5
    y = rng.integers(0, 2, (6000, 2))
    z = rng.normal(size=(6000, 4))
    z[:, 0] += (
        distance * y[:, 0]
    )  # of two Gaussians so far apart, the area is Φ(d / √2); the other is not told at all
    found = probe_codes(z[:3000], y[:3000], z[3000:], y[3000:], ("told", "untold"))
    assert found["told"] == pytest.approx(norm.cdf(distance / np.sqrt(2)), abs=0.02)
    assert found["untold"] == pytest.approx(0.5, abs=0.03)


def test_what_cannot_be_measured_is_none() -> None:
    z, y = np.random.default_rng(0).normal(size=(40, 2)), np.ones((40, 1))
    assert probe_codes(z, y, z, y, ("always",)) == {"always": None}
    assert probe_codes(z, y * (z[:, :1] > 0), z[:0], y[:0], ("unseen",)) == {"unseen": None}


# A model of drawn pictures: how much of each pattern is in a picture is known, and measured by least squares


def patterns() -> Floats:
    """Three smooth patterns, (3, 109, 89, 3): a red slope, a green blob, a blue slope."""
    x, y = np.linspace(-1, 1, 89)[None, :], np.linspace(-1, 1, 109)[:, None]
    shapes = np.stack([x + 0 * y, 1.2 * np.exp(-3 * (x**2 + y**2)) - 0.4, y + 0 * x])
    return shapes[..., None] * np.eye(3)[:, None, None, :]


def drawn(amounts: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """The patterns by the amounts that there are of each, (3,), on grey."""
    return np.clip(127.5 + 40 * np.tensordot(np.asarray(amounts), patterns(), 1), 0, 255).astype(np.uint8)


def measured(pictures: npt.NDArray[Any]) -> Floats:
    """The amounts in pictures in [0, 1], (n, 16, 16, 3): (n, 3)."""
    framing = Framing.square(16, FACE_SHARE)
    basis = np.stack([framing(drawn(one)).astype(float) - 127.5 for one in np.eye(3)]).reshape(3, -1)
    return np.linalg.lstsq(basis.T, (255 * pictures.reshape(len(pictures), -1) - 127.5).T, rcond=None)[0].T


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drawn")
    (root / "img_align_celeba").mkdir()
    rng, rows = np.random.default_rng(0), []
    amounts = rng.multivariate_normal(np.zeros(3), [[1, 0.6, 0], [0.6, 1, 0], [0, 0, 1]], 400)  # two go together
    for i, amount in enumerate(amounts):
        buffer = io.BytesIO()
        Image.fromarray(drawn(amount)).save(buffer, "JPEG", quality=95, subsampling=0)
        (root / "img_align_celeba" / f"{i:06}.jpg").write_bytes(buffer.getvalue())
        rows.append(f"{i:06}.jpg " + " ".join("1" if one > 0 else "-1" for one in amount))
    (root / "list_attr_celeba.txt").write_text("\n".join(["400", " ".join(NAMES), *rows]) + "\n")
    return root


@pytest.fixture(scope="module")
def bars(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return load_data(folder, size=16)


@pytest.fixture(scope="module")
def model(bars: Dataset) -> DreamGenerator:
    generator = DreamGenerator(
        8,
        64,
        likelihood={"kind": "gaussian", "scale": 0.1},
        batch_size=20,
        learning_rate=0.01,
        epochs=40,
        random_state=0,
    )
    return generator.fit(bars.train.x)


@pytest.fixture(scope="module")
def found(model: DreamGenerator, bars: Dataset) -> AttributeModel:
    return find_attributes(model, bars)


@pytest.fixture
def kept(model: DreamGenerator, found: AttributeModel, tmp_path: Path) -> Path:
    model.save(tmp_path / "model")
    model.fitted().origin["data"]["size"] = 16
    model.save(tmp_path / "model")
    keep_attributes(tmp_path / "model", found)
    return tmp_path / "model"


def test_attributes_that_all_or_none_have_are_refused(model: DreamGenerator, bars: Dataset) -> None:
    assert bars.rows.attributes is not None
    same = replace(bars, rows=replace(bars.rows, attributes=np.ones_like(bars.rows.attributes)))
    with pytest.raises(DataError, match="some examples have and others have not"):
        find_attributes(model, same)


def test_a_shipped_model_is_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    error = CliRunner().invoke(cli, ["attributes", "mnist", "no-such-data"]).exception
    assert "mnist ships with the package" in str(error)
    assert not list(tmp_path.iterdir())


def test_probes_tell_what_was_drawn(found: AttributeModel, bars: Dataset) -> None:
    assert (found.rows, found.held_out) == (360, 40)
    assert all(area is not None and area > 0.97 for area in found.auc.values())
    assert bars.train.attributes is not None
    assert found.share["Blue"] == pytest.approx(float(bars.train.attributes[:, 2].mean()))


@pytest.mark.parametrize("column", range(3))
def test_an_edit_changes_what_it_says_and_little_else(
    model: DreamGenerator, found: AttributeModel, bars: Dataset, column: int
) -> None:
    z = model.transform(bars.test.x)
    before = measured(model.inverse_transform(z))
    signs = np.where(before[:, column] > 0, -2.0, 2.0)[:, None]
    after = measured(model.inverse_transform(z + signs * found.directions.steps[column]))
    assert ((before > 0) != (after > 0))[:, column].mean() >= 0.9
    change = np.abs(after - before).mean(0)
    assert change[column] > 1
    assert np.delete(change, column).max() <= 0.3 * change[column]


def test_a_difference_of_means_drags_along_what_goes_with_it(model: DreamGenerator, bars: Dataset) -> None:
    z = model.transform(bars.test.x)
    loose = find_attributes(model, bars, apart=1e9).directions
    change = measured(model.inverse_transform(z + 2 * loose.steps[0])) - measured(model.inverse_transform(z))
    assert change.mean(0)[1] > 0.4 * change.mean(0)[0]


def test_a_film_begins_with_the_reconstruction(model: DreamGenerator, found: AttributeModel, bars: Dataset) -> None:
    film = found.edit(model, bars.test.x[0], {"Red": 2, "Blue": -1}, steps=3)
    assert film.shape == (4, 16, 16, 3)
    assert film[0] == pytest.approx(model.reconstruct(bars.test.x[:1])[0], abs=1e-5)
    (last,) = found.edit(model, bars.test.x[0], {"Red": 2, "Blue": -1})[1:]
    assert film[3] == pytest.approx(last, abs=1e-5)
    with pytest.raises(SettingsError, match="steps: expected 1 or more"):
        found.edit(model, bars.test.x[0], {"Red": 2}, steps=0)


def test_classes_count_as_attributes(trained: DreamGenerator, digits: Dataset) -> None:
    found = find_attributes(trained, digits)
    assert found.names == tuple("0123456789")
    assert sum(found.share.values()) == pytest.approx(1)
    assert (found.auc["0"] or 0) > 0.95
    bare = Dataset("bare", digits.rows[:30], np.zeros(30, bool))
    with pytest.raises(DataError, match="bare has no attributes and no labels"):
        attributes_of(type(digits.rows)(digits.rows.x), bare)


def test_a_conditional_model_is_refused(bars: Dataset) -> None:
    told = {"Red": bars.train.attributes[:60, 0]}  # type: ignore[index]
    model = DreamGenerator(2, 8, context=["Red"], batch_size=20, epochs=1, random_state=0)
    model.fit(bars.train.x[:60], attributes=told)
    with pytest.raises(SettingsError, match="the model is told 'Red'"):
        find_attributes(model, bars)


# Files


def test_attributes_are_kept_beside_the_model(kept: Path, found: AttributeModel) -> None:
    again = attributes_in(DreamGenerator.load(kept).fitted())
    assert again.names == NAMES
    assert again.directions.steps == pytest.approx(found.directions.steps, rel=1e-6)
    assert (again.auc, again.share, again.rows) == (found.auc, found.share, found.rows)
    assert len(DreamGenerator.load(kept).dream(2, seed=0)) == 2


def test_attributes_that_are_absent_damaged_or_anothers_are_refused(
    kept: Path, found: AttributeModel, trained: DreamGenerator
) -> None:
    with pytest.raises(SettingsError, match="RUN has no attributes: `dreamgen attributes MODEL DATA`"):
        attributes_in(trained.fitted(), "RUN")
    saved = DreamGenerator.load(kept).fitted()
    facts = json.loads(saved.more["attributes.json"])
    for change in ({"names": ["a", "b"]}, {"names": 3}, {"auc": [0.5]}, {"share": None}, {"rows": "many"}):
        saved.more["attributes.json"] = json.dumps(facts | change).encode()
        with pytest.raises(ModelFileError, match=r"attributes\.json"):
            attributes_in(saved)
    saved.more = AttributeModel(Directions(NAMES, *(np.zeros(s) for s in ((3, 5), (3, 5), (3,))))).files()
    with pytest.raises(ModelFileError, match=r"steps: expected shape \(3, 8\)"):
        attributes_in(saved)


# Commands


def run(*words: Any) -> tuple[int, str]:
    runner = CliRunner()

    def call() -> None:
        main([str(word) for word in words])

    import click

    result = runner.invoke(click.Command("x", callback=call), [])
    return result.exit_code, result.output


def test_the_commands_find_and_edit(
    kept: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    plain = tmp_path / "plain"
    shutil.copytree(kept, plain)
    code, out = run("attributes", plain, folder, "--out", tmp_path / "new" / "a.json", "--json")
    assert code == 0, out
    assert set(json.loads((tmp_path / "new" / "a.json").read_text())["auc"]) == set(NAMES)
    photo = tmp_path / "photo.png"
    Image.fromarray(drawn([1, 0, 0])).save(photo)
    code, out = run("edit", plain, photo, "--more", "Red=-2", "-n", 2, "--out", tmp_path / "e.npz", "--json")
    assert code == 0, out
    assert "is 89 wide and 109 high: its middle 74 by 74 are brought to 16 by 16" in out
    before, after = json.loads(out.splitlines()[-1])["reads"]["Red"]
    assert after == pytest.approx(before - 2, abs=1e-4)
    redness = measured(np.load(tmp_path / "e.npz")["x"])[:, 0]
    assert redness[0] > 0 > redness[2]
    code, out = run(
        "edit", plain, f"{folder}:3", "--more", "Green=1", "--more", "Blue=2", "--out", tmp_path / "e.png"
    )
    assert code == 0, out
    with Image.open(tmp_path / "e.png") as sheet:
        assert sheet.size == (3 * 66 + 2, 68)


def test_codes_are_coloured_by_an_attribute(
    kept: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    code, out = run("project", kept, folder, "--colour", "Blue", "--split", "all", "--out", tmp_path / "p.npz")
    assert code == 0, out
    rows = load_data(folder, size=16).rows
    assert rows.attributes is not None
    arrays = np.load(tmp_path / "p.npz")
    assert (arrays["labels"] == rows.attributes[:, 2]).all()
    assert arrays["points"].shape == (400, 2)
    code, out = run("project", kept, folder, "--colour", "Blew")
    assert code == 2
    assert "Blue" in out


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["--more", "Red"], 2, "expected NAME=AMOUNT, such as Smiling=2"),
        (["--more", "Red=much"], 2, "expected NAME=AMOUNT"),
        (["--more", "Rad=1"], 2, "no attribute 'Rad'"),
        (["--more", "Red=inf"], 2, "Red: expected a number"),
    ],
)
def test_edits_that_make_no_sense_are_refused(kept: Path, words: list[str], code: int, message: str) -> None:
    found, out = run("edit", kept, "dream:1", *words)
    assert found == code
    assert message in out


def test_attributes_that_are_numbers_are_told_and_left_out(model: DreamGenerator, bars: Dataset) -> None:
    assert bars.rows.attributes is not None
    mixed = bars.rows.attributes.copy()
    mixed[:, 0] += np.random.default_rng(0).normal(size=len(mixed))
    some = replace(bars, rows=replace(bars.rows, attributes=mixed))
    with pytest.warns(UserWarning, match=f"{NAMES[0]} left out: numbers, not 0 or 1"):
        assert find_attributes(model, some).directions.names == tuple(NAMES[1:])
    none = replace(bars, rows=replace(bars.rows, attributes=mixed + 0.5))
    with pytest.raises(DataError, match="expected attributes that are 0 or 1"):
        find_attributes(model, none)
