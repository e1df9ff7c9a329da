"""Adam and AdamW as one fused step over all parameters.

torch's functional form is used, and not its Optimizer class: making one of those imports torch's compiler, which
takes longer than an epoch of a small model.
"""

from collections.abc import Callable, Iterable
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim.adam import adam as adam_step
from torch.optim.adamw import adamw as adamw_step

from dreamgen.errors import SettingsError
from dreamgen.registry import Registry

OPTIMIZERS: Registry["Adam"] = Registry("optimizer")


class Adam:
    """Running means of the gradients and of their squares, and the step they make.

    Args:
        parameters: what to train.
        step: torch's functional step with everything but tensors and the rate filled in.
        clip: the largest length of all gradients together; a longer one is shortened to it; 0: as it is
            (On the difficulty of training recurrent neural networks, 2012, https://arxiv.org/abs/1211.5063).
    """

    def __init__(self, parameters: Iterable[nn.Parameter], step: Callable[..., None], clip: float = 0.0) -> None:
        self._parameters = list(parameters)
        self._step = step
        self._clip = clip
        self._slots = {
            "exp_avg": [torch.zeros_like(p) for p in self._parameters],
            "exp_avg_sq": [torch.zeros_like(p) for p in self._parameters],
            "step": [torch.zeros((), device=p.device) for p in self._parameters],
        }

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for parameter in self._parameters:
            parameter.grad = None

    @torch.no_grad()
    def step(self, lr: float) -> Tensor:
        """Move every parameter that has a gradient.

        Returns:
            Whether all weights and running squares are finite, (), on their device. What is bad in the running mean
            is bad in the weights by now; a bad square only stops its weight for good, and a bad weight behind a
            rectifier only stops its unit, so the loss may never tell.
        """
        used = [i for i, p in enumerate(self._parameters) if p.grad is not None]
        exp_avg, exp_avg_sq, step = ([self._slots[name][i] for i in used] for name in self._slots)
        parameters = [self._parameters[i] for i in used]
        gradients = [_laid_out_as(p, p.grad) for p in parameters if p.grad is not None]
        if self._clip:
            length = torch.stack([gradient.norm() for gradient in gradients]).norm()
            torch._foreach_mul_(gradients, (self._clip / (length + 1e-6)).clamp(max=1))
        self._step(parameters, gradients, exp_avg, exp_avg_sq, [], step, lr=lr)
        # A sum is finite only if all its terms are: one fast pass over memory.
        watched = [*self._parameters, *self._slots["exp_avg_sq"], *self._slots["step"]]
        return torch.stack([tensor.sum() for tensor in watched]).sum().isfinite()

    def state(self) -> dict[str, Tensor]:
        """All running means and counts, by `number.slot`."""
        return {f"{i}.{name}": value for name, values in self._slots.items() for i, value in enumerate(values)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take a state back."""
        for key, value in self.state().items():
            value.copy_(state[key])


def _laid_out_as(parameter: Tensor, gradient: Tensor) -> Tensor:
    """The gradient in its parameter's order of memory; the fused step goes through both and looks at no strides."""
    if gradient.stride() == parameter.stride():
        return gradient
    return torch.empty_like(parameter).copy_(gradient)


def _adam(
    function: Callable[..., None],
    parameters: Iterable[nn.Parameter],
    beta1: float,
    beta2: float,
    clip: float,
    weight_decay: float = 0.0,
) -> Adam:
    for name, beta in (("beta1", beta1), ("beta2", beta2)):
        if not 0 <= beta < 1:
            raise SettingsError(f"optimizer, {name}: expected 0 <= {name} < 1, got {beta}")
    for name, least in (("weight_decay", weight_decay), ("clip", clip)):
        if least < 0:
            raise SettingsError(f"optimizer, {name}: expected 0 or more, got {least}")
    fixed = {"fused": True, "amsgrad": False, "eps": 1e-8, "maximize": False}
    return Adam(parameters, partial(function, beta1=beta1, beta2=beta2, weight_decay=weight_decay, **fixed), clip)


@OPTIMIZERS.register("adam")
def adam(parameters: Iterable[nn.Parameter], beta1: float = 0.9, beta2: float = 0.999, clip: float = 0.0) -> Adam:
    """Adam: A Method for Stochastic Optimization, 2014, https://arxiv.org/abs/1412.6980."""
    return _adam(adam_step, parameters, beta1, beta2, clip)


@OPTIMIZERS.register("adamw")
def adamw(
    parameters: Iterable[nn.Parameter],
    beta1: float = 0.9,
    beta2: float = 0.999,
    weight_decay: float = 0.01,
    clip: float = 0.0,
) -> Adam:
    """Decoupled Weight Decay Regularization, 2017, https://arxiv.org/abs/1711.05101."""
    return _adam(adamw_step, parameters, beta1, beta2, clip, weight_decay)
