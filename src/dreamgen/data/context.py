"""What a model is conditioned on: named fields, and the numbers that a network sees of them.

A class is one-hot, a flag is -1 or 1 (and anything between), a number is standardised.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from dreamgen.errors import DataError, SettingsError
from dreamgen.registry import check_type, nearest, shorten

LABEL = "label"
"""The field of a data set's labels."""

_NUMBER = re.compile(r"-?[0-9]{1,9}")
_KINDS = ("class", "flag", "number")
_MOST_FIELDS, _MOST_CLASSES = 1 << 12, 1 << 16


@dataclass(frozen=True)
class Field:
    """One thing that a model is told.

    Attributes:
        name: what a person calls it.
        kind: "class", one of `classes`; "flag", no or yes; "number".
        classes: names of the classes.
        loc, scale: mean and standard deviation of a number in training.
    """

    name: str
    kind: Literal["class", "flag", "number"]
    classes: tuple[str, ...] = ()
    loc: float = 0.0
    scale: float = 1.0

    @property
    def width(self) -> int:
        """How many numbers a network sees of it."""
        return len(self.classes) if self.kind == "class" else 1

    def encode(self, values: Any, n: int) -> Tensor:
        """One value for all, or n of them, as (n, width); raises DataError for what the model was not told of."""
        given = np.asarray(values)
        if given.ndim == 0:
            given = np.full(n, given)
        if given.shape != (n,):
            raise DataError(f"{self.name}: expected one value, or {n}, got shape {given.shape}")
        if self.kind == "class":
            return F.one_hot(self._numbers(given), len(self.classes)).float()
        try:
            numbers = given.astype(np.float64)
        except ValueError:
            raise DataError(f"{self.name}: expected a number, got {shorten(given[0])}") from None
        if not np.isfinite(numbers).all():
            raise DataError(f"{self.name}: expected finite numbers")
        if self.kind == "flag" and (numbers.min() < 0 or numbers.max() > 1):
            raise DataError(f"{self.name}: expected 0 (no) to 1 (yes), got {numbers.min():g} to {numbers.max():g}")
        numbers = 2 * numbers - 1 if self.kind == "flag" else (numbers - self.loc) / self.scale
        return torch.from_numpy(numbers.astype(np.float32)).unsqueeze(1)

    def decode(self, values: Tensor) -> npt.NDArray[np.float64]:
        """What `chances` gave, (n, width), in a person's units: (n,) numbers or chances, (n, classes) chances."""
        if self.kind == "number":
            values = values * self.scale + self.loc
        return (values if self.kind == "class" else values.squeeze(-1)).double().numpy()

    def chances(self, h: Tensor) -> Tensor:
        """A network's numbers, (..., width), as chances of a class or flag; of a number, its standardised mean."""
        return {"class": h.softmax(-1), "flag": h.sigmoid(), "number": h}[self.kind]

    def log_prob(self, h: Tensor, told: Tensor, scale: Tensor | float = 1.0) -> Tensor:
        """log p(told|h), (..., n), in nats, of a network's numbers (..., n, width) and what `encode` gave.

        A number, once standardised, is normal around h with a standard deviation of `scale`.
        """
        if self.kind == "class":
            return (h.log_softmax(-1) * told).sum(-1)
        if self.kind == "flag":
            return F.logsigmoid(h * told).squeeze(-1)
        scale = torch.as_tensor(scale, dtype=h.dtype, device=h.device)
        return (-0.5 * ((h - told) / scale).square() - scale.log() - 0.5 * math.log(2 * math.pi)).squeeze(-1)

    def picked(self, values: Tensor, middle: float) -> Tensor:
        """Each row's class by number; of a flag 1 where its value exceeds `middle`, else 0: (n, width) to (n,)."""
        return values.argmax(1) if self.kind == "class" else (values > middle).long().squeeze(1)

    def _numbers(self, given: npt.NDArray[Any]) -> Tensor:
        """Classes by number or by name, as numbers."""
        if given.dtype.kind in "US":
            places = {name: place for place, name in enumerate(self.classes)}
            given = np.array([places.get(text, text) for text in given.astype(str).tolist()], object)
            # A text that is no name may be a number; classes that are called by numbers go by their names.
            unknown = [text for text in given if isinstance(text, str) and not _NUMBER.fullmatch(text)]
            if unknown:
                raise DataError(f"{self.name}: {nearest(unknown[0], self.classes)}; got {shorten(unknown[0])}")
            given = given.astype(np.int64)
        if given.dtype.kind not in "ui" and not (given.dtype.kind == "f" and (given == np.round(given)).all()):
            raise DataError(f"{self.name}: expected classes by number or name, got {given.dtype}")
        if len(given) and (given.min() < 0 or given.max() >= len(self.classes)):
            wrong = given[(given < 0) | (given >= len(self.classes))][0]
            known = f"0 to {len(self.classes) - 1} ({_listed(self.classes)})"
            raise DataError(f"{self.name}: expected {known}, got {wrong:g}")
        return torch.from_numpy(given.astype(np.int64))


