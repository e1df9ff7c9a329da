"""What columns of texts hold: dates, keys, or categories."""

import re
from typing import Any

from dreamgen.errors import DataError
from dreamgen.tables.cells import Mask
from dreamgen.tables.extras import arrow, compute
from dreamgen.tables.infer_levels import infer_levels
from dreamgen.tables.infer_plain import constant, identifier
from dreamgen.tables.infer_times import infer_times
from dreamgen.tables.notes import Notes
from dreamgen.tables.schema import Column

KEY_ROWS = 100  # rows of which most texts must differ to be a key
FEW_KEY_ROWS = 10  # of which all must
KEY_SHARE = 0.9
MOSTLY = 0.2  # of texts that may be no numbers, for a note
_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:([T ])\d\d:\d\d(:\d\d)?(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?")
_SAMPLE = 100
_NUMBER = r"^\s*[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?\s*$"


def infer_texts(name: str, array: Any, kind: str | None, missing: Mask, notes: Notes) -> Column:
    if kind in ("real", "positive", "count"):
        raise DataError(f"column {name!r}: expected numbers for the kind {kind}, got text")
    if kind in (None, "datetime") and not arrow().types.is_dictionary(array.type) and (form := _date_format(array)):
        try:
            return infer_times(name, array, kind, missing, notes, form)
        except arrow().ArrowInvalid:  # not all of them are dates
            pass
    if kind == "datetime":
        raise DataError(f"column {name!r}: expected dates such as 2024-01-31 for the kind datetime, got other texts")
    present = int((~missing).sum())
    found = compute().value_counts(array.drop_null())
    distinct = len(found)
    if distinct == 1 or kind == "constant":
        return constant(name, array, str(found[0]["values"].as_py()), missing, notes)
    ordered = arrow().types.is_dictionary(array.type) and array.type.ordered
    keyed = arrow().types.is_dictionary(array.type) or present < FEW_KEY_ROWS
    if not keyed and (distinct == present or (distinct > KEY_SHARE * present and present >= KEY_ROWS)):
        return identifier(name, array, notes)
    _note_numbers(name, found, present, notes)
    return infer_levels(name, array, "ordinal" if ordered else "categorical", missing, notes)


def _date_format(array: Any) -> str:
    """The format of the texts, if the first of them are ISO dates; else nothing."""
    texts = array.drop_null()[:_SAMPLE].to_pylist()
    found = [_DATE.fullmatch(text) for text in texts]
    if not texts or not all(found) or any(match[4] for match in found if match):
        return ""
    first = found[0]
    assert first is not None
    if not first[1]:
        return "%Y-%m-%d"
    return f"%Y-%m-%d{first[1]}%H:%M" + (":%S" if first[2] else "")


def _note_numbers(name: str, found: Any, present: int, notes: Notes) -> None:
    """Say so where all but a few texts are numbers: those few may mean that there is none."""
    pc = compute()
    numeric = pc.match_substring_regex(found.field(0).cast(arrow().string()), _NUMBER)
    numeric = numeric.to_numpy(zero_copy_only=False).astype(bool)
    counts = found.field(1).to_numpy()
    others = int(counts[~numeric].sum())
    if others <= MOSTLY * present:
        examples = found.field(0).filter(arrow().array(~numeric))[:4].to_pylist()
        notes.column(name, "{n} cells such as {s} are no numbers, all others are; read as text", others, examples)
