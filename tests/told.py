"""What recipes of conditional models and classifiers are told in tests: a label of ten, or two attributes."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from dreamgen import RECIPES, Settings
from dreamgen.data.context import Context, Field

_LABEL = Field("label", "class", tuple("0123456789"))
_FLAGS = (Field("Smiling", "flag"), Field("Male", "flag"))


def context_of(settings: Settings) -> Context | None:
    """The context that settings ask for."""
    if settings.context == "none":
        return None
    return Context((_LABEL,) if settings.context == "labels" else _FLAGS)


def given_of(settings: Settings, n: int) -> dict[str, Any]:
    """What n rows are told, by field."""
    context = context_of(settings)
    return {} if context is None else {f.name: np.arange(n) % max(2, len(f.classes)) for f in context.fields}


def told(settings: Settings, n: int) -> Tensor | None:
    """The same as a batch's context, (n, C)."""
    context = context_of(settings)
    return None if context is None else context.encode(given_of(settings, n), n).to(torch.float32)


def fit_arguments(settings: Settings, n: int) -> dict[str, Any]:
    """The same as `DreamGenerator.fit` takes it: labels and attributes."""
    given = given_of(settings, n)
    return {"y": given.pop("label", None), "attributes": given}


def read_of(settings: Settings) -> Context | None:
    """The properties that are read off codes: each a number."""
    if settings.properties == "none":
        return None
    return Context(tuple(Field(name, "number") for name in settings.properties))


def _is_dreamer(settings: Settings) -> bool:
    kind = settings.model["kind"] if isinstance(settings.model, dict) else settings.model
    return kind != "classifier"


READERS = [name for name, recipe in RECIPES.items() if recipe.settings.encoder != "absent"]
"""Recipes of models that read examples, classifiers among them."""

DREAMERS = [name for name in READERS if _is_dreamer(RECIPES[name].settings)]
"""Recipes of models that read and dream, tables among them."""

LINES = [name for name in DREAMERS if RECIPES[name].settings.language != "none"]
"""Those of lines of text."""

PICTURES = [name for name in DREAMERS if RECIPES[name].settings.likelihood != "columns" and name not in LINES]
"""Those of pictures."""
