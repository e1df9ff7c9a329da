"""Rows judged in one pass, a batch at a time: of a file larger than memory no more than a batch is held."""

from pathlib import Path
from typing import Any

from dreamgen.applications.anomaly.detector import AnomalyDetector
from dreamgen.applications.anomaly.report import Judged, judge
from dreamgen.errors import DataError
from dreamgen.tables import Notes, read_batches
from dreamgen.tables.write import TableWriter

BATCH = 16_384


def judge_file(
    detector: AnomalyDetector, source: Any, out: Path, notes: Notes, most: int = 3, batch: int = BATCH
) -> Judged:
    """Write the rows of a table with what was found of them; a row's numbers do not depend on its batch.

    Args:
        detector: fitted.
        source: files, as `read_batches` takes them.
        out: .csv, .tsv or .parquet.
        notes: takes what was met.
        most: columns named for an odd row; 0: none, which is quicker.
        batch: rows held at once.

    Raises:
        DataError: no rows, or rows that do not fit the detector's schema.
    """
    tally = Judged()
    with TableWriter(out) as writer:
        for table in read_batches(source, batch, schema=detector.schema_, notes=notes):
            notes.update(detector.schema_.check(table))
            writer.write(judge(detector, table, most, tally))
        if not tally.rows:
            raise DataError(f"{source} has no rows")
    notes.update(writer.notes)
    if detector.panel_.knows_most(tally.known, tally.rows):
        what = "{n} of these are equal to rows that were learned from, and look less odd than they are; "
        notes.add("rows", what + "judge rows that were not", tally.known)
    return tally
