"""What each column of a table holds: a kind, bounds, categories, spikes. Plain values, editable as TOML."""

import dataclasses
import math
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from dreamgen.errors import DataError, SettingsError
from dreamgen.registry import check_type, nearest, plain, shorten
from dreamgen.tables.notes import Notes

if TYPE_CHECKING:
    import pyarrow as pa

KINDS = {
    "real": "numbers on both sides of zero",
    "positive": "numbers that are never negative",
    "count": "whole numbers that are never negative",
    "ordinal": "few whole numbers, or categories with an order",
    "categorical": "names",
    "boolean": "yes or no",
    "datetime": "points in time",
    "constant": "one value; not modelled, put back",
    "identifier": "a key; not modelled, made anew or copied",
}
NUMBERS = ("real", "positive", "count", "datetime")
LEVELS = ("ordinal", "categorical", "boolean")
MODELLED = NUMBERS + LEVELS

Value = str | int | float | bool
_DECIMALS = 15
_MANY = 1e15  # beyond it a number is written with an exponent


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: as the table has it.
        kind: one of KINDS.
        dtype: the Arrow type that comes back, as a text.
        categories: the values of an ordinal, categorical or boolean column that have a level of their own, in order.
        rare: categories that are grouped in one further level, the commonest first.
        rare_counts: how many rows each of them had.
        other: whether there is a level of rare categories even where none is named.
        low, high: the bounds of a number, in its own unit; seconds since 1970 for times.
        decimals: of a number; None where it has as many as it likes.
        step: the distance of neighbouring values where they lie on a grid, in the number's own unit; 0: none.
        spikes: numbers that many rows share and that stand out from the rest.
        value: of a constant; None where nothing was ever there.
        pattern: of an identifier that is made anew: a text with {n}, or "" for whole numbers.
        format: of times that are texts, as strftime has it.
        inner: a low and a high quantile of a number, which stand for its bounds where a codec is shared.
        summary: facts for a report, and how many rows there were; a model does not depend on them.
    """

    name: str
    kind: str
    dtype: str = "double"
    categories: tuple[Value, ...] = ()
    rare: tuple[Value, ...] = ()
    rare_counts: tuple[int, ...] = ()
    other: bool = False
    low: float | None = None
    high: float | None = None
    decimals: int | None = None
    step: float = 0.0
    spikes: tuple[float, ...] = ()
    value: Value | None = None
    pattern: str = ""
    format: str = ""
    inner: tuple[float, ...] = field(default=(), compare=False)
    summary: dict[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        for name, hint in _hints().items():
            value = plain(getattr(self, name))
            check_type(f"column {shorten(self.name)}, {name}", value, hint)
            object.__setattr__(self, name, tuple(value) if isinstance(value, list) else value)
        where = f"column {self.name!r}"
        if self.kind not in KINDS:
            raise SettingsError(f"{where}: unknown kind {self.kind!r}: {nearest(self.kind, KINDS)}")
        both = [*self.categories, *self.rare]
        if len({(type(v) is str, v) for v in both}) != len(both):
            raise SettingsError(f"{where}: expected different categories, got one twice")
        if len({type(v) is str for v in both}) > 1:
            raise SettingsError(f"{where}: expected categories of one kind, got texts and numbers")
        if self.decimals is not None and abs(self.decimals) > _DECIMALS:
            raise SettingsError(f"{where}: expected up to {_DECIMALS} decimals, got {shorten(self.decimals)}")
        if min(self.rare_counts, default=1) < 0 or sum(self.rare_counts) < bool(self.rare_counts):
            raise SettingsError(f"{where}: expected rare_counts of rows, got {shorten(list(self.rare_counts))}")
        if len(self.rare_counts) not in (0, len(self.rare)):
            raise SettingsError(f"{where}: expected one of rare_counts for each of rare, got {len(self.rare_counts)}")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise SettingsError(f"{where}: expected low <= high, got {self.low} and {self.high}")
        if len(self.inner) not in (0, 2) or (self.inner and self.inner[0] > self.inner[1]):
            raise SettingsError(f"{where}: expected two inner bounds that rise, got {shorten(list(self.inner))}")
        if not (self.step >= 0 and math.isfinite(self.step)):
            raise SettingsError(f"{where}: expected step >= 0, got {self.step}")

    @property
    def modelled(self) -> bool:
        """Whether the model sees it."""
        return self.kind in MODELLED

    @property
    def levels(self) -> int:
        """How many levels it has as a category; 0 for a number."""
        return len(self.categories) + (bool(self.rare) or self.other) if self.kind in LEVELS else 0

    @property
    def is_scale(self) -> bool:
        """Whether its levels are numbers, of which there may be a range."""
        return self.kind == "ordinal" and not any(isinstance(value, str) for value in self.categories)

    def spoken(self, value: float) -> str:
        """A number of this column as people write it: a point in time, or with its thousands set apart."""
        if self.kind != "datetime" or not math.isfinite(value):
            whole = float(value).is_integer() and abs(value) < _MANY
            return f"{value:,.0f}" if whole else f"{value:g}"
        stamp = str(np.datetime64(round(value * 1e6), "us")).replace("T", " ")
        return stamp.removesuffix(".000000").removesuffix(" 00:00:00")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, what is default left out."""
        values = {one.name: plain(getattr(self, one.name)) for one in dataclasses.fields(self)}
        empty = {one.name: _default(one) for one in dataclasses.fields(self)}
        return {name: v for name, v in values.items() if name in ("name", "kind", "dtype") or v != plain(empty[name])}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Column":
        """A column from plain values; an unknown name raises SettingsError with the nearest valid one."""
        names = [one.name for one in dataclasses.fields(cls)]
        for name in values:
            if name not in names:
                where = f"column {shorten(values.get('name', '?'))}"
                raise SettingsError(f"{where}: unknown entry {name!r}: {nearest(name, names)}")
        if not isinstance(values.get("name"), str) or not isinstance(values.get("kind"), str):
            raise SettingsError(f"expected a column with name and kind, got {shorten(dict(values))}")
        return cls(**values)


