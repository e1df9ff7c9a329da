"""A run: everything that training changes, and everything that decides what it does next."""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from dreamgen.config import Settings
from dreamgen.data.batch import Batch, as_float
from dreamgen.distributions import Noise, StepNoise, generator
from dreamgen.errors import DivergedError, SettingsError
from dreamgen.models import VAE, Classifier
from dreamgen.objectives import OBJECTIVES, Objective, build_objective
from dreamgen.registry import Registry
from dreamgen.training.augment import AUGMENTATIONS, Augmentation
from dreamgen.training.average import AveragedWeights
from dreamgen.training.masking import MASKINGS, Masking
from dreamgen.training.update import UPDATES, Update, check_learning_rate

_VALIDATION_ROWS = 1000  # rows scored at once
_OF_A_READER: tuple[tuple[str, Registry[Any], str], ...] = (
    ("objective", OBJECTIVES, "elbo"),
    ("update", UPDATES, "plain"),
    ("masking", MASKINGS, "none"),
)
_OF_CODES = (("mixture", 0, "kept to fit one to"), ("picked", 1, "kept to compare dreams with"))


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """A model that is being trained, as it will be used."""
    model.eval()
    try:
        yield
    finally:
        model.train()


class Best(NamedTuple):
    """The best epoch so far, from 1; 0 before there is one."""

    epoch: int
    loss: float
    weights: dict[str, Tensor]


def check_parts(model: nn.Module, settings: Settings) -> None:
    """Raise SettingsError for settings that need a part which the model does not have."""
    if isinstance(model, Classifier):
        for name, registry, expected in _OF_A_READER:
            got = registry.normalise(getattr(settings, name))["kind"]
            if got != expected:
                raise SettingsError(f"a classifier has no decoder, {name}: expected {expected!r}, got {got!r}")
        if settings.start != "random":
            raise SettingsError(f"a classifier has no decoder, start: expected 'random', got {settings.start!r}")
    for name, none, what in _OF_CODES:
        if (got := getattr(settings, name)) != none and (isinstance(model, Classifier) or not model.reads):
            missing = "a decoder" if model.reads else "an encoder"
            raise SettingsError(f"{name}: expected {none}, got {got}: without {missing} no codes are {what}")
    if settings.search > 1 and not (isinstance(model, VAE) and model.decoder.likelihood.writes_tokens):
        raise SettingsError(f"search: expected 1, got {settings.search}: only lines of tokens are searched for")


