"""An imputer in a folder: its first model with the facts beside it, and further models in folders of their own."""

import itertools
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dreamgen.applications.imputation import log_refine
from dreamgen.applications.imputation.predictor import Member
from dreamgen.applications.imputation.refine import FILE, Refiner
from dreamgen.applications.table_model import TableModel
from dreamgen.errors import DataError, ModelFileError, SettingsError
from dreamgen.files import MANIFEST, dump_json, parse_json, read_folder, write_folder
from dreamgen.io import WEIGHTS
from dreamgen.registry import shorten
from dreamgen.tables import Codec

_FACTS, _CODEC = "imputer.json", "codec.json"
_TYPES: dict[str, type] = {
    "seed": int,
    "samples": int,
    "models": int,
    "parts": list,
    "add_indicator": bool,
    "sample_posterior": bool,
    "columns": list,
    "missing": dict,
    "coverage": dict,
    "log": dict,
}
MOST_MODELS = 100  # each of which may be a pair
_PARTS_HOLD = {MANIFEST, "config.json", "card.json", "history.json", _CODEC, _FACTS}
_PART = re.compile(r"(log|[0-9]{1,3})-[0-9]{1,6}")
LOG = log_refine.FILE


def save_models(
    folder: Path, models: Sequence[Member], codec: Codec, facts: dict[str, Any], log: bytes | None = None
) -> None:
    """Write a folder; the first model's manifest is written last, and names the folders of the others.

    Those are new ones, so a save that is killed leaves what the old manifest names as it was. Raises OutputError.
    """
    replaced = _own_folders(folder)
    parts = [fresh_folder(folder, str(number)) for number in range(2, len(models) + 1)]
    content = dump_json({**facts, "parts": parts})
    for part, member in zip(parts, models[1:], strict=True):
        member.model.save(folder / part, _trees(member))
    if models:
        models[0].model.save(folder, {_FACTS: content, **_trees(models[0])})
    else:
        write_folder(folder, {_FACTS: content, _CODEC: dump_json(codec.to_dict()), **({LOG: log} if log else {})})
    for name in replaced - {*parts, facts["log"].get("folder")}:
        shutil.rmtree(folder / name, ignore_errors=True)


def _own_folders(folder: Path) -> set[str]:
    """The folders of an imputer that is already there, and of saves over it that were killed.

    Those hold nothing but files of models: no other may be deleted, whatever it is called.
    """
    if not (folder / _FACTS).exists():
        return set()
    return {path.name for path in folder.iterdir() if _PART.fullmatch(path.name) and _is_part(path)}


def _is_part(folder: Path) -> bool:
    """Whether a folder is a part of an imputer, or what a killed save left of one."""
    names = {path.name.removesuffix(".next") for path in folder.iterdir()} if folder.is_dir() else set()
    return bool(names & _PARTS_HOLD) and all(name in _PARTS_HOLD or name.endswith(".safetensors") for name in names)


def fresh_folder(folder: Path, stem: str) -> str:
    """The name of a folder below that does not exist yet: `stem`-1, `stem`-2, ..."""
    return next(name for n in itertools.count(1) if not (folder / (name := f"{stem}-{n}")).exists())


def part_of(folder: Path, name: Any) -> Path:
    """A folder below, by the name that a file gives; raises ModelFileError for what can be no such name."""
    if not isinstance(name, str) or not _PART.fullmatch(name):
        raise ModelFileError(f"{_FACTS}: expected the name of a folder, got {shorten(name)}")
    return folder / name


def _trees(member: Member) -> dict[str, bytes]:
    return {} if member.refiner is None else {FILE: member.refiner.to_bytes()}


def _load(folder: Path, device: str) -> Member:
    model = TableModel.load(folder, device)
    content = model.saved.more.get(FILE)
    return Member(model, None if content is None else Refiner.from_bytes(content, tuple(model.codec.shapes)))


def load_models(folder: Path, device: str) -> tuple[list[Member], Codec, dict[str, Any]]:
    """Models, codec and facts; raises ModelFileError."""
    contents = read_folder(folder)
    if _FACTS not in contents or _CODEC not in contents:
        raise ModelFileError(f"{folder} is no imputer: it has no {_FACTS}")
    facts = _check(parse_json(contents[_FACTS], _FACTS))
    if WEIGHTS not in contents:  # no column varies, or the imputer of a log is inside
        try:
            codec = Codec.from_dict(parse_json(contents[_CODEC], _CODEC))
        except (SettingsError, DataError) as error:
            raise ModelFileError(f"{_CODEC}: {error}") from error
        if facts["parts"] or (codec.codings and not facts["log"]):
            raise ModelFileError(f"{folder}: expected a model of the columns that vary, and it has no {WEIGHTS}")
        return [], _fits(codec, facts), facts
    models = [_load(folder, device)]
    models += [_load(part_of(folder, name), device) for name in facts["parts"]]
    codec = models[0].model.codec
    if any(member.model.codec.to_dict() != codec.to_dict() for member in models):
        raise ModelFileError(f"{folder}: expected models of one codec")
    return models, _fits(codec, facts), facts


def _fits(codec: Codec, facts: dict[str, Any]) -> Codec:
    """A codec, if the facts are of its columns; else raises ModelFileError."""
    names = codec.schema.names
    if facts["columns"] != list(names):
        raise ModelFileError(f"{_FACTS}, columns: expected those of the schema")
    if not all(name in names and 0 <= share <= 1 for name, share in facts["missing"].items()):
        raise ModelFileError(f"{_FACTS}, missing: expected shares by the names of columns")
    return codec


def _check(facts: Any) -> dict[str, Any]:
    if not isinstance(facts, dict) or facts.keys() != _TYPES.keys():
        raise ModelFileError(f"{_FACTS}: expected {', '.join(_TYPES)}")
    for name, kind in _TYPES.items():
        if type(facts[name]) is not kind:
            raise ModelFileError(f"{_FACTS}, {name}: expected {kind.__name__}, got {facts[name]!r}")
    if len(facts["parts"]) >= 2 * MOST_MODELS:
        raise ModelFileError(f"{_FACTS}: expected fewer than {2 * MOST_MODELS} further models")
    if not 1 <= facts["models"] <= MOST_MODELS or facts["samples"] < 1:
        raise ModelFileError(f"{_FACTS}: expected models and samples in their ranges")
    if not all(isinstance(name, str) for name in facts["columns"]):
        raise ModelFileError(f"{_FACTS}: expected names of columns")
    if not all(isinstance(share, int | float) for share in facts["missing"].values()):
        raise ModelFileError(f"{_FACTS}: expected shares of what is missing")
    return facts
