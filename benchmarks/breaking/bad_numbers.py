"""`nan`: NaN and infinity put into a run's data, weights, optimiser or gradients at a random step.

The run must stop with DivergedError no later than in the step after, and no checkpoint may hold a bad number. Half of
the runs write a checkpoint after every step, and half only after an epoch, so that saving does not do the noticing.
"""

import contextlib
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from breaking.models import SETTINGS, small_run
from breaking.outcome import Outcome
from dreamgen.errors import DivergedError
from dreamgen.training import Checkpoints, Run, train

_VALUES = (float("nan"), float("inf"), float("-inf"))
_KINDS: tuple[dict[str, Any], ...] = (
    {},
    {"binarise": "dynamic"},
    {"average": 0.9, "optimizer": "adamw"},
    {"objective": {"kind": "iwae", "samples": 3}, "encoder": {"kind": "mlp", "activation": "tanh"}},
    {"likelihood": {"kind": "gaussian", "learned": True}, "validation": 0.0},
    {"precision": "bfloat16", "posterior": "point", "beta": 0.0},
)


def run(size: int, seed: int, folder: Path) -> Outcome:
    """`size` injections, over four routes, six kinds of run, and three values."""
    outcome, random, late = Outcome(), Random(seed), 0
    routes = list(_ROUTES.items())
    for number in range(size):
        name, inject = routes[number % len(routes)]
        kind = _KINDS[number // len(routes) % len(_KINDS)]
        value = random.choice(_VALUES)
        spoilt = small_run(SETTINGS.replace(**kind, batch_size=9, save_every=number // 2 % 2))
        if number % 2:
            spoilt.validation = None
        step = random.randrange(1, spoilt.total - 1)
        what = inject(spoilt, step, value, random)
        trouble, took = _trouble(spoilt, step, folder / str(number))
        late += took
        outcome.count(not trouble, f"{kind}, {value} in {name} ({what}) at step {step}: {trouble}")
    outcome.note = f"{outcome.total - late} in the step itself, {late} in the step after or the checkpoint between"
    return outcome


def _trouble(spoilt: Run, step: int, place: Path) -> tuple[str, bool]:
    """What went wrong, or nothing; and whether it was noticed one step late."""
    checkpoints = Checkpoints(place)
    try:
        for _ in train(spoilt, checkpoints):
            pass
    except DivergedError as error:
        if spoilt.step > step + 1:
            return f"noticed {spoilt.step - step} steps later", True
        if "\n" in str(error):
            return "the error is not one line", False
    except Exception as error:
        return f"undeclared {type(error).__name__}: {error}", False
    else:
        return "never noticed", False
    for path in [*checkpoints.found(), *place.rglob("best.safetensors")]:
        bad = [key for key, tensor in load_file(path).items() if not torch.isfinite(tensor).all()]
        if bad:
            return f"{path.name} holds bad numbers in {bad}", False
    return "", spoilt.step > step


def _spoil(tensor: Tensor, value: float, random: Random) -> None:
    with torch.no_grad():
        tensor.view(-1)[random.randrange(tensor.numel())] = value


def _before(run: Run, step: int, act: Callable[[], None]) -> None:
    """Do something just before the update of one step; the batch is ready by then."""
    prepare = run.prepare

    def prepared(*arguments: Any) -> Any:
        if run.step == step:
            act()
        return prepare(*arguments)

    run.prepare = prepared  # type: ignore[method-assign]


def _into_data(run: Run, step: int, value: float, random: Random) -> str:
    epoch, index = divmod(step, run.steps_per_epoch)
    size = run.settings.batch_size
    rows = run.order(epoch)[index * size : (index + 1) * size]
    row = int(rows[random.randrange(len(rows))])
    _spoil(run.data.x[row], value, random)
    return f"row {row}"


def _into_weights(run: Run, step: int, value: float, random: Random) -> str:
    name, parameter = random.choice(list(run.model.named_parameters()))
    _before(run, step, lambda: _spoil(parameter, value, random))
    return name


def _into_optimizer(run: Run, step: int, value: float, random: Random) -> str:
    name, tensor = random.choice(sorted(run.update.state()[0].items()))
    _before(run, step, lambda: _spoil(tensor, value, random))
    return name


def _into_gradients(run: Run, step: int, value: float, random: Random) -> str:
    """Between the backward pass and the optimiser's step, whichever way the gradients came about."""
    optimizer = run.update._optimizer  # type: ignore[attr-defined]
    move = optimizer.step
    name, parameter = random.choice(list(run.model.named_parameters()))

    def moved(*arguments: Any) -> Any:
        if run.step == step:
            with contextlib.suppress(AttributeError):
                _spoil(parameter.grad, value, random)
        return move(*arguments)

    optimizer.step = moved
    return name


_ROUTES = {
    "the data": _into_data,
    "the weights": _into_weights,
    "the optimiser": _into_optimizer,
    "the gradients": _into_gradients,
}
