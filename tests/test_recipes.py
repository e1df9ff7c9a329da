"""One contract over every recipe: a new recipe costs no new test."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dreamgen import RECIPES, VAE, Batch, DreamGenerator, Settings, build_model
from dreamgen.config import Part
from dreamgen.data import Dataset
from dreamgen.data.batch import as_float
from dreamgen.data.columns import ColumnShape
from dreamgen.data.meaning import Meaning
from dreamgen.data.vocabulary import Vocabulary
from dreamgen.distributions import Delta, StepNoise
from dreamgen.errors import SettingsError
from dreamgen.evaluation import encode_rows, score_rows
from dreamgen.io import SavedModel, load_model, save_model
from dreamgen.objectives import build_objective
from dreamgen.recipes import find_settings
from dreamgen.training.fit import fit_model
from told import DREAMERS, LINES, PICTURES, READERS, context_of, fit_arguments, given_of, read_of, told

B, SHAPE = 6, (8, 8)
PLACES, WRITTEN = 9, Vocabulary("characters", tuple("abcdef"))  # of lines
SYMBOLS = WRITTEN.size

OF_PICTURES = ("conv", "residual")

every_recipe = pytest.mark.parametrize("name", RECIPES)
every_dreamer = pytest.mark.parametrize("name", DREAMERS)

COLUMNS = (
    ColumnShape(levels=4),
    ColumnShape(levels=2),
    ColumnShape(atoms=(0.0,)),
    ColumnShape(step=0.5),
    ColumnShape(levels=4),
    ColumnShape(),
)


def of_table(name: str) -> bool:
    return RECIPES[name].settings.likelihood == "columns"


def shape_of(name: str) -> tuple[int, ...]:
    return (len(COLUMNS),) if of_table(name) else (PLACES,) if name in LINES else SHAPE


def meaning_of(name: str, settings: Settings) -> Meaning:
    columns, vocabulary = COLUMNS if of_table(name) else (), WRITTEN if name in LINES else None
    return Meaning(shape_of(name), context_of(settings), read_of(settings), columns, vocabulary)


def build(name: str, settings: Settings) -> VAE:
    return build_model(settings, meaning_of(name, settings), 0)


def rows(name: str, digits: Dataset, n: int = B) -> Batch:
    """Pictures, lines, or rows of a table with gaps whose columns have to do with each other."""
    if name in LINES:
        tokens = (StepNoise("tokens").uniform((1, n, PLACES))[0] * SYMBOLS).floor()
        read = read_of(RECIPES[name].settings)
        known = None if read is None else tokens[:, :1].expand(n, read.width) / SYMBOLS
        return Batch(torch.cat([tokens[:, :-1], torch.zeros(n, 1)], dim=1), properties=known)
    if not of_table(name):
        pictures = as_float(torch.from_numpy(digits.train.x[:n].copy()))
        return Batch(pictures, context=told(RECIPES[name].settings, n))
    noise = StepNoise("rows")
    cause = noise.normal((1, n, 1))[0]
    numbers = cause + 0.3 * noise.normal((1, n, len(COLUMNS)))[0]
    x = torch.stack(
        [
            (numbers[:, j] + 1.5).round().clamp(0, column.levels - 1)
            if column.levels
            else numbers[:, j].clamp(min=0)
            if column.atoms
            else (2 * numbers[:, j]).round() / 2
            if column.step
            else numbers[:, j]
            for j, column in enumerate(COLUMNS)
        ],
        dim=1,
    )
    mask = noise.uniform((1, n, len(COLUMNS)))[0] < 0.8
    return Batch(torch.where(mask, x, 0.0), mask)


def small(name: str) -> Settings:
    """The recipe with a network that fits a test."""
    settings = RECIPES[name].settings
    return settings.replace(
        hidden_dim=16,
        likelihood=thin(settings.likelihood),
        latent_dim=3,
        epochs=2,
        batch_size=32,
        precision="float32",
        encoder=thin(settings.encoder),
        decoder=thin(settings.decoder),
    )


def thin(part: Part) -> Part:
    """A network whose width `hidden_dim` does not set, made small."""
    named = part if isinstance(part, dict) else {"kind": part}
    if named["kind"] in OF_PICTURES:
        return {**named, "channels": [24, 32]}
    return {**named, "units": 12} if named["kind"] == "recurrent" else part


def binary(x: torch.Tensor) -> torch.Tensor:
    return (x > 0.5).float()


@every_dreamer
def test_shapes_and_signs(name: str, digits: Dataset) -> None:
    settings, shape = small(name), shape_of(name)
    model, objective = build(name, settings), build_objective(settings)
    batch = rows(name, digits)
    trace = model.infer(batch, StepNoise(0), samples=4)
    assert trace.latents[0].z.shape == (4, B, 3)
    assert trace.p.log_prob(batch.x).shape == (4, B, *shape)
    if model.decoder.likelihood.has_mean:
        assert trace.p.mean.shape == (4, B, *shape)
    for term in (trace.distortion, trace.rate, trace.elbo):
        assert term.shape == (B,)
    assert (trace.rate >= 0).all()
    terms = objective(trace, 0, 10)
    assert terms.loss.shape == (B,)
    assert torch.isfinite(terms.loss).all()


@pytest.mark.parametrize("name", READERS)
def test_every_parameter_gets_a_gradient(name: str, digits: Dataset) -> None:
    settings = small(name)
    model, objective = build(name, settings), build_objective(settings)
    # At the end of the run, where every schedule has arrived.
    objective(model.infer(rows(name, digits), StepNoise(0), objective.samples), 10, 10).loss.mean().backward()
    for parameter_name, parameter in model.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("name", list(filter(of_table, RECIPES)))
def test_training_on_a_table_lowers_the_loss_and_a_saved_model_is_the_same(
    name: str, digits: Dataset, tmp_path: Path
) -> None:
    data = rows(name, digits, 400)
    settings = small(name).replace(epochs=6)
    saved = fit_model(settings, data, None, meaning_of(name, settings), seed=3, device=torch.device("cpu"))
    losses = [record["distortion"] for record in saved.history]
    assert losses[-1] < losses[0]
    save_model(tmp_path, saved)
    again = load_model(tmp_path)
    assert again.columns == COLUMNS
    assert torch.equal(encode_rows(again.model, data).mean, encode_rows(saved.model, data).mean)
    scores = [score_rows(model.model, data, samples=5).log_likelihood for model in (saved, again)]
    assert torch.equal(*scores)


@pytest.mark.parametrize("name", PICTURES)
def test_training_lowers_the_loss_and_a_saved_model_is_the_same(name: str, digits: Dataset, tmp_path: Path) -> None:
    settings = small(name).replace(epochs=4)
    generator = DreamGenerator.from_settings(settings, random_state=3)
    generator.fit(digits.train.x[:400], **fit_arguments(settings, 400))
    losses = [record["distortion"] for record in generator.history]
    assert losses[-1] < losses[0]
    generator.save(tmp_path / "model")
    again = DreamGenerator.load(tmp_path / "model")
    for sample in {True, not generator.saved_.model.decoder.likelihood.has_mean}:
        dreams = again.dream(5, seed=1, sample=sample)
        np.testing.assert_array_equal(dreams, generator.dream(5, seed=1, sample=sample))
    given = given_of(settings, len(digits.test))
    np.testing.assert_array_equal(again.transform(digits.test.x, given), generator.transform(digits.test.x, given))
    assert again.get_params() == {**generator.get_params(), "epochs": 4}


@pytest.mark.parametrize("name", LINES)
def test_training_on_lines_lowers_the_loss_and_a_saved_model_is_the_same(name: str, tmp_path: Path) -> None:
    settings = small(name).replace(epochs=6, language="characters", mixture=2)
    lines = [f"{word} {number}" for number in range(30) for word in ("CCO", "c1ccccc1", "CC(=O)N")]
    read = (
        {}
        if settings.properties == "none"
        else {p: [float(len(line)) for line in lines] for p in settings.properties}
    )
    generator = DreamGenerator.from_settings(settings, random_state=3).fit(lines, attributes=read)
    losses = [record["distortion"] for record in generator.history]
    assert losses[-1] < losses[0]
    generator.save(tmp_path / "model")
    again = DreamGenerator.load(tmp_path / "model")
    for sample in (True, False):
        dreams = again.dream(5, seed=1, sample=sample)
        assert dreams.dtype.kind == "U"
        np.testing.assert_array_equal(dreams, generator.dream(5, seed=1, sample=sample))
    np.testing.assert_array_equal(again.transform(lines[:9]), generator.transform(lines[:9]))


@every_recipe
def test_the_settings_survive_toml(name: str, tmp_path: Path) -> None:
    settings = RECIPES[name].settings
    (tmp_path / "recipe.toml").write_text(settings.to_toml())
    assert find_settings(str(tmp_path / "recipe.toml")) == settings


@pytest.mark.parametrize("name", [n for n in PICTURES if RECIPES[n].settings.posterior not in ("point", "absent")])
def test_evaluation_never_sees_beta(name: str, digits: Dataset) -> None:
    settings = small(name).replace(objective="elbo")
    x = binary(as_float(torch.from_numpy(digits.test.x[:50].copy())))
    model, meaning = build(name, settings), meaning_of(name, settings)
    heavy = DreamGenerator.from_settings(settings.replace(beta=100.0), random_state=0)
    light = DreamGenerator.from_settings(settings.replace(beta=0.01), random_state=0)
    heavy.saved_ = SavedModel(model, settings.replace(beta=100.0), meaning)
    light.saved_ = SavedModel(model, settings.replace(beta=0.01), meaning)
    given = given_of(settings, 50)
    report = heavy.evaluate(x, given=given, samples=3)
    assert report == light.evaluate(x, given=given, samples=3)
    assert report["elbo"] == pytest.approx(-(report["distortion"] + report["rate"]), abs=1e-3)
    assert report["nll"] <= -report["elbo"] + 0.02  # the elbo's rate is exact, the nll's is of three samples


def test_a_point_has_no_rate_no_bound_and_no_likelihood(digits: Dataset) -> None:
    generator = DreamGenerator.from_settings(small("autoencoder"), random_state=0).fit(digits.train.x[:100])
    assert isinstance(generator.encode(digits.test.x), Delta)
    report = generator.evaluate(digits.test.x, binarise=True)
    assert report["nll"] is None
    assert report["elbo"] is None
    assert "point" in report["nll_reason"]


def test_densities_integrate_to_one() -> None:
    # The Gaussian likelihood over a line, the Bernoulli over its two values; grey values are only a score.
    grid = torch.linspace(-30, 30, 60_001)
    gaussian = build_model(Settings(likelihood={"kind": "gaussian", "scale": 0.7}), (1,), seed=0).decoder.likelihood
    density = gaussian(torch.tensor([0.3])).log_prob(grid.unsqueeze(1)).exp().squeeze()
    assert torch.trapezoid(density, grid).item() == pytest.approx(1, abs=1e-4)
    bernoulli = build_model(Settings(), (1,), seed=0).decoder.likelihood
    p = bernoulli(torch.tensor([1.3]))
    assert p.log_prob(torch.tensor([[0.0], [1.0]])).exp().sum().item() == pytest.approx(1, abs=1e-6)
    grey = torch.linspace(0, 1, 10_001).unsqueeze(1)
    assert abs(torch.trapezoid(p.log_prob(grey).exp().squeeze(), grey.squeeze()).item() - 1) > 0.1


def test_every_recipe_says_what_it_is_and_what_was_measured() -> None:
    for name, recipe in RECIPES.items():
        assert recipe.about, name
        assert any(letter.isdigit() for letter in recipe.measured), name
        assert not recipe.paper or "https://" in recipe.paper, name


def test_an_unknown_recipe_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="mnist-2d"):
        find_settings("mnist2d")


def test_the_recipe_named_like_the_data_is_the_default() -> None:
    assert find_settings(None, "mnist") == RECIPES["mnist"].settings
    assert find_settings(None, "anything.npz") == RECIPES["default"].settings
