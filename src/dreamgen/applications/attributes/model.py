"""The attributes of a trained model: found from a data set, kept in the model's folder, used to edit."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dreamgen.applications.attributes.directions import APART, Directions, Floats, find_directions
from dreamgen.applications.attributes.probes import probe_codes
from dreamgen.data.context import is_flag
from dreamgen.data.dataset import Dataset, Examples
from dreamgen.errors import DataError, ModelFileError, SettingsError
from dreamgen.files import dump_json, parse_json, read_folder, write_folder
from dreamgen.generator import DreamGenerator
from dreamgen.inputs import one_of
from dreamgen.io import SavedModel
from dreamgen.registry import check_type, shorten
from dreamgen.tensors import dump_tensors, parse_tensors

_JSON, _TENSORS = "attributes.json", "attributes.safetensors"
_ROWS, _HELD_OUT = 20_000, 5_000  # examples that directions and probes are fitted to, and tried on
_FARTHEST = 1e6


@dataclass(frozen=True)
class AttributeModel:
    """What a model's codes tell of attributes.

    Attributes:
        directions: of each attribute.
        auc: of a probe of each on held-out codes; None where it could not be measured.
        share: of the examples that have each.
        rows, held_out: examples that it was found from, and that the probes were tried on.
    """

    directions: Directions
    auc: Mapping[str, float | None] = field(default_factory=dict)
    share: Mapping[str, float] = field(default_factory=dict)
    rows: int = 0
    held_out: int = 0

    @property
    def names(self) -> tuple[str, ...]:
        """The attributes."""
        return self.directions.names

    def edit(
        self, generator: DreamGenerator, x: npt.ArrayLike, more: Mapping[str, float], steps: int = 1
    ) -> npt.NDArray[np.float32]:
        """One example with more or less of some attributes.

        Args:
            generator: the model.
            x: an example, (*event).
            more: by how much each reading is to rise; 2 is from without to with.
            steps: pictures on the way, the full change last; the unchanged reconstruction comes before them.

        Returns:
            (steps + 1, *event).
        """
        if steps < 1:
            raise SettingsError(f"steps: expected 1 or more, got {steps}")
        shift = self.directions.shift(more)
        z = generator.transform(one_of(x, "x", generator.fitted().event_shape))
        return generator.inverse_transform(z + np.linspace(0, 1, steps + 1)[:, None] * shift)

    def files(self) -> dict[str, bytes]:
        """What is kept of it in a model's folder, by name."""
        facts = {
            "names": list(self.names),
            "auc": [self.auc.get(name) for name in self.names],
            "share": [self.share.get(name) for name in self.names],
            "rows": self.rows,
            "held_out": self.held_out,
        }
        arrays = {
            "steps": self.directions.steps,
            "weights": self.directions.weights,
            "offset": self.directions.offset,
        }
        tensors = {name: torch.from_numpy(np.asarray(array, np.float32)) for name, array in arrays.items()}
        return {_JSON: dump_json(facts), _TENSORS: dump_tensors(tensors)}


def find_attributes(generator: DreamGenerator, dataset: Dataset, apart: float = APART) -> AttributeModel:
    """Read the attributes of a data set's training part into the codes of a model, and try them on its test part.

    Args:
        generator: a trained model.
        dataset: with attributes; without, each class of its labels counts as one.
        apart: see `find_directions`.

    Raises:
        DataError: a set without attributes and labels, or one that does not fit the model.
        SettingsError: a conditional model: what it is told of is not in its codes, and is changed by telling it.
    """
    if context := generator.fitted().context:
        raise SettingsError(
            f"the model is told {context.names[0]!r}: expected one whose codes have to say everything"
        )
    train, test = _some(dataset.train, _ROWS), _some(dataset.test, _HELD_OUT)
    names, present = attributes_of(train, dataset)
    truth = attributes_of(test, dataset)[1] if len(test) else present[:0]
    told = [column for column in range(len(names)) if np.ptp(present[:, column]) > 0]
    if not told:
        raise DataError(f"{dataset.name}: expected an attribute or class that some examples have and others have not")
    names, present, truth = tuple(names[column] for column in told), present[:, told], truth[:, told]
    q = generator.encode(train.x)
    z, noise = q.mean.numpy(), q.variance.mean(0).numpy()
    held_out = generator.transform(test.x) if len(test) else z[:0]
    return AttributeModel(
        find_directions(z, present, names, apart, noise),
        probe_codes(z, present, held_out, truth, names),
        dict(zip(names, present.mean(0).tolist(), strict=True)),
        len(z),
        len(held_out),
    )


