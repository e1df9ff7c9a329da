"""A judge: a classifier in whose features dreams are compared with real pictures. It never serves in a loss."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dreamgen.data.context import LABEL, Context
from dreamgen.devices import device_of, find_device
from dreamgen.distributions import BernoulliLikelihood
from dreamgen.errors import DreamgenError, SettingsError
from dreamgen.evaluation.likelihood import batches
from dreamgen.evaluation.looking import LOOKED_THROUGH, hash_of_weights, looked_through
from dreamgen.evaluation.reading import read_rows
from dreamgen.inputs import rows_of
from dreamgen.io import SavedModel, load_model
from dreamgen.models import Classifier
from dreamgen.zoo import find_model

Floats = npt.NDArray[np.float32]

_ROWS = 500  # read at once


class Judge:
    """A trained classifier, as a measure uses it: pictures in, features and readings out.

    A picture's features do not depend on what else is read.

    Args:
        saved: a classifier of pictures.
        name: what reports call it.
        device: "auto", "cpu", "cuda", "mps".

    Raises:
        SettingsError: the model is no classifier.
    """

    def __init__(self, saved: SavedModel, name: str = "judge", device: str = "auto") -> None:
        if not isinstance(saved.model, Classifier) or saved.context is None:
            kind = type(saved.model).__name__
            raise SettingsError(f"{name} cannot judge: expected a classifier (train --recipe judge), got a {kind}")
        self.saved, self.name = saved, name
        self.context: Context = saved.context
        self._model: Classifier = saved.model.to(find_device(device))

    @classmethod
    def load(cls, model: str | Path, device: str = "auto") -> "Judge":
        """A judge by its folder or shipped name ("mnist-judge"); raises SettingsError and ModelFileError."""
        return cls(load_model(find_model(model)), str(model), device)

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of the pictures that it reads."""
        return self.saved.event_shape

    def served_in(self, trained: SavedModel) -> bool:
        """Whether a model was trained to please this judge, by the weights that its objective looked through.

        Its card names them; where an older one does not, what the settings name is read again, if it is there.
        """
        known = trained.card.get(LOOKED_THROUGH)
        if known is None:
            try:
                known = looked_through(trained.settings)
            except DreamgenError:
                return False
        return known == hash_of_weights(self._model.network)

    def features(self, pictures: npt.ArrayLike) -> Floats:
        """What the last layer but one says of pictures, (n, *event) bytes or floats in [0, 1]: (n, F).

        Raises:
            DataError: pictures of another shape, or values outside the range.
        """
        x = self._rows(pictures)
        return torch.cat(list(self._features(x))).numpy()

    @torch.no_grad()
    def _features(self, x: Tensor) -> Any:
        device = device_of(self._model)
        for batch, real in batches(x, _ROWS, device):
            yield self._model.features(batch.x)[:real].cpu()

    def read(self, pictures: npt.ArrayLike) -> Floats:
        """Chances of classes and flags, and standardised numbers, (n, C), in the order of `context`."""
        return read_rows(self._model, self._rows(pictures)).numpy()

    def classes(self, pictures: npt.ArrayLike, field: str = LABEL) -> npt.NDArray[np.int64]:
        """The likeliest class of a field, by number, (n,); raises SettingsError where it reads no such classes."""
        if self.context[field].kind != "class":
            raise SettingsError(f"{self.name} reads no classes of {field!r}")
        likeliest: npt.NDArray[np.int64] = self.read(pictures)[:, self.context.columns[field]].argmax(1)
        return likeliest

    def _rows(self, pictures: npt.ArrayLike) -> Tensor:
        return rows_of(pictures, self.event_shape, BernoulliLikelihood())
