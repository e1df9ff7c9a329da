"""DreamGenerator: scikit-learn's manners, and verbs of its own."""

import doctest
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch.distributions import Distribution

import dreamgen.generator
from dreamgen import DreamGenerator, load_data
from dreamgen.data import Dataset
from dreamgen.errors import DataError, SettingsError
from dreamgen.walks import largest_step


def test_the_docstring_runs() -> None:
    assert doctest.testmod(dreamgen.generator).failed == 0


def test_parameters_are_kept_as_given_and_clones_are_equal() -> None:
    generator = DreamGenerator(latent_dim=7, beta={"kind": "linear", "steps": 10}, random_state=3)
    copy = clone(generator)
    assert copy is not generator
    assert copy.get_params() == generator.get_params()
    assert copy.set_params(latent_dim=9).latent_dim == 9
    with pytest.raises(ValueError, match="latent_dims"):
        copy.set_params(latent_dims=2)


def test_it_can_be_searched(digits: Dataset) -> None:
    generator = DreamGenerator(hidden_dim=32, batch_size=32, epochs=40, random_state=0)
    search = GridSearchCV(generator, {"latent_dim": np.array([1, 6])}, cv=2).fit(digits.train.x[:300])
    assert search.best_params_["latent_dim"] == 6
    assert repr(DreamGenerator(latent_dim=7)) == "DreamGenerator(latent_dim=7)"


def test_it_works_in_a_pipeline(digits: Dataset) -> None:
    generator = DreamGenerator(latent_dim=8, hidden_dim=64, batch_size=64, epochs=20, random_state=0)
    pipeline = make_pipeline(generator, LogisticRegression(max_iter=2000))
    flat = digits.train.x.reshape(len(digits.train), -1)
    pipeline.fit(flat, digits.train.labels)
    accuracy = pipeline.score(digits.test.x.reshape(len(digits.test), -1), digits.test.labels)
    assert accuracy > 0.8  # ten classes; chance is 0.1


def test_fitting_twice_with_a_seed_is_the_same_and_without_one_is_not(digits: Dataset) -> None:
    def dreams(random_state: int | None) -> np.ndarray:
        generator = DreamGenerator(latent_dim=2, hidden_dim=8, batch_size=64, epochs=1, random_state=random_state)
        return generator.fit(digits.train.x[:200]).dream(3, seed=0)

    np.testing.assert_array_equal(dreams(1), dreams(1))
    assert not np.array_equal(dreams(None), dreams(None))


def test_before_fitting_it_says_so() -> None:
    with pytest.raises(NotFittedError):
        DreamGenerator().dream(1)


def test_shapes_of_everything(trained: DreamGenerator, digits: Dataset) -> None:
    x = digits.test.x[:9]
    assert trained.dream(5, seed=0).shape == (5, 8, 8)
    assert trained.reconstruct(x).shape == (9, 8, 8)
    assert trained.transform(x).shape == (9, 6)
    assert trained.inverse_transform(trained.transform(x)).shape == (9, 8, 8)
    assert trained.morph(x[0], x[1], 7).shape == (7, 8, 8)
    assert trained.map(5).shape == (5, 5, 8, 8)
    assert trained.traverse(steps=4).shape == (6, 4, 8, 8)
    assert trained.traverse(x[0], latents=[2, 0], steps=4).shape == (2, 4, 8, 8)
    assert trained.score_samples(x).shape == (9,)
    for distribution, shape in ((trained.encode(x), (9, 6)), (trained.decode(np.zeros((4, 6))), (4, 8, 8))):
        assert isinstance(distribution, Distribution)
        assert distribution.batch_shape == shape
    assert len(trained.history) == 25


def test_flat_rows_bytes_and_tensors_are_the_same_examples(trained: DreamGenerator, digits: Dataset) -> None:
    x = np.rint(digits.test.x[:9] * 255).astype(np.uint8)
    expected = trained.transform((x / 255).astype(np.float32))
    for same in (x, x.reshape(9, 64), torch.from_numpy(x), (x / 255).tolist(), x / 255):
        np.testing.assert_allclose(trained.transform(same), expected, atol=1e-5)