@cache
def _hints() -> dict[str, Any]:
    return typing.get_type_hints(Column)


def _default(one: Any) -> Any:
    if one.default_factory is not dataclasses.MISSING:
        return one.default_factory()
    return None if one.default is dataclasses.MISSING else one.default


@dataclass(frozen=True)
class Schema:
    """The columns of a table, in order.

    Attributes:
        columns: what each holds.
        notes: what inferring them met; not saved.
    """

    columns: tuple[Column, ...]
    notes: Notes = field(default_factory=Notes, compare=False)

    def __post_init__(self) -> None:
        if not self.columns:
            raise SettingsError("expected a schema with columns, got none")
        names = self.names
        if len(set(names)) != len(names):
            raise SettingsError(f"expected columns of different names, got {shorten(names)}")

    @property
    def names(self) -> list[str]:
        """The names of all columns."""
        return [column.name for column in self.columns]

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise DataError(f"no column {name!r}: {nearest(name, self.names)}")

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def modelled(self) -> tuple[Column, ...]:
        """The columns that the model sees."""
        return tuple(column for column in self.columns if column.modelled)

    def replace(self, name: str, **changes: Any) -> "Schema":
        """A copy with one column changed."""
        if unknown := changes.keys() - {one.name for one in dataclasses.fields(Column)}:
            raise SettingsError(f"a column has no {min(unknown)!r}")
        changed = dataclasses.replace(self[name], **changes)
        return Schema(tuple(changed if c.name == name else c for c in self.columns), self.notes)

    def check(self, table: "pa.Table") -> Notes:
        """Whether a table fits: see `dreamgen.tables.check.check_table`."""
        from dreamgen.tables.check import check_table

        return check_table(self, table)

    def met(self, table: "pa.Table") -> Notes:
        """What there is to be said of a table that is learned from: of inferring the schema, and of checking it. What
        both met is counted once. Raises as `check` does."""
        found = self.check(table)
        return Notes.of(self.notes.beyond(found), found)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {"columns": [column.to_dict() for column in self.columns]}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Schema":
        """A schema from plain values; raises SettingsError."""
        columns = values.get("columns")
        if set(values) != {"columns"} or not isinstance(columns, list | tuple):
            raise SettingsError(f"expected a schema with 'columns', got {shorten(dict(values))}")
        return cls(tuple(Column.from_dict(column) for column in columns))

    def to_toml(self) -> str:
        """The schema as a file for a person: a table for each column."""
        from dreamgen.tables.schema_file import to_toml

        return to_toml(self)
