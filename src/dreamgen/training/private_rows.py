"""Clipped sums of gradients of any model: the gradient of each row by itself, by torch.func, some rows at a time.

A row is explained alone, as a batch of one, so nothing of another row can reach its gradient.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from dreamgen.data.batch import Batch
from dreamgen.distributions import Noise
from dreamgen.models import VAE
from dreamgen.objectives import Objective, Terms

_AT_ONCE = 1 << 22  # numbers in the gradients of the rows that are held at once: 16 MiB


def clipped_sum_of_rows(
    model: VAE,
    parameters: Mapping[str, Tensor],
    objective: Objective,
    batch: Batch,
    noise: Noise,
    step: int,
    total: int,
    clip: float,
) -> tuple[Terms, dict[str, Tensor]]:
    """As `PrivateUpdate.clipped_sum`, by the parameters that are trained."""
    seen = _Recorded(noise)
    with torch.no_grad():
        terms = objective(model.infer(batch, seen, objective.samples), step, total)
    sums = {name: torch.zeros_like(p) for name, p in parameters.items()}
    at_once = max(1, _AT_ONCE // sum(p.numel() for p in parameters.values()))
    for start in range(0, len(batch), at_once):
        part = slice(start, start + at_once)
        draws = [draw[:, part] for draw in seen.draws]
        gradients = row_gradients(model, parameters, objective, batch[part], draws, step, total)
        squares = torch.stack([g.flatten(1).square().sum(1) for g in gradients.values()]).sum(0)
        share = torch.where(squares.isfinite(), (clip / squares.sqrt()).clamp(max=1), 0.0)
        for name, gradient in gradients.items():
            flat = gradient.flatten(1)
            flat = flat if squares.isfinite().all() else flat.nan_to_num(0.0, 0.0, 0.0)
            sums[name] += torch.mv(flat.T, share).view_as(sums[name])
    return terms, sums


def row_gradients(
    model: VAE,
    parameters: Mapping[str, Tensor],
    objective: Objective,
    batch: Batch,
    draws: Sequence[Tensor],
    step: int,
    total: int,
) -> dict[str, Tensor]:
    """The gradient of each row's own loss, (B, *parameter), by parameter; `draws` is noise, (K, B, *event) each."""
    from torch.func import functional_call, grad, vmap

    infer = _Infer(model)
    names = [name for name in ("x", "mask", "context", "properties") if getattr(batch, name) is not None]

    def loss(weights: dict[str, Tensor], row: dict[str, Tensor], noise: list[Tensor]) -> Tensor:
        alone = Batch(**{name: value.unsqueeze(0) for name, value in row.items()})
        given = _Given([draw.unsqueeze(1) for draw in noise])
        trace = functional_call(infer, weights, (alone, given, objective.samples))
        return objective(trace, step, total).loss.squeeze(0)

    weights = {f"model.{name}": value.detach() for name, value in parameters.items()}
    rows = {name: getattr(batch, name) for name in names}
    found = vmap(grad(loss), in_dims=(None, 0, 1))(weights, rows, list(draws))
    return {name.removeprefix("model."): value for name, value in found.items()}


class _Infer(nn.Module):
    """A model whose call is `infer`, for functional_call."""

    def __init__(self, model: VAE) -> None:
        super().__init__()
        self.model = model

    def forward(self, batch: Batch, noise: Noise, samples: int) -> Any:
        return self.model.infer(batch, noise, samples)


class _Recorded:
    """Noise that remembers what it gave, so that rows alone can be given the same."""

    def __init__(self, source: Noise) -> None:
        self._source = source
        self.draws: list[Tensor] = []

    def normal(self, shape: Sequence[int]) -> Tensor:
        self.draws.append(self._source.normal(shape))
        return self.draws[-1]

    def uniform(self, shape: Sequence[int]) -> Tensor:
        self.draws.append(self._source.uniform(shape))
        return self.draws[-1]


class _Given:
    """Noise that was drawn before."""

    def __init__(self, draws: list[Tensor]) -> None:
        self._draws = iter(draws)

    def normal(self, shape: Sequence[int]) -> Tensor:
        draw = next(self._draws)
        assert draw.shape == tuple(shape)
        return draw

    uniform = normal
