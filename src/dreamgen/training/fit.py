"""From rows to a model that can be saved: holds out, builds, trains, and notes where it came from."""

import contextlib
import hashlib
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode

from dreamgen.config import Settings
from dreamgen.data.batch import Batch
from dreamgen.data.dataset import Dataset
from dreamgen.data.meaning import Meaning
from dreamgen.data.vocabulary import Vocabulary
from dreamgen.devices import device_of, has_fast_bfloat16
from dreamgen.distributions import generator
from dreamgen.errors import SettingsError
from dreamgen.evaluation.aggregated import KEPT, KEPT_TO_FIT, keep_codes
from dreamgen.evaluation.collapse import collapse_warning
from dreamgen.evaluation.latents import active_units, prior_of, rate_per_unit
from dreamgen.evaluation.likelihood import encode_rows
from dreamgen.files import MANIFEST, dump_json
from dreamgen.io import SavedModel, versions
from dreamgen.models import VAE, build_model, start_at_mean
from dreamgen.training.checkpoint import Checkpoints, locked
from dreamgen.training.loop import Record, train
from dreamgen.training.run import Run, check_parts

_RATE_ROWS = 10_000
_STEPS_TO_JUDGE = 500  # a shorter training has not had the time to use its latents
_MEAN_ROWS = 5000
_MOST_WEIGHTS = 1 << 30  # 4 GiB, and three times as much to train them; what a model file may hold


def fit_model(
    settings: Settings,
    data: Batch,
    labels: Tensor | None,
    meaning: Meaning,
    *,
    seed: int,
    device: torch.device,
    weights: Mapping[str, Tensor] | None = None,
    out: Path | None = None,
    resume: bool = False,
    stop: Callable[[], bool] = lambda: False,
    on_record: Callable[[Record], None] = lambda record: None,
) -> SavedModel:
    """Train a model on rows; see `DreamGenerator.fit` for the rest.

    Args:
        data: n examples; an element that was not observed is 0.
        labels: (n,), kept to colour maps with.
        meaning: of the numbers in `data`.
        weights: what the model begins with, in place of random numbers.
    """
    held_out, kept = split_rows(len(data), settings.validation, seed)
    settings = settings.resolve(len(kept))
    if settings.precision == "auto":
        settings = settings.replace(precision="bfloat16" if has_fast_bfloat16(device) else "float32")
    run = Run(
        model=_build(settings, meaning, data, kept, seed, weights).to(device),
        settings=settings,
        data=data.to(device),
        rows=kept,
        validation=data[held_out].to(device) if len(held_out) else None,
        seed=seed,
        data_hash=_hash(data, meaning.vocabulary),
    )
    facts = _run(run, out, resume, stop, on_record)
    codes: dict[str, Tensor] = {}
    if "privacy" not in facts and isinstance(run.model, VAE) and run.model.reads:
        looked, codes = _look_at_codes(run, data[kept[:_RATE_ROWS]], labels, kept)
        facts = looked | facts
    return _saved(run, data.x, meaning, facts, codes)


def _build(
    settings: Settings,
    meaning: Meaning,
    data: Batch,
    kept: Tensor,
    seed: int,
    weights: Mapping[str, Tensor] | None,
) -> Any:
    """The model as it begins."""
    _check_size(settings, meaning)
    model = build_model(settings, meaning, seed)
    if weights is not None:
        model.load_state_dict(weights)
    check_parts(model, settings)
    if settings.start == "mean":
        start_at_mean(model, data[kept[:_MEAN_ROWS]])
    return model


def _run(
    run: Run, out: Path | None, resume: bool, stop: Callable[[], bool], on_record: Callable[[Record], None]
) -> dict[str, Any]:
    """Train to the end, from where the folder's checkpoints stand; what the update notes on the card."""
    with locked(out) if out else contextlib.nullcontext():
        checkpoints = Checkpoints(out) if out else None
        if checkpoints:
            _start(checkpoints, run, resume)
        for record in train(run, checkpoints, stop):
            on_record(record)
        facts = run.update.card()
        if checkpoints and "privacy" in facts:
            checkpoints.remove()
    return facts


