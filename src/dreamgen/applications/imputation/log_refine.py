"""Regressions that say what to expect in the gaps of a log; a model of rows about gaps says how far that may be off.

For a gap of sensor i around time t, which reaches a rows back and b rows ahead to the next values, inputs are

    of sensor i: the values at both ends, the straight line between them, and means of its values beyond the ends;
    of the others, with their gaps filled: the value at t, and means over some rows about t;
    a and b themselves, and the clock.

Ridge regression finds the weighted means that noise calls for, and trees what is left of it. Rows to learn from are
made-up gaps around values that are known, of the lengths that the log has. In the first round the others' gaps hold
straight lines, in the second what the first one said.

Letters: n rows, c sensors, r gaps, f inputs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamgen.applications.imputation.forests import Forest, grow
from dreamgen.applications.imputation.log_rows import Log, LogRows
from dreamgen.distributions import derive_seed
from dreamgen.errors import ModelFileError
from dreamgen.tables.cells import Floats
from dreamgen.tensors import dump_tensors, parse_tensors

Ints = NDArray[np.int64]
_ABOUT = (2, 8)  # rows before and after t, for means of the other sensors
_BEYOND = (3, 16)  # rows beyond the ends of the gap, for means of the sensor itself
_TREES, _LEAF, _FEATURES, _GROWN = 40, 20, 0.3, 6_000
_RIDGE = 10.0
_ROUNDS = 2
_CLOCKS = (0, 1, 4)  # how many columns the clock may have
_FEWEST = 20  # rows to learn from
FILE = "log.safetensors"


def inputs(log: Log, filled: Floats, sensor: int, t: Ints, a: Ints, b: Ints) -> Floats:
    """Inputs (r, f) about gaps of a sensor; `filled` is the log's values (n, c) without gaps."""
    sums = np.concatenate([np.zeros((1, filled.shape[1])), np.cumsum(filled, 0)])
    first, end = log.first[t], log.end[t]

    def mean(start: Ints, stop: Ints, column: Any) -> Floats:
        start, stop = np.clip(start, first, end), np.clip(stop, first, end)
        some = np.maximum(stop - start, 1)
        total = sums[stop][:, column] - sums[start][:, column]
        return total / (some[:, None] if total.ndim == 2 else some)  # type: ignore[no-any-return]

    left, right = t - a, t + b
    has_left, has_right = left >= first, right < end
    own = filled[:, sensor]
    middle = own.mean()
    before = np.where(has_left, own[np.maximum(left, 0)], np.nan)
    after = np.where(has_right, own[np.minimum(right, len(own) - 1)], np.nan)
    before, after = np.where(has_left, before, after), np.where(has_right, after, before)
    before, after = np.nan_to_num(before, nan=middle), np.nan_to_num(after, nan=middle)
    line = before + (after - before) * a / (a + b)
    parts = [before, after, line]
    for reach in _BEYOND:
        past = np.where(has_left, mean(left - reach + 1, left + 1, sensor), before)
        coming = np.where(has_right, mean(right, right + reach, sensor), after)
        past, coming = np.where(has_left, past, coming), np.where(has_right, coming, past)
        parts += [past, coming, past + (coming - past) * a / (a + b)]
    parts += [np.log(a), np.log(b)]
    others = np.arange(filled.shape[1]) != sensor
    about = [filled[t][:, others], *(mean(t - reach, t + reach + 1, others) for reach in _ABOUT)]
    return np.concatenate([np.stack(parts, 1), *about, log.clock[t]], 1)


@dataclass(frozen=True)
class LogForest:
    """A ridge regression, and trees on what it leaves.

    Attributes:
        loc, scale: of the inputs, (f,).
        coefficients: of the standardised inputs, and last the constant, (f + 1,).
        forest: of the rest.
    """

    loc: Floats
    scale: Floats
    coefficients: Floats
    forest: Forest

    @classmethod
    def fit(cls, x: Floats, y: Floats, seed: int) -> "LogForest":
        """Learn from inputs (r, f) and values (r,)."""
        loc, scale = x.mean(0), x.std(0)
        scale = np.where(scale > 1e-9, scale, 1.0)
        z = (x - loc) / scale
        middle = y.mean()
        beta = np.linalg.solve(z.T @ z + _RIDGE * np.eye(z.shape[1]), z.T @ (y - middle))
        rest = y - middle - z @ beta
        some = np.random.default_rng([seed, 11]).permutation(len(x))[:_GROWN]
        forest = grow(z[some], rest[some][:, None], trees=_TREES, leaves=(_LEAF,), features=_FEATURES, seed=seed)
        return cls(loc, scale, np.append(beta, middle), forest)

    def predict(self, x: Floats) -> Floats:
        """Values, (r,), for inputs (r, f)."""
        z = (x - self.loc) / self.scale
        found: Floats = z @ self.coefficients[:-1] + self.coefficients[-1] + self.forest.predict(z)[:, 0]
        return found

    def tensors(self, name: str) -> dict[str, NDArray[Any]]:
        """Arrays by names that begin with `name`."""
        own = {f"{name}.{part}": getattr(self, part) for part in ("loc", "scale", "coefficients")}
        return own | self.forest.tensors(name)

    @classmethod
    def from_tensors(cls, name: str, tensors: Mapping[str, NDArray[Any]], width: int) -> "LogForest":
        """From arrays, which may be anybody's; raises ModelFileError."""
        forest = Forest.from_tensors(name, tensors, width, 1)
        own = [tensors.get(f"{name}.{part}", np.zeros(0)) for part in ("loc", "scale", "coefficients")]
        if [part.shape for part in own] != [(width,), (width,), (width + 1,)] or not (own[1] > 0).all():
            raise ModelFileError(f"{FILE}: expected a regression on {width} inputs for {name}")
        return cls(own[0], own[1], own[2], forest)


