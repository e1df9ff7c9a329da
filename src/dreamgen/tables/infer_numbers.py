"""What columns of numbers hold."""

import re
from typing import Any

import numpy as np

from dreamgen.errors import DataError
from dreamgen.tables.cells import Floats, Mask, family, numbers
from dreamgen.tables.extras import arrow
from dreamgen.tables.grid import decimals_of, grid_of
from dreamgen.tables.infer_levels import as_value, infer_levels
from dreamgen.tables.infer_plain import constant, identifier, number_facts
from dreamgen.tables.notes import Notes
from dreamgen.tables.schema import Column
from dreamgen.tables.spikes import find_spikes

ORDINAL = 20  # distinct whole numbers that are levels
KEY_ROWS = 10  # fewer are no key, whatever they hold
BY_CHANCE = 5.0  # -log of the chance that draws from a range all differ, below which they may not be a key


def infer_numbers(name: str, array: Any, kind: str | None, missing: Mask, notes: Notes) -> Column:
    everything = numbers(array)
    values = everything[np.isfinite(everything)]
    if infinite := len(everything) - int(missing.sum()) - len(values):
        notes.column(name, "{n} cells are infinite; treated as missing", infinite)
    if not len(values):
        return Column(name, "constant", str(array.type), summary={"missing": 1.0})
    distinct, counts = np.unique(values, return_counts=True)
    whole = bool((distinct == np.rint(distinct)).all()) and abs(distinct).max() < 2**53
    inferred = kind is None
    if kind is None:
        kind = _kind_of_numbers(name, array, values, distinct, whole, missing)
    if kind == "identifier":
        return identifier(name, array, notes)
    if kind == "constant":
        return constant(name, array, as_value(distinct[counts.argmax()], array), missing, notes)
    if kind in ("ordinal", "boolean"):
        return infer_levels(name, array, kind, missing, notes)
    if kind in ("positive", "count") and distinct[0] < 0:
        raise DataError(f"column {name!r}: expected no negative numbers for the kind {kind}, got {distinct[0]:g}")
    if kind == "count" and not whole:
        raise DataError(f"column {name!r}: expected whole numbers for the kind count, got others")
    if inferred and whole and len(distinct) == len(missing) >= KEY_ROWS and arrow().types.is_integer(array.type):
        notes.column(name, "no two rows hold the same whole number: if it is a key, say `identifier` in the schema")
    decimals = decimals_of(distinct, str(array.type))
    return Column(
        name,
        kind,
        str(array.type),
        low=float(distinct[0]),
        high=float(distinct[-1]),
        decimals=decimals,
        step=grid_of(distinct, decimals, len(values)),
        spikes=find_spikes(distinct, counts),
        **number_facts(values, len(distinct), missing),
    )


def _kind_of_numbers(name: str, array: Any, values: Floats, distinct: Floats, whole: bool, missing: Mask) -> str:
    if len(distinct) == 1:
        return "constant"
    if family(array.type) == "boolean" or (len(distinct) == 2 and distinct[0] == 0 and distinct[1] == 1):
        return "boolean"
    if whole and arrow().types.is_integer(array.type) and _is_key(name, values, distinct, missing):
        return "identifier"
    if whole and len(distinct) <= ORDINAL and 5 * len(distinct) <= len(values):
        return "ordinal"
    if distinct[0] < 0:
        return "real"
    return "count" if whole else "positive"


def _is_key(name: str, values: Floats, distinct: Floats, missing: Mask) -> bool:
    """Whole numbers that all differ, where they are called a key, or are in every row, and in a row or such as would
    hardly all differ by chance.

    n draws from r numbers all differ with a probability of about exp(-n² / 2r).
    """
    n, spread = len(values), distinct[-1] - distinct[0] + 1
    if len(distinct) != n or n < KEY_ROWS:
        return False
    called = re.search(r"(^|[_\s])(id|no|key|uid|uuid|index|nr)$|Id$|ID$", name) is not None
    looks_so = bool(spread == n) or bool(n**2 / (2 * spread) > BY_CHANCE)
    return called or (looks_so and not missing.any())
