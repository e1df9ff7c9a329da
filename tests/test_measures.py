"""Measures of dreams against second implementations, exact answers and true values that are known."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import scipy.linalg

from dreamgen.errors import DataError, SettingsError
from dreamgen.evaluation import manifold
from dreamgen.evaluation.frechet import frechet_distance
from dreamgen.evaluation.manifold import precision_recall
from dreamgen.evaluation.sharpness import (
    edge_strength,
    grey,
    high_frequency_power,
    laplacian_variance,
    neighbour_correlation,
)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def correlated(n: int, width: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.normal(size=(n, width)) @ random.normal(size=(width, width)) + random.normal(size=width)


def textbook_frechet(a: np.ndarray, b: np.ndarray) -> float:
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(first @ second).real
    return float(np.square(a.mean(0) - b.mean(0)).sum() + np.trace(first + second - 2 * root))


def test_frechet_is_the_textbooks() -> None:
    a, b = correlated(300, 7, 1), correlated(200, 7, 2)
    assert frechet_distance(a, b) == pytest.approx(textbook_frechet(a, b), rel=1e-9)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-12)


def test_frechet_of_numbers_is_the_closed_form(random: np.random.Generator) -> None:
    a, b = random.normal(3, 2, size=(50, 1)), random.normal(-1, 0.5, size=(80, 1))
    expected = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-12)


def test_frechet_of_equal_moved_and_stretched_sets() -> None:
    a = correlated(100, 5, 3)
    assert frechet_distance(a, a[::-1]) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, a + 0.25) == pytest.approx(5 * 0.25**2, rel=1e-9)
    centred = a - a.mean(0)
    assert frechet_distance(centred, 3 * centred) == pytest.approx(4 * np.trace(np.cov(a, rowvar=False)), rel=1e-9)


def test_frechet_without_rank() -> None:
    # Fewer rows than features, features that never change, and two sets that share no direction at all.
    few = correlated(6, 40, 4)
    few[:, :3] = 1.0
    centred = few - few.mean(0)
    spread = np.trace(np.cov(few, rowvar=False))
    assert frechet_distance(centred, 0.5 * centred) == pytest.approx(0.25 * spread, rel=1e-9)
    a, b = np.zeros((50, 8)), np.zeros((50, 8))
    a[:, :4], b[:, 4:] = correlated(50, 4, 5), correlated(50, 4, 6)
    apart = np.square(a.mean(0) - b.mean(0)).sum()
    total = np.trace(np.cov(a, rowvar=False)) + np.trace(np.cov(b, rowvar=False))
    assert frechet_distance(a, b) == pytest.approx(apart + total, rel=1e-9)
    assert frechet_distance(np.ones((5, 3)), np.ones((9, 3))) == 0


def test_frechet_keeps_its_digits_where_covariances_would_lose_them(random: np.random.Generator) -> None:
    # Scales from 1 to 1e-6 make covariances from 1 to 1e-12; the answer is known for each direction alone.
    scales = 10.0 ** -np.arange(7)
    base = np.linalg.qr(random.normal(size=(60, 7)))[0]
    base = np.linalg.qr(base - base.mean(0))[0] * math.sqrt(59)  # centred, and of covariance I
    turn = np.linalg.qr(random.normal(size=(7, 7)))[0]
    found = frechet_distance(base * scales @ turn, base * scales * [1, 1, 1, 1, 1, 1, 3] @ turn)
    assert found == pytest.approx((2 * scales[-1]) ** 2, rel=1e-3)


def brute_precision_recall(real: np.ndarray, fake: np.ndarray, k: int) -> tuple[float, float]:
    def radii(x: np.ndarray) -> list[float]:
        return [
            sorted(math.dist(row, other) for j, other in enumerate(x) if j != i)[k - 1] for i, row in enumerate(x)
        ]

    def share(rows: np.ndarray, x: np.ndarray) -> float:
        reach = radii(x)
        hits = [any(math.dist(row, c) <= r for c, r in zip(x, reach, strict=True)) for row in rows]
        return sum(hits) / len(hits)

    return share(fake, real), share(real, fake)


@pytest.mark.parametrize("k", [1, 3])
def test_precision_and_recall_against_brute_force_in_pieces(
    k: int, monkeypatch: pytest.MonkeyPatch, random: np.random.Generator
) -> None:
    monkeypatch.setattr(manifold, "_PAIRS", 300)
    real, fake = random.normal(size=(70, 3)) + 100, random.normal(0.7, 0.7, size=(50, 3)) + 100
    found = precision_recall(real, fake, k)
    assert found == pytest.approx(brute_precision_recall(real, fake, k))
    assert 0.1 < found.recall < 0.95
    assert 0.1 < found.precision < 0.95


def test_precision_and_recall_whose_true_values_are_known(random: np.random.Generator) -> None:
    one, two = random.normal(size=(200, 4)), random.normal(size=(200, 4)) + 50
    both = np.concatenate([one, two])
    assert precision_recall(both, both) == (1, 1)
    assert precision_recall(both, both + 1000) == (0, 0)
    assert precision_recall(both, one + 1e-9) == (1, 0.5)  # one of two modes is forgotten
    assert precision_recall(one, both) == (0.5, 1)  # half of the dreams are of something else
    # On the line of whole numbers the balls of k = 2 reach 1 on both sides, and 2 at the ends.
    line = np.arange(10.0)[:, None]
    assert precision_recall(line, np.array([[-2.0], [-2.1], [4.5], [11.0], [11.1]]), k=2).precision == 0.6
    # More equal rows than k: their balls have no size, and still hold what is equal to them.
    assert precision_recall(np.full((6, 3), 7.3), np.full((9, 3), 7.3)) == (1, 1)


@pytest.mark.parametrize("measure", [frechet_distance, precision_recall])
def test_features_that_cannot_be_compared(measure: Callable[..., object]) -> None:
    good = np.ones((9, 3))
    for bad, text in (
        (np.ones((9, 2)), "one width, got"),
        (np.ones(9), "got the shape"),
        (np.ones((1, 3)), "rows or more"),
        (np.full((9, 3), np.nan), "finite"),
    ):
        with pytest.raises(DataError, match=text):
            measure(good, bad)
    with pytest.raises(SettingsError, match="k: expected 1"):
        precision_recall(good, good, 0)


def test_neighbour_correlation_of_noise_of_flat_pictures_and_of_a_known_mixture(random: np.random.Generator) -> None:
    noise = random.normal(size=(400, 20, 20))
    flat = np.broadcast_to(random.normal(size=(400, 1, 1)), noise.shape)
    assert neighbour_correlation(noise) == pytest.approx(0, abs=0.01)
    assert neighbour_correlation(flat) == pytest.approx(1)
    # Variance 4 that neighbours share and 1 that they do not.
    assert neighbour_correlation(2 * flat + noise, np.zeros((20, 20))) == pytest.approx(0.8, abs=0.03)
    stripes = np.indices((6, 6)).sum(0)[None] % 2 * 2.0 - 1
    assert neighbour_correlation(stripes, np.zeros((6, 6))) == pytest.approx(-1)
    assert math.isnan(neighbour_correlation(stripes))
    # Around a centre of its own each picture is what is left, which here is the noise.
    assert neighbour_correlation(2 * flat + noise, 2 * flat) == pytest.approx(0, abs=0.01)


def test_neighbour_correlation_is_numpys_over_all_pairs(random: np.random.Generator) -> None:
    x = random.random((1200, 5, 4)).cumsum(2)
    d = x - x.mean(0)
    first = np.concatenate([d[:, :, :-1].ravel(), d[:, :-1].ravel()])
    second = np.concatenate([d[:, :, 1:].ravel(), d[:, 1:].ravel()])
    expected = first @ second / math.sqrt(first @ first * (second @ second))
    assert neighbour_correlation(x) == pytest.approx(expected, rel=1e-9)


def test_sharpness_of_a_ramp_a_dot_and_a_blurred_edge() -> None:
    ramp = np.indices((1, 9, 9))[2] * 0.1
    assert edge_strength(ramp) == pytest.approx(0.1)
    assert laplacian_variance(ramp) == pytest.approx(0, abs=1e-12)
    dot = np.zeros((1, 5, 5))
    dot[0, 2, 2] = 1
    assert laplacian_variance(dot) == pytest.approx(np.var([-4, 1, 1, 1, 1, 0, 0, 0, 0]))
    assert edge_strength(dot) == pytest.approx((math.sqrt(2) + 1 + 1) / 16)
    edge = (np.indices((1, 8, 8))[2] > 3).astype(float)
    blurred = (edge + np.roll(edge, 1, 2) + np.roll(edge, -1, 2)) / 3
    assert laplacian_variance(blurred[:, :, 2:-2]) < laplacian_variance(edge[:, :, 2:-2])
    assert high_frequency_power(blurred) < high_frequency_power(edge)


def test_laplacian_variance_is_that_of_scipys_filter(random: np.random.Generator) -> None:
    from scipy.ndimage import laplace

    x = random.random((1100, 6, 9))
    assert laplacian_variance(x) == pytest.approx(np.mean([laplace(p)[1:-1, 1:-1].var() for p in x]), rel=1e-12)


def slow_power(picture: np.ndarray, above: float) -> float:
    """By the definition: every wave by its own sum."""
    height, width = picture.shape
    rows, columns = np.arange(height), np.arange(width)
    hann = [0.5 - 0.5 * np.cos(2 * np.pi * (i + 1) / (len(i) + 1)) for i in (rows, columns)]
    window = np.outer(*hann)
    x = (picture - (picture * window).sum() / window.sum()) * window
    total = 0.0
    for u in range(height):
        for v in range(width):
            if math.hypot(min(u, height - u) / height, min(v, width - v) / width) > above:
                angle = 2 * np.pi * (u * rows[:, None] / height + v * columns / width)
                total += (x * np.cos(angle)).sum() ** 2 + (x * np.sin(angle)).sum() ** 2
    return total / (height * width) ** 2 / float(np.square(window).mean())


def test_high_frequency_power_is_its_definition(random: np.random.Generator) -> None:
    x = random.random((3, 7, 6))
    for above in (0.1, 0.25, 0.4):
        assert high_frequency_power(x, above) == pytest.approx(np.mean([slow_power(p, above) for p in x]), rel=1e-9)


def test_high_frequency_power_of_waves_and_of_white_noise(random: np.random.Generator) -> None:
    across = np.arange(64)
    for cycles, expected in ((4, 0.0), (26, 0.5), (32, 1.0)):  # of 64 pixels; the finest wave is +1, -1, +1, -1
        wave = np.broadcast_to(np.cos(2 * np.pi * cycles * across / 64), (1, 64, 64))
        assert high_frequency_power(wave) == pytest.approx(expected, abs=0.01)
        assert high_frequency_power(wave.transpose(0, 2, 1)) == pytest.approx(expected, abs=0.01)
    # Of white noise all but a disc of radius 0.25 in a square of side 1.
    noise = random.normal(0, 0.3, size=(300, 40, 40))
    assert high_frequency_power(noise) == pytest.approx(0.09 * (1 - math.pi / 16), rel=0.02)
    assert high_frequency_power(np.full((2, 8, 8), 0.7)) == pytest.approx(0, abs=1e-20)
    # A picture that jumps from its right edge to its left one has no fast waves by that alone.
    ramp = np.broadcast_to(across / 64.0, (1, 64, 64))
    assert high_frequency_power(ramp) < 1e-6


@pytest.mark.parametrize("measure", [laplacian_variance, high_frequency_power, neighbour_correlation, edge_strength])
def test_bytes_channels_and_colour(measure: Callable[[np.ndarray], float], random: np.random.Generator) -> None:
    raw = random.integers(0, 256, size=(5, 8, 9), dtype=np.uint8)
    expected = measure(raw / 255.0)
    assert measure(raw) == pytest.approx(expected, rel=1e-5)
    assert measure(raw[..., None]) == pytest.approx(expected, rel=1e-5)
    assert measure(np.repeat(raw[..., None], 3, 3)) == pytest.approx(expected, rel=1e-4)
    colour = random.random((5, 8, 9, 3))
    luma = 0.299 * colour[..., 0] + 0.587 * colour[..., 1] + 0.114 * colour[..., 2]
    assert measure(colour) == pytest.approx(measure(luma), rel=1e-9)


def test_luma_is_pillows(random: np.random.Generator) -> None:
    from PIL import Image

    raw = random.integers(0, 256, size=(1, 20, 20, 3), dtype=np.uint8)
    pillow = np.asarray(Image.fromarray(raw[0]).convert("L")) / 255
    np.testing.assert_allclose(grey(raw)[0], pillow, atol=0.5 / 255 + 1e-4)


@pytest.mark.parametrize("shape", [(0, 8, 8), (4, 7), (4, 2, 9), (4, 8, 8, 2)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="expected pictures of 3x3"):
        laplacian_variance(np.zeros(shape))
