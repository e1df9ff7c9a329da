"""Where to compute, and what is fast there."""

import torch
from torch import nn

from dreamgen.errors import SettingsError


def find_device(name: str) -> torch.device:
    """A device by name; "auto" is CUDA where there is one. Raises SettingsError if it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise SettingsError(f"device {name!r} is not available here: expected auto, cpu, cuda or mps") from error
    if device.type not in ("cpu", "cuda", "mps"):
        raise SettingsError(f"device {name!r}: expected auto, cpu, cuda or mps")
    return device


def device_of(model: nn.Module) -> torch.device:
    """Where a model's weights are."""
    return next(model.parameters()).device


def has_fast_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies matrices in bfloat16 in hardware."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    # torch has no public question for this; a build without the private one answers no.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    return device.type == "cpu" and torch.backends.cpu.get_cpu_capability().startswith("AVX512") and bool(supported())
