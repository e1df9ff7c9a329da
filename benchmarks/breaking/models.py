"""The small models and runs that the parts try to break."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dreamgen import Batch, DreamGenerator, Settings, build_model, load_data
from dreamgen.training import Run

SETTINGS = Settings(latent_dim=3, hidden_dim=16, epochs=3, batch_size=32)


def small_run(settings: Settings = SETTINGS, rows: int = 200, seed: int = 0) -> Run:
    """A run over random pictures of 4x4: six steps an epoch, a millisecond each."""
    x = torch.from_numpy(np.random.default_rng(9).random((rows, 4, 4), dtype=np.float32))
    return Run(build_model(settings, (4, 4), seed=seed), settings, Batch(x[20:]), Batch(x[:20]), seed, "hash")


def small_generator(**changes: Any) -> DreamGenerator:
    """A generator that trains on digits in a fraction of a second."""
    values: dict[str, Any] = {"latent_dim": 4, "hidden_dim": 32, "batch_size": 32, "epochs": 4, "save_every": 3}
    return DreamGenerator(**{**values, **changes}, device="cpu", random_state=0)


def small_model(folder: Path, **changes: Any) -> DreamGenerator:
    """Train a small generator on digits and save it."""
    data = load_data("digits").train
    generator = small_generator(**{"epochs": 1, **changes}).fit(data.x[:400], data.labels[:400])  # type: ignore[index]
    generator.save(folder)
    return generator


def copy_folder(source: Path, target: Path) -> Path:
    """A fresh copy of a folder, in the place of whatever was there."""
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(source, target))


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder, by name."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
