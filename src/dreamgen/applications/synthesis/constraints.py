"""Inequalities that every row keeps: "low <= high", "age >= 18", "opened >= 2024-01-31"."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dreamgen.errors import SettingsError
from dreamgen.registry import nearest, shorten
from dreamgen.tables import Column, Schema
from dreamgen.tables.cells import PER_SECOND, family, nan_as_null, one_chunk
from dreamgen.tables.schema import NUMBERS

_PATTERN = re.compile(r"\s*(.+?)\s*(<=|>=|<|>)\s*(.+?)\s*")
_MIRRORED = {"<=": ">=", ">=": "<=", "<": ">", ">": "<"}
_TIMES, _DAY = "points in time", "%Y-%m-%d"
_SECOND, _A_DAY = 10**6, 86_400 * 10**6  # microseconds
_ISO = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?")
_EVEN = 1e-9  # of a step, by which a number may be beside its grid
_ARROW = {"<=": pc.less_equal, ">=": pc.greater_equal, "<": pc.less, ">": pc.greater}


@dataclass(frozen=True)
class Constraint:
    """left <op> right; a row with an empty cell in it keeps it.

    Attributes:
        left: a column.
        relation: one of <=, >=, <, >.
        right: a column of the same kind, a number, or a point in time.
    """

    left: str
    relation: str
    right: str | float | np.datetime64

    def __str__(self) -> str:
        return f"{self.left} {self.relation} {self.right}"

    def broken(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """The rows that do not keep it, (n,)."""
        return self._between(_cells(table, self.left), self._right(table))

    def mend(self, table: pa.Table, schema: Schema) -> pa.Table:
        """The table with cells of broken rows moved to where the constraint holds, and no further than the bounds.

        The left cell moves to the right one's value, or to the next on its grid; where its bounds keep it from
        going far enough, the right one comes to meet it.
        """
        table = self._move(table, schema)
        if isinstance(self.right, str):
            table = Constraint(self.right, _MIRRORED[self.relation], self.left)._move(table, schema)
        return table

    def _between(self, left: Any, right: Any) -> npt.NDArray[np.bool_]:
        kept = _ARROW[self.relation](left, right)
        found: npt.NDArray[np.bool_] = ~np.asarray(kept.fill_null(True).to_numpy(zero_copy_only=False)).astype(bool)
        return found

    def _right(self, table: pa.Table) -> Any:
        if isinstance(self.right, str):
            return _cells(table, self.right)
        return pa.array(np.full(len(table), self.right))

    def _move(self, table: pa.Table, schema: Schema) -> pa.Table:
        """The table with the left cell of broken rows moved."""
        broken = self.broken(table)
        if not broken.any():
            return table
        column, own = one_chunk(table.column(self.left)), schema[self.left]
        move = self._time_beside if own.kind == "datetime" else self._number_beside
        mended = pc.if_else(pa.array(broken), move(self._right(table), column.type, own), column)
        return table.set_column(table.column_names.index(self.left), self.left, mended)

    def _time_beside(self, right: Any, kind: pa.DataType, own: Column) -> Any:
        """For each row the time next to the right one that keeps the constraint, as the left column's type."""
        unit = _unit(kind, own.format)
        step = max(unit, round(own.step * _SECOND)) * (1 if self.relation.startswith(">") else -1)
        there = right.is_valid().to_numpy(zero_copy_only=False)
        ticks = right.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        limit = ticks // unit * unit  # what the type cannot say in full may lead to the wrong side
        limit = np.where(self._between(pa.array(limit), pa.array(ticks)), limit + step, limit)
        if own.low is not None and own.high is not None:
            limit = np.clip(limit, round(own.low * _SECOND), round(own.high * _SECOND))
        made = pa.array(limit, pa.int64(), mask=~there).cast(pa.timestamp("us"))
        if family(kind) == "text":
            made = pc.strftime(made.cast(pa.timestamp("s"), safe=False), format=own.format or _DAY)
        return made.cast(kind, safe=False)

    def _number_beside(self, right: Any, kind: pa.DataType, own: Column) -> Any:
        """The same of numbers."""
        upward, strict = self.relation.startswith(">"), self.relation in ("<", ">")
        values = right.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64)
        step = own.step or float(pa.types.is_integer(kind))
        limit = _next(values, step, own, upward, strict)
        if pa.types.is_float32(kind):  # rounding must not lead back over the limit
            short = limit.astype(np.float32)
            over = short.astype(np.float64) < limit if upward else short.astype(np.float64) > limit
            limit = np.where(over, np.nextafter(short, np.float32(np.inf if upward else -np.inf)), short)
        if own.low is not None or own.high is not None:
            limit = np.clip(limit, own.low, own.high)
        return pa.array(limit, pa.float64(), mask=np.isnan(values)).cast(kind, safe=False)