@dataclass(frozen=True)
class Context:
    """The fields that a model is told, in the order of a batch's context."""

    fields: tuple[Field, ...]

    @property
    def names(self) -> list[str]:
        """The fields' names."""
        return [field.name for field in self.fields]

    @property
    def width(self) -> int:
        """C, how many numbers a network sees."""
        return sum(field.width for field in self.fields)

    @cached_property
    def columns(self) -> dict[str, slice]:
        """Where each field's numbers lie among the C."""
        ends = np.cumsum([field.width for field in self.fields]).tolist()
        return {f.name: slice(end - f.width, end) for f, end in zip(self.fields, ends, strict=True)}

    def __getitem__(self, name: str) -> Field:
        """A field by name; raises SettingsError, naming the nearest."""
        for field in self.fields:
            if field.name == name:
                return field
        raise SettingsError(f"this model is not told {name!r}: {nearest(name, self.names)}")

    def encode(self, given: Mapping[str, Any], n: int) -> Tensor:
        """n rows of context, (n, C).

        Args:
            given: for every field one value, or n: a class by number or name, a flag from 0 to 1, a number in its own
                unit.
            n: rows.

        Raises:
            SettingsError: a field that the model is not told, or one that is not given.
            DataError: a value that it was not trained on.
        """
        known = {name: self[name].encode(values, n) for name, values in given.items()}
        for field in self.fields:
            if field.name not in known:
                raise SettingsError(f"this model is told {_listed(self.names)}: {field.name} is not given")
        return torch.cat([known[name] for name in self.names], dim=1)

    def decode(self, values: Tensor) -> dict[str, npt.NDArray[np.float64]]:
        """What a network reads, (n, C), by field: see `Field.decode`."""
        return {field.name: field.decode(values[:, self.columns[field.name]]) for field in self.fields}

    def to_dict(self) -> list[dict[str, Any]]:
        """Plain values, ready for JSON."""
        return [{**asdict(field), "classes": list(field.classes)} for field in self.fields]

    @classmethod
    def from_dict(cls, entries: Any) -> "Context":
        """The context that `to_dict` gave; raises SettingsError for anything else."""
        check_type("context", entries, list[dict[str, Any]])
        if not 1 <= len(entries) <= _MOST_FIELDS:
            raise SettingsError(f"context: expected 1 to {_MOST_FIELDS} fields, got {len(entries)}")
        context = cls(tuple(_field(entry) for entry in entries))
        if len(set(context.names)) < len(context.fields):
            raise SettingsError("context: expected fields of different names")
        return context

    @classmethod
    def of(
        cls,
        asked: str | Sequence[str],
        labels: npt.NDArray[np.int64] | None,
        classes: Sequence[str],
        attributes: Mapping[str, npt.NDArray[Any]],
        declared: bool = False,
        setting: str = "context",
    ) -> "Context | None":
        """What settings ask for, of the data that there are.

        Args:
            asked: "none", "labels", "attributes" for all of them, or names of attributes ("label" among them).
            labels: (n,), or None.
            classes: names of the labels; none: their numbers.
            attributes: by name, (n,): a flag where all are 0 or 1, else a number.
            declared: whether nothing may be measured on the rows, as in private training: labels need their classes
                beforehand, and a number, whose mean and standard deviation would be theirs, is refused.
            setting: which of the settings asks, for errors.

        Raises:
            DataError: the data have no such thing.
            SettingsError: `declared`, and it would have to be measured.
        """
        if asked == "none":
            return None
        names = {"labels": [LABEL], "attributes": list(attributes)}.get(asked) if isinstance(asked, str) else asked
        if not names:
            raise DataError(f"{setting} {asked!r}: {'the data have no attributes' if names == [] else 'not known'}")
        context = cls(tuple(_find(name, labels, classes, attributes, setting) for name in names))
        if declared:
            _check_declared(context, classes)
        return context


def _find(
    name: str,
    labels: npt.NDArray[np.int64] | None,
    classes: Sequence[str],
    attributes: Mapping[str, npt.NDArray[Any]],
    setting: str,
) -> Field:
    if name == LABEL:
        if labels is None:
            raise DataError(f"{setting} 'labels': the data have no labels")
        highest = int(labels.max()) + 1
        if labels.min() < 0 or highest > _MOST_CLASSES:
            raise DataError(f"{setting} 'labels': expected labels from 0 to {_MOST_CLASSES - 1}")
        return Field(LABEL, "class", tuple(classes) if len(classes) >= highest else tuple(map(str, range(highest))))
    if name not in attributes:
        raise DataError(f"{setting}: the data have no {name!r}: {nearest(name, [LABEL, *attributes])}")
    values = np.asarray(attributes[name], np.float64)
    if is_flag(values):
        return Field(name, "flag")
    return Field(name, "number", (), float(values.mean()), float(values.std()) or 1.0)


def is_flag(values: npt.ArrayLike) -> bool:
    """Whether all of some values are 0 or 1: there or not."""
    return bool(np.isin(values, (0, 1)).all())


def _check_declared(context: Context, classes: Sequence[str]) -> None:
    """Raise SettingsError for a field that tells of the rows: one of them alone could change it."""
    for field in context.fields:
        if field.kind == "number":
            raise SettingsError(
                f"private training, context {field.name!r}: expected a flag, 0 or 1, or labels; "
                "the mean and standard deviation of a number would be said without noise"
            )
        if field.kind == "class" and field.classes != tuple(classes):
            raise SettingsError(
                "private training, context 'labels': expected `classes` that name every label, got "
                f"{len(classes)} for labels up to {len(field.classes) - 1}"
            )


def _field(entry: dict[str, Any]) -> Field:
    hints = {"name": str, "kind": str, "classes": list[str], "loc": float, "scale": float}
    if entry.keys() != hints.keys():
        raise SettingsError(f"context: expected {', '.join(hints)}, got {shorten(list(entry))}")
    for name, value in entry.items():
        check_type(f"context, {name}", value, hints[name])
    field = Field(**{**entry, "classes": tuple(entry["classes"])})
    many = len(field.classes)
    if field.kind not in _KINDS or (many == 0) == (field.kind == "class") or many > _MOST_CLASSES or field.scale <= 0:
        raise SettingsError(f"context, {shorten(field.name)}: expected a class with classes, a flag or a number")
    return field


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 12 else f"{', '.join(names[:10])} ... {names[-1]}"
