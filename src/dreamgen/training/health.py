"""When numbers go bad: which batch, which term, which layer."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from dreamgen.data.batch import Batch
from dreamgen.distributions import StepNoise
from dreamgen.errors import DivergedError
from dreamgen.models import VAE
from dreamgen.objectives import Objective


@torch.no_grad()
def diagnose(model: VAE, objective: Objective, batch: Batch, step: int, total: int) -> DivergedError:
    """The error that says where NaN or infinity came from: the step, the first bad term and the first bad layer."""
    if not model.reads:
        return DivergedError(f"training diverged at step {step}: the loss is not finite; try a lower learning_rate")
    terms = objective(model.infer(batch, StepNoise(0, device=batch.x.device), objective.samples), step, total)
    bad = {name: int((~torch.isfinite(getattr(terms, name))).sum()) for name in ("distortion", "rate", "loss")}
    seen = [
        f"the {name} is not finite in {rows} of the batch's {len(batch)} rows" for name, rows in bad.items() if rows
    ]
    what = f"{seen[0]}; first seen in" if seen else "the loss is finite, and yet a number is not in"
    return DivergedError(
        f"training diverged at step {step}: {what} {first_bad_place(model, batch)}. "
        "A lower learning_rate is the usual cure; the last checkpoint is kept."
    )


def first_bad_place(model: VAE, batch: Batch) -> str:
    """The input, the parameter or the layer in which a number that is not finite appears first."""
    if not torch.isfinite(batch.x).all():
        return "the data"
    for name, parameter in model.named_parameters():
        if not torch.isfinite(parameter).all():
            return f"the parameter {name}"
    seen: list[str] = []
    with _watching(model, seen), torch.no_grad(), contextlib.suppress(ValueError):
        model.infer(batch, StepNoise(0, device=batch.x.device))
    return f"the output of layer {seen[0]}" if seen else "the gradients (every layer's output is finite)"


@contextlib.contextmanager
def _watching(model: nn.Module, seen: list[str]) -> Iterator[None]:
    def watch(name: str) -> object:
        def hook(_module: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, Tensor) and not torch.isfinite(output).all():
                seen.append(name)

        return hook

    leaves = [(n, m) for n, m in model.named_modules() if not any(m.children())]
    handles = [module.register_forward_hook(watch(name)) for name, module in leaves]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
