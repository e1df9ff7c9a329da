"""What every head does to a network's raw output first."""

import torch
from torch import Tensor

_FLAT, _ROOM = 10.0, 4.0


def at_least_float32(raw: Tensor) -> Tensor:
    """bfloat16 from a network in mixed precision becomes float32: densities need the digits. float64 stays."""
    return raw.float() if raw.dtype.itemsize < 4 else raw


def bound_log_variance(raw: Tensor) -> Tensor:
    """The identity on [-10, 10], bent smoothly towards ±14 outside.

    A variance of e^±14 is beyond any use, and a hard clamp would stop the gradient that could bring it back.
    """
    inside = raw.clamp(-_FLAT, _FLAT)
    return inside + _ROOM * torch.tanh((raw - inside) / _ROOM)


def bound_log_variance_slope(raw: Tensor) -> Tensor:
    """The derivative of `bound_log_variance`."""
    return 1 - torch.tanh((raw - raw.clamp(-_FLAT, _FLAT)) / _ROOM).square()