def test_a_dream_is_a_function_of_its_seed_and_number(trained: DreamGenerator) -> None:
    dreams = trained.dream(10, seed=4)
    np.testing.assert_array_equal(dreams, trained.dream(10, seed=4))
    np.testing.assert_allclose(trained.dream(3, seed=4), dreams[:3], atol=1e-6)
    assert not np.array_equal(dreams, trained.dream(10, seed=5))
    assert not np.array_equal(trained.dream(4), trained.dream(4))
    drawn = trained.dream(10, seed=4, sample=True)
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert np.array_equal(drawn, trained.dream(10, seed=4, sample=True))


def test_dreams_are_like_digits_and_unlike_noise(trained: DreamGenerator, digits: Dataset) -> None:
    dreams = trained.score_samples(trained.dream(100, seed=0)).mean()
    noise = trained.score_samples(np.random.default_rng(0).random((100, 8, 8))).mean()
    real = trained.score_samples(digits.test.x).mean()
    assert noise < real - 10
    assert dreams > real - 10


def test_a_reconstruction_is_nearer_to_its_original_than_the_mean_is(
    trained: DreamGenerator, digits: Dataset
) -> None:
    x = digits.test.x
    error = np.square(trained.reconstruct(x) - x).mean()
    assert error < 0.6 * np.square(x - digits.train.x.mean(0)).mean()


@pytest.mark.parametrize("path", ["linear", "spherical"])
def test_a_morph_goes_from_one_to_the_other_without_a_jump(
    path: str, trained: DreamGenerator, digits: Dataset
) -> None:
    for a, b in ((0, 1), (2, 9), (5, 5)):
        film = trained.morph(digits.test.x[a], digits.test.x[b], 9, path=path)
        ends = trained.reconstruct(digits.test.x[[a, b]])
        np.testing.assert_allclose(film[[0, -1]], ends, atol=1e-3)
        assert largest_step(torch.from_numpy(film)) <= 2


def test_worlds_that_cannot_be_shown_are_refused(trained: DreamGenerator) -> None:
    for span in (math.nan, math.inf, 0.0):
        with pytest.raises(SettingsError, match="span"):
            trained.traverse(span=span)
    for steps in (-1, 1):
        with pytest.raises(SettingsError, match="steps: expected 2 or more"):
            trained.traverse(steps=steps)
    for plane in ([], [1, 1], [0, 1, 2]):
        with pytest.raises(SettingsError, match="plane: expected two different latents"):
            trained.map(4, plane=plane)


def test_a_map_is_the_decoder_on_its_plane(trained: DreamGenerator) -> None:
    grid = trained.map(3, plane=[4, 1])
    corner = np.zeros((1, 6))
    corner[0, 4], corner[0, 1] = -3, 3  # left, top
    np.testing.assert_allclose(grid[0, 0], trained.inverse_transform(corner)[0], atol=1e-6)
    np.testing.assert_allclose(grid[1, 1], trained.inverse_transform(np.zeros((1, 6)))[0], atol=1e-6)


def test_latents_are_ordered_by_what_they_carry(trained: DreamGenerator) -> None:
    rates = trained.saved_.card["rate_per_unit"]
    ordered = [rates[latent] for latent in trained.latent_order]
    assert ordered == sorted(rates, reverse=True)
    assert set(trained.main_plane) == set(trained.latent_order[:2])


def test_log_likelihood_binarises_grey_pixels_and_says_so(trained: DreamGenerator, digits: Dataset) -> None:
    with pytest.warns(UserWarning, match="drawn as 0 or 1"):
        grey = trained.log_likelihood(digits.test.x, samples=5)
    binary = (digits.test.x > 0.5).astype(np.float32)
    more = trained.log_likelihood(binary, samples=200)
    assert grey.shape == more.shape == (len(digits.test),)
    assert more.mean() > trained.log_likelihood(binary, samples=1).mean()