@dataclass
class Run:
    """The state of one training.

    Attributes:
        model: being trained, on its device.
        settings: resolved.
        data: rows on the device, bytes or floats.
        validation: held-out rows, or None.
        seed: everything random is a function of it and of the step.
        rows: numbers of the rows of `data` to train on, in any order; None: all.
        data_hash: SHA-256 of the data, so that a run is not resumed on other data.
        step: steps done.
        seconds: that the steps took, in all sessions of the run.
        history: one record for each epoch done.
        best: the epoch with the best validation loss, that loss, and the weights; epoch 0 before there is one.
        sums: loss, distortion and rate over the rows of the epoch whose terms were seen so far, and their number.
    """

    model: VAE
    settings: Settings
    data: Batch
    validation: Batch | None
    seed: int
    data_hash: str = ""
    rows: Tensor | None = None
    step: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best: Best = field(default_factory=lambda: Best(0, math.inf, {}))
    objective: Objective = field(init=False)
    update: Update = field(init=False)
    masking: Masking = field(init=False)
    augment: Augmentation = field(init=False)
    average: AveragedWeights = field(init=False)
    sums: Tensor = field(init=False)

    def __post_init__(self) -> None:
        check_learning_rate(self.settings)
        check_parts(self.model, self.settings)
        self.objective = build_objective(self.settings, self.rows_per_epoch)
        self.update = UPDATES.build(
            self.settings.update,
            model=self.model,
            settings=self.settings,
            event_shape=tuple(self.data.x.shape[1:]),
            rows=self.rows_per_epoch,
            steps=self.total,
            seed=self.seed,
        )
        if self.update.needs_whole and self.data.mask is not None:
            raise SettingsError(f"update {self.settings.update!r}: expected data without gaps; use update 'plain'")
        if self.settings.patience and not self.update.scored_by_objective:
            name = UPDATES.normalise(self.settings.update)["kind"]
            raise SettingsError(
                f"update {name!r}, patience: expected 0, got {self.settings.patience}: "
                "the validation loss leaves out what this update adds"
            )
        if not self.model.reads and self.validation is not None:
            raise SettingsError("there is no encoder: expected validation 0, since no rows can be scored")
        self.masking = MASKINGS.build(self.settings.masking)
        self.augment = AUGMENTATIONS.build(self.settings.augment)
        self.average = AveragedWeights(self.model, self.settings.average)
        device = self.data.x.device  # Apple's has no float64
        self.sums = torch.zeros(4, dtype=torch.float32 if device.type == "mps" else torch.float64, device=device)

    @property
    def rows_per_epoch(self) -> int:
        """How many rows there are to train on."""
        return len(self.data) if self.rows is None else len(self.rows)

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch; the last, shorter one counts."""
        return -(-self.rows_per_epoch // self.settings.batch_size)

    @property
    def total(self) -> int:
        """Steps of the whole run, if it does not stop early."""
        epochs = self.settings.resolve(self.rows_per_epoch).epochs
        return int(epochs) * self.steps_per_epoch

    def order(self, epoch: int) -> Tensor:
        """The rows in the order of one epoch, a function of (seed, epoch)."""
        order = torch.randperm(self.rows_per_epoch, generator=generator(self.seed, "order", epoch))
        return order if self.rows is None else self.rows[order]

    def batch_rows(self, order: Tensor) -> Tensor:
        """The rows of the next step, given the epoch's order; the update may draw them itself."""
        drawn = self.update.sample(self.step)
        if drawn is not None:
            return (drawn if self.rows is None else self.rows[drawn]).to(order.device)
        start = self.step % self.steps_per_epoch * self.settings.batch_size
        return order[start : start + self.settings.batch_size]

    def noise(self, step: int) -> StepNoise:
        """The noise of one step, a function of (seed, step)."""
        return StepNoise(self.seed, "step", step, device=self.data.x.device)

    def prepare(self, batch: Batch, noise: Noise) -> Batch:
        """What the model sees of some rows: floats, binarised anew and partly hidden if the settings say so.

        In training they are augmented first.
        """
        x = as_float(batch.x)
        if self.model.training:
            x = self.augment(x, noise)
        if self.settings.binarise == "dynamic":
            if x.device.type == "cpu" and batch.x.is_floating_point() and not x.sum().isfinite():
                # A comparison turns NaN into 0, and the loss would never tell.
                raise DivergedError(f"training diverged at step {self.step}: the data holds NaN or infinity")
            x = (noise.uniform((1, *x.shape))[0] < x).float()
        return Batch(x, self.masking(batch, noise), batch.context, batch.properties)

    @torch.no_grad()
    def validation_loss(self) -> float | None:
        """The objective with its final weights on the validation part, with the same noise at every call.

        Codes are blurred as in training: what is learned is what is scored.
        """
        if self.validation is None:
            return None
        loss = 0.0
        with self.average.in_place(), evaluating(self.model):
            blur = getattr(self.model, "blur", None)
            if blur is not None:
                blur.train()
            for start in range(0, len(self.validation), _VALIDATION_ROWS):
                noise = StepNoise(self.seed, "validation", start, device=self.data.x.device)
                rows = self.prepare(self.validation[start : start + _VALIDATION_ROWS], noise)
                if self.update.needs_whole:
                    rows = replace(rows, mask=None)
                trace = self.model.infer(rows, noise, self.objective.samples)
                loss += self.objective(trace, self.total, self.total).loss.sum().item()
        return loss / len(self.validation)
