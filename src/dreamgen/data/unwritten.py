"""Lines that a language cannot write: named, or left out and counted."""

from dataclasses import replace

import numpy as np

from dreamgen.config import Part
from dreamgen.data.dataset import Dataset
from dreamgen.data.reading import Reading, leave_out
from dreamgen.data.vocabulary import cut_lines
from dreamgen.registry import shorten


def leave_unwritten(dataset: Dataset, language: Part, reading: Reading) -> Dataset:
    """A set of lines without those that cannot be written in a language.

    Args:
        dataset: of lines; its lines are numbered from 1, in the order of the whole set.
        language: one of LANGUAGES.
        reading: whether such lines are to be left out.

    Raises:
        DataError: there are some and they are not to be left out, the first named; or there are no others.
    """
    cut = cut_lines(dataset.rows.x.tolist(), language)
    bad = {
        row: f"line {row + 1} of {dataset.name}, {shorten(str(dataset.rows.x[row]))}: {reason}"
        for row, reason in enumerate(cut)
        if isinstance(reason, str)
    }
    notes = leave_out(bad, len(cut), reading, "lines")
    if not bad:
        return dataset
    kept = np.ones(len(cut), bool)
    kept[list(bad)] = False
    return replace(
        dataset,
        rows=dataset.rows[kept],
        is_test=dataset.is_test[kept],
        is_validation=None if dataset.is_validation is None else dataset.is_validation[kept],
        notes=(*dataset.notes, *notes),
        skipped=(*dataset.skipped, *bad.values()),
    )
