"""The Dream Generator: variational autoencoders whose parts combine and whose bounds are right.

    >>> from dreamgen import DreamGenerator
    >>> digits = DreamGenerator.load("mnist").dream(64, seed=1)     # doctest: +SKIP

Names are loaded on first use, so `import dreamgen` does not import torch.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

# A busy neighbour makes libgomp's spinning threads 10 to 40 times slower; it must be set before torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

if TYPE_CHECKING:
    from dreamgen.applications.anomaly.detector import AnomalyDetector
    from dreamgen.applications.imputation.imputer import Imputer
    from dreamgen.applications.molecules.dreamer import MoleculeDreamer
    from dreamgen.applications.synthesis.synthesizer import Synthesizer
    from dreamgen.config import Settings
    from dreamgen.data import Batch, load_data
    from dreamgen.errors import DreamgenError
    from dreamgen.evaluation import evaluate
    from dreamgen.generator import DreamGenerator
    from dreamgen.models import VAE, Trace, build_model
    from dreamgen.recipes import RECIPES
    from dreamgen.training import train

_HOMES = {
    "RECIPES": "recipes",
    "VAE": "models",
    "AnomalyDetector": "applications.anomaly.detector",
    "Batch": "data",
    "DreamGenerator": "generator",
    "DreamgenError": "errors",
    "Imputer": "applications.imputation.imputer",
    "MoleculeDreamer": "applications.molecules.dreamer",
    "Settings": "config",
    "Synthesizer": "applications.synthesis.synthesizer",
    "Trace": "models",
    "build_model": "models",
    "evaluate": "evaluation",
    "load_data": "data",
    "train": "training",
}

__all__ = [
    "RECIPES",
    "VAE",
    "AnomalyDetector",
    "Batch",
    "DreamGenerator",
    "DreamgenError",
    "Imputer",
    "MoleculeDreamer",
    "Settings",
    "Synthesizer",
    "Trace",
    "build_model",
    "evaluate",
    "load_data",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'dreamgen' has no attribute {name!r}")
    return getattr(import_module(f"dreamgen.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
