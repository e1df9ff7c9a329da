"""What the numbers of an example, and those beside it, stand for; a model is built after it and its settings."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dreamgen.data.columns import ColumnShape
from dreamgen.data.context import Context
from dreamgen.data.vocabulary import Vocabulary
from dreamgen.errors import ModelFileError, SettingsError
from dreamgen.registry import check_type, shorten

_MOST_COLUMNS, _MOST_LEVELS, _MOST_ATOMS = 1 << 16, 1 << 16, 1 << 10
_DIMENSIONS, _ELEMENTS = 8, 1 << 28  # larger events than any picture; a file that asks for more is refused


@dataclass(frozen=True)
class Meaning:
    """What examples are.

    Attributes:
        event_shape: shape of one example.
        context: what the model is told (of a classifier: what it reads); None: nothing.
        properties: what is read off the codes; None: nothing.
        columns: the columns, where an example is a row of a table.
        vocabulary: the tokens, where an example is a line of text; None: it is numbers.
    """

    event_shape: tuple[int, ...]
    context: Context | None = None
    properties: Context | None = None
    columns: tuple[ColumnShape, ...] = ()
    vocabulary: Vocabulary | None = None

    @property
    def symbols(self) -> int:
        """How many tokens there are, where an example is a line of them; else 0."""
        return self.vocabulary.size if self.vocabulary else 0

    def sizes(self) -> dict[str, Any]:
        """What parts of a model may ask for by name."""
        return {
            "event_shape": self.event_shape,
            "context": self.context,
            "context_dim": self.context.width if self.context else 0,
            "columns": self.columns,
            "properties": self.properties,
            "symbols": self.symbols,
        }

    def to_config(self) -> dict[str, Any]:
        """Plain values, ready for JSON; what there is not is left out."""
        config: dict[str, Any] = {"event_shape": list(self.event_shape)}
        if self.columns:
            config["columns"] = [asdict(column) for column in self.columns]
        for name in ("context", "properties", "vocabulary"):
            if fact := getattr(self, name):
                config[name] = fact.to_dict()
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Meaning":
        """What `to_config` gave, among other facts of a model; raises ModelFileError or SettingsError for others."""
        shape = _event_shape(config.get("event_shape"))
        return cls(
            event_shape=shape,
            columns=_columns(config.get("columns", []), shape),
            context=Context.from_dict(config["context"]) if "context" in config else None,
            properties=Context.from_dict(config["properties"]) if "properties" in config else None,
            vocabulary=Vocabulary.from_dict(config["vocabulary"]) if "vocabulary" in config else None,
        )


def _event_shape(value: Any) -> tuple[int, ...]:
    sizes = value if isinstance(value, list) and 0 < len(value) <= _DIMENSIONS else [0]
    if not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in sizes):
        raise ModelFileError(f"config.json, event_shape: expected positive whole numbers, got {value!r}")
    if math.prod(sizes) > _ELEMENTS:
        raise ModelFileError(f"config.json, event_shape: {value!r} is too large")
    return tuple(sizes)


def _columns(value: Any, shape: Sequence[int]) -> tuple[ColumnShape, ...]:
    """The columns of a table, which an example then has as many numbers as."""
    if value == []:
        return ()
    try:
        check_type("columns", value, list[dict[str, Any]])
        if (len(value),) != tuple(shape) or len(value) > _MOST_COLUMNS:
            raise ModelFileError(f"config.json, columns: expected as many as event_shape says, got {len(value)}")
        return tuple(_column(entry) for entry in value)
    except SettingsError as error:
        raise ModelFileError(f"config.json, {error}") from error


def _column(entry: dict[str, Any]) -> ColumnShape:
    hints = {"levels": int, "atoms": list[float], "step": float, "floor": float}
    if entry.keys() != hints.keys():
        raise ModelFileError(f"config.json, columns: expected {', '.join(hints)}, got {shorten(list(entry))}")
    for name, value in entry.items():
        check_type(f"columns, {name}", value, hints[name])
    column = ColumnShape(**{**entry, "atoms": tuple(entry["atoms"])})
    if not 0 <= column.levels <= _MOST_LEVELS or len(column.atoms) > _MOST_ATOMS:
        raise ModelFileError("config.json, columns: too many levels or atoms")
    if column.step < 0 or column.floor <= 0:
        raise ModelFileError("config.json, columns: expected a step of 0 or more and a floor of more than 0")
    return column
