"""A saved model: a folder of safetensors and JSON that rebuilds without running anything that came with it.

model.safetensors   weights
config.json         settings, shape of the data, seed, data hash, versions
card.json           what it is, how it was made, measured figures, limits
history.json        the records of training
codes.safetensors   posteriors (and labels) of some training rows, for maps and for mixtures; optional
*.json, *.safetensors   what a use of the model keeps beside it: the schema of a table, thresholds
manifest.json       SHA-256 of each file; its rename commits a save
"""

import math
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dreamgen import __version__
from dreamgen.config import Settings
from dreamgen.data.columns import ColumnShape
from dreamgen.data.context import Context
from dreamgen.data.languages import Held
from dreamgen.data.meaning import Meaning
from dreamgen.data.vocabulary import Vocabulary
from dreamgen.distributions import Likelihood
from dreamgen.errors import ModelFileError, SettingsError
from dreamgen.files import MANIFEST, check_manifest, dump_json, parse_json, read_folder, reading, write_folder
from dreamgen.forms import Form, Numbers, Texts
from dreamgen.models import VAE, build_model
from dreamgen.registry import check_type
from dreamgen.tensors import dump_tensors, is_finite, parse_tensors

WEIGHTS = "model.safetensors"
_OWN = (WEIGHTS, "config.json", "card.json", "history.json", "codes.safetensors")
_CODE_TYPES, _FARTHEST = (torch.float16, torch.float32, torch.float64), 1e6  # what a map can be drawn of
_LONGEST_LINE = 1 << 16  # tokens
# Settings from a file can be absurd in ways that only building shows.
_ABSURD = (SettingsError, TypeError, ValueError, OverflowError, RuntimeError, MemoryError)


@dataclass
class SavedModel:
    """What a folder holds.

    Attributes:
        model: what `build_model` makes, float32, in evaluation mode; on the CPU when just loaded.
        settings: as resolved for the run.
        meaning: of the numbers of an example, and of those beside it; each of its facts can be asked for here.
        unit_range: whether the data lay within [0, 1], as pictures do; then means are kept within it.
        origin: seed, data (name, SHA-256, rows), versions, threads; for people, not read by the library.
        card: measured figures and limits.
        history: one record for each epoch.
        codes: `loc` and `scale` (n, D) of q(z|x) and, if there were labels, `labels` (n,) of training rows; empty if
            not kept.
        more: further files by name, which whoever keeps them there reads and checks.
        seconds: that the training took, of a model just trained; not written, so that a seed gives the same bytes.
    """

    model: Any
    settings: Settings
    meaning: Meaning
    unit_range: bool = True
    origin: dict[str, Any] = field(default_factory=dict)
    card: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    codes: dict[str, Tensor] = field(default_factory=dict)
    more: dict[str, bytes] = field(default_factory=dict)
    seconds: float | None = None

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.meaning.event_shape

    @property
    def columns(self) -> tuple[ColumnShape, ...]:
        """The columns, where an example is a row of a table."""
        return self.meaning.columns

    @property
    def context(self) -> Context | None:
        """What the model is told (of a classifier: what it reads); None: nothing."""
        return self.meaning.context

    @property
    def properties(self) -> Context | None:
        """What is read off the codes; None: nothing."""
        return self.meaning.properties

    @property
    def vocabulary(self) -> Vocabulary | None:
        """The tokens, where an example is a line of text; None: it is numbers."""
        return self.meaning.vocabulary

    @property
    def holds(self) -> Held:
        """What it is of."""
        return self.vocabulary.holds if self.vocabulary else "pictures"

    @property
    def form(self) -> Form:
        """How its examples go in and come back."""
        if self.vocabulary:
            return Texts(self.vocabulary, self.event_shape[0])
        # A classifier explains no example: it reads any.
        likelihood = self.model.decoder.likelihood if isinstance(self.model, VAE) else Likelihood()
        return Numbers(self.event_shape, likelihood)

    @property
    def private(self) -> bool:
        """Whether the training was private, so that nothing else that tells of single rows may be said."""
        return "privacy" in self.card

    @property
    def data(self) -> Mapping[str, Any]:
        """What is known of the set that it was trained on; empty where nothing is."""
        known: Mapping[str, Any] = self.origin.get("data", {})
        return known

    @property
    def rates(self) -> list[float]:
        """The rate of each latent on training rows, in nats; zeros where it was not measured."""
        return self.card.get("rate_per_unit") or [0.0] * self.settings.latent_dim


