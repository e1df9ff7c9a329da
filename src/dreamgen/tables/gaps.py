"""Empty cells of a text file, and the words that stand for them."""

from typing import TYPE_CHECKING

import numpy as np

from dreamgen.tables.cells import family
from dreamgen.tables.extras import arrow, compute
from dreamgen.tables.notes import Notes

if TYPE_CHECKING:
    import pyarrow as pa

WORDS = ("NA", "N/A", "#N/A", "n/a", "NaN", "nan", "NULL", "null", "None")
MISSING = ("", *WORDS)


def without_words(table: "pa.Table", notes: Notes) -> "pa.Table":
    """Texts whose empty cells are null, and those that hold a word for it; these are counted, as they may be names.

    In columns of numbers and times, Arrow has done so already.
    """
    pa, pc = arrow(), compute()
    missing, words = pa.array(MISSING), pa.array(WORDS)
    for i, name in enumerate(table.column_names):
        column = table.column(i)
        if family(column.type) != "text":
            continue
        gone = pc.is_in(column, value_set=missing)
        if not pc.any(gone).as_py():
            continue
        named = column.filter(pc.is_in(column, value_set=words))
        if len(named):
            examples = np.unique(named.to_numpy()).tolist()
            notes.column(name, "{n} cells hold {s}; read as missing", len(named), examples)
        table = table.set_column(i, name, pc.if_else(gone, pa.scalar(None, column.type), column))
    return table
