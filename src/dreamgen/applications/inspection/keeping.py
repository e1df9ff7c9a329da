"""An inspector as files, safetensors and JSON alone, and back."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dreamgen.applications.inspection.patches import Array, Memory, View
from dreamgen.errors import ModelFileError
from dreamgen.generator import DreamGenerator
from dreamgen.io import model_files, model_of
from dreamgen.tensors import dump_tensors, parse_tensors

Usual = tuple[Array, Array]


def files_of(number: int, memory: Memory, usual: Usual) -> dict[str, bytes]:
    """The files of one view by name: its model's, the codes that are known, and what heat is usual."""
    tensors = {
        "bank": memory.bank,
        "active": torch.from_numpy(memory.active.astype(np.int64)),
        "spread": torch.from_numpy(memory.spread),
        "mean": torch.from_numpy(np.ascontiguousarray(usual[0])),
        "deviation": torch.from_numpy(np.ascontiguousarray(usual[1])),
    }
    own = {f"view{number}-{name}": content for name, content in model_files(memory.model.fitted()).items()}
    return {**own, f"view{number}.safetensors": dump_tensors(tensors)}


def memory_of(
    number: int, view: View, seed: int, files: Mapping[str, bytes], shape: Sequence[int], folder: Path
) -> tuple[Memory, Usual]:
    """One view from what `files_of` gave. Raises ModelFileError."""
    name, prefix = f"view{number}.safetensors", f"view{number}-"
    if name not in files:
        raise ModelFileError(f"{folder} is no inspector: it has no {name}")
    own = {key.removeprefix(prefix): content for key, content in files.items() if key.startswith(prefix)}
    tensors, memory = parse_tensors(files[name], name), Memory(view, seed)
    saved = model_of(own, folder / prefix)
    patch = (view.size, view.size, *shape[2:])
    if tuple(saved.event_shape) != patch or saved.settings.latent_dim != view.latents:
        raise ModelFileError(f"{folder}: the model of view {number} is not one of patches of {view.size} pixels")
    try:
        _check(tensors, view, shape)
    except (KeyError, ValueError) as error:
        raise ModelFileError(f"{name}: {error}") from error
    memory.model = DreamGenerator.of(saved)
    memory.recall(tensors["bank"], tensors["active"].numpy().astype(bool), tensors["spread"].numpy())
    return memory, (tensors["mean"].numpy(), tensors["deviation"].numpy())


def _check(tensors: Mapping[str, Tensor], view: View, shape: Sequence[int]) -> None:
    """Raise KeyError or ValueError where numbers are not as many as the view and the pictures need."""
    count = int((tensors["active"] != 0).sum())
    expected: dict[str, tuple[Any, ...]] = {
        "active": (view.latents,),
        "spread": (count,),
        "bank": (len(tensors["bank"]), count + 2),
        "mean": tuple(shape[:2]),
        "deviation": tuple(shape[:2]),
    }
    for name, wanted in expected.items():
        if tuple(tensors[name].shape) != wanted:
            raise ValueError(f"{name}: expected shape {wanted}, got {tuple(tensors[name].shape)}")
    if len(tensors["bank"]) < 3 or any(not bool((tensors[name] > 0).all()) for name in ("spread", "deviation")):
        raise ValueError("expected known codes, and spreads of more than 0")
    if any(tensors[name].dtype != torch.float32 for name in ("bank", "spread", "mean", "deviation")):
        raise ValueError("expected numbers of 32 bits")
