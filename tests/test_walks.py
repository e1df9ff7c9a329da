"""Walks through latent space against their geometry, written a second way."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from torch import Tensor

from dreamgen.errors import SettingsError
from dreamgen.walks import even_spacing, largest_step, one_at_a_time, path_between, plane_grid, ticks

FAST = settings(deadline=None, max_examples=100)
SEEDS = st.integers(0, 10_000)


def codes(seed: int, dim: int = 6) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    a, b = torch.randn(2, dim, generator=random, dtype=torch.double)
    return a, 3 * b


def even(n: int) -> Tensor:
    return torch.linspace(0, 1, n, dtype=torch.double)


def angle(a: Tensor, b: Tensor) -> float:
    """By the half-angle formula, which is exact for small angles too."""
    a, b = a / a.norm(), b / b.norm()
    return 2 * math.atan2(float((a - b).norm()), float((a + b).norm()))


# Paths


@pytest.mark.parametrize("path", ["linear", "spherical"])
@given(seed=SEEDS)
@FAST
def test_a_path_begins_and_ends_at_its_codes(path: str, seed: int) -> None:
    a, b = codes(seed)
    z = path_between(a, b, even(7), path)
    assert z.shape == (7, 6)
    assert torch.allclose(z[0], a, atol=1e-12)
    assert torch.allclose(z[-1], b, atol=1e-12)
    single = path_between(a.float(), b.float(), even(7).float(), path)
    assert single.dtype == torch.float32
    assert torch.allclose(single.double(), z, atol=1e-4)


@given(seed=SEEDS)
@FAST
def test_a_linear_path_goes_straight_and_evenly(seed: int) -> None:
    a, b = codes(seed)
    z = path_between(a, b, even(11))
    for k in range(11):
        assert torch.allclose(z[k], a + (b - a) * k / 10, atol=1e-12)


@given(seed=SEEDS)
@FAST
def test_a_spherical_path_turns_in_the_plane_of_its_codes_while_its_length_changes_evenly(seed: int) -> None:
    a, b = codes(seed)
    z = path_between(a, b, even(11), "spherical")
    # The second way: turn a towards the part of b that stands upright on it.
    u = a / a.norm()
    upright = b - (b @ u) * u
    v = upright / upright.norm()
    whole = angle(a, b)
    for k in range(11):
        turned = math.cos(k / 10 * whole) * u + math.sin(k / 10 * whole) * v
        length = (1 - k / 10) * a.norm() + k / 10 * b.norm()
        assert torch.allclose(z[k], length * turned, atol=1e-9)


@given(seed=SEEDS, dim=st.integers(2, 64))
@FAST
def test_a_spherical_path_turns_at_a_constant_angle(seed: int, dim: int) -> None:
    a, b = codes(seed, dim)
    z = path_between(a, b, even(9), "spherical")
    turns = [angle(z[k], z[k + 1]) for k in range(8)]
    assert turns == pytest.approx([angle(a, b) / 8] * 8, rel=1e-5)
    lengths = z.norm(dim=1)
    assert torch.allclose(lengths, a.norm() + (b.norm() - a.norm()) * even(9), atol=1e-9)


def test_a_spherical_path_keeps_its_distance_where_a_linear_one_cuts_the_corner() -> None:
    a, b = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 3.0])
    t = torch.linspace(0, 1, 5)
    assert path_between(a, b, t, "spherical").norm(dim=1).tolist() == pytest.approx([3.0] * 5, rel=1e-6)
    middle = path_between(a, b, t, "spherical")[2].tolist()
    assert middle == pytest.approx([3 * math.sqrt(0.5)] * 2, rel=1e-6)
    assert path_between(a, b, t)[2].norm().item() == pytest.approx(3 * math.sqrt(0.5))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([0.0, 0.0, 0.0], [1.0, 2.0, 3.0]),
        ([1.0, 2.0, 3.0], [0.0, 0.0, 0.0]),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]),
        ([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]),
        ([1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]),
        ([1e-8, 0.0, 0.0], [0.0, 1.0, 0.0]),
    ],
    ids=["from nothing", "to nothing", "nothing", "same", "same direction", "opposite", "from nearly nothing"],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_without_a_plane_to_turn_in_the_spherical_path_is_straight(
    a: list[float], b: list[float], dtype: torch.dtype
) -> None:
    first, last = torch.tensor(a, dtype=dtype), torch.tensor(b, dtype=dtype)
    t = even(5).to(dtype)
    z = path_between(first, last, t, "spherical")
    assert torch.isfinite(z).all()
    assert torch.allclose(z, torch.stack([first + (last - first) * k / 4 for k in range(5)]), atol=1e-6)


@pytest.mark.parametrize("tilt", [1e-2, 1e-3, 1e-4, 1e-5, 1e-6])
@pytest.mark.parametrize("sign", [1, -1], ids=["same", "opposite"])
def test_nearly_parallel_codes_give_a_path_without_a_leap(tilt: float, sign: int) -> None:
    a = torch.tensor([2.0, 0.0])
    b = torch.tensor([2.0 * sign * math.cos(tilt), 2.0 * math.sin(tilt)])
    z = path_between(a, b, torch.linspace(0, 1, 21), "spherical")
    assert torch.isfinite(z).all()
    assert torch.allclose(z[0], a, atol=1e-5)
    assert torch.allclose(z[-1], b, atol=1e-5)
    assert z.norm(dim=1).max() <= 2.01


def test_an_unknown_path_is_refused_with_the_nearest() -> None:
    a, b = codes(0)
    with pytest.raises(SettingsError, match="unknown path 'sperical': did you mean 'spherical'"):
        path_between(a, b, even(3), "sperical")


# Even steps


def film(position: Callable[[Tensor], Tensor], times: Tensor) -> Tensor:
    """Frames, (n, 4, 4), that move through picture space as `position`, a number for each time, says."""
    p = position(times.double())
    waves = torch.arange(1, 17, dtype=torch.double) / 8
    return torch.sin(p[:, None] * waves).unflatten(1, (4, 4))


FILMS: dict[str, Callable[[Tensor], Tensor]] = {
    "even": lambda t: t,
    "slow, then fast": lambda t: t**3,
    "fast, then slow": lambda t: t**0.5,
    "sudden jump": lambda t: torch.sigmoid(60 * (t - 0.6)),
    "two jumps": lambda t: torch.sigmoid(80 * (t - 0.3)) + 2 * torch.sigmoid(50 * (t - 0.7)),
    "there and back": lambda t: torch.sin(math.pi * t),
}


@pytest.mark.parametrize("name", FILMS)
@pytest.mark.parametrize("steps", [5, 11, 24])
def test_even_spacing_leaves_no_jump(name: str, steps: int) -> None:
    dense = film(FILMS[name], even(16 * steps))
    times = even_spacing(dense, steps)
    assert times.shape == (steps,)
    assert largest_step(film(FILMS[name], times)) <= 2


def test_even_spacing_mends_what_equal_times_leave() -> None:
    for name in ("sudden jump", "two jumps"):
        before = largest_step(film(FILMS[name], even(12)))
        after = largest_step(film(FILMS[name], even_spacing(film(FILMS[name], even(192)), 12)))
        assert before > 2.5
        assert after < 1.2 < before


def test_even_spacing_finds_the_times_of_a_straight_film_by_its_inverse() -> None:
    frames = even(2001)[:, None] ** 2 * torch.tensor([[3.0, 4.0]], dtype=torch.double)
    # A tenth of the way is gone at the root of a tenth.
    assert even_spacing(frames, 11).tolist() == pytest.approx([math.sqrt(k / 10) for k in range(11)], abs=1e-4)


@given(
    moves=st.lists(st.floats(0, 5) | st.just(0.0), min_size=1, max_size=30),
    steps=st.integers(2, 20),
)
@FAST
def test_the_way_gone_at_the_times_is_even(moves: list[float], steps: int) -> None:
    assume(sum(moves) > 1e-3)
    signs = np.where(np.arange(len(moves)) % 3 == 1, -1, 1)
    frames = torch.tensor(np.concatenate([[0.0], np.cumsum(signs * moves)]))[:, None]
    times = even_spacing(frames, steps).double().numpy()
    gone = np.concatenate([[0.0], np.cumsum(moves)])
    reached = np.interp(times * len(moves), np.arange(len(moves) + 1), gone)
    assert reached == pytest.approx(np.linspace(0, gone[-1], steps), abs=1e-5 * (1 + gone[-1] * len(moves)))
    assert (np.diff(times) >= 0).all()
    assert 0 <= times[0] <= times[-1] <= 1


def test_a_moving_film_keeps_its_first_and_last_frame() -> None:
    times = even_spacing(film(FILMS["sudden jump"], even(200)), 7)
    assert times[0] == 0
    assert times[-1] == 1


def test_a_still_is_shown_at_equal_times() -> None:
    assert even_spacing(torch.ones(9, 3, 3), 5).tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert even_spacing(torch.ones(1, 3), 3).tolist() == [0, 0.5, 1]


def test_the_largest_step_is_measured_against_the_mean() -> None:
    assert largest_step(torch.tensor([[0.0], [1.0], [2.0], [3.0]])) == pytest.approx(1)
    # Steps of 1, 1 and 4 have mean 2.
    assert largest_step(torch.tensor([[0.0], [1.0], [2.0], [6.0]])) == pytest.approx(2)
    # A step of 3 by 4 is 5 long, and one back of 5 as well.
    assert largest_step(torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, -1.0]])) == pytest.approx(1)
    assert largest_step(torch.ones(4, 2, 2)) == 1
    assert largest_step(torch.ones(1, 2)) == 1


# Ticks


@pytest.mark.parametrize(("size", "span"), [(2, 3.0), (5, 3.0), (20, 2.5), (7, 0.5)])
def test_ticks_by_value_are_evenly_apart(size: int, span: float) -> None:
    expected = [-span + 2 * span * k / (size - 1) for k in range(size)]
    assert ticks(size, "value", span).tolist() == pytest.approx(expected, abs=1e-6)
    assert torch.equal(ticks(size, span=span), ticks(size, "value", span))


@pytest.mark.parametrize("span", [0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 10.0])
@pytest.mark.parametrize("size", [2, 20, 21])
def test_ticks_by_quantile_hold_equal_shares_of_the_normal(size: int, span: float) -> None:
    low = stats.norm.cdf(-span)
    below = stats.norm.ppf(low + (1 - 2 * low) * np.arange(size // 2) / (size - 1))
    # The upper half mirrors the lower one, whose small probabilities are exact.
    expected = [*below, *([0.0] if size % 2 else []), *-below[::-1]]
    found = ticks(size, "quantile", span)
    assert torch.isfinite(found).all()
    assert found.tolist() == pytest.approx(expected, abs=2e-3)


def test_ticks_by_quantile_are_denser_in_the_middle() -> None:
    gaps = ticks(21, "quantile").diff()
    assert (gaps > 0).all()
    assert (gaps[:10].diff() < 0).all()
    assert (gaps[10:].diff() > 0).all()
    shares = np.diff(stats.norm.cdf(ticks(21, "quantile").double().numpy()))
    assert shares == pytest.approx([shares.mean()] * 20, rel=1e-3)


def test_an_unknown_scale_is_refused_with_the_nearest() -> None:
    with pytest.raises(SettingsError, match="unknown scale 'quantiles': did you mean 'quantile'"):
        ticks(5, "quantiles")


# Grids and single latents


@pytest.mark.parametrize("by", ["value", "quantile"])
@pytest.mark.parametrize("plane", [(0, 1), (3, 1), (2, 4)])
def test_the_first_latent_grows_to_the_right_and_the_second_upwards(by: str, plane: tuple[int, int]) -> None:
    base = torch.tensor([0.1, 0.2, 0.3, 0.4, 0.5])
    size, along = 4, ticks(4, by, 2.0)
    z = plane_grid(base, plane, size, by, 2.0)
    assert z.shape == (16, 5)
    for number, code in enumerate(z):
        from_top, from_left = divmod(number, size)
        expected = base.clone()
        expected[plane[0]] = along[from_left]
        expected[plane[1]] = along[size - 1 - from_top]
        assert torch.equal(code, expected)
    assert base.tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])


def test_the_corners_of_a_grid_are_where_a_reader_expects_them() -> None:
    z = plane_grid(torch.zeros(2), (0, 1), 3, span=1.0).unflatten(0, (3, 3))
    assert z[0, 0].tolist() == [-1, 1]
    assert z[0, 2].tolist() == [1, 1]
    assert z[2, 0].tolist() == [-1, -1]
    assert z[2, 2].tolist() == [1, -1]
    assert z[1, 1].tolist() == [0, 0]


def test_a_grid_over_one_latent_repeats_its_row() -> None:
    z = plane_grid(torch.tensor([9.0, 8.0]), (1,), 3, span=1.0).unflatten(0, (3, 3))
    for row in z:
        assert row.tolist() == [[9, -1], [9, 0], [9, 1]]


def test_one_latent_moves_at_a_time() -> None:
    base = torch.tensor([0.5, 0.6, 0.7])
    z = one_at_a_time(base, [2, 0], 5, span=2.0)
    assert z.shape == (2, 5, 3)
    assert z[0, :, 2].tolist() == [-2, -1, 0, 1, 2]
    assert z[1, :, 0].tolist() == [-2, -1, 0, 1, 2]
    assert torch.equal(z[0, :, :2], base[:2].expand(5, 2))
    assert torch.equal(z[1, :, 1:], base[1:].expand(5, 2))
    assert base.tolist() == pytest.approx([0.5, 0.6, 0.7])
