"""Settings of an experiment for the data at hand."""

from dreamgen.config import Settings
from dreamgen.data import Dataset
from dreamgen.errors import DataError
from dreamgen.plots import as_pictures
from dreamgen.recipes import RECIPES

_MANY = 10_000  # training rows; below, the recipes' large batches would leave too few steps


def settings_for(recipe: str, dataset: Dataset, epochs: int | None = None) -> Settings:
    """A recipe, with small batches and as many epochs as they need where the data are few.

    Raises:
        DataError: the data are no grey pictures, or too few for a test part.
    """
    if as_pictures(dataset.part("test").x[:1]).ndim != 3 or dataset.train.x.ndim != 3:
        raise DataError(f"{dataset.name}: expected grey pictures, got examples of shape {dataset.train.x.shape[1:]}")
    settings = RECIPES[recipe].settings
    if len(dataset.train) < _MANY:
        settings = settings.replace(epochs="auto", batch_size=64, learning_rate=3e-3)
    return settings if epochs is None else settings.replace(epochs=epochs)
