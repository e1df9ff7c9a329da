"""The gradients of the mission's network written out: fewer passes over memory than autograd needs.

With logits l, z = loc + scale · ε, v = log scale² and the loss of one row
    L = Σ (log(1 + e^l) - x l) + beta · ½ Σ (loc² + e^v - 1 - v)
the chain rule gives
    dL/dl = sigmoid(l) - x, and from it dL/dz through the decoder;
    dL/dloc = dL/dz + beta · loc;
    dL/dv = ½ (dL/dz · ε · scale + beta · (e^v - 1)).
The cross-entropy itself is never needed for this; it is read off a few rows, for people to see.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dreamgen.data.batch import Batch
from dreamgen.distributions import BernoulliLikelihood, DiagonalGaussian, Noise, StandardNormal
from dreamgen.distributions.bounded import at_least_float32, bound_log_variance, bound_log_variance_slope
from dreamgen.models import VAE
from dreamgen.nn.mlp import MLPDecoder, MLPEncoder
from dreamgen.objectives import NegativeELBO, Objective, Terms

_SHOWN = 16  # the terms of every 16th row are read off


class _Activation(NamedTuple):
    """Applied in place, and its gradient: by the gradient of its output and the output itself."""

    forward: Callable[[Tensor], Tensor]
    backward: Callable[[Tensor, Tensor], Tensor]


_ACTIVATIONS: dict[type[nn.Module], _Activation] = {
    nn.ReLU: _Activation(torch.relu_, lambda gradient, h: torch.ops.aten.threshold_backward(gradient, h, 0)),
    nn.Tanh: _Activation(torch.tanh_, torch.ops.aten.tanh_backward),
}


class GradientsByHand:
    """Gradients of the mean of distortion + beta · rate, with one sample.

    For fully connected networks, a diagonal Gaussian posterior, a standard normal prior and a Bernoulli likelihood.

    Args:
        model: its parameters get their `grad`.
        dtype: of the matrix products. The posterior and the rate are in float32 at least.
    """

    def __init__(self, model: VAE, dtype: torch.dtype) -> None:
        encoder, posterior, decoder = _networks(model)
        self._encoder = _Network(encoder.layers, [posterior.loc, posterior.log_variance], dtype)
        self._decoder = _Network(decoder.layers, [decoder.out], dtype)
        self._modules, self._parameters = list(model.modules()), list(model.parameters())
        self._dtype = dtype

    @staticmethod
    def fit(model: VAE) -> bool:
        """Whether the model has only parts that are written out here."""
        if type(model) is not VAE or model.reader is not None or model.blur is not None:
            return False
        parts = (
            (model.encoder.network, MLPEncoder),
            (model.encoder.posterior, DiagonalGaussian),
            (model.prior, StandardNormal),
            (model.decoder.network, MLPDecoder),
            (model.decoder.likelihood, BernoulliLikelihood),
        )
        if not all(type(part) is kind for part, kind in parts):
            return False
        encoder, _, decoder = _networks(model)
        if encoder.sees_mask:
            return False
        return all(type(layer) in (nn.Linear, *_ACTIVATIONS) for layer in (*encoder.layers, *decoder.layers))

    def serve(self, objective: Objective, batch: Batch) -> TypeGuard[NegativeELBO]:
        """Whether this loss is the one that is written out here, of all weights, and nobody watches the layers."""
        plain = type(objective) is NegativeELBO and objective.samples == 1
        watched = any(
            m._forward_hooks or m._forward_pre_hooks or m._backward_hooks or m._backward_pre_hooks
            for m in self._modules
        )
        frozen = not all(parameter.requires_grad for parameter in self._parameters)
        whole = batch.mask is None and batch.context is None and batch.properties is None
        return plain and whole and not watched and not frozen

    @torch.no_grad()
    def __call__(
        self, objective: NegativeELBO, batch: Batch, noise: Noise, step: int, total: int
    ) -> tuple[Terms, Tensor]:
        """Set every parameter's `grad`.

        Returns:
            The terms of every 16th row, and whether all gradients are finite, ().
        """
        rows, beta = len(batch), objective.weight(step, total)
        x = batch.x.flatten(1).to(self._dtype)
        loc, raw = at_least_float32(self._encoder.forward(x)).chunk(2, dim=1)
        log_variance = bound_log_variance(raw)
        scale = torch.exp(0.5 * log_variance)
        epsilon = noise.normal((1, *loc.shape))[0].to(loc.dtype)
        z = torch.addcmul(loc, scale, epsilon)
        variance = scale.square()
        rate = (loc.square() + variance).sub_(1).sub_(log_variance).mul_(0.5)
        logits = self._decoder.forward(z.to(self._dtype))
        seen = at_least_float32(batch.x.flatten(1))
        terms = _terms(at_least_float32(logits[::_SHOWN]), seen[::_SHOWN], rate[::_SHOWN], beta, objective.free_bits)

        # In float32: next to 1 bfloat16 knows only every 256th, and a pixel that is nearly right would feel nothing.
        to_logits = at_least_float32(logits).sigmoid_().sub_(seen)
        to_z = self._decoder.backward(to_logits.to(self._dtype), rows).to(loc.dtype)
        # A unit within its free bits pays nothing, and so feels no pull.
        pull = (rate > objective.free_bits).to(rate.dtype) * beta if objective.free_bits else beta
        to_loc = to_z + pull * loc
        to_raw = (to_z * epsilon * scale + pull * (variance - 1)) * (0.5 * bound_log_variance_slope(raw))
        self._encoder.backward(torch.cat([to_loc, to_raw], dim=1).to(self._dtype), rows, to_input=False)
        # NaN anywhere on the way reaches a gradient; infinity can be lost in a sigmoid, but not in the loss.
        found = self._encoder.first_bias_gradient() + self._decoder.last_bias_gradient() + terms.loss.sum()
        return terms, torch.isfinite(found)


def _networks(model: VAE) -> tuple[Any, Any, Any]:
    return model.encoder.network, model.encoder.posterior, model.decoder.network


def _terms(logits: Tensor, x: Tensor, rate: Tensor, beta: float, free_bits: float) -> Terms:
    distortion = (F.softplus(logits) - x * logits).sum(1)
    paid = rate.clamp(min=free_bits) if free_bits else rate
    return Terms(distortion + beta * paid.sum(1), distortion, rate.sum(1))


class _Network:
    """Layers in a row; `heads` are linear layers side by side behind the last."""

    def __init__(self, layers: nn.Sequential, heads: list[nn.Linear], dtype: torch.dtype) -> None:
        parts: list[Any] = list(layers)
        pairs = zip(parts[::2], parts[1::2], strict=True)
        hidden = [_Layer([linear], _ACTIVATIONS[type(activation)], dtype) for linear, activation in pairs]
        self._layers = [*hidden, _Layer(heads, None, dtype)]

    def forward(self, x: Tensor) -> Tensor:
        """(B, F) to (B, G), keeping what the way back needs."""
        for layer in self._layers:
            x = layer.forward(x)
        return x

    def backward(self, gradient: Tensor, rows: int, to_input: bool = True) -> Tensor:
        """The gradient of the output, (B, G), to that of the input, (B, F); parameters get their mean over rows."""
        for layer in reversed(self._layers):
            gradient = layer.backward(gradient, rows, to_input or layer is not self._layers[0])
        return gradient

    def first_bias_gradient(self) -> Tensor:
        return self._layers[0].bias_gradient()

    def last_bias_gradient(self) -> Tensor:
        return self._layers[-1].bias_gradient()


class _Layer:
    """Linear layers side by side as one matrix product, and an activation."""

    _x: Tensor
    _weight: Tensor
    _h: Tensor

    def __init__(self, linears: list[nn.Linear], activation: _Activation | None, dtype: torch.dtype) -> None:
        self._linears = linears
        self._activation = activation
        self._dtype = dtype

    def forward(self, x: Tensor) -> Tensor:
        self._x, self._weight = x, self._joined("weight")
        self._h = torch.addmm(self._joined("bias"), x, self._weight.T)
        return self._activation.forward(self._h) if self._activation else self._h

    def _joined(self, name: str) -> Tensor:
        parts = [getattr(linear, name).to(self._dtype) for linear in self._linears]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def backward(self, gradient: Tensor, rows: int, to_input: bool) -> Tensor:
        if self._activation:
            gradient = self._activation.backward(gradient, self._h)
        widths = [linear.out_features for linear in self._linears]
        weights, biases = (gradient.T @ self._x).split(widths), gradient.sum(0).split(widths)
        for linear, weight, bias in zip(self._linears, weights, biases, strict=True):
            linear.weight.grad = weight.to(linear.weight.dtype, copy=True).div_(rows)
            linear.bias.grad = bias.to(linear.bias.dtype, copy=True).div_(rows)
        return gradient @ self._weight if to_input else gradient

    def bias_gradient(self) -> Tensor:
        return torch.stack([linear.bias.grad.sum() for linear in self._linears if linear.bias.grad is not None]).sum()
