"""A log out of its windows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dreamgen.errors import DataError
from dreamgen.registry import nearest
from dreamgen.tables.cells import Floats, family, numbers, one_chunk
from dreamgen.tables.extras import arrow
from dreamgen.tables.places import average
from dreamgen.tables.windows import Windows

if TYPE_CHECKING:
    import pyarrow as pa


def unwindow(made: Windows, table: "pa.Table | None" = None) -> "pa.Table":
    """The log's columns out of its windows: numbers are averaged where windows overlap, in the log's order.

    Args:
        made: by `windows`, with values.
        table: the windows as they are now, such as filled ones; by default as they were cut.

    Raises:
        DataError: it has not the windows' columns or rows.
    """
    table = made.table if table is None else table
    if table.num_rows != len(made):
        raise DataError(f"expected a row for each of {len(made)} windows, got {table.num_rows}")
    columns = {}
    for j, name in enumerate(made.columns):
        names = [f"{name}@{k}" for k in range(made.length)]
        if missing := [n for n in names if n not in table.column_names]:
            raise DataError(f"the windows have no column {missing[0]!r}: {nearest(missing[0], table.column_names)}")
        kind = made.log.schema.field(name).type
        if family(kind) == "number":
            cut = np.column_stack([numbers(table.column(n)) for n in names])
            cut = cut * made.scale[:, j, None] + made.loc[:, j, None]
            there = (made.places >= 0) & ~np.isnan(cut)
            columns[name] = _as_kind(average(made.places[there], cut[there], made.log.num_rows), kind)
        else:
            columns[name] = _most_central(made, [table.column(n) for n in names])
    return arrow().table(columns)


def _as_kind(values: Floats, kind: Any) -> Any:
    pa = arrow()
    values = np.rint(values) if pa.types.is_integer(kind) else values
    return pa.array(values, from_pandas=True).cast(kind, safe=False)


def _most_central(made: Windows, columns: Sequence[Any]) -> Any:
    """What cannot be averaged: each row's cell in the window in whose middle it is most."""
    pa = arrow()
    n, length = made.places.shape
    order = np.argsort(-np.abs(np.arange(length) - (length - 1) / 2), kind="stable")
    chosen = np.full(made.log.num_rows, -1)
    for k in order:  # the middle comes last, and stays
        rows = made.places[:, k]
        chosen[rows[rows >= 0]] = k * n + np.flatnonzero(rows >= 0)
    everything = one_chunk(pa.chunked_array([one_chunk(column) for column in columns]))
    return everything.take(pa.array(chosen, mask=chosen < 0))