def _saved(run: Run, x: Tensor, meaning: Meaning, facts: dict[str, Any], codes: dict[str, Tensor]) -> SavedModel:
    """What is kept of a run on rows x, with further facts for its card.

    Of a private one that is little: whatever else is computed from the rows would be said without noise.
    """
    private, pictures = "privacy" in facts, not meaning.columns and not meaning.vocabulary
    return SavedModel(
        model=run.model,
        settings=run.settings,
        meaning=meaning,
        unit_range=pictures and bool(x.dtype == torch.uint8 or (not private and x.min() >= 0 and x.max() <= 1)),
        origin={
            # The seed of a private run is its noise.
            "seed": None if private else run.seed,
            "data": {
                **({} if private else {"sha256": run.data_hash}),
                "rows": len(x),
                "dtype": str(x.dtype).removeprefix("torch."),
            },
            "versions": versions(),
            "threads": torch.get_num_threads(),
            "device": device_of(run.model).type,
        },
        card={
            "epochs": len(run.history),
            "best_epoch": run.best.epoch or len(run.history),
            "validation_rows": 0 if run.validation is None else len(run.validation),
            **facts,
        },
        history=[] if private else run.history,
        codes=codes,
        seconds=None if private else run.seconds,
    )


def _look_at_codes(
    run: Run, rows: Batch, labels: Tensor | None, kept: Tensor
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What the latents carry, for the card, and codes of some training rows."""
    q = encode_rows(run.model, rows)
    units = rate_per_unit(q, prior_of(run.model, rows.context))
    if run.step >= _STEPS_TO_JUDGE and (collapse := collapse_warning(q, units)):
        warnings.warn(collapse, stacklevel=4)
    many = KEPT_TO_FIT if run.settings.mixture or run.settings.picked > 1 else KEPT
    codes = keep_codes(q, rows.context, None if labels is None else labels[kept], many)
    return {"active_units": active_units(q), "rate_per_unit": None if units is None else units.tolist()}, codes


class _WithoutValues(TorchFunctionMode):
    """Weights are made and not filled: torch's own `init`, without memory to fill, loads its compiler, 75 MB."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        filling = getattr(func, "__module__", None) == init.__name__
        return kwargs.get("tensor", next(iter(args), None)) if filling else func(*args, **kwargs)


def _check_size(settings: Settings, meaning: Meaning) -> None:
    """Raise SettingsError for a model that no machine of today trains, before memory is taken for it."""
    with torch.device("meta"), _WithoutValues():
        weights = sum(p.numel() for p in build_model(settings, meaning).parameters())
    if weights > _MOST_WEIGHTS:
        raise SettingsError(
            f"hidden_dim and latent_dim: expected a model of at most {_MOST_WEIGHTS:,} weights, got {weights:,}"
        )


def note_data(saved: SavedModel, dataset: Dataset) -> None:
    """Write into a model's origin which set it is of."""
    saved.origin["data"] |= {"name": dataset.name, "classes": list(dataset.classes)}
    if dataset.size is not None:
        saved.origin["data"]["size"] = dataset.size
        saved.card["skipped_pictures"] = len(dataset.skipped)
    if not saved.private:  # a hash tells who has the rows already that he has them
        saved.origin["data"]["set_sha256"] = dataset.sha256


def split_rows(rows: int, share: float, seed: int) -> tuple[Tensor, Tensor]:
    """Row numbers held out and kept: a function of the seed. A single row is always kept."""
    order = torch.randperm(rows, generator=generator(seed, "validation"))
    held_out = min(int(rows * share), rows - 1)
    return order[:held_out], order[held_out:]


def _hash(data: Batch, vocabulary: Vocabulary | None) -> str:
    digest = hashlib.sha256(f"{tuple(data.x.shape)} {data.x.dtype};".encode())
    digest.update(data.x.contiguous().numpy().data)
    for more in (data.mask, data.context, data.properties):
        if more is not None:
            digest.update(more.contiguous().numpy().data)
    if vocabulary:
        digest.update(dump_json(vocabulary.to_dict()))
    return digest.hexdigest()


def _start(checkpoints: Checkpoints, run: Run, resume: bool) -> None:
    """Take up the run that the folder holds, or make sure that there is none to lose."""
    folder = checkpoints.folder.parent
    if checkpoints.found():
        if not resume:
            raise SettingsError(f"{folder} holds a run already: resume it (--resume) or choose another folder")
        checkpoints.restore(run)
    elif (folder / MANIFEST).exists():
        raise SettingsError(f"{folder} holds a finished model or something else's {MANIFEST}: choose another folder")
