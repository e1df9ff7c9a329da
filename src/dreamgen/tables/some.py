"""Some rows of a table that need not fit in memory."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dreamgen.errors import DataError
from dreamgen.tables.extras import arrow
from dreamgen.tables.files import read_batches
from dreamgen.tables.frames import read_frame
from dreamgen.tables.notes import Notes

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH = 16_384


def some_rows(source: Any, most: int, seed: int, notes: Notes | None = None) -> "pa.Table":
    """All rows, or as many drawn evenly where there are more, in their order.

    Every row gets a random number, and those with the least are kept: one pass, and no more than twice `most` rows
    and a batch in memory.

    Args:
        source: what `read_batches` takes.
        most: rows to keep.
        seed: which they are.
        notes: gets what reading met, and how many rows were left out.

    Raises:
        DataError: a source that cannot be read, or that has no row.
    """
    notes = Notes() if notes is None else notes
    random, tables, keys = np.random.default_rng(seed), [], []
    held = met = 0
    for batch in read_batches(source, _BATCH, notes=notes):
        tables.append(batch)
        keys.append(random.random(batch.num_rows))
        held, met = held + batch.num_rows, met + batch.num_rows
        if held > 2 * most:
            tables, keys, held = *_least(tables, keys, most), most
    if not met:
        raise DataError(f"{read_frame(source).source}: expected a table with rows, got none")
    if held > most:
        tables, keys = _least(tables, keys, most)
    if met > most:
        name = str(source).replace("{", "{{").replace("}", "}}")
        notes.add("", f"{{n}} rows of {name} are not learned from: {most:,} are enough", met - most)
    return arrow().concat_tables(tables, promote_options="permissive").combine_chunks()


def _least(
    tables: "list[pa.Table]", keys: list[NDArray[np.float64]], most: int
) -> "tuple[list[pa.Table], list[NDArray[np.float64]]]":
    pa = arrow()
    table, key = pa.concat_tables(tables, promote_options="permissive"), np.concatenate(keys)
    rows = np.sort(np.argpartition(key, most)[:most])
    return [table.take(pa.array(rows)).combine_chunks()], [key[rows]]
