"""Schedules against a second formulation: piecewise straight lines, in exact fractions or by numpy."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dreamgen.errors import SettingsError
from dreamgen.objectives.schedules import (
    SCHEDULES,
    Constant,
    Cyclical,
    Geometric,
    Linear,
    Schedule,
    Triangle,
    learning_rate_schedule,
)

VALUES = st.floats(0, 10)
STEPS = st.integers(0, 3000)
TOTALS = st.integers(1, 2000)
SPANS = st.none() | st.integers(1, 2000)
FAST = settings(deadline=None, max_examples=200)


def curve(schedule: Schedule, total: int, steps: int | None = None) -> list[float]:
    return [schedule(step, total) for step in range(steps or total)]


# Constant


@given(value=VALUES, step=STEPS, total=TOTALS)
@FAST
def test_constant_is_constant(value: float, step: int, total: int) -> None:
    assert Constant(value)(step, total) == value


def test_a_bare_number_is_a_constant() -> None:
    assert curve(SCHEDULES.build(4), 3) == [4.0, 4.0, 4.0]
    assert curve(SCHEDULES.build("constant"), 3) == [1.0, 1.0, 1.0]
    assert curve(SCHEDULES.build(0), 2) == [0.0, 0.0]


# Linear


@given(start=VALUES, stop=VALUES, steps=SPANS, step=STEPS, total=TOTALS)
@FAST
def test_linear_is_a_straight_line_and_then_flat(
    start: float, stop: float, steps: int | None, step: int, total: int
) -> None:
    value = Linear(start, stop, steps)(step, total)
    assert value == pytest.approx(np.interp(step, [0, steps or total], [start, stop]), abs=1e-9)
    assert min(start, stop) - 1e-9 <= value <= max(start, stop) + 1e-9


def test_linear_at_its_ends_and_in_the_middle() -> None:
    assert curve(Linear(0, 1), 5, 8) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1])
    assert curve(Linear(3, 1, steps=2), 1000, 5) == [3, 2, 1, 1, 1]


def test_linear_reaches_exactly_one_as_annealing_must() -> None:
    assert {Linear(0.0, 1.0, steps=n)(step, 10_000) for n in (3, 7, 1000) for step in (n, n + 1, 9_999)} == {1.0}


# Geometric


@given(
    start=st.floats(1e-3, 1e3),
    stop=st.floats(1e-3, 1e3),
    steps=SPANS,
    share=st.floats(0.05, 1),
    step=STEPS,
    total=TOTALS,
)
@FAST
def test_geometric_is_a_straight_line_of_logarithms_and_then_flat(
    start: float, stop: float, steps: int | None, share: float, step: int, total: int
) -> None:
    value = Geometric(start, stop, steps, share)(step, total)
    span = steps or max(1, share * total)
    assert np.log10(value) == pytest.approx(np.interp(step, [0, span], np.log10([start, stop])), abs=1e-9)


def test_geometric_falls_by_the_same_factor() -> None:
    assert curve(Geometric(100.0, 1.0, steps=2), 9, 4) == pytest.approx([100, 10, 1, 1])
    assert curve(Geometric(16.0, 1.0, share=0.5), 8, 6) == pytest.approx([16, 8, 4, 2, 1, 1])


@pytest.mark.parametrize(
    "arguments",
    [{"start": 0.0}, {"start": 1.0, "stop": 0.0}, {"start": 1.0, "share": 0.0}, {"start": 1.0, "steps": 0}],
)
def test_geometric_needs_numbers_above_0(arguments: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        Geometric(**arguments)


# Cyclical


def exact_cyclical(start: float, stop: float, cycles: int, rise: float, span: int, step: int) -> float:
    """The cycle that the step is in, and how far in, as fractions."""
    if step >= span:
        return stop
    length = Fraction(span, cycles)
    inside = (step - step // length * length) / length
    return start + (stop - start) * float(min(Fraction(1), inside / Fraction(rise)))


@given(
    start=VALUES,
    stop=VALUES,
    cycles=st.integers(1, 12),
    rise=st.floats(0.01, 1),
    steps=SPANS,
    step=STEPS,
    total=TOTALS,
)
@FAST
def test_cyclical_rises_anew_in_every_cycle(
    start: float, stop: float, cycles: int, rise: float, steps: int | None, step: int, total: int
) -> None:
    value = Cyclical(start, stop, cycles, rise, steps)(step, total)
    expected = exact_cyclical(start, stop, cycles, rise, steps or total, step)
    # Float positions inside a cycle are off by some 1e-13, and divided by the share of the rise.
    assert value == pytest.approx(expected, abs=1e-8)
    assert min(start, stop) - 1e-9 <= value <= max(start, stop) + 1e-9


def test_cyclical_over_two_short_cycles() -> None:
    half = [0, 0.25, 0.5, 0.75, 1, 1, 1, 1]
    assert curve(Cyclical(cycles=2, rise=0.5), 16, 18) == pytest.approx([*half, *half, 1, 1])


@given(cycles=st.integers(1, 9), length=st.integers(2, 200))
@FAST
def test_cyclical_starts_every_cycle_exactly_at_its_start(cycles: int, length: int) -> None:
    values = curve(Cyclical(0.0, 1.0, cycles), cycles * length)
    assert [step for step, value in enumerate(values) if value == 0.0] == [c * length for c in range(cycles)]


def test_one_cycle_that_rises_all_the_way_is_linear() -> None:
    assert curve(Cyclical(0.2, 3.0, cycles=1, rise=1.0), 50, 60) == pytest.approx(curve(Linear(0.2, 3.0), 50, 60))


# Triangle


@given(peak=st.floats(1e-6, 10), rise=st.floats(0.01, 0.99), steps=SPANS, step=STEPS, total=TOTALS)
@FAST
def test_triangle_is_two_straight_lines_and_then_nothing(
    peak: float, rise: float, steps: int | None, step: int, total: int
) -> None:
    span = steps or total
    value = Triangle(peak, rise, steps)(step, total)
    expected = np.interp(step + 0.5, [0, rise * span, span], [0, peak, 0])
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-9 * peak)
    assert 0 <= value <= peak * (1 + 1e-12)


@given(peak=st.floats(1e-6, 10), rise=st.floats(0.01, 0.99), total=TOTALS)
@FAST
def test_triangle_wastes_neither_the_first_nor_the_last_step(peak: float, rise: float, total: int) -> None:
    values = curve(Triangle(peak, rise), total)
    assert min(values) > 0


@given(peak=st.floats(0.1, 10), total=st.integers(2, 2000), data=st.data())
@FAST
def test_triangle_has_the_area_of_a_triangle(peak: float, total: int, data: st.DataObject) -> None:
    # Taken at the middle of each step, a straight line sums exactly; the peak must lie between two steps for that.
    top = data.draw(st.integers(1, total - 1))
    assume(0 < top / total < 1)
    assert sum(curve(Triangle(peak, top / total), total)) == pytest.approx(peak * total / 2, rel=1e-9)


def test_triangle_rises_and_then_falls() -> None:
    values = np.array(curve(Triangle(2.0, 0.25), 40))
    assert (np.diff(values[:10]) > 0).all()
    assert (np.diff(values[10:]) < 0).all()
    assert values[:10] == pytest.approx(2.0 * (np.arange(10) + 0.5) / 10)
    assert curve(Triangle(2.0, 0.25, steps=4), 1000, 6)[4:] == [0, 0]


def test_a_run_of_one_step_trains_at_a_positive_rate() -> None:
    assert 0 < Triangle(1.0)(0, 1) <= 1
    assert 0 < Triangle(1.0)(0, 0) <= 1


# A learning rate


@pytest.mark.parametrize("number", [3e-3, 1])
def test_a_number_as_learning_rate_is_the_peak_of_a_triangle(number: float) -> None:
    values = curve(learning_rate_schedule(number), 1000)
    assert max(values) == pytest.approx(number, rel=0.01)
    assert int(np.argmax(values)) in (99, 100)
    assert values[0] < number / 50
    assert values[-1] < number / 500
    assert sum(values) == pytest.approx(number * 1000 / 2)


def test_a_learning_rate_may_be_any_schedule() -> None:
    assert curve(learning_rate_schedule({"kind": "constant", "value": 0.1}), 3) == [0.1, 0.1, 0.1]
    assert curve(learning_rate_schedule({"kind": "linear", "start": 1.0, "stop": 0.0}), 4) == [1, 0.75, 0.5, 0.25]


# Refusals


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ({"kind": "linear", "steps": 0}, "steps: expected 1 or more, got 0"),
        ({"kind": "cyclical", "steps": -1}, "steps: expected 1 or more, got -1"),
        ({"kind": "triangle", "peak": 1.0, "steps": 0}, "steps: expected 1 or more, got 0"),
        ({"kind": "linear", "steps": 2.5}, "steps: expected int | None, got 2.5"),
        ({"kind": "cyclical", "cycles": 0}, "expected cycles >= 1"),
        ({"kind": "cyclical", "cycles": 10**400}, "expected at most 1000000 cycles"),
        ({"kind": "cyclical", "cycles": 2.0}, "cycles: expected int, got 2.0"),
        ({"kind": "cyclical", "rise": 0.0}, "0 < rise <= 1"),
        ({"kind": "cyclical", "rise": 1.01}, "0 < rise <= 1"),
        ({"kind": "cyclical", "rise": float("nan")}, "expected float, got nan"),
        (-1, "expected numbers of 0 or more, got -1.0"),
        (float("nan"), "expected float, got nan"),
        ({"kind": "linear", "stop": -0.5}, "expected numbers of 0 or more, got -0.5"),
        ({"kind": "cyclical", "start": -0.5}, "expected numbers of 0 or more, got -0.5"),
        ({"kind": "triangle", "peak": float("inf")}, "expected float, got inf"),
        ({"kind": "triangle", "peak": 1.0, "rise": 0.0}, "expected 0 < rise < 1, got 0.0"),
        ({"kind": "triangle", "peak": 1.0, "rise": 1.0}, "expected 0 < rise < 1, got 1.0"),
        ({"kind": "triangle", "peak": "high"}, "peak: expected float, got 'high'"),
        ({"kind": "triangle"}, "peak"),
        ("triangle", "peak"),
        ("linaer", "did you mean 'linear'?"),
        ({"kind": "linear", "end": 1.0}, "has no argument 'end'"),
        (True, "expected a name or a table"),
    ],
)
def test_a_schedule_that_is_not_right_is_refused(spec: Any, part: str) -> None:
    with pytest.raises(SettingsError) as caught:
        SCHEDULES.build(spec)
    assert part in str(caught.value)
