"""The measures of disentanglement, on codes whose true score is known."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from scipy.stats import norm
from sklearn.metrics import mutual_info_score
from torch.distributions import Normal

from dreamgen import DreamGenerator, load_data
from dreamgen.cli import main
from dreamgen.data.shapes import FACTORS
from dreamgen.errors import DataError
from dreamgen.evaluation.disentanglement import disentanglement, factor_score, importances, information
from dreamgen.evaluation.disentanglement.information import discrete

Floats = npt.NDArray[np.float64]


@pytest.fixture(scope="module")
def factors() -> Floats:
    """Three independent factors of eight values each, 8,000 rows, none rarer than another."""
    grid = np.stack(np.meshgrid(*[np.arange(8.0)] * 3, indexing="ij"), -1).reshape(-1, 3)
    return np.random.default_rng(0).permutation(np.concatenate([grid] * 16)[:8000])


def turned(factors: Floats) -> Floats:
    """The first two factors turned by 45 degrees into each other: either latent knows as much of both."""
    codes = factors.copy()
    codes[:, :2] = factors[:, :2] @ np.array([[1.0, -1.0], [1.0, 1.0]]) / np.sqrt(2)
    return codes


def noise(rows: int, units: int) -> Floats:
    return np.random.default_rng(1).normal(size=(rows, units))


def test_a_code_that_is_the_factors_is_perfect(factors: Floats) -> None:
    codes = factors[:, [2, 0, 1]] * [1.0, -3.0, 0.5]
    assert information(codes, factors).gap == pytest.approx(1, abs=1e-9)
    assert information(codes, factors, np.full_like(codes, 0.01)).gap == pytest.approx(1, abs=1e-3)
    forest = importances(codes, factors)
    assert forest.disentanglement == pytest.approx(1)
    assert forest.completeness == pytest.approx(1)
    assert forest.informativeness == 1
    assert factor_score(codes, factors) == 1


def test_more_latents_than_factors_change_nothing_if_they_are_silent(factors: Floats) -> None:
    codes = np.concatenate([factors, 0.001 * noise(len(factors), 4)], 1)
    scale = np.broadcast_to([0.05] * 3 + [1.0] * 4, codes.shape)
    found = information(codes, factors, scale)
    assert found.gap == pytest.approx(1, abs=0.01)
    assert found.mutual[3:].max() < 0.01
    assert factor_score(codes, factors) == 1


def test_a_code_turned_by_45_degrees_has_no_gap_where_it_is_turned(factors: Floats) -> None:
    codes = turned(factors)
    assert information(codes, factors, np.full_like(codes, 0.2)).gaps == pytest.approx([0, 0, 1], abs=0.03)
    forest = importances(codes, factors)
    assert forest.weights[:2, :2] == pytest.approx(np.full((2, 2), 0.5), abs=0.05)
    # Two latents serve two of three factors alike: 1 - log 2 / log 3 for them, and 1 for the third, of equal weight.
    assert forest.disentanglement == pytest.approx((2 * (1 - np.log(2) / np.log(3)) + 1) / 3, abs=0.03)
    assert forest.completeness == pytest.approx(forest.disentanglement, abs=0.03)
    # A third of the votes are for the third factor, all right; the others are tossed between two.
    assert factor_score(codes, factors, votes=3000) == pytest.approx(1 / 3 + 2 / 3 * 0.5, abs=0.05)


def test_a_code_that_says_everything_twice_is_disentangled_and_not_complete(factors: Floats) -> None:
    codes = np.concatenate([factors, factors + 1e-3 * noise(len(factors), 3)], 1)
    assert information(codes, factors).gap == pytest.approx(0, abs=1e-6)
    forest = importances(codes, factors)
    assert forest.disentanglement == pytest.approx(1, abs=1e-6)
    halves = importances(np.concatenate([factors, factors], 1), factors)
    assert halves.completeness == pytest.approx(1 - np.log(2) / np.log(6), abs=0.05)
    assert halves.informativeness == 1
    assert factor_score(codes, factors) == 1


def test_noise_tells_nothing(factors: Floats) -> None:
    codes = noise(len(factors), 5)
    found = information(codes, factors, np.ones_like(codes))
    assert found.gap < 0.01
    assert found.mutual.max() < 0.02
    forest = importances(codes[:2000], factors[:2000])
    assert forest.disentanglement < 0.02
    assert forest.completeness < 0.02
    assert forest.accuracy == pytest.approx(1 / 8, abs=0.06)
    assert factor_score(codes, factors, votes=3000) == pytest.approx(1 / 3, abs=0.06)


def test_points_are_as_informative_as_sklearn_says(factors: Floats) -> None:
    codes = np.round(factors @ np.array([[1, 0.0], [1, 1], [0, 2]]))
    found = information(codes, factors)
    for unit in range(2):
        edges = np.linspace(codes[:, unit].min(), codes[:, unit].max(), 21)[1:-1]
        cut = np.searchsorted(edges, codes[:, unit], side="right")
        for factor in range(3):
            expected = mutual_info_score(cut, factors[:, factor])
            assert found.mutual[unit, factor] == pytest.approx(expected, abs=1e-9)
    assert found.entropy == pytest.approx([np.log(8)] * 3, abs=1e-3)


@pytest.mark.parametrize("scale", [0.1, 0.5, 2.0])
def test_posteriors_tell_what_an_integral_says(scale: float) -> None:
    """Two values at -1 and 1 with Gaussian noise: log 2 less the entropy of the value, given the code."""
    factor = np.repeat([0.0, 1.0], 500)[:, None]
    loc = 2 * factor - 1
    found = information(loc, factor, np.full_like(loc, scale)).mutual[0, 0]
    z = np.linspace(-20, 20, 200_001)
    each = norm.pdf(z, [[-1], [1]], scale)
    mixed = each.mean(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.trapezoid(np.nan_to_num(each * np.log(each / mixed)).mean(0), z)
    assert found == pytest.approx(expected, abs=2e-3)


def test_a_latent_with_more_noise_than_signal_is_silent_only_to_those_who_know_its_posterior(factors: Floats) -> None:
    codes = factors * 1e-3
    assert information(codes, factors).gap == pytest.approx(1)
    assert information(codes, factors, np.ones_like(codes)).gap < 1e-3
    assert factor_score(codes, factors) == 0  # none of them is active


def test_the_gap_is_between_the_best_two() -> None:
    random = np.random.default_rng(0)
    factor = random.integers(0, 2, (20_000, 1)).astype(float)
    flipped = np.where(random.random((20_000, 1)) < 0.1, 1 - factor, factor)
    found = information(np.concatenate([flipped, factor, random.random((20_000, 1))], 1), factor)
    left = -(0.1 * np.log(0.1) + 0.9 * np.log(0.9)) / np.log(2)
    assert found.gap == pytest.approx(left, abs=0.02)


def test_a_factor_that_never_varies_is_left_out(factors: Floats) -> None:
    more = np.concatenate([factors, np.ones((len(factors), 1))], 1)
    found = information(factors, more)
    assert np.isnan(found.gaps[3])
    assert found.gap == pytest.approx(1)
    assert factor_score(factors, more) == 1


def test_many_values_are_cut_into_quantiles() -> None:
    x = np.random.default_rng(0).exponential(size=5000)
    assert np.bincount(discrete(x)).tolist() == [250] * 20
    assert discrete(np.array([7.0, -1.0, 7.0, 3.5])).tolist() == [2, 0, 2, 1]


def test_the_report_names_factors_and_repeats_by_seed(factors: Floats) -> None:
    names = ("a", "b", "c")
    factors = factors[:2000]
    q = Normal(torch.from_numpy(turned(factors)), 0.1)
    report = disentanglement(q, factors, names, seed=1)
    assert report == disentanglement(q, factors, names, seed=1)
    assert report["mig"] == pytest.approx(np.mean(list(report["gaps"].values())))
    assert list(report["told"]) == list(report["accuracy"]) == list(names)
    assert report["told"]["c"] == pytest.approx(1, abs=0.01)
    assert np.shape(report["mutual_information"]) == (3, 3)
    points = disentanglement(turned(factors), factors, names, seed=2)
    assert points["gaps"]["c"] == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("loc", "factors", "text"),
    [
        (np.zeros((3, 2)), np.zeros((4, 1)), r"got \(3, 2\) and \(4, 1\)"),
        (np.zeros(3), np.zeros((3, 1)), "codes"),
        (np.full((30, 2), np.nan), np.zeros((30, 1)), "finite"),
    ],
)
def test_what_does_not_fit_is_refused(loc: Floats, factors: Floats, text: str) -> None:
    for measure in (information, importances, factor_score):
        with pytest.raises(DataError, match=text):
            measure(loc, factors)


def test_too_little_is_said() -> None:
    with pytest.raises(DataError, match="at least 20 rows, got 5"):
        importances(np.zeros((5, 1)), np.zeros((5, 1)))
    with pytest.raises(DataError, match="a factor that varies"):
        factor_score(np.zeros((5, 1)), np.zeros((5, 1)))
    with pytest.raises(DataError, match="scale"):
        information(np.zeros((5, 1)), np.zeros((5, 1)), np.zeros((5, 1)))


def test_evaluate_compares_latents_with_the_factors_of_the_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], model_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = DreamGenerator(latent_dim=2, hidden_dim=8, epochs=1, batch_size=100, random_state=0)
    model.fit(load_data("shapes").train.x[:200]).save(tmp_path / "model")
    command = ["evaluate", "model", "shapes", "--factors", "--limit", "300", "--samples", "2"]
    with pytest.raises(SystemExit) as end:
        main([*command, "--json"])
    assert not end.value.code
    report = json.loads(capsys.readouterr().out)
    test = load_data("shapes").test[:300]
    assert test.attributes is not None
    expected = disentanglement(model.encode(test.x), test.attributes, FACTORS)
    assert report["factors"] == json.loads(json.dumps(expected))
    with pytest.raises(SystemExit) as end:
        main(command)
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert shown["factors.factor_score"] == f"{expected['factor_score']:.4g}"
    assert shown["factors.gaps.scale"] == f"{expected['gaps']['scale']:.4g}"
    with pytest.raises(SystemExit) as end:
        main(["evaluate", str(model_folder), "digits", "--factors"])
    assert end.value.code
    assert "expected data with attributes" in capsys.readouterr().err