def test_labels_are_kept_for_colours_and_never_trained_on(trained: DreamGenerator, digits: Dataset) -> None:
    unlabelled = DreamGenerator(latent_dim=6, hidden_dim=64, batch_size=64, epochs=25, random_state=0)
    unlabelled.fit(digits.train.x)
    np.testing.assert_array_equal(unlabelled.dream(3, seed=0), trained.dream(3, seed=0))
    assert set(trained.saved_.codes["labels"].tolist()) == set(range(10))
    assert "labels" not in unlabelled.saved_.codes


def test_a_set_is_fitted_with_all_that_it_knows(digits: Dataset) -> None:
    knobs = {"hidden_dim": 8, "latent_dim": 2, "epochs": 1, "context": "labels", "random_state": 0}
    by_set = DreamGenerator(**knobs).fit_set(digits).saved_
    by_hand = DreamGenerator(**knobs).fit(digits.train.x, digits.train.labels, classes=digits.classes).saved_
    assert all(torch.equal(a, b) for a, b in zip(by_set.model.parameters(), by_hand.model.parameters(), strict=True))
    assert by_set.context == by_hand.context
    assert (by_set.data["name"], by_set.data["set_sha256"]) == (digits.name, digits.sha256)


def test_coloured_pictures_and_flat_tables_train_too() -> None:
    random = np.random.default_rng(0)
    colours = random.random((60, 5, 4, 3), dtype=np.float32)
    generator = DreamGenerator(latent_dim=2, hidden_dim=[16, 8], batch_size=16, epochs=1, random_state=0)
    assert generator.fit(colours).dream(2, seed=0).shape == (2, 5, 4, 3)
    rows = random.normal(size=(60, 7)) * 100
    gaussian = DreamGenerator(latent_dim=2, likelihood="gaussian", batch_size=16, epochs=1, random_state=0)
    assert gaussian.fit(rows).dream(2, seed=0).shape == (2, 7)


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (np.full((40, 3, 3), 2.0), r"values in \[0, 1\], got \[2, 2\]"),
        (np.full((40, 3, 3), np.nan), "NaN or infinity in 40 of 40 rows"),
        (np.zeros((0, 3, 3)), "at least one example"),
        (np.zeros(9), "one row an example"),
        (np.array([["a", "b"]]), "expected numbers"),
    ],
)
def test_bad_data_is_refused(x: np.ndarray, text: str) -> None:
    with pytest.raises(DataError, match=text):
        DreamGenerator(epochs=1).fit(x)


def test_rows_keep_the_order_of_the_file(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((50, 3, 3), dtype=np.float32)
    np.save(tmp_path / "x.npy", x)
    dataset = load_data(tmp_path / "x.npy")
    assert 0 < len(dataset.test) < 25
    np.testing.assert_array_equal(dataset.part("all").x, x)


def test_bad_questions_are_refused(trained: DreamGenerator, digits: Dataset) -> None:
    x = digits.test.x
    for call, error, text in (
        (lambda: trained.transform(x[:, :4]), DataError, r"rows of shape \(8, 8\), got \(4, 8\)"),
        (lambda: trained.transform(x * 9), DataError, "values in"),
        (lambda: trained.inverse_transform(np.zeros((2, 5))), DataError, r"shape \(n, 6\), got \(2, 5\)"),
        (lambda: trained.inverse_transform(np.full((2, 6), np.inf)), DataError, "NaN or infinity"),
        (lambda: trained.morph(x[0], x[:2]), DataError, "one example"),
        (lambda: trained.morph(x[0], x[1], path="round"), SettingsError, "linear"),
        (lambda: trained.morph(x[0], x[1], 1), SettingsError, "2 or more"),
        (lambda: trained.map(plane=[0, 6]), SettingsError, "expected 0 to 5"),
        (lambda: trained.map(by="size"), SettingsError, "quantile"),
        (lambda: trained.dream(0), SettingsError, "1 or more"),
        (lambda: DreamGenerator(latent_dim=0).fit(x), SettingsError, "latent_dim"),
        (lambda: DreamGenerator(device="abacus").fit(x), SettingsError, "device 'abacus'"),
        (lambda: DreamGenerator(epochs=1).fit(x, np.zeros(3)), DataError, "labels"),
    ):
        with pytest.raises(error, match=text):
            call()
