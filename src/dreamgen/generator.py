"""DreamGenerator: the object that a person holds. Everything here is thin over the parts."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.distributions import Distribution

from dreamgen import walks
from dreamgen.config import Part, Settings
from dreamgen.data.arrays import as_examples
from dreamgen.data.batch import Batch, as_float
from dreamgen.data.context import LABEL, Context
from dreamgen.devices import find_device
from dreamgen.distributions import LIKELIHOODS, BernoulliLikelihood, Delta, Likelihood
from dreamgen.dreaming import decode_rows, dream_codes, dream_context
from dreamgen.errors import DataError, SettingsError
from dreamgen.estimator import Estimator, chosen_seed
from dreamgen.evaluation import binarise_rows, encode_rows, evaluate, score_rows
from dreamgen.evaluation.reading import reading_report
from dreamgen.filling import fill_rows
from dreamgen.inputs import (
    check_range,
    codes_of,
    column_of,
    labels_of,
    latents_of,
    one_of,
    parts_of,
    rows_of,
    to_tensor,
)
from dreamgen.io import SavedModel, load_model, save_model
from dreamgen.models import VAE, Classifier
from dreamgen.training import Checkpoints, Record
from dreamgen.training.fit import fit_model
from dreamgen.training.private import is_private
from dreamgen.zoo import find_model

Floats = npt.NDArray[np.float32]
Given = Mapping[str, Any]

_MORPH_FRAMES = 16  # dense frames for each step shown, to measure how far the picture goes
_SCORE_SAMPLES = 16


class DreamGenerator(Estimator):
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
        objective: Part = "elbo",
        free_bits: float = 0.0,
        context: str | list[str] = "none",
        augment: Part = "none",
        binarise: str = "none",
        masking: Part = "none",
        validation: float = 0.05,
        mixture: int = 0,
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
        self.objective = objective
        self.free_bits = free_bits
        self.context = context
        self.augment = augment
        self.binarise = binarise
        self.masking = masking
        self.validation = validation
        self.mixture = mixture
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
            X: (n, ...), bytes or floats.
            y: labels, (n,), integers; kept to colour maps with, and trained on only where `context` says so.
            attributes: by name, (n,): flags, 0 or 1, or numbers; for `context`.
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
        x = as_examples(X, "X")
        labels = None if y is None else labels_of(y, len(x))
        check_range(LIKELIHOODS.build(settings.likelihood, event_shape=x.shape[1:], columns=()), x)
        if settings.binarise != "none":
            check_range(BernoulliLikelihood(), x)
        known = {name: column_of(values, name, len(x)) for name, values in (attributes or {}).items()}
        numbers = None if labels is None else labels.numpy()
        context = Context.of(settings.context, numbers, classes, known, declared=is_private(settings))
        told = None
        if context:
            told = context.encode({LABEL: y, **known} if LABEL in context.names else known, len(x))
        folder, device = None if out is None else Path(out), find_device(self.device)
        self.seed_: int | None = self._choose_seed(folder if resume else None)
        if len(x) < settings.batch_size:
            warnings.warn(f"fewer rows ({len(x)}) than a batch ({settings.batch_size})", stacklevel=2)
        self.saved_ = fit_model(
            settings,
            Batch(to_tensor(x), context=told),
            labels,
            context=context,
            seed=self.seed_,
            device=device,
            out=folder,
            resume=resume,
            stop=stop,
            on_record=on_record,
        )
        self.n_features_in_ = int(np.prod(self.saved_.event_shape))
        return self

    def _choose_seed(self, resumed: Path | None) -> int:
        """The seed that was asked for, that of the run to go on with, or a fresh one."""
        left = Checkpoints(resumed).seed() if resumed and self.random_state is None else None
        return chosen_seed(self.random_state if left is None else left)

    def fit_transform(self, X: npt.ArrayLike, y: npt.ArrayLike | None = None) -> Floats:
        """`fit(X, y)`, then `transform(X)`."""
        return self.fit(X, y).transform(X)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "saved_")

    @property
    def history(self) -> list[dict[str, Any]]:
        """One record for each epoch: loss, distortion, rate, beta, validation, in nats per example."""
        return self.fitted().history

    @property
    def sees_binary(self) -> bool:
        """Whether it was trained on binarised data, so that this is what it is to be measured on."""
        return self.fitted().settings.binarise != "none"

    # Dreams

    def dream(
        self,
        n: int = 64,
        *,
        given: Given | None = None,
        seed: int | None = None,
        sample: bool = False,
        mixture: int | None = None,
    ) -> Floats:
        """n new examples: z from the prior, decoded.

        Args:
            n: how many.
            given: what a conditional model is told, by field: one value for all or n; a class by number or name, a
                flag from 0 to 1, a number. What is left out is taken from training rows that agree with the rest.
            seed: dream i is a function of (seed, i); None: new ones at every call.
            sample: draw from p(x|z) instead of taking its mean.
            mixture: take z from that many Gaussians of full covariance instead, fitted to the codes that are kept
                with the model, which takes a second; 10 is usual. A conditional model gets a mixture for each
                context, or that of all codes where too few rows were told it. It helps most where codes do not fill
                the prior. 0: the prior; None: as its settings say.

        Returns:
            (n, *event), float32.

        Raises:
            SettingsError: a mixture, of a model that keeps no codes.
        """
        if n < 1:
            raise SettingsError(f"n: expected 1 or more, got {n}")
        seed = chosen_seed(seed)
        told = dream_context(self._dreamer(), n, given or {}, seed)
        mixture = self.saved_.settings.mixture if mixture is None else mixture
        return self._pictures(dream_codes(self.saved_, n, seed, told, mixture), seed if sample else None, told)

    def styles(self, n: int = 8, *, field: str = LABEL, seed: int | None = None) -> Floats:
        """n draws of noise, each made a code and decoded for every class of a field: (n, classes, *event).

        One row a style, one column a class. Where codes come from the standard normal, a row shares its code; where
        each class has a place of its own (a prior that is told, or a mixture), how far the code lies from it.
        """
        context = self._dreamer().context
        if context is None or context[field].kind != "class":
            raise SettingsError(f"styles: expected a model that is told the class {field!r}")
        many, seed = len(context[field].classes), chosen_seed(seed)
        one = min(self.saved_.settings.mixture, 1)  # one Gaussian for a class: pieces of two do not correspond
        columns = [self.dream(n, given={field: number}, seed=seed, mixture=one) for number in range(many)]
        return np.stack(columns, axis=1)

    def reconstruct(
        self, X: npt.ArrayLike, *, given: Given | None = None, seed: int = 0, sample: bool = False
    ) -> Floats:
        """X through the posterior's mean and back, (n, *event); with `sample`, draws from p(x|z)."""
        batch = self.rows(X, given)
        z = encode_rows(self._model, batch).mean
        return self._pictures(z, seed if sample else None, batch.context)

    def fill(
        self,
        X: npt.ArrayLike,
        mask: npt.ArrayLike | None = None,
        m: int = 1,
        *,
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
        filled = fill_rows(self._model, parts, m, seed, sample, samples)
        if saved.unit_range:
            filled = filled.clamp_(0, 1)
        return (filled[0] if m == 1 else filled).numpy()

    def morph(self, a: npt.ArrayLike, b: npt.ArrayLike, steps: int = 11, *, path: str = "linear") -> Floats:
        """Pictures on the way from a to b, (steps, *event).

        The path is straight (`linear`) or an arc (`spherical`) between the posterior means. The steps are spaced so
        that each changes the picture by as much as the others do, which spreads a sudden change over several of them.

        Args:
            a, b: one example each, (*event).
            steps: pictures, the two ends among them.
            path: "linear" or "spherical".
        """
        if steps < 2:
            raise SettingsError(f"steps: expected 2 or more, got {steps}")
        start, stop = (self._code(x, name) for x, name in ((a, "a"), (b, "b")))
        times = torch.linspace(0, 1, steps * _MORPH_FRAMES)
        film = torch.from_numpy(self._pictures(walks.path_between(start, stop, times, path)))
        return self._pictures(walks.path_between(start, stop, walks.even_spacing(film, steps), path))

    def map(
        self, size: int = 20, *, by: str = "value", span: float = 3.0, plane: Sequence[int] | None = None
    ) -> Floats:
        """A plane of the latent space, decoded: (size, size, *event), top row first.

        Args:
            size: cells along each side.
            by: "value": evenly from -span to span; "quantile": where the prior's mass is.
            span: how far the plane reaches from the origin, in standard deviations of the prior.
            plane: the two latents, across and up; None: the two that carry most (`main_plane`).
        """
        if size < 2:
            raise SettingsError(f"size: expected 2 or more, got {size}")
        plane = latents_of(self.main_plane if plane is None else plane, self._latent_dim)
        base = torch.zeros(self._latent_dim)
        pictures = self._pictures(walks.plane_grid(base, plane, size, by, span))
        return pictures.reshape(size, size, *self.fitted().event_shape)

    def traverse(
        self,
        x: npt.ArrayLike | None = None,
        *,
        latents: Sequence[int] | None = None,
        steps: int = 11,
        span: float = 3.0,
    ) -> Floats:
        """One latent at a time from -span to span: (latents, steps, *event), the latent that carries most first.

        Args:
            x: the example to start from; None: the prior's mean.
            latents: which; None: all, in `latent_order`.
            steps: pictures for each latent.
            span: in standard deviations of the prior.
        """
        base = torch.zeros(self._latent_dim) if x is None else self._code(x, "x")
        order = latents_of(self.latent_order if latents is None else latents, self._latent_dim)
        z = walks.one_at_a_time(base, order, steps, span)
        return self._pictures(z.flatten(0, 1)).reshape(len(order), steps, *self.fitted().event_shape)

    @property
    def latent_order(self) -> list[int]:
        """The latents, the one with the largest rate on the training data first."""
        rates = self.fitted().card.get("rate_per_unit") or [0.0] * self._latent_dim
        return sorted(range(len(rates)), key=lambda unit: -rates[unit])

    @property
    def main_plane(self) -> list[int]:
        """The two latents with the largest rate, in the order of their numbers."""
        return sorted(self.latent_order[:2])

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

    def inverse_transform(self, Z: npt.ArrayLike, given: Given | None = None) -> Floats:
        """The decoder's mean for codes (n, D): (n, *event)."""
        z = codes_of(Z, self._latent_dim)
        return self._pictures(z, None, self._told(given, len(z)))

    # Scores

    def log_likelihood(
        self, X: npt.ArrayLike, samples: int = 100, *, given: Given | None = None, seed: int = 0
    ) -> npt.NDArray[np.float64]:
        """log p(x) of each row, (n,), in nats: the importance-weighted bound with `samples` samples.

        Of a conditional model it is log p(x|context).

        A Bernoulli likelihood knows only 0 and 1. Grey pixels are drawn as 0 or 1 first, once, by a function of the
        seed and the row, and a warning says so.

        Raises:
            DataError: the posterior is a point, so there is no bound.
        """
        batch = self.rows(X, given)
        if isinstance(encode_rows(self._model, batch[:1]), Delta):
            raise DataError("the posterior is a point: an autoencoder has no likelihood")
        if not self._model.decoder.likelihood.is_likelihood(as_float(batch.x)):
            warnings.warn("grey pixels have no Bernoulli likelihood: they are drawn as 0 or 1", stacklevel=2)
            batch = replace(batch, x=binarise_rows(batch.x, seed))
        return score_rows(self._model, batch, samples, seed).log_likelihood.double().numpy()

    def score_samples(self, X: npt.ArrayLike, given: Given | None = None) -> npt.NDArray[np.float64]:
        """A score for each row, (n,), higher for rows more like the training data; deterministic.

        The importance-weighted bound with 16 samples, in nats. For grey pixels under a Bernoulli, and for a point
        posterior, the same sum is a score and not a likelihood.
        """
        return score_rows(self._model, self.rows(X, given), _SCORE_SAMPLES).log_likelihood.double().numpy()

    def score(self, X: npt.ArrayLike, y: object = None) -> float:
        """The mean of `score_samples`."""
        return float(self.score_samples(X).mean())

    def evaluate(
        self,
        X: npt.ArrayLike,
        *,
        given: Given | None = None,
        binarise: bool | None = None,
        train: npt.ArrayLike | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """`dreamgen.evaluate` on rows of X; see there for options.

        A model that was trained on binarised data is measured on it, unless `binarise` says otherwise. Of a
        classifier it is `reading_report`: how well it reads.
        """
        model = self.fitted().model
        if isinstance(model, Classifier):
            return reading_report(model, self.rows(X, given), options.get("split", "test"))
        binarise = self.sees_binary if binarise is None else binarise
        rows = None if train is None else self.prepare(train)
        return evaluate(self._model, self.rows(X, given), binarise=binarise, train=rows, **options)

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

    # Plumbing

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

    def _code(self, x: npt.ArrayLike, name: str) -> Tensor:
        """The posterior's mean of one example, (D,)."""
        mean: Tensor = self.encode(one_of(x, name, self.fitted().event_shape)).mean
        return mean[0]

    @property
    def _device(self) -> torch.device:
        return next(self._model.parameters()).device

    def prepare(self, X: npt.ArrayLike) -> Tensor:
        """Rows as the model takes them, (n, *event), checked.

        Flattened rows, and pictures whose one channel is left out or written out, get their shape back.

        Raises DataError for another shape, NaN or infinity, or values outside the likelihood's range.
        """
        saved = self.fitted()
        likelihood = saved.model.decoder.likelihood if isinstance(saved.model, VAE) else Likelihood()
        return rows_of(X, saved.event_shape, likelihood)

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

    def _pictures(self, z: Tensor, seed: int | None = None, context: Tensor | None = None) -> Floats:
        """Decode codes, (n, D): the mean, or a draw, a function of (seed, row), where there is a seed."""
        saved = self._dreamer()
        if context is None and saved.context:
            raise SettingsError(f"this model is told {', '.join(saved.context.names)}: expected it as `given`")
        return decode_rows(saved, z, context, seed).numpy()
