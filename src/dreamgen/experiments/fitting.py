"""Settings of an experiment for the data at hand."""

import numpy as np

from dreamgen.config import Settings
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
    settings = RECIPES[recipe].settings
    if len(dataset.train) < _MANY:
        settings = settings.replace(epochs="auto", batch_size=64, learning_rate=3e-3)
    return settings if epochs is None else settings.replace(epochs=epochs)