def attributes_of(examples: Examples, dataset: Dataset) -> tuple[tuple[str, ...], Floats]:
    """Names, (A,), and values 0 or 1, (n, A), of examples' attributes, or of their classes; raises DataError.

    Attributes that are numbers, and neither there nor not, are left out with a warning.
    """
    if examples.attributes is not None:
        assert dataset.rows.attributes is not None
        flags = [is_flag(column) for column in dataset.rows.attributes.T]
        others = [name for name, flag in zip(dataset.attribute_names, flags, strict=True) if not flag]
        if len(others) == len(flags):
            raise DataError(f"{dataset.name}: expected attributes that are 0 or 1, got numbers: {shorten(others)}")
        if others:
            warnings.warn(f"{dataset.name}: {', '.join(others)} left out: numbers, not 0 or 1", stacklevel=2)
        names = tuple(name for name in dataset.attribute_names if name not in others)
        return names, examples.attributes[:, flags].astype(np.float64)
    if examples.labels is None:
        raise DataError(f"{dataset.name} has no attributes and no labels")
    return dataset.classes, (examples.labels[:, None] == np.arange(len(dataset.classes))).astype(np.float64)


def _some(examples: Examples, most: int) -> Examples:
    """At most so many examples, evenly from all."""
    if len(examples) <= most:
        return examples
    return examples[np.linspace(0, len(examples) - 1, most).astype(np.int64)]


def keep_attributes(folder: Path, attributes: AttributeModel) -> None:
    """Put attributes into a model's folder, beside what is there; raises OutputError or ModelFileError."""
    write_folder(folder, read_folder(folder) | attributes.files())


def attributes_in(saved: SavedModel, name: str = "the model") -> AttributeModel:
    """The attributes that were kept with a model.

    Raises:
        SettingsError: none were.
        ModelFileError: they are damaged, or of another model.
    """
    if _JSON not in saved.more or _TENSORS not in saved.more:
        raise SettingsError(f"{name} has no attributes: `dreamgen attributes MODEL DATA` finds and keeps them")
    facts = parse_json(saved.more[_JSON], _JSON)
    tensors = parse_tensors(saved.more[_TENSORS], _TENSORS)
    try:
        return _checked(facts, {k: v.double().numpy() for k, v in tensors.items()}, saved.settings.latent_dim)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelFileError(f"{_JSON}: not the attributes of this model: {error}") from error


def _checked(facts: Any, arrays: Mapping[str, Floats], latent_dim: int) -> AttributeModel:
    check_type("attributes", facts, dict[str, Any])
    check_type("names", facts["names"], list[str])
    check_type("auc", facts["auc"], list[float | None])
    check_type("share", facts["share"], list[float | None])
    names = tuple(facts["names"])
    expected = {"steps": (len(names), latent_dim), "weights": (len(names), latent_dim), "offset": (len(names),)}
    for name, shape in expected.items():
        if arrays[name].shape != shape or (arrays[name].size and np.abs(arrays[name]).max() > _FARTHEST):
            raise ValueError(f"{name}: expected shape {shape} and numbers within {_FARTHEST:g}")
    return AttributeModel(
        Directions(names, arrays["steps"], arrays["weights"], arrays["offset"]),
        dict(zip(names, facts["auc"], strict=True)),
        dict(zip(names, facts["share"], strict=True)),
        int(facts["rows"]),
        int(facts["held_out"]),
    )
