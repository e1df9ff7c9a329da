"""Inequalities that every row keeps: "low <= high", "age >= 18"."""

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dreamgen.errors import SettingsError
from dreamgen.registry import nearest, shorten
from dreamgen.tables import Column, Schema
from dreamgen.tables.schema import NUMBERS

_PATTERN = re.compile(r"\s*(.+?)\s*(<=|>=|<|>)\s*(.+?)\s*")
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
_MIRRORED = {"<=": ">=", ">=": "<=", "<": ">", ">": "<"}
_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # of a second
_EVEN = 1e-9  # of a step, by which a number may be beside its grid
_ARROW = {"<=": pc.less_equal, ">=": pc.greater_equal, "<": pc.less, ">": pc.greater}


@dataclass(frozen=True)
class Constraint:
    """left <op> right; a row with an empty cell in it keeps it.

    Attributes:
        left: a column.
        relation: one of <=, >=, <, >.
        right: a column or a number.
    """

    left: str
    relation: str
    right: str | float

    def __str__(self) -> str:
        return f"{self.left} {self.relation} {self.right}"

    def broken(self, table: pa.Table) -> npt.NDArray[np.bool_]:
        """The rows that do not keep it, (n,)."""
        right = table.column(self.right) if isinstance(self.right, str) else pa.scalar(self.right)
        kept = _ARROW[self.relation](table.column(self.left), right)
        found: npt.NDArray[np.bool_] = ~np.asarray(kept.fill_null(True).to_numpy()).astype(bool)
        return found

    def mend(self, table: pa.Table, schema: Schema) -> pa.Table:
        """The table with cells of broken rows moved to where the constraint holds, and no further than the bounds.

        The left cell moves to the right one's value, or to the next on its grid; where its bounds keep it from
        going far enough, the right one comes to meet it.
        """
        table = self._move(table, schema)
        if isinstance(self.right, str):
            table = Constraint(self.right, _MIRRORED[self.relation], self.left)._move(table, schema)
        return table

    def _move(self, table: pa.Table, schema: Schema) -> pa.Table:
        """The table with the left cell of broken rows moved."""
        column, own = table.column(self.left), schema[self.left]
        right = table.column(self.right) if isinstance(self.right, str) else pa.array([self.right] * len(table))
        mended = pc.if_else(pa.array(self.broken(table)), self._limit(right, column.type, own), column)
        return table.set_column(table.column_names.index(self.left), self.left, mended)

    def _limit(self, right: Any, kind: pa.DataType, own: Column) -> Any:
        """For each row the value next to the right one that keeps the constraint, as the left column's type."""
        upward, strict = self.relation.startswith(">"), self.relation in ("<", ">")
        if pa.types.is_temporal(kind) or pa.types.is_temporal(right.type):
            limit = right.cast(kind, safe=False)
            ticks = max(1, round(own.step * _TICKS.get(str(getattr(kind, "unit", "")), 0))) * (1 if upward else -1)
            width = pa.int32() if kind.bit_width == 32 else pa.int64()
            return pc.add(limit.cast(width), pa.scalar(ticks, width)).cast(kind) if strict else limit
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
        raise SettingsError(f"constraint {shorten(text)}: expected COLUMN <= COLUMN, or a number, and <=, >=, < or >")
    left, relation, right = found.groups()
    if left not in schema.names:
        raise SettingsError(f"constraint {shorten(text)}: no column {left!r}: {nearest(left, schema.names)}")
    for name in (left, right):
        if name in schema.names and schema[name].kind not in (*NUMBERS, "ordinal"):
            raise SettingsError(f"constraint {shorten(text)}: expected numbers, and {name!r} is {schema[name].kind}")
    if right in schema.names:
        return Constraint(left, relation, right)
    try:
        return Constraint(left, relation, float(right))
    except ValueError:
        hint = nearest(right, schema.names)
        raise SettingsError(f"constraint {shorten(text)}: {right!r} is no number and no column: {hint}") from None
