"""Dreams of which the best are kept: nearer to the data, each a function of its seed and number."""

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import wasserstein_distance

from dreamgen import DreamGenerator
from dreamgen.applications.molecules.dreamer import MoleculeDreamer
from dreamgen.chemistry.smiles import canonical
from dreamgen.dreaming.real_or_dreamt import _Classifier
from dreamgen.errors import SettingsError
from dreamgen.evaluation.aggregated import fit_codes
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
    compared = choosy._dreams_like(choosy.rows(np.zeros((2, 3, 3), np.float32)), 0, drawn=False)
    np.testing.assert_array_equal(compared, generator.dream(len(compared), seed=0, picked=4))


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


def test_without_codes_to_compare_with_nothing_is_picked(generator: DreamGenerator) -> None:
    saved = generator.fitted()
    bare = DreamGenerator.of(replace(saved, codes={}), "cpu")
    with pytest.raises(SettingsError, match="picked: expected 100 kept codes or more to compare dreams with, got 0"):
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
    assert left.settings.picked == 1


@pytest.mark.parametrize(("real", "dreamt"), [(3000, 3000), (10_000, 1500)])
def test_odds_are_the_ratio_of_densities(real: int, dreamt: int) -> None:
    random = np.random.default_rng(0)
    middle = np.array([0.8, -0.5, 0, 0, 0, 0])
    a, b = middle + random.standard_normal((real, 6)), random.standard_normal((dreamt, 6))
    x = random.standard_normal((2000, 6)) + random.integers(0, 2, (2000, 1)) * middle
    true = x @ middle - middle @ middle / 2
    found = _Classifier(100 * a, 100 * b).log_odds(100 * x)  # whatever their unit
    slope, offset = np.polyfit(true, found, 1)
    assert np.corrcoef(true, found)[0, 1] > 0.95
    assert slope == pytest.approx(1, abs=0.15)
    assert offset == pytest.approx(0, abs=0.15)


def test_odds_of_what_never_happens_stay_finite() -> None:
    random = np.random.default_rng(0)
    classifier = _Classifier(random.standard_normal((500, 3)) + 50, random.standard_normal((500, 3)) - 50)
    assert np.isfinite(classifier.log_odds(np.array([[1e6, 1e6, 1e6], [-1e6, -1e6, -1e6], [0, 0, 0]]))).all()


def test_a_mixture_is_fitted_once_for_the_dreams_and_once_for_what_judges_them(
    generator: DreamGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[int] = []

    def counted(*given: Any) -> Any:
        fitted.append(given[2])
        return fit_codes(*given)

    monkeypatch.setattr("dreamgen.dreaming.codes.fit_codes", counted)
    fresh = DreamGenerator.of(generator.fitted(), "cpu")
    seen: list[tuple[int, int]] = []
    fresh.dream(10, seed=0, mixture=3, picked=5, watch=lambda done, all_: seen.append((done, all_)))
    assert fitted == [3, 3]
    assert seen == [(10 * attempt, 50) for attempt in range(1, 6)]
    fresh.dream(10, seed=1, mixture=3, picked=5)
    assert fitted == [3, 3, 3]


def test_what_is_wanted_is_met_by_picked_dreams_too(generator: DreamGenerator, light: Light) -> None:
    x = np.repeat(light, 9).reshape(-1, 3, 3)
    settings = {"latent_dim": 2, "hidden_dim": 32, "batch_size": 40, "learning_rate": 1e-2, "epochs": 20}
    made = DreamGenerator(**settings, properties=["light"], picked=4, random_state=0).fit(
        x, attributes={"light": 100 * light}
    )
    for wanted in (20, 70):
        assert 100 * made.dream(40, given={"light": wanted}, seed=1).mean() == pytest.approx(wanted, abs=6)
    fewer = pickle.loads(pickle.dumps(made)).dream(3, given={"light": 20}, seed=1)
    np.testing.assert_array_equal(fewer, made.dream(40, given={"light": 20}, seed=1)[:3])
