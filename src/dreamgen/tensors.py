"""Tensors as safetensors bytes and back: numbers only, finite, of a handful of types."""

from collections.abc import Mapping

import safetensors
import torch
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as to_safetensors
from torch import Tensor

from dreamgen.errors import ModelFileError

_TYPES = (torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.int32, torch.int64)


def dump_tensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Tensors as safetensors bytes."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(tensors.items())}
    content: bytes = to_safetensors(plain, dict(metadata or {}))
    return content


def parse_tensors(content: bytes, name: str) -> dict[str, Tensor]:
    """Tensors from safetensors bytes; raises ModelFileError if damaged, or for numbers that are not finite."""
    try:
        tensors: dict[str, Tensor] = from_safetensors(content)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, RuntimeError, AttributeError) as error:
        raise ModelFileError(f"{name}: not a valid safetensors file: {error}") from error
    for key, tensor in tensors.items():
        if tensor.dtype not in _TYPES:
            raise ModelFileError(f"{name}: {key} has type {tensor.dtype}, which no weights have")
        if not is_finite(tensor):
            raise ModelFileError(f"{name}: {key} holds NaN or infinity")
    return tensors


def is_finite(tensor: Tensor) -> bool:
    """Whether every number is finite."""
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
