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
from dreamgen.tables import Schema
from dreamgen.tables.schema import NUMBERS

_PATTERN = re.compile(r"\s*(.+?)\s*(<=|>=|<|>)\s*(.+?)\s*")
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
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
        """The table with the left cell of broken rows moved to the right one's value, or a step beyond it."""
        broken = pa.array(self.broken(table))
        column = table.column(self.left)
        right = table.column(self.right) if isinstance(self.right, str) else pa.scalar(self.right)
        limit = right.cast(column.type, safe=False)
        if self.relation in ("<", ">"):
            step = schema[self.left].step or max(abs(schema[self.left].high or 1.0), 1.0) * 1e-9
            beyond = pc.add(limit, pa.scalar(step if self.relation == ">" else -step).cast(column.type, safe=False))
            limit = beyond.cast(column.type, safe=False)
        mended = pc.if_else(broken, limit, column)
        return table.set_column(table.column_names.index(self.left), self.left, mended)


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
