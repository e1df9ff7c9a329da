"""Gaps filled in one pass, a batch at a time: of a file larger than memory no more than a batch is held."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dreamgen.applications.imputation.imputer import Imputer
from dreamgen.applications.imputation.report import Filled
from dreamgen.errors import DataError
from dreamgen.tables import Notes, read_batches, read_frame
from dreamgen.tables.write import TableWriter

BATCH = 16_384


def fill_file(
    imputer: Imputer, source: Any, paths: Sequence[Path], notes: Notes, draws: int | None = None, batch: int = BATCH
) -> Filled:
    """Write a table without its gaps; a row's numbers do not depend on its batch. A log is filled as a whole.

    Args:
        imputer: fitted.
        source: files, as `read_batches` takes them.
        paths: .csv, .tsv or .parquet, one for each draw.
        notes: takes what was met.
        draws: how many; None: one table of what is expected.
        batch: rows held at once.

    Raises:
        DataError: no rows, or rows that do not fit the imputer's schema.
    """
    met, schema, known, tally = Notes(), None, imputer.codec_.schema, Filled()
    batches: Iterator[Any]
    if imputer.window:
        log = read_frame(source, schema=known)
        met.update(log.notes)
        batches = iter([log.table])
    else:
        batches = read_batches(source, batch, schema=known, notes=met)
    with contextlib.ExitStack() as stack:
        writers = [stack.enter_context(TableWriter(path)) for path in paths]
        for rows in batches:
            filled = [imputer.transform(rows)] if draws is None else imputer.draws(rows, draws, first=tally.rows)
            met.update(imputer.notes_)
            tally.add(rows, filled[0])
            for writer, table in zip(writers, filled, strict=True):
                schema = schema or table.schema
                # A batch of a text file in which a column is empty, or has whole numbers only, has another type.
                writer.write(table if table.schema == schema else table.cast(schema))
        if not tally.rows:
            raise DataError(f"{source} has no rows")
    for writer in writers:
        met.update(writer.notes)
    said = set(notes.lines)
    for line in met.lines:
        if line not in said:
            notes.say(line)
    return tally
