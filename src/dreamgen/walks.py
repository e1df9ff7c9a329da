"""Walks through latent space: paths between two codes, grids on a plane, one latent at a time. Pure geometry."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dreamgen.errors import SettingsError
from dreamgen.registry import nearest

PATHS = ("linear", "spherical")
SCALES = ("value", "quantile")

_STILL = 1e-5  # a film that moves less than this over its length shows one picture


def path_between(a: Tensor, b: Tensor, t: Tensor, path: str = "linear") -> Tensor:
    """Points on the way from code a to code b, both (D,), at t in [0, 1], (n,): shape (n, D).

    `spherical` turns at a constant angle while the length changes evenly, so the path stays at the distance from the
    origin where the prior's mass is (Sampling Generative Networks, 2016, https://arxiv.org/abs/1609.04468).
    """
    if path not in PATHS:
        raise SettingsError(f"unknown path {path!r}: {nearest(path, PATHS)}")
    dtype = a.dtype
    # In float64: the angle between nearly opposite codes has few digits left in float32.
    a, b, t = a.double(), b.double(), t.double().unsqueeze(1)
    length_a, length_b = a.norm(), b.norm()
    if path == "linear" or length_a < 1e-6 or length_b < 1e-6:
        return ((1 - t) * a + t * b).to(dtype)
    angle = torch.arccos((a @ b / (length_a * length_b)).clamp(-1, 1))
    if torch.sin(angle) < 1e-4:  # parallel, or opposite: no plane to turn in
        return ((1 - t) * a + t * b).to(dtype)
    direction = (torch.sin((1 - t) * angle) * a / length_a + torch.sin(t * angle) * b / length_b) / torch.sin(angle)
    between: Tensor = ((1 - t) * length_a + t * length_b) * direction
    return between.to(dtype)


def even_spacing(frames: Tensor, steps: int) -> Tensor:
    """Times in [0, 1] at which a film, (n, ...), shown at equal times, has gone equally far: (steps,).

    Far is the sum of Euclidean distances between successive frames, so a morph at these times has no jump.
    """
    moved = (frames[1:] - frames[:-1]).flatten(1).norm(dim=1).double()
    gone = torch.cat([moved.new_zeros(1), moved.cumsum(0)])
    if gone[-1] < _STILL:
        return torch.linspace(0, 1, steps)
    wanted = torch.linspace(0, 1, steps, dtype=torch.double) * gone[-1]
    right = torch.searchsorted(gone, wanted).clamp(1, len(gone) - 1)
    left = right - 1
    part = (wanted - gone[left]) / (gone[right] - gone[left]).clamp(min=1e-300)
    return ((left + part.clamp(0, 1)) / (len(gone) - 1)).float()


def largest_step(frames: Tensor) -> float:
    """The largest Euclidean step between successive frames over the mean one; 1 for a still."""
    moved = (frames[1:] - frames[:-1]).flatten(1).norm(dim=1)
    return float(moved.max() / moved.mean()) if moved.sum() >= _STILL else 1.0


def ticks(size: int, by: str = "value", span: float = 3.0) -> Tensor:
    """Coordinates along one axis of a map, (size,): evenly from -span to span, or at evenly spaced quantiles.

    Quantiles of the standard normal put the cells where the prior's mass is; they run between the same ends.
    """
    if by not in SCALES:
        raise SettingsError(f"unknown scale {by!r}: {nearest(by, SCALES)}")
    if not 0 < span <= 30:
        raise SettingsError(f"span: expected more than 0, up to 30, got {span}")
    if by == "value":
        return torch.linspace(-span, span, size)
    # The upper half mirrors the lower one: near 1 a probability has no digits left for the tail.
    lowest = torch.special.log_ndtr(torch.tensor(-span, dtype=torch.double)).exp()
    shares = torch.linspace(0, 1, size, dtype=torch.double)[: (size + 1) // 2]
    below = torch.special.ndtri(lowest + shares * (1 - 2 * lowest))
    return torch.cat([below, -below[: size // 2].flip(0)]).float()


def plane_grid(base: Tensor, plane: Sequence[int], size: int, by: str = "value", span: float = 3.0) -> Tensor:
    """Codes on a plane through `base`, (D,): shape (size · size, D).

    The first latent of the plane grows from left to right, the second from bottom to top; rows come top first, as a
    picture is read.
    """
    along = ticks(size, by, span)
    z = base.repeat(size, size, 1)
    z[:, :, plane[0]] = along
    if len(plane) > 1:
        z[:, :, plane[1]] = along.flip(0).unsqueeze(1)
    return z.flatten(0, 1)


def one_at_a_time(base: Tensor, latents: Sequence[int], steps: int, span: float = 3.0) -> Tensor:
    """Codes that move one latent of `base`, (D,), from -span to span: shape (len(latents), steps, D)."""
    along, z = ticks(steps, span=span), base.repeat(len(latents), steps, 1)
    for row, latent in enumerate(latents):
        z[row, :, latent] = along
    return z
