"""Averaged weights: an exponential moving average that is evaluated and saved in place of the last weights."""

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn


class AveragedWeights:
    """average ← decay · average + (1 - decay) · weights, after every step; decay 0 is the weights themselves.

    Early on the decay is held down to (1 + step) / (10 + step), so the random start is forgotten quickly.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self._parameters = [p.data for p in model.parameters()]
        self._names = [name for name, _ in model.named_parameters()]
        self._average = [p.clone() for p in self._parameters] if decay else self._parameters

    def update(self, step: int) -> None:
        """Take in the weights after step `step`."""
        if self.decay:
            decay = min(self.decay, (1 + step) / (10 + step))
            torch._foreach_lerp_(self._average, self._parameters, 1 - decay)

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Within, the model has the averaged weights."""
        if not self.decay:
            yield
            return
        kept = [p.clone() for p in self._parameters]
        torch._foreach_copy_(self._parameters, self._average)
        try:
            yield
        finally:
            torch._foreach_copy_(self._parameters, kept)

    def state(self) -> dict[str, Tensor]:
        """The average by parameter name; empty where there is none of its own."""
        return dict(zip(self._names, self._average, strict=True)) if self.decay else {}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Take a state back."""
        for name, average in zip(self._names, self._average, strict=True):
            if self.decay:
                average.copy_(state[name])
