"""Schedules: numbers that change over a run, as functions of the step. They serve beta and the learning rate alike.

A schedule is called with the step, from 0, and the total number of steps of the run, and returns a number.
`steps` counts optimiser steps; None means the whole run.
"""

import math
from typing import Protocol

from dreamgen.errors import SettingsError
from dreamgen.registry import Registry, Spec, shorten

_MOST_CYCLES = 1_000_000  # more than any run has steps to tell apart


class Schedule(Protocol):
    """A number for each step."""

    def __call__(self, step: int, total: int) -> float: ...


SCHEDULES: Registry[Schedule] = Registry("schedule", number=("constant", "value"))


def learning_rate_schedule(spec: Spec) -> Schedule:
    """The schedule of a learning rate: a bare number is the peak of a linear rise and fall over the run."""
    if isinstance(spec, int | float):
        spec = {"kind": "triangle", "peak": float(spec)}
    return SCHEDULES.build(spec)


def _not_negative(value: float) -> float:
    if not 0 <= value < math.inf:
        raise SettingsError(f"schedule: expected numbers of 0 or more, got {value}")
    return value


def _span(steps: int | None) -> int | None:
    if steps is not None and steps < 1:
        raise SettingsError(f"schedule, steps: expected 1 or more, got {steps}")
    return steps


@SCHEDULES.register("constant")
class Constant:
    """Always `value`."""

    def __init__(self, value: float = 1.0) -> None:
        self.value = _not_negative(value)

    def __call__(self, step: int, total: int) -> float:
        return self.value


@SCHEDULES.register("linear")
class Linear:
    """From `start` to `stop` in a straight line over `steps`, then `stop`.

    With start 0 and stop 1 on beta this is KL annealing (Generating Sentences from a Continuous Space, 2015,
    https://arxiv.org/abs/1511.06349).
    """

    def __init__(self, start: float = 0.0, stop: float = 1.0, steps: int | None = None) -> None:
        self.start, self.stop, self.steps = _not_negative(start), _not_negative(stop), _span(steps)

    def __call__(self, step: int, total: int) -> float:
        done = min(1.0, step / (self.steps or max(total, 1)))
        return self.start + (self.stop - self.start) * done


@SCHEDULES.register("geometric")
class Geometric:
    """From `start` to `stop`, both more than 0, by the same factor at each step, then `stop`.

    A weight that begins heavy and falls through several orders of magnitude spends as long in each. It takes `steps`,
    or, where none are given, the share `share` of the run.
    """

    def __init__(self, start: float, stop: float = 1.0, steps: int | None = None, share: float = 1.0) -> None:
        if not (0 < start < math.inf and 0 < stop < math.inf):
            raise SettingsError(f"schedule 'geometric': expected numbers of more than 0, got {start} and {stop}")
        if not 0 < share <= 1:
            raise SettingsError(f"schedule 'geometric', share: expected 0 < share <= 1, got {share}")
        self.start, self.stop, self.steps, self.share = start, stop, _span(steps), share

    def __call__(self, step: int, total: int) -> float:
        done = min(1.0, step / (self.steps or max(total * self.share, 1)))
        return math.exp((1 - done) * math.log(self.start) + done * math.log(self.stop))


@SCHEDULES.register("cyclical")
class Cyclical:
    """`cycles` times over: from `start` to `stop` over the share `rise` of a cycle, then `stop`.

    Cyclical Annealing Schedule: A Simple Approach to Mitigating KL Vanishing, 2019,
    https://arxiv.org/abs/1903.10145.
    """

    def __init__(
        self,
        start: float = 0.0,
        stop: float = 1.0,
        cycles: int = 4,
        rise: float = 0.5,
        steps: int | None = None,
    ) -> None:
        if cycles < 1 or not 0 < rise <= 1:
            raise SettingsError(
                f"schedule 'cyclical': expected cycles >= 1 and 0 < rise <= 1, got {cycles} and {rise}"
            )
        if cycles > _MOST_CYCLES:
            raise SettingsError(f"schedule 'cyclical': expected at most {_MOST_CYCLES} cycles, got {shorten(cycles)}")
        self.start, self.stop, self.steps = _not_negative(start), _not_negative(stop), _span(steps)
        self.cycles, self.rise = cycles, rise

    def __call__(self, step: int, total: int) -> float:
        span = self.steps or max(total, 1)
        if step >= span:
            return self.stop
        phase = step * self.cycles / span % 1
        return self.start + (self.stop - self.start) * min(1.0, phase / self.rise)


@SCHEDULES.register("triangle")
class Triangle:
    """From 0 to `peak` over the share `rise` of the steps, then down to 0 in a straight line: for learning rates.

    Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates, 2017,
    https://arxiv.org/abs/1708.07120.
    """

    def __init__(self, peak: float, rise: float = 0.1, steps: int | None = None) -> None:
        if not 0 < rise < 1:
            raise SettingsError(f"schedule 'triangle', rise: expected 0 < rise < 1, got {rise}")
        self.peak, self.rise, self.steps = _not_negative(peak), rise, _span(steps)

    def __call__(self, step: int, total: int) -> float:
        # Half a step in, so that neither the first nor the last step is spent at 0.
        done = (step + 0.5) / (self.steps or max(total, 1))
        return self.peak * max(0.0, min(done / self.rise, (1 - done) / (1 - self.rise)))
