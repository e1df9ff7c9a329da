"""Explicit noise. torch's Distributions take no generator, so everything random here starts from these sources.

Two needs differ. A training step wants one fast draw that a resumed run can repeat: `StepNoise`, a function of
(seed, step). A score wants every row to meet the same noise whatever batch it came in and wherever in the file
it stood: `RowNoise`, a function of (seed, the row's own content).
"""

import hashlib
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

_MASK = (1 << 63) - 1


def derive_seed(*parts: int | str) -> int:
    """One seed out of several integers or words, so that (1, 23) and (12, 3) differ."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") & _MASK


def generator(*parts: int | str, device: torch.device | str = "cpu") -> torch.Generator:
    """A torch generator seeded by several integers or words."""
    return torch.Generator(device).manual_seed(derive_seed(*parts))


def row_keys(x: Tensor) -> list[int]:
    """A key for each row of x, (B, *event), from the bytes of its values: the same picture, the same key."""
    rows = x.detach().float().cpu().flatten(1).contiguous().numpy()
    return [int.from_bytes(hashlib.blake2b(r.tobytes(), digest_size=8).digest(), "little") for r in rows]


class Noise(Protocol):
    """Where randomness comes from; both calls return shape (K, B, *event), K draws for each of B rows."""

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Independent standard normal numbers."""

    def uniform(self, shape: Sequence[int]) -> Tensor:
        """Independent uniform numbers in [0, 1)."""


class StepNoise:
    """Noise for one batch as a whole, a function of the seed parts alone."""

    def __init__(self, *parts: int | str, device: torch.device | str = "cpu") -> None:
        self._generator = generator(*parts, device=device)

    def normal(self, shape: Sequence[int]) -> Tensor:
        return torch.randn(tuple(shape), generator=self._generator, device=self._generator.device)

    def uniform(self, shape: Sequence[int]) -> Tensor:
        return torch.rand(tuple(shape), generator=self._generator, device=self._generator.device)


class PortableNoise(StepNoise):
    """The same numbers on every device: drawn on the CPU and then moved."""

    def __init__(self, *parts: int | str, device: torch.device | str = "cpu") -> None:
        super().__init__(*parts)
        self._device = device

    def normal(self, shape: Sequence[int]) -> Tensor:
        return super().normal(shape).to(self._device)

    def uniform(self, shape: Sequence[int]) -> Tensor:
        return super().uniform(shape).to(self._device)


class RowNoise:
    """Noise for each row apart, a function of (seed, row key): order and batch size do not matter.

    Drawn on the CPU and then moved, so the noise is the same on every device. Seeding a generator takes about
    three microseconds, which one decoded sample outweighs.
    """

    def __init__(self, seed: int | str, keys: Sequence[int], device: torch.device | str = "cpu") -> None:
        self._generators = [generator(seed, key) for key in keys]
        self._device = device

    def normal(self, shape: Sequence[int]) -> Tensor:
        return self._stack(torch.randn, shape)

    def uniform(self, shape: Sequence[int]) -> Tensor:
        return self._stack(torch.rand, shape)

    def _stack(self, draw: "Draw", shape: Sequence[int]) -> Tensor:
        each = (shape[0], *shape[2:])
        return torch.stack([draw(each, generator=g) for g in self._generators], dim=1).to(self._device)


class Draw(Protocol):
    """torch.randn or torch.rand."""

    def __call__(self, size: tuple[int, ...], *, generator: torch.Generator) -> Tensor: ...
