"""An imputer as a folder, and back: its models, what it knows of the table, and the imputer of a log inside it."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from dreamgen.applications.imputation.coverage import Coverage
from dreamgen.applications.imputation.files import LOG, fresh_folder, load_models, part_of, save_models
from dreamgen.applications.imputation.log_imputer import LogImputer
from dreamgen.errors import ModelFileError
from dreamgen.files import read_folder
from dreamgen.registry import shorten
from dreamgen.tables import Notes

if TYPE_CHECKING:
    from dreamgen.applications.imputation.imputer import Imputer

Some = TypeVar("Some", bound="Imputer")
_LOG = "log"


def keep(imputer: "Imputer", folder: Path) -> None:
    """Write a fitted imputer; raises OutputError."""
    kept: dict[str, Any] = {
        "seed": imputer.seed_,
        "samples": int(imputer.samples),
        "models": int(imputer.models),
        "add_indicator": imputer.add_indicator,
        "sample_posterior": imputer.sample_posterior,
        "columns": list(imputer.feature_names_in_),
        "missing": imputer.missing_,
        "coverage": imputer.coverage_.to_dict(),
        "log": {},
    }
    trees = None
    if imputer.log_ is not None:
        name = fresh_folder(folder, _LOG)
        kept["log"] = {**imputer.log_.to_dict(), "folder": name}
        imputer.log_.imputer.save(folder / name)
        trees = None if imputer.log_.refiner is None else imputer.log_.refiner.to_bytes()
    save_models(folder, imputer.models_, imputer.codec_, kept, trees)


def recall(cls: type[Some], folder: Path, device: str) -> Some:
    """An imputer from a folder. Raises ModelFileError."""
    models, codec, kept = load_models(folder, device)
    made = cls(
        samples=kept["samples"],
        models=kept["models"],
        refine=any(member.refiner is not None for member in models),
        add_indicator=kept["add_indicator"],
        sample_posterior=kept["sample_posterior"],
        device=device,
        random_state=kept["seed"],
    )
    made.seed_, made.models_, made.codec_ = kept["seed"], models, codec
    made.missing_, made.coverage_ = kept["missing"], Coverage.from_dict(kept["coverage"])
    made.feature_names_in_ = np.array(kept["columns"], dtype=object)
    made.n_features_in_ = len(kept["columns"])
    made.notes_, made.log_ = Notes(), None
    if kept["log"]:
        trees = read_folder(folder).get(LOG)
        inner = recall(cls, part_of(folder, kept["log"].pop("folder", None)), device)
        made.log_ = LogImputer.from_dict(inner, kept["log"], trees)
        if unknown := [name for name in made.log_.sensors if name not in codec.names]:
            raise ModelFileError(f"{folder}: its log has a sensor {shorten(unknown[0])}, which its table has not")
        made.refine = trees is not None
        made.window, made.time, made.group = made.log_.window, made.log_.time, made.log_.group
    return made
