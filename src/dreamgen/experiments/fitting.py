"""Settings of an experiment for the data at hand."""

import numpy as np

from dreamgen.config import Part, Settings
from dreamgen.data import Dataset
from dreamgen.errors import DataError
from dreamgen.recipes import RECIPES

_MANY = 10_000  # training rows; below, the recipes' large batches would leave too few steps


def check_grey(dataset: Dataset) -> None:
    """Raise DataError unless the data are grey pictures, as bytes or within [0, 1], with a test part."""
    x = dataset.part("test").x
    if x.ndim != 3:
        raise DataError(
            f"{dataset.name}: expected grey pictures, (height, width), got examples of shape {x.shape[1:]}"
        )
    low, high = float(dataset.rows.x.min()), float(dataset.rows.x.max())
    if x.dtype != np.uint8 and (low < 0 or high > 1):
        raise DataError(f"{dataset.name}: expected values in [0, 1], got [{low:g}, {high:g}]")


def settings_for(recipe: str, dataset: Dataset, epochs: int | None = None) -> Settings:
    """A recipe, with small batches and as many epochs as they need where the data are few.

    Raises:
        DataError: the data are no grey pictures within [0, 1], or too few for a test part.
    """
    check_grey(dataset)
    settings = sized(RECIPES[recipe].settings, len(dataset.train))
    return settings if epochs is None else settings.replace(epochs=epochs)


def sized(settings: Settings, rows: int, learning_rate: Part | None = 3e-3) -> Settings:
    """Settings with small batches, and as many epochs as they need, where there are few training rows.

    Args:
        settings: of a recipe.
        rows: to train on.
        learning_rate: for small batches; None: the recipe's own.
    """
    if rows >= _MANY:
        return settings
    few = settings.replace(epochs="auto", batch_size=64)
    return few if learning_rate is None else few.replace(learning_rate=learning_rate)
