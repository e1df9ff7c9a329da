"""polars frames: enums, categoricals and every other dtype come back as they were."""

from collections.abc import Sequence
from typing import Any

from dreamgen.tables.cells import family
from dreamgen.tables.frames import Frame


def from_polars(source: Any) -> Frame:
    """A polars frame as Arrow."""
    import polars as pl

    table = source.to_arrow(compat_level=pl.CompatLevel.oldest())
    dtypes = dict(source.schema)
    types = {name: table.schema.field(name).type for name in table.column_names}

    def back(table: Any, rows: Sequence[int] | None) -> Any:
        frame = pl.DataFrame(pl.from_arrow(table))
        casts = [
            pl.col(name).cast(dtypes[name])
            for name in table.column_names
            if name in dtypes and frame.schema[name] != dtypes[name] and _fits(table, name, types[name])
        ]
        return frame.with_columns(casts)

    return Frame(table, back, source="frame")


def _fits(table: Any, name: str, before: Any) -> bool:
    from dreamgen.tables.extras import arrow

    now = table.schema.field(name).type
    if arrow().types.is_floating(now) and not arrow().types.is_floating(before):  # a mean of whole numbers
        return False
    return family(now) in (family(before), "null")
