"""Dreams of which the best are kept: nearer to the data, each a function of its seed and number."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from dreamgen import DreamGenerator
from dreamgen.applications.molecules.dreamer import MoleculeDreamer
from dreamgen.chemistry.smiles import canonical
from dreamgen.errors import SettingsError
from dreamgen.export.whitelist import hand_over

Light = np.ndarray[tuple[int], np.dtype[np.float64]]


@pytest.fixture(scope="module")
def light() -> Light:
    """Mostly dark."""
    brightness: Light = np.random.default_rng(0).random(800) ** 3
    return brightness


@pytest.fixture(scope="module")
def generator(light: Light) -> DreamGenerator:
    """Small pictures, of a model whose codes do not fill its prior."""
    noise = 0.02 * np.random.default_rng(1).standard_normal((800, 9))
    x = np.clip(light[:, None] + noise, 0, 1).reshape(-1, 3, 3)
    likelihood = {"kind": "gaussian", "scale": 0.1}
    settings = {"latent_dim": 1, "hidden_dim": 32, "batch_size": 40, "learning_rate": 1e-2, "epochs": 20}
    return DreamGenerator(**settings, likelihood=likelihood, beta=0.2, random_state=0).fit(x)


def test_picked_dreams_are_nearer_to_the_data(generator: DreamGenerator, light: Light) -> None:
    away = [
        wasserstein_distance(light, generator.dream(400, seed=1, picked=picked).mean((1, 2))) for picked in (1, 4, 16)
    ]
    assert away[2] < 0.8 * away[1] < 0.7 * away[0], away


def test_a_dream_is_a_function_of_its_seed_and_number(generator: DreamGenerator) -> None:
    many = generator.dream(300, seed=3, picked=4)
    np.testing.assert_array_equal(generator.dream(5, seed=3, picked=4), many[:5])
    again = DreamGenerator.of(generator.fitted(), "cpu")  # which fits a critic of its own
    np.testing.assert_array_equal(again.dream(5, seed=3, picked=4), many[:5])
    assert (generator.dream(5, seed=4, picked=4) != many[:5]).any()
    np.testing.assert_array_equal(generator.dream(5, seed=3, picked=1), generator.dream(5, seed=3))


def test_the_settings_say_how_many_and_copies_are_looked_for_among_such_dreams(generator: DreamGenerator) -> None:
    saved = generator.fitted()
    choosy = DreamGenerator.of(replace(saved, settings=saved.settings.replace(picked=4)), "cpu")
    np.testing.assert_array_equal(choosy.dream(6, seed=1), generator.dream(6, seed=1, picked=4))
    np.testing.assert_array_equal(choosy.dream(6, seed=1, picked=1), generator.dream(6, seed=1))
    np.testing.assert_array_equal(choosy.dream(6, seed=1, mixture=2), generator.dream(6, seed=1, mixture=2, picked=4))
    from_choosy, plain = (
        one._dreams_like(one.rows(np.zeros((2, 3, 3), np.float32)), 0, drawn=False) for one in (choosy, generator)
    )
    assert from_choosy.shape == plain.shape
    assert (from_choosy != plain).any()


def test_a_conditional_model_compares_what_was_told_the_same(light: Light) -> None:
    x = np.repeat(light, 9).reshape(-1, 3, 3)
    settings = {
        "latent_dim": 2,
        "hidden_dim": 32,
        "batch_size": 40,
        "learning_rate": 1e-2,
        "epochs": 15,
        "beta": 0.02,
    }
    made = DreamGenerator(**settings, context="labels", random_state=0).fit(x, (light > 0.3).astype(int))
    for label in (0, 1):
        real = light[(light > 0.3) == label]
        plain, picked = (
            wasserstein_distance(real, made.dream(300, given={"label": label}, seed=1, picked=k).mean((1, 2)))
            for k in (1, 8)
        )
        assert picked < max(0.7 * plain, 0.02), (label, plain, picked)
    assert made.styles(2, seed=0).shape == (2, 2, 3, 3)


def test_what_cannot_be_read_again_is_kept_only_where_there_is_nothing_else(molecules: list[str]) -> None:
    generator = DreamGenerator(
        language="smiles",
        encoder={"kind": "recurrent", "units": 24},
        likelihood={"kind": "recurrent", "units": 48},
        hidden_dim=[],
        latent_dim=8,
        beta=0.05,
        batch_size=16,
        learning_rate=1e-2,
        epochs=6,
        random_state=0,
    )
    dreamer = MoleculeDreamer(generator).fit(molecules, [])
    shares = [
        np.mean([canonical(line) is not None for line in generator.dream(150, seed=1, sample=True, picked=picked)])
        for picked in (1, 8)
    ]
    assert shares[0] < 0.9
    assert shares[1] > 0.97
    assert all(canonical(line) for line in dreamer.dream(5, seed=1, unique=True))


def test_without_codes_to_compare_with_nothing_is_picked(generator: DreamGenerator, tmp_path: Path) -> None:
    saved = generator.fitted()
    bare = DreamGenerator.of(replace(saved, codes={}), "cpu")
    with pytest.raises(SettingsError, match="picked: expected 100 kept codes to compare dreams with, got 0"):
        bare.dream(2, picked=2)
    few = {name: codes[:99] for name, codes in saved.codes.items()}
    choosy = DreamGenerator.of(replace(saved, codes=few, settings=saved.settings.replace(picked=4)), "cpu")
    np.testing.assert_array_equal(choosy.dream(2, seed=1), generator.dream(2, seed=1))
    with pytest.raises(SettingsError, match="picked: expected 1 or more"):
        generator.dream(2, picked=0)
    with pytest.raises(SettingsError, match="picked: expected 1, got 4: without an encoder no codes"):
        DreamGenerator(encoder="absent", posterior="absent", picked=4, epochs=1, batch_size=10).fit(
            np.zeros((30, 2, 2))
        )


def test_what_needs_its_codes_to_dream_does_not_leave_as_it_is(generator: DreamGenerator) -> None:
    saved = generator.fitted()
    choosy = replace(saved, settings=saved.settings.replace(picked=4))
    with pytest.raises(SettingsError, match="picks one of 4 dreams by codes of training rows, which stay"):
        hand_over(choosy)
    left = hand_over(choosy, from_prior=True).saved
    assert left.settings.picked == left.settings.search == 1
