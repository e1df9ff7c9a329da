"""Soft bounds for what a network predicts on a logarithmic scale."""

import torch
from torch import Tensor

_FLAT, _ROOM = 10.0, 4.0


def bound_log_variance(raw: Tensor) -> Tensor:
    """The identity on [-10, 10], bent smoothly towards ±14 outside.

    A variance of e^±14 is beyond any use, and a hard clamp would stop the gradient that could bring it back.
    """
    inside = raw.clamp(-_FLAT, _FLAT)
    return inside + _ROOM * torch.tanh((raw - inside) / _ROOM)
