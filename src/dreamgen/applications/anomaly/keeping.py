"""Judges and what they found of the training rows as files, safetensors and JSON alone, and back."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dreamgen.applications.anomaly.features import WIDEST, RowSpace, as_tensor, feature_count
from dreamgen.applications.anomaly.judge import Judge, Scores
from dreamgen.applications.anomaly.panel import ALL, Panel
from dreamgen.applications.anomaly.scores import MEASURES, Geometry, Scale
from dreamgen.applications.anomaly.views import MARGINAL, Marginals
from dreamgen.applications.table_model import TableModel
from dreamgen.distributions import ColumnsLikelihood
from dreamgen.errors import ModelFileError
from dreamgen.tensors import dump_tensors, parse_tensors

FACTS = "detector.json"
_NUMBERS = "detector.safetensors"
_FOUND = ("calibration", "training")


def files_of(panel: Panel) -> dict[str, bytes]:
    """The files of a panel by name, but for the first judge's model."""
    numbers = {f"{k}.{name}": v for k, judge in enumerate(panel.judges) for name, v in _tensors_of(judge).items()}
    for kind in _FOUND:
        numbers |= {f"{kind}.{name}": as_tensor(values) for name, values in getattr(panel, kind).items()}
    weights = {
        _weights_of(k): dump_tensors(judge.model.saved.model.state_dict())
        for k, judge in enumerate(panel.judges)
        if k > 0
    }
    return {_NUMBERS: dump_tensors(numbers), **weights}


def panel_of(model: TableModel, files: Mapping[str, bytes], rows: int, seeds: Any) -> Panel:
    """A panel from what `files_of` gave, its first judge's model, and one seed for each judge.

    Raises ModelFileError.
    """
    if _NUMBERS not in files:
        raise ModelFileError(f"no detector: it has no {_NUMBERS}")
    if not isinstance(seeds, list) or not seeds:
        raise ModelFileError(f"{FACTS}: seeds: expected one for each judge, got {seeds!r}")
    numbers = parse_tensors(files[_NUMBERS], _NUMBERS)
    judges = []
    for k, seed in enumerate(seeds):
        if k and _weights_of(k) not in files:
            raise ModelFileError(f"no detector: it has no {_weights_of(k)}")
        weights = parse_tensors(files[_weights_of(k)], _weights_of(k)) if k else None
        judges.append(_judge_of(model, weights, _under(numbers, str(k)), rows, int(seed)))
    calibration, training = (
        {name: np.asarray(values.numpy(), np.float64) for name, values in _under(numbers, kind).items()}
        for kind in _FOUND
    )
    _check_found(calibration, training)
    return Panel(tuple(judges), rows, calibration, training)


def _weights_of(number: int) -> str:
    return f"judge{number}.safetensors"