@dataclass(frozen=True)
class LogRefiner:
    """Regressions for all sensors, a round after the other.

    Attributes:
        rounds: by sensor; a sensor with hardly any values has none, and keeps its straight lines.
    """

    rounds: tuple[dict[int, LogForest], ...]

    @classmethod
    def fit(cls, rows: LogRows, seed: int) -> "LogRefiner":
        """Learn from the values of a log; each round starts where the last one ended."""
        filled, rounds = rows.straight(), []
        for number in range(_ROUNDS):
            t, a, b = rows.made_up(derive_seed(seed, "round", number) % 2**31)
            made = {}
            for i in range(filled.shape[1]):
                there = np.isfinite(rows.log.values[t, i])
                if there.sum() >= _FEWEST:
                    x = inputs(rows.log, filled, i, t[there], a[there], b[there])
                    own = derive_seed(seed, "regression", number, i) % 2**31
                    made[i] = LogForest.fit(x, rows.log.values[t[there], i], own)
            filled = _round(made, rows, filled)
            rounds.append(made)
        return cls(tuple(rounds))

    def fill(self, rows: LogRows) -> Floats:
        """The log without gaps, (n, c)."""
        filled = rows.straight()
        for made in self.rounds:
            filled = _round(made, rows, filled)
        return filled

    def guess(self, rows: LogRows, sensor: Ints, t: Ints, a: Ints, b: Ints) -> Floats:
        """What is expected at the times t of sensors, if they had gaps with reaches a and b there, (r,)."""
        filled = rows.straight()
        for made in self.rounds[:-1]:
            filled = _round(made, rows, filled)
        found = filled[t, sensor]
        for i, forest in self.rounds[-1].items():
            here = sensor == i
            if here.any():
                found[here] = forest.predict(inputs(rows.log, filled, i, t[here], a[here], b[here]))
        return found

    def to_bytes(self) -> bytes:
        """A safetensors file."""
        import torch

        tensors: dict[str, NDArray[Any]] = {}
        for number, made in enumerate(self.rounds):
            for i, forest in made.items():
                tensors |= forest.tensors(f"{number}-{i}")
        return dump_tensors({name: torch.from_numpy(values) for name, values in tensors.items()})

    @classmethod
    def from_bytes(cls, content: bytes, sensors: int) -> "LogRefiner":
        """From a safetensors file; raises ModelFileError."""
        tensors = {name: tensor.numpy() for name, tensor in parse_tensors(content, FILE).items()}
        rounds: tuple[dict[int, LogForest], ...] = tuple({} for _ in range(_ROUNDS))
        named = {f"{number}-{i}": (number, i) for number in range(_ROUNDS) for i in range(sensors)}
        widths = {len(values) for name, values in tensors.items() if name.endswith(".loc") and values.ndim == 1}
        possible = {5 + 3 * len(_BEYOND) + (1 + len(_ABOUT)) * (sensors - 1) + clock for clock in _CLOCKS}
        if len(widths) > 1 or not widths <= possible:
            raise ModelFileError(f"{FILE}: expected inputs about {sensors} sensors")
        for name in sorted({key.split(".")[0] for key in tensors}):
            if name not in named or not widths:
                raise ModelFileError(f"{FILE}: expected regressions of {sensors} sensors, got {name!r}")
            number, i = named[name]
            rounds[number][i] = LogForest.from_tensors(name, tensors, min(widths))
        return cls(rounds)


def _round(made: Mapping[int, LogForest], rows: LogRows, filled: Floats) -> Floats:
    new = filled.copy()
    for i, forest in made.items():
        t, a, b = rows.gaps(i)
        if len(t):
            new[t, i] = forest.predict(inputs(rows.log, filled, i, t, a, b))
    return new
