"""Clipped sums of gradients without the gradients: for networks of linear layers and embeddings.

A linear layer that reads a_b and whose output has the gradient g_b has the gradient g_b a_bᵀ for row b, of length
|g_b| |a_b| (Efficient Per-Example Gradient Computations, 2015, https://arxiv.org/abs/1510.01799). So one forward and
one backward pass give all lengths, and Σ_b c_b g_b a_bᵀ is one more product. With K samples a row has K of each, and
its squared length is Σ_kl (a_k · a_l) (g_k · g_l).

Rows must not meet anywhere, which `torch.func` sees to by itself and this does not; so it serves known parts only.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from dreamgen.data.batch import Batch
from dreamgen.distributions import DiagonalGaussian, Noise, StandardNormal
from dreamgen.models import VAE
from dreamgen.nn.columns import ColumnsEncoder
from dreamgen.nn.mlp import MLPDecoder, MLPEncoder
from dreamgen.objectives import NegativeELBO, Objective, Terms
from dreamgen.objectives.bounds import NegativeIWAE


class _Call(NamedTuple):
    """One call of a layer: what it read, (K, B, F) or codes (B, C), and what it gave."""

    layer: nn.Module
    read: Tensor
    gave: Tensor


def rows_stay_apart(model: VAE, objective: Objective) -> bool:
    """Whether the model has only parts for which this is written."""
    parts = (
        (model.encoder.network, (MLPEncoder, ColumnsEncoder)),
        (model.encoder.posterior, (DiagonalGaussian,)),
        (model.prior, (StandardNormal,)),
        (model.decoder.network, (MLPDecoder,)),
        (objective, (NegativeELBO, NegativeIWAE)),
    )
    known = all(type(part) in kinds for part, kinds in parts)
    return known and all(type(m) in (nn.Linear, nn.Embedding) for m in model.modules() if m._parameters)


def clipped_sum_of_layers(
    model: VAE, objective: Objective, batch: Batch, noise: Noise, step: int, total: int, clip: float
) -> tuple[Terms, dict[str, Tensor]]:
    """As `PrivateUpdate.clipped_sum`."""
    calls: list[_Call] = []

    def remember(layer: nn.Module, read: tuple[Any, ...], gave: Tensor) -> None:
        calls.append(_Call(layer, read[0].detach(), gave))

    layers = {module: name for name, module in model.named_modules() if module._parameters}
    hooks = [layer.register_forward_hook(remember) for layer in layers]
    try:
        terms = objective(model.infer(batch, noise, objective.samples), step, total)
    finally:
        for hook in hooks:
            hook.remove()
    assert sorted(layers[call.layer] for call in calls) == sorted(layers.values()), "each layer is called once"
    gradients = torch.autograd.grad(terms.loss.sum(), [call.gave for call in calls])
    pairs = [_by_samples(call, gradient) for call, gradient in zip(calls, gradients, strict=True)]
    squares = torch.stack([_squares(call.layer, *pair) for call, pair in zip(calls, pairs, strict=True)]).sum(0)
    share = torch.where(squares.isfinite(), (clip / squares.sqrt()).clamp(max=1), 0.0)
    if not squares.isfinite().all():
        pairs = [(read.nan_to_num(0.0, 0.0, 0.0), gradient.nan_to_num(0.0, 0.0, 0.0)) for read, gradient in pairs]
    sums: dict[str, Tensor] = {}
    for call, (read, gradient) in zip(calls, pairs, strict=True):
        for name, value in _sums(call.layer, read, gradient * share[:, None]).items():
            sums[f"{layers[call.layer]}.{name}"] = value
    shown = Terms(terms.loss.detach(), terms.distortion.detach(), terms.rate.detach())
    return shown, sums


def _by_samples(call: _Call, gradient: Tensor) -> tuple[Tensor, Tensor]:
    """What a layer read and its output's gradient, with the samples in front: (K, B, F) and (K, B, G)."""
    if isinstance(call.layer, nn.Embedding):
        # Codes stand in for samples: each column of categories has rows of its own in the embedding.
        return call.read.T, gradient.transpose(0, 1)
    if call.read.dim() == 2:
        return call.read.unsqueeze(0), gradient.unsqueeze(0)
    return call.read, gradient


def _squares(layer: nn.Module, read: Tensor, gradient: Tensor) -> Tensor:
    """The squared length of each row's gradient of a layer, (B,)."""
    if isinstance(layer, nn.Embedding):
        return gradient.square().sum((0, 2))
    bias = 1.0 if layer.bias is not None else 0.0
    if len(read) == 1:
        return (read[0].square().sum(1) + bias) * gradient[0].square().sum(1)
    alike = torch.einsum("kbf,lbf->bkl", read, read) + bias
    return (alike * torch.einsum("kbg,lbg->bkl", gradient, gradient)).sum((1, 2))


def _sums(layer: nn.Module, read: Tensor, gradient: Tensor) -> dict[str, Tensor]:
    """The sums over rows, gradients already shortened."""
    if isinstance(layer, nn.Embedding):
        flat = gradient.flatten(0, 1)
        return {"weight": torch.zeros_like(layer.weight).index_add_(0, read.flatten(), flat)}
    flat = gradient.flatten(0, 1)
    sums = {"weight": flat.T @ read.flatten(0, 1)}
    return sums if layer.bias is None else {**sums, "bias": flat.sum(0)}