def versions() -> dict[str, str]:
    """Versions that a result depends on."""
    return {
        "dreamgen": __version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


def save_model(folder: Path, saved: SavedModel, half: bool = False) -> None:
    """Write a model folder, all or nothing; `half` stores 16-bit weights, half the size.

    Raises:
        OutputError: the folder cannot be written.
        ModelFileError: the weights are not finite, or not in 16 bits: such a folder could not be loaded again.
    """
    write_folder(folder, model_files(saved, half))


def model_files(saved: SavedModel, half: bool = False) -> dict[str, bytes]:
    """The files of a model's folder by name; raises ModelFileError as `save_model` does."""
    state: Mapping[str, Tensor] = saved.model.state_dict()
    weights = {k: v.half() if half and v.is_floating_point() else v for k, v in state.items()}
    for name, value in weights.items():
        if not is_finite(value):
            raise ModelFileError(f"{name} is not finite{' in 16 bits: save it without `half`' if half else ''}")
    config: dict[str, Any] = {
        "settings": saved.settings.to_dict(),
        **saved.meaning.to_config(),
        "unit_range": saved.unit_range,
        "origin": saved.origin,
    }
    contents = {
        WEIGHTS: dump_tensors(weights),
        "config.json": dump_json(config),
        "card.json": dump_json(saved.card),
        "history.json": dump_json(saved.history),
    }
    if saved.codes:
        contents["codes.safetensors"] = dump_tensors(saved.codes)
    if taken := saved.more.keys() & {*_OWN, MANIFEST}:
        raise ModelFileError(f"{', '.join(sorted(taken))}: a model has such a file of its own")
    return contents | saved.more


def load_model(folder: Path) -> SavedModel:
    """Read a model folder.

    Raises:
        ModelFileError: it is no model, was changed, is newer than this version, names a part that does not exist,
            or holds weights that do not fit or are not finite.
    """
    with reading(folder):
        if (folder / "checkpoints").is_dir() and not (folder / MANIFEST).exists():
            raise ModelFileError(
                f"{folder} holds a run that is not finished: go on with the same command and --resume"
            )
    loaded = model_of(read_folder(folder), folder)
    check_manifest(folder)
    return loaded


def model_of(contents: Mapping[str, bytes], folder: Path) -> SavedModel:
    """A model from what `model_files` gave; `folder` is for messages. Raises ModelFileError."""
    for name in (WEIGHTS, "config.json"):
        if name not in contents:
            raise ModelFileError(f"{folder} is not a saved model: its manifest does not list {name}")
    config = _mapping(parse_json(contents["config.json"], "config.json"), "config.json")
    try:
        meaning = Meaning.from_config(config)
    except ModelFileError:
        raise
    except _ABSURD as error:
        raise ModelFileError(f"{folder / 'config.json'}: {error}") from error
    try:
        settings = Settings.of(_mapping(config.get("settings"), "config.json, settings"))
        weights = parse_tensors(contents[WEIGHTS], WEIGHTS)
        _check_lines(settings, meaning, config)
        model = _rebuild(settings, meaning, weights)
    except _ABSURD as error:
        raise ModelFileError(f"{folder / 'config.json'}: {error}") from error
    card = parse_json(contents.get("card.json", b"{}"), "card.json")
    history = parse_json(contents.get("history.json", b"[]"), "history.json")
    codes = parse_tensors(contents["codes.safetensors"], "codes") if "codes.safetensors" in contents else {}
    if not isinstance(history, list):
        raise ModelFileError("history.json: expected a list of records")
    return SavedModel(
        model=model,
        settings=settings,
        meaning=meaning,
        unit_range=config.get("unit_range") is not False,
        origin=_check_origin(_mapping(config.get("origin", {}), "config.json, origin")),
        card=_check_card(_mapping(card, "card.json"), settings.latent_dim),
        history=history,
        codes=_check_codes(codes, settings.latent_dim, meaning.context),
        more={name: content for name, content in contents.items() if name not in _OWN},
    )


def _rebuild(settings: Settings, meaning: Meaning, weights: dict[str, Tensor]) -> Any:
    # First without memory: settings that promise a giant network are compared with the file before one is made.
    with torch.device("meta"):
        bare = build_model(settings, meaning)
        expected = {k: tuple(v.shape) for k, v in bare.state_dict().items()}
    found = {k: tuple(v.shape) for k, v in weights.items()}
    if expected != found:
        name = min(k for k in expected.keys() | found.keys() if expected.get(k) != found.get(k))
        raise ModelFileError(f"{WEIGHTS}, {name}: expected shape {expected.get(name)}, got {found.get(name)}")
    model = build_model(settings, meaning, 0)
    model.load_state_dict(weights)  # casts to float32
    for name, value in model.state_dict().items():
        if not weights[name].is_floating_point() or not is_finite(value):
            raise ModelFileError(f"{WEIGHTS}, {name}: expected finite 32-bit floats")
    return model.eval()


def _check_lines(settings: Settings, meaning: Meaning, config: Mapping[str, Any]) -> None:
    """Raise SettingsError where what a file says of lines and of properties does not go together."""
    shape, vocabulary, properties = meaning.event_shape, meaning.vocabulary, meaning.properties
    if settings.language != (vocabulary.language if vocabulary else "none"):
        raise SettingsError("vocabulary: expected the language of the settings, and none without one")
    if vocabulary and (len(shape) != 1 or shape[0] > _LONGEST_LINE or config.get("unit_range") is not False):
        raise SettingsError(f"vocabulary: expected lines of at most {_LONGEST_LINE} tokens")
    asked = settings.properties
    names = properties.names if properties else []
    if (asked == "none") != (not names) or (isinstance(asked, list) and asked != names):
        raise SettingsError("properties: expected those of the settings")


def _mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ModelFileError(f"{name}: expected a table, got {type(value).__name__}")
    return value


def _check_origin(origin: dict[str, Any]) -> dict[str, Any]:
    seed, data = origin.get("seed"), _mapping(origin.get("data", {}), "config.json, origin.data")
    if not (seed is None or isinstance(seed, int)):
        raise ModelFileError(f"config.json, origin.seed: expected a whole number, got {seed!r}")
    classes = data.get("classes", [])
    if not isinstance(classes, list) or not all(isinstance(name, str) for name in classes):
        raise ModelFileError("config.json, origin.data.classes: expected names")
    return origin


def _check_card(card: dict[str, Any], latent_dim: int) -> dict[str, Any]:
    rates, ledger = card.get("rate_per_unit"), card.get("privacy")
    if ledger is not None:
        budget = [_mapping(ledger, "card.json, privacy").get(name) for name in ("epsilon", "delta")]
        if not all(isinstance(share, int | float) and 0 < share < math.inf for share in budget):
            raise ModelFileError(f"card.json, privacy: expected epsilon and delta above 0, got {budget}")
    if rates is None:
        return card
    try:
        check_type("rate_per_unit", rates, list[float])
    except SettingsError as error:
        raise ModelFileError(f"card.json, {error}") from error
    if len(rates) != latent_dim:
        raise ModelFileError(f"card.json, rate_per_unit: expected {latent_dim} numbers")
    return card


def _check_codes(codes: dict[str, Tensor], latent_dim: int, context: Context | None) -> dict[str, Tensor]:
    loc = codes.get("loc")
    if codes and (loc is None or loc.dim() != 2 or len(loc) == 0 or loc.shape[1] != latent_dim):
        raise ModelFileError(f"codes.safetensors: expected loc of shape (n, {latent_dim}), n 1 or more")
    if loc is not None and (loc.dtype not in _CODE_TYPES or loc.abs().max() > _FARTHEST):
        raise ModelFileError(f"codes.safetensors: expected floats within {_FARTHEST:g} of the origin")
    scale = codes.get("scale")
    if (
        loc is not None
        and scale is not None
        and not (scale.shape == loc.shape and scale.dtype in _CODE_TYPES and scale.min() >= 0)
    ):
        raise ModelFileError("codes.safetensors: expected a scale of 0 or more for each number of a code")
    told = codes.get("context")
    if loc is not None and told is not None:
        width = context.width if context else 0
        if told.shape != (len(loc), width) or told.dtype not in _CODE_TYPES:
            raise ModelFileError(f"codes.safetensors: expected context of shape ({len(loc)}, {width})")
    labels = codes.get("labels")
    if loc is not None and labels is not None and (labels.shape != loc.shape[:1] or labels.dtype != torch.int64):
        raise ModelFileError("codes.safetensors: expected a whole number as label of each code")
    return codes
