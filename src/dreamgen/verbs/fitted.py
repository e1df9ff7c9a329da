"""What was trained or loaded, and what every verb of it stands on: checked rows, codes, pictures."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.distributions import Distribution

from dreamgen.data.batch import Batch
from dreamgen.data.context import LABEL
from dreamgen.devices import device_of
from dreamgen.dreaming import RealOrDreamt, decode_rows, dream_codes, dream_level, picked_dreams, search_rows
from dreamgen.errors import SettingsError
from dreamgen.estimator import Estimator
from dreamgen.evaluation import encode_rows
from dreamgen.forms import Shown
from dreamgen.inputs import codes_of
from dreamgen.io import SavedModel
from dreamgen.models import VAE
from dreamgen.workers import Watch

Floats = npt.NDArray[np.float32]
Values = npt.NDArray[np.float64]
Given = Mapping[str, Any]


class Fitted(Estimator):
    """A trained model, and codes of its examples and back.

    Attributes:
        saved_: the model and its facts; there once something was trained or loaded.
    """

    saved_: SavedModel
    _fitted_odds: tuple[SavedModel, dict[tuple[int, bool], RealOrDreamt]] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_fitted_odds"}

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "saved_")

    @property
    def sees_binary(self) -> bool:
        """Whether it was trained on binarised data, so that this is what it is to be measured on."""
        return self.fitted().settings.binarise != "none"

    # Codes

    def encode(self, X: npt.ArrayLike, given: Given | None = None) -> Distribution:
        """q(z|x) as a torch Distribution with batch shape (n, D), on the CPU.

        `given` is what a conditional model is told of each row, here and below: by field one value for all, or n.
        """
        return encode_rows(self._model, self.rows(X, given))

    @torch.no_grad()
    def decode(self, Z: npt.ArrayLike, given: Given | None = None) -> Distribution:
        """p(x|z) as a torch Distribution with batch shape (n, *event), on the model's device, for codes (n, D)."""
        z = codes_of(Z, self._latent_dim)
        told = self._told(given, len(z))
        told = None if told is None else told.to(self._device)
        return self._model.decoder(z.to(self._device), told)  # type: ignore[no-any-return]

    def transform(self, X: npt.ArrayLike, given: Given | None = None) -> Floats:
        """The posterior's mean, (n, D)."""
        return self.encode(X, given).mean.numpy()

    def inverse_transform(self, Z: npt.ArrayLike, given: Given | None = None, *, search: int | None = None) -> Shown:
        """The decoder's mean for codes (n, D): (n, *event); of a model of lines n texts, (n,).

        `search`: a text is the best of so many, see `dreamgen.dreaming.search_rows`; 1: the likeliest token at every
        step, which is fast; None: as the settings say.
        """
        z = codes_of(Z, self._latent_dim)
        return self._shown(z, None, self._told(given, len(z)), search=search)

    def read(self, X: npt.ArrayLike, given: Given | None = None) -> dict[str, Values]:
        """The properties that are read off the codes of X, by name: (n,) numbers in their own units or chances."""
        return self.read_codes(self.transform(X, given))

    @torch.no_grad()
    def read_codes(self, Z: npt.ArrayLike) -> dict[str, Values]:
        """The properties that are read off codes (n, D), as `read` gives them; raises SettingsError without any."""
        saved = self._dreamer()
        if saved.properties is None:
            raise SettingsError("no properties are read off this model's codes: train one with `properties`")
        z = codes_of(Z, self._latent_dim).to(self._device)
        return saved.properties.decode(saved.model.reader.read(z).cpu())

    # Inside

    def fitted(self) -> SavedModel:
        """What was trained or loaded; raises scikit-learn's NotFittedError where nothing was."""
        self._check_fitted()
        return self.saved_

    def _dreamer(self) -> SavedModel:
        """The model, which is to have a decoder."""
        saved = self.fitted()
        if not isinstance(saved.model, VAE):
            raise SettingsError(
                f"a {type(saved.model).__name__.lower()} reads examples: it cannot dream or encode them"
            )
        return saved

    @property
    def _model(self) -> VAE:
        model: VAE = self._dreamer().model
        return model

    @property
    def _latent_dim(self) -> int:
        return self.fitted().settings.latent_dim

    def _code(self, x: npt.ArrayLike, name: str, context: Tensor | None = None) -> Tensor:
        """The posterior's mean of one example, (D,), which is told `context`, (1, C)."""
        row = self.fitted().form.take_one(x, name)
        mean: Tensor = encode_rows(self._model, Batch(row, context=context)).mean
        return mean[0]

    @property
    def _device(self) -> torch.device:
        return device_of(self._model)

    def prepare(self, X: npt.ArrayLike) -> Tensor:
        """Rows as the model takes them, (n, *event), checked.

        Flattened rows, and pictures whose one channel is left out or written out, get their shape back. Lines of
        text become tokens.

        Raises DataError for another shape, NaN or infinity, or values outside the likelihood's range; for a line that
        cannot be written with the model's tokens.
        """
        return self.fitted().form.take(X)

    def can_read(self, X: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Which rows of X the model can take, (n,): of lines, those that its tokens can write; of numbers all."""
        return self.fitted().form.readable(X)

    def rows(self, X: npt.ArrayLike, given: Given | None = None) -> Batch:
        """Rows as `prepare` gives them, with what a conditional model is told of them."""
        x = self.prepare(X)
        return Batch(x, context=self._told(given, len(x)))

    def _told(self, given: Given | None, n: int) -> Tensor | None:
        """The context of n rows, (n, C); None where the model is told nothing. Raises SettingsError, DataError."""
        context = self.fitted().context
        if context is None and given:
            raise SettingsError(f"this model is told nothing: expected no {next(iter(given))}")
        return context.encode(given or {}, n) if context else None

    def _shown(
        self,
        z: Tensor,
        seed: int | None = None,
        context: Tensor | None = None,
        *,
        search: int | None = None,
        watch: Watch | None = None,
    ) -> Shown:
        """Decode codes, (n, D): the mean, or with a seed a draw, a function of (seed, row).

        (n, *event), or of a model of lines, (n,) texts, in place of the mean the best that a search finds.
        """
        saved = self._dreamer()
        if seed is not None and (search or 1) > 1:
            raise SettingsError("search: it finds the likeliest, and a draw is none: expected one of them")
        search = saved.settings.search if search is None else search
        if search < 1:
            raise SettingsError(f"search: expected 1 or more, got {search}")
        if seed is None and search > 1:
            return saved.form.show(search_rows(saved, z, context, width=search, watch=watch))
        return saved.form.show(decode_rows(saved, z, context, seed))

    def _dreams(
        self,
        n: int,
        seed: int,
        context: Tensor | None,
        *,
        sample: bool,
        wanted: Given | None = None,
        mixture: int | None = None,
        picked: int | None = None,
        watch: Watch | None = None,
    ) -> Tensor:
        """Dreams as the model has them, (n, *event); what is None is as its settings say."""
        saved = self._dreamer()
        mixture = saved.settings.mixture if mixture is None else mixture
        if picked is None:  # asked for by the settings, not by a person: where it cannot be had, it is left out
            picked = saved.settings.picked if RealOrDreamt.possible(saved) else 1
        if picked < 1:
            raise SettingsError(f"picked: expected 1 or more, got {picked}")
        if picked == 1 and not wanted:
            z = dream_codes(saved, n, seed, context, mixture)
            return decode_rows(saved, z, context, seed if sample else None, dream_level(saved))
        odds = self._odds(saved, mixture, sample) if picked > 1 else None
        return picked_dreams(
            saved,
            n,
            seed,
            context,
            mixture=mixture,
            sample=sample,
            wanted=wanted,
            odds=odds,
            tries=picked,
            watch=watch,
        )

    def _odds(self, saved: SavedModel, mixture: int, sample: bool) -> RealOrDreamt:
        """Of being real, for dreams of a kind; each is fitted once."""
        if self._fitted_odds is None or self._fitted_odds[0] is not saved:
            self._fitted_odds = saved, {}
        fitted = self._fitted_odds[1]
        if (mixture, sample) not in fitted:
            fitted[mixture, sample] = RealOrDreamt(saved, mixture, sample)
        return fitted[mixture, sample]

    def _given_of(self, y: npt.ArrayLike | None) -> Given | None:
        """Labels as scikit-learn hands them over beside rows, to a model that is told them."""
        context = self.fitted().context
        return {LABEL: y} if y is not None and context and LABEL in context.names else None
