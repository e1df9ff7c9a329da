"""DreamGenerator: the object that a person holds. Everything here is thin over the parts."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dreamgen.config import Part, Settings
from dreamgen.data.batch import Batch
from dreamgen.data.context import LABEL, Context
from dreamgen.data.dataset import Dataset
from dreamgen.data.meaning import Meaning
from dreamgen.devices import find_device
from dreamgen.distributions import LIKELIHOODS, BernoulliLikelihood
from dreamgen.dreaming import dream_context, dream_level
from dreamgen.errors import SettingsError
from dreamgen.estimator import chosen_seed
from dreamgen.evaluation import encode_rows
from dreamgen.evaluation.looking import LOOKED_THROUGH, looked_through
from dreamgen.filling import fill_rows
from dreamgen.forms import Shown
from dreamgen.inputs import (
    check_range,
    column_of,
    examples_of,
    labels_of,
    parts_of,
    to_tensor,
)
from dreamgen.io import SavedModel, load_model, save_model
from dreamgen.models.build import check_writes
from dreamgen.training import Checkpoints, Record
from dreamgen.training.fit import fit_model, note_data
from dreamgen.training.private import is_private
from dreamgen.verbs.fitted import Floats, Given
from dreamgen.verbs.scoring import Scoring
from dreamgen.verbs.walking import Walking
from dreamgen.workers import Watch
from dreamgen.zoo import find_model


class DreamGenerator(Walking, Scoring):
    """A variational autoencoder with scikit-learn's manners and verbs of its own.

    Data is an array, (n, ...): bytes 0..255, or floats in the likelihood's range ([0, 1] for Bernoulli). Every
    parameter but the last two is a setting, described in `dreamgen.config.Settings`; a part is given by name or as
    `{"kind": name, ...}`.

    Args:
        device: "auto" (CUDA if there is one), "cpu", "cuda", "cuda:1", "mps".
        random_state: seed of weights, order and noise; None: a fresh one, kept in `seed_`.

    >>> generator = DreamGenerator(latent_dim=2, hidden_dim=64, batch_size=50, epochs=1, random_state=0)
    >>> dreams = generator.fit(np.random.default_rng(0).random((100, 8, 8))).dream(4, seed=1)
    >>> dreams.shape
    (4, 8, 8)
    """

    def __init__(
        self,
        latent_dim: int = 20,
        hidden_dim: int | list[int] = 400,
        beta: Part = 1.0,
        *,
        model: Part = "vae",
        encoder: Part = "mlp",
        posterior: Part = "gaussian",
        prior: Part = "normal",
        decoder: Part = "mlp",
        likelihood: Part = "bernoulli",
        reader: Part = "mlp",
        blur: Part = "none",
        objective: Part = "elbo",
        free_bits: float = 0.0,
        context: str | list[str] = "none",
        properties: str | list[str] = "none",
        language: Part = "none",
        augment: Part = "none",
        binarise: str = "none",
        masking: Part = "none",
        validation: float = 0.05,
        mixture: int = 0,
        picked: int = 1,
        search: int = 1,
        start: str = "random",
        update: Part = "plain",
        optimizer: Part = "adam",
        learning_rate: Part = 3e-3,
        batch_size: int = 256,
        epochs: int | str = "auto",
        patience: int = 0,
        average: float = 0.0,
        gradients: str = "auto",
        precision: str = "float32",
        save_every: int = 0,
        device: str = "auto",
        random_state: int | None = None,
    ) -> None:
        self.latent_dim = latent_dim
        self.hidden_dim = hidden_dim
        self.beta = beta
        self.model = model
        self.encoder = encoder
        self.posterior = posterior
        self.prior = prior
        self.decoder = decoder
        self.likelihood = likelihood
        self.reader = reader
        self.blur = blur
        self.objective = objective
        self.free_bits = free_bits
        self.context = context
        self.properties = properties
        self.language = language
        self.augment = augment
        self.binarise = binarise
        self.masking = masking
        self.validation = validation
        self.mixture = mixture
        self.picked = picked
        self.search = search
        self.start = start
        self.update = update
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.average = average
        self.gradients = gradients
        self.precision = precision
        self.save_every = save_every
        self.device = device
        self.random_state = random_state

    @classmethod
    def from_settings(
        cls, settings: Settings, device: str = "auto", random_state: int | None = None
    ) -> "DreamGenerator":
        """A generator with the settings of a recipe."""
        return cls(**settings.to_dict(), device=device, random_state=random_state)

    # Training

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike | None = None,
        *,
        attributes: Mapping[str, npt.ArrayLike] | None = None,
        classes: Sequence[str] = (),
        out: str | Path | None = None,
        resume: bool = False,
        stop: Callable[[], bool] = lambda: False,
        on_record: Callable[[Record], None] = lambda record: None,
    ) -> "DreamGenerator":
        """Train on the rows of X.

        Args:
            X: (n, ...), bytes or floats; with a `language`, n lines of text.
            y: labels, (n,), integers; kept to colour maps with, and trained on only where `context` says so.
            attributes: by name, (n,): flags, 0 or 1, or numbers; for `context` and `properties`.
            classes: names of the labels; none: their numbers.
            out: folder for checkpoints; None: none are kept.
            resume: go on from the last checkpoint in `out`, if there is one.
            stop: asked after each step; true saves a checkpoint and raises Interrupted.
            on_record: told where training stands, every few steps and after every epoch.

        Raises:
            DataError: X is empty, not finite, or outside the likelihood's range; or it has no such context.
            SettingsError: a parameter is not valid.
            DivergedError: a loss that is not finite.
        """
        settings = Settings.of({name: getattr(self, name) for name in Settings.names()})
        private = is_private(settings)
        if private and settings.language != "none":
            raise SettingsError("private training, language: expected 'none': tokens would tell of single rows")
        x, vocabulary = examples_of(X, settings.language)
        labels = None if y is None else labels_of(y, len(x))
        meaning = Meaning(x.shape[1:], vocabulary=vocabulary)
        with torch.device("meta"):  # a writer of lines has weights, and none are wanted here
            likelihood = LIKELIHOODS.build(settings.likelihood, **meaning.sizes())
        check_writes(likelihood, meaning.symbols)
        check_range(likelihood, x)
        if settings.binarise != "none":
            check_range(BernoulliLikelihood(), x)
        known = {name: column_of(values, name, len(x)) for name, values in (attributes or {}).items()}
        numbers = None if labels is None else labels.numpy()
        context, properties = (
            Context.of(getattr(settings, name), numbers, classes, known, declared=private, setting=name)
            for name in ("context", "properties")
        )
        given = known if y is None else {LABEL: y, **known}
        told, read = (
            fields.encode({name: given[name] for name in fields.names}, len(x)) if fields else None
            for fields in (context, properties)
        )
        folder, device = None if out is None else Path(out), find_device(self.device)
        self.seed_: int | None = self._choose_seed(folder if resume else None)
        if len(x) < settings.batch_size:
            warnings.warn(f"fewer rows ({len(x)}) than a batch ({settings.batch_size})", stacklevel=2)
        self.saved_ = fit_model(
            settings,
            Batch(to_tensor(x), context=told, properties=read),
            labels,
            replace(meaning, context=context, properties=properties),
            seed=self.seed_,
            device=device,
            out=folder,
            resume=resume,
            stop=stop,
            on_record=on_record,
        )
        if seen := looked_through(settings, len(x)):
            self.saved_.card[LOOKED_THROUGH] = seen
        self.n_features_in_ = int(np.prod(self.saved_.event_shape))
        return self

    def fit_set(
        self,
        dataset: Dataset,
        *,
        out: str | Path | None = None,
        resume: bool = False,
        stop: Callable[[], bool] = lambda: False,
        on_record: Callable[[Record], None] = lambda record: None,
    ) -> "DreamGenerator":
        """`fit` on the training part of a data set, with all that it knows of it, and a note of which set it was."""
        rows = dataset.train
        self.fit(
            rows.x,
            rows.labels,
            attributes=dataset.attributes_of(rows),
            classes=dataset.classes,
            out=out,
            resume=resume,
            stop=stop,
            on_record=on_record,
        )
        note_data(self.saved_, dataset)
        return self

    def _choose_seed(self, resumed: Path | None) -> int:
        """The seed that was asked for, that of the run to go on with, or a fresh one."""
        left = Checkpoints(resumed).seed() if resumed and self.random_state is None else None
        return chosen_seed(self.random_state if left is None else left)

    def fit_transform(self, X: npt.ArrayLike, y: npt.ArrayLike | None = None) -> Floats:
        """`fit(X, y)`, then `transform(X)`, told the labels where the model is."""
        return self.fit(X, y).transform(X, self._given_of(y))

    @property
    def history(self) -> list[dict[str, Any]]:
        """One record for each epoch: loss, distortion, rate, beta, validation, in nats per example."""
        return self.fitted().history

    # Dreams

    def dream(
        self,
        n: int = 64,
        *,
        given: Given | None = None,
        seed: int | None = None,
        sample: bool | None = None,
        mixture: int | None = None,
        picked: int | None = None,
        watch: Watch | None = None,
    ) -> Shown:
        """n new examples: z from the prior, decoded.

        Args:
            n: how many.
            given: what a conditional model is told, by field: one value for all or n; a class by number or name, a
                flag from 0 to 1, a number. What is left out is taken from training rows that agree with the rest.
                A property that is read off the codes may be given too: each dream is then picked from many by how
                likely it has that property (`dreamgen.dreaming.picking`), which takes longer.
            seed: dream i is a function of (seed, i); None: new ones at every call.
            sample: draw from p(x|z) instead of taking its mean; None: of lines from blurred codes only, which leave
                much to be drawn.
            mixture: take z from that many Gaussians of full covariance instead, fitted to the codes that are kept
                with the model, which takes a second; 10 is usual. A conditional model gets a mixture for each
                context, or that of all codes where too few rows were told it. It helps most where codes do not fill
                the prior. 0: the prior; None: as its settings say.
            picked: write so many examples for each dream and keep one, drawn in proportion to the odds that it is
                real: those of a classifier of codes, which is fitted to the codes that are kept with the model and to
                those of 3,000 dreams, in seconds; 8 is usual. Where a property is wanted at least 16 are written. 1:
                no choice; None: as its settings say, where 100 codes or more are kept.
            watch: where several examples are written for each dream, told how many are done and how many there will
                be.

        Returns:
            (n, *event), float32; of a model of lines n texts, (n,): the likeliest, or drawn.

        Raises:
            SettingsError: a mixture of a model that keeps no codes, or a choice of one that keeps fewer than 100.
        """
        if n < 1:
            raise SettingsError(f"n: expected 1 or more, got {n}")
        seed = chosen_seed(seed)
        saved, given = self._dreamer(), given or {}
        read = saved.properties.names if saved.properties else []
        own = saved.context.names if saved.context else []
        wanted = {name: value for name, value in given.items() if name in read and name not in own}
        told = dream_context(saved, n, {name: given[name] for name in given if name not in wanted}, seed)
        if sample is None:
            sample = dream_level(saved) > 0 and saved.form.draws_blurred
        return saved.form.show(
            self._dreams(n, seed, told, sample=sample, wanted=wanted, mixture=mixture, picked=picked, watch=watch)
        )

    def styles(self, n: int = 8, *, field: str = LABEL, seed: int | None = None) -> Shown:
        """n draws of noise, each made a code and decoded for every class of a field: (n, classes, *event).

        One row a style, one column a class. Where codes come from the standard normal, a row shares its code; where
        each class has a place of its own (a prior that is told, or a mixture), how far the code lies from it.
        """
        context = self._dreamer().context
        if context is None or context[field].kind != "class":
            raise SettingsError(f"styles: expected a model that is told the class {field!r}")
        many, seed = len(context[field].classes), chosen_seed(seed)
        one = min(self.saved_.settings.mixture, 1)  # one Gaussian for a class: pieces of two do not correspond
        columns = [self.dream(n, given={field: number}, seed=seed, mixture=one, picked=1) for number in range(many)]
        return np.stack(columns, axis=1)

    def reconstruct(
        self,
        X: npt.ArrayLike,
        *,
        given: Given | None = None,
        seed: int = 0,
        sample: bool = False,
        search: int | None = None,
        watch: Watch | None = None,
    ) -> Shown:
        """X through the posterior's mean and back, (n, *event); with `sample`, draws from p(x|z).

        Lines are searched for as by `inverse_transform`; `watch` is then told how many are done and how many there
        are.
        """
        batch = self.rows(X, given)
        z = encode_rows(self._model, batch).mean
        return self._shown(z, seed if sample else None, batch.context, search=search, watch=watch)

    def fill(
        self,
        X: npt.ArrayLike,
        mask: npt.ArrayLike | None = None,
        m: int = 1,
        *,
        given: Given | None = None,
        seed: int = 0,
        sample: bool = False,
        samples: int = 100,
    ) -> Floats:
        """X with its missing elements filled in; seen elements come back as they were (of bytes, 255 as 1).

        A model learns it best when trained on parts: `masking="pieces"` for pictures, "random" for anything, with
        `encoder={"kind": "mlp", "mask": True}`.

        Args:
            X: (n, *event); what stands at missing elements is not read.
            mask: true where seen, bool, of X's shape or of one example's; None: NaN is missing.
            m: how many fillings.
            given: what a conditional model is told of each row, as in `encode`.
            seed: a row's filling is a function of it and of what is seen of the row.
            sample: draw each element instead of taking its mean.
            samples: candidates for each latent, of which one is picked by its weight.

        Returns:
            With m = 1, (n, *event): the conditional mean, or a draw with `sample`. Else m fillings, (m, n, *event),
            each from a latent of its own.
        """
        if m < 1 or samples < 1:
            raise SettingsError(f"m and samples: expected 1 or more, got {m} and {samples}")
        saved = self.fitted()
        parts = parts_of(X, mask, saved.event_shape, self._model.decoder.likelihood)
        parts = replace(parts, context=self._told(given, len(parts)))
        filled = fill_rows(self._model, parts, m, seed, sample, samples)
        if saved.unit_range:
            filled = filled.clamp_(0, 1)
        return (filled[0] if m == 1 else filled).numpy()

    # Keeping

    def save(self, folder: str | Path, *, half: bool = False) -> None:
        """Write a model folder: safetensors and JSON; `half` stores 16-bit weights."""
        save_model(Path(folder), self.fitted(), half)

    @classmethod
    def load(cls, model: str | Path, device: str = "auto") -> "DreamGenerator":
        """A generator from a folder, or by the name of a model that ships with the package.

        Raises:
            SettingsError: no such folder or name.
            ModelFileError: damaged, or not safe to load.
        """
        return cls.of(load_model(find_model(model)), device)

    @classmethod
    def of(cls, saved: SavedModel, device: str = "auto") -> "DreamGenerator":
        """A generator of a model that was read."""
        generator = cls.from_settings(saved.settings, device, saved.origin.get("seed"))
        generator.saved_ = saved
        generator.seed_ = saved.origin.get("seed")
        generator.n_features_in_ = int(np.prod(saved.event_shape))
        saved.model.to(find_device(device))
        return generator
