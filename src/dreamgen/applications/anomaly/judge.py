"""A trained model that judges rows: its geometry, and the scale of its scores on rows that it never saw."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dreamgen.applications.anomaly.features import WIDEST, Floats, RowSpace, as_tensor, feature_count
from dreamgen.applications.anomaly.scores import COMBINED, SCORES, Geometry, Scale, combine, table_of
from dreamgen.applications.anomaly.views import MARGINAL, Marginals, Views, view
from dreamgen.applications.table_model import TableModel
from dreamgen.config import Settings
from dreamgen.data.batch import Batch
from dreamgen.distributions import ColumnsLikelihood
from dreamgen.errors import ModelFileError
from dreamgen.tables import Codec
from dreamgen.training import Record
from dreamgen.training.fit import split_rows

Scores = dict[str, Floats]
_SMALL = 2000  # rows below which there are several judges, each with its own held-out part
_WIDE = 1600  # columns beyond which one judge has to do, and learns for fewer steps: each tells it of more cells


@dataclass(frozen=True)
class Judge:
    """One model and what its scores mean.

    Attributes:
        model: trained.
        space, marginals, geometry: of the training rows.
        scales: of each score, on the held-out rows.
        usual: what each column costs on average by itself, (d,), nats.
        seed: of the importance samples.
    """

    model: TableModel
    space: RowSpace
    marginals: Marginals
    geometry: Geometry
    scales: Mapping[str, Scale]
    usual: Floats
    seed: int

    def views(self, rows: Batch, strange: Floats) -> Views:
        """What the model makes of rows."""
        return view(self.model, self.space, self.marginals, rows, strange, self.seed)

    def knows(self, rows: Batch, strange: Floats) -> NDArray[np.bool_]:
        """Which rows are equal to one of the training rows that are kept as neighbours, (n,)."""
        return self.geometry.holds(self.space.points(rows), strange)

    def scores(
        self, views: Views, own: NDArray[np.int64] | None = None, names: Sequence[str] = (*SCORES, "combined")
    ) -> Scores:
        """Some scores by name, each as surprise, which is the same scale for all judges."""
        needed = {part for name in names for part in (COMBINED if name == "combined" else (name,))}
        raw = table_of(views, self.geometry, own, sorted(needed))
        found = {name: self.scales[name](raw[name]) for name in names if name != "combined"}
        return found | ({"combined": combine(raw, self.scales)} if "combined" in names else {})


def judges_for(rows: int, columns: int) -> tuple[int, float]:
    """How many judges rows get, and the share of the rows that each holds out.

    Few rows: several judges, whose held-out parts together are most of the rows. Many: one, and 2,000 rows are
    enough to know the 95th percentile.
    """
    if rows < _SMALL:
        return (3 if columns <= _WIDE else 1), 0.3
    return 1, min(0.2, 2000 / rows)


def settings_for(rows: int, columns: int) -> Settings:
    """Settings by the size of a table: nothing else about the data decides."""
    steps = 300 * np.log10(max(rows, 10)) * min(1.0, _WIDE / columns)
    batch = int(np.clip(rows // 8, 16, 128 if rows < 10_000 else 256))
    epochs = int(np.clip(round(steps / max(1, rows / batch)), 2, 300))
    return Settings(
        encoder="columns",
        likelihood="columns",
        latent_dim=int(np.clip(columns // 2, 2, 16)),
        hidden_dim=[128, 128],
        masking={"kind": "random", "whole": 0.7, "most": 0.5},
        start="mean",
        batch_size=batch,
        epochs=epochs,
        learning_rate=2e-3,
        average=0.98,
    )


@dataclass(frozen=True)
class Bench:
    """What all judges share.

    Attributes:
        codec: fitted to the training table.
        rows: its rows.
        strange: cells never seen, of each row, (n,).
    """

    codec: Codec
    rows: Batch
    strange: Floats


def train_judge(
    bench: Bench,
    settings: Settings,
    share: float,
    seed: int,
    device: str,
    on_record: Callable[[Record], None] = lambda record: None,
) -> tuple[Judge, Views, NDArray[np.int64]]:
    """Train one judge; also its views of all training rows, and the numbers of those that it never saw."""
    held_out, kept = (np.sort(part.numpy()) for part in split_rows(len(bench.rows), share, seed))
    taught = bench.rows[torch.from_numpy(kept)]
    # No epoch is chosen by the held-out rows either: the threshold is theirs to set.
    model = TableModel.fit_rows(
        bench.codec, taught, settings=settings.replace(validation=0.0), seed=seed, device=device, on_record=on_record
    )
    space = RowSpace.of(bench.codec.shapes, taught)
    marginals = Marginals(model, rows=taught)
    views = view(model, space, marginals, bench.rows, bench.strange, seed)
    geometry = Geometry.of(views, seed, kept)
    raw = table_of(views.take(held_out), geometry, held_out)
    scales = {name: Scale.of(values) for name, values in raw.items()}
    usual = -marginals.log_prob(bench.rows).mean(0)
    return Judge(model, space, marginals, geometry, scales, usual, seed), views, held_out


# Keeping


def to_tensors(judge: Judge) -> dict[str, torch.Tensor]:
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


def from_tensors(
    model: TableModel,
    weights: Mapping[str, torch.Tensor] | None,
    tensors: Mapping[str, torch.Tensor],
    rows: int,
    seed: int,
) -> Judge:
    """A judge from what `to_tensors` gave; `weights` where they are not those of `model`. Raises ModelFileError."""
    try:
        own = model if weights is None else _with_weights(model, weights)
        arrays: dict[str, Any] = {name: value.numpy() for name, value in tensors.items()}
        _check_shapes(own, arrays, rows)
        names = [name.removeprefix("geometry.") for name in arrays if name.startswith("geometry.")]
        scales = {
            name: Scale(arrays[f"scale.{name}"][0], arrays[f"scale.{name}"][1], float(arrays[f"spread.{name}"][0]))
            for name in SCORES
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
    for name in SCORES:
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