def _cells(table: pa.Table, name: str) -> Any:
    """A column as it is compared: points in time, texts of them too, in microseconds of one time zone."""
    array = one_chunk(table.column(name))
    if family(array.type) in ("text", "datetime"):
        return array.cast(pa.timestamp("us"), safe=False)
    return nan_as_null(array)


def _unit(kind: pa.DataType, form: str) -> int:
    """The microseconds that a type of points in time, or a text of this format, tells apart."""
    if family(kind) == "text":
        return _SECOND if "%S" in form else 60 * _SECOND if "%M" in form else _A_DAY
    return _A_DAY if pa.types.is_date(kind) else max(1, _SECOND // PER_SECOND[kind.unit])


def _next(values: npt.NDArray[Any], step: float, own: Column, upward: bool, strict: bool) -> npt.NDArray[Any]:
    """The nearest numbers above (or below) some values, on a grid where the column has one."""
    side = 1 if upward else -1
    if not step:
        least = max(abs(own.high or 1.0), 1.0) * 1e-9
        return values + side * least if strict else values
    places = values / step * side  # so that the way is always up
    found = (np.floor(places + _EVEN) + 1 if strict else np.ceil(places - _EVEN)) * side * step
    return found if own.decimals is None else np.round(found, own.decimals)


def parse_constraints(texts: Sequence[str], schema: Schema) -> tuple[Constraint, ...]:
    """Constraints on the columns of a schema; raises SettingsError with the nearest column or what was expected."""
    return tuple(_parse(text, schema) for text in texts)


def _parse(text: str, schema: Schema) -> Constraint:
    found = _PATTERN.fullmatch(text)
    if found is None:
        raise SettingsError(
            f"constraint {shorten(text)}: expected COLUMN <= COLUMN, or a number or date, and <=, >=, < or >"
        )
    left, relation, right = found.groups()
    if left not in schema.names:
        raise SettingsError(f"constraint {shorten(text)}: no column {left!r}: {nearest(left, schema.names)}")
    kinds = [_comparable(schema[name], text) for name in (left, right) if name in schema.names]
    if right in schema.names:
        if kinds[0] != kinds[1]:
            raise SettingsError(f"constraint {shorten(text)}: {left!r} holds {kinds[0]}, and {right!r} {kinds[1]}")
        return Constraint(left, relation, right)
    try:
        return Constraint(left, relation, _time(right) if kinds[0] == _TIMES else float(right))
    except ValueError:
        one = "date" if kinds[0] == _TIMES else "number"
        hint = nearest(right, schema.names)
        raise SettingsError(f"constraint {shorten(text)}: {right!r} is no {one} and no column: {hint}") from None


def _time(text: str) -> np.datetime64:
    """An ISO date, with or without a time; raises ValueError."""
    if not _ISO.fullmatch(text):
        raise ValueError(text)
    return np.datetime64(text, "us")


def _comparable(column: Column, text: str) -> str:
    """What a column holds that can be more or less; raises SettingsError where that is neither."""
    if column.kind == "datetime":
        return _TIMES
    if column.kind in NUMBERS or column.is_scale:
        return "numbers"
    raise SettingsError(f"constraint {shorten(text)}: expected numbers, and {column.name!r} is {column.kind}")