def _under(numbers: Mapping[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(f"{name}."): value for key, value in numbers.items() if key.startswith(f"{name}.")}


def _check_found(calibration: Scores, training: Scores) -> None:
    """Raise ModelFileError unless there are held-out scores and training scores, of every name and in order."""
    for kind, table in zip(_FOUND, (calibration, training), strict=True):
        counts = {values.shape for values in table.values()}
        if table.keys() != set(ALL) or len(counts) != 1 or len(first := counts.pop()) != 1 or not first[0]:
            raise ModelFileError(f"{_NUMBERS}: {kind}: expected as many scores of each kind, one or more")
    if any((np.diff(values) < 0).any() for values in calibration.values()):
        raise ModelFileError(f"{_NUMBERS}: calibration: expected scores that rise")


def _tensors_of(judge: Judge) -> dict[str, torch.Tensor]:
    """The numbers of a judge but for its weights."""
    tensors = {
        "space.loc": as_tensor(judge.space.loc),
        "space.scale": as_tensor(judge.space.scale),
        "marginals": judge.marginals.start.clone(),
        "usual": as_tensor(judge.usual),
    }
    for name, values in judge.geometry.tensors.items():
        tensors[f"geometry.{name}"] = torch.from_numpy(np.ascontiguousarray(values))
    for name, scale in judge.scales.items():
        tensors[f"scale.{name}"] = as_tensor(np.stack([scale.knots, scale.surprise]))
        tensors[f"spread.{name}"] = torch.tensor([scale.spread], dtype=torch.float64)
    return tensors


def _judge_of(
    model: TableModel,
    weights: Mapping[str, torch.Tensor] | None,
    tensors: Mapping[str, torch.Tensor],
    rows: int,
    seed: int,
) -> Judge:
    """A judge from what `_tensors_of` gave; `weights` where they are not those of `model`. Raises ModelFileError."""
    try:
        own = model if weights is None else _with_weights(model, weights)
        arrays: dict[str, Any] = {name: value.numpy() for name, value in tensors.items()}
        _check_shapes(own, arrays, rows)
        names = [name.removeprefix("geometry.") for name in arrays if name.startswith("geometry.")]
        scales = {
            name: Scale(arrays[f"scale.{name}"][0], arrays[f"scale.{name}"][1], float(arrays[f"spread.{name}"][0]))
            for name in MEASURES
        }
        return Judge(
            own,
            RowSpace(model.codec.shapes, arrays["space.loc"], arrays["space.scale"]),
            Marginals(model, start=tensors["marginals"]),
            Geometry({name: arrays[f"geometry.{name}"] for name in names}, rows),
            scales,
            arrays["usual"],
            seed,
        )
    except (KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
        raise ModelFileError(f"detector.safetensors: does not fit the model: {error}") from error


def _check_shapes(model: TableModel, arrays: Mapping[str, NDArray[Any]], rows: int) -> None:
    """Raise ValueError where numbers are not as many as the model's columns and latents need, or out of order."""
    shapes, latents = model.codec.shapes, model.saved.settings.latent_dim
    features, reference = feature_count(shapes), len(arrays["geometry.reference"])
    likelihood = ColumnsLikelihood(shapes, components=MARGINAL)
    expected: dict[str, tuple[int, ...]] = {
        "space.loc": (features,),
        "space.scale": (features,),
        "marginals": likelihood.parameters_shape((len(shapes),)),
        "usual": (len(shapes),),
        "geometry.reference": (reference,),
        "geometry.deep": (reference, latents + features + 1),
        "geometry.white": (reference, features + 1),
        "geometry.plain": (reference, features + 1),
    }
    for name, size in (("input", features), ("latent", latents), ("residual", features)):
        matrix = (size, size) if size <= WIDEST else (size,)
        expected |= {f"geometry.{name}.loc": (size,), f"geometry.{name}.matrix": matrix}
    if missing := [name for name in MEASURES if f"scale.{name}" not in arrays]:
        raise ValueError(f"it has no scale of {missing[0]!r}; one that an earlier build saved has to be fitted again")
    for name in MEASURES:
        expected |= {f"scale.{name}": (2, len(arrays[f"scale.{name}"][0])), f"spread.{name}": (1,)}
        knots, surprise = arrays[f"scale.{name}"]
        if not len(knots) or (np.diff(knots) <= 0).any() or (np.diff(surprise) < 0).any():
            raise ValueError(f"scale.{name}: expected a rising curve")
        if not arrays[f"spread.{name}"][0] > 0:
            raise ValueError(f"spread.{name}: expected more than 0")
    for name, shape in expected.items():
        if arrays[name].shape != shape:
            raise ValueError(f"{name}: expected shape {shape}, got {arrays[name].shape}")
    numbers = arrays["geometry.reference"]
    if reference < 2 or numbers.dtype.kind != "i" or numbers.min() < 0 or numbers.max() >= rows:
        raise ValueError(f"geometry.reference: expected two numbers or more of {rows} rows")
    if not (arrays["space.scale"] > 0).all():
        raise ValueError("space.scale: expected more than 0")


def _with_weights(model: TableModel, weights: Mapping[str, torch.Tensor]) -> TableModel:
    saved = copy.copy(model.saved)
    saved.model = copy.deepcopy(model.saved.model)
    saved.model.load_state_dict(dict(weights))
    return TableModel(saved, model.codec)
