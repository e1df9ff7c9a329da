"""Adult and California, with what is odd about them counted."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv

FOLDER = Path(os.environ.get("DREAMGEN_DATA", "data")) / "tabular"


@dataclass(frozen=True)
class Set:
    """Real rows to learn from, and others to judge by.

    Attributes:
        kinds: as a schema has them, by column.
        notes: what a reader of the figures should know.
    """

    name: str
    train: pa.Table
    test: pa.Table
    target: str
    kinds: dict[str, str]
    notes: str


def read(name: str) -> pa.Table:
    """A CSV file; an empty cell is missing."""
    options = csv.ConvertOptions(strings_can_be_null=True, null_values=[""], quoted_strings_can_be_null=True)
    return csv.read_csv(FOLDER / f"{name}.csv.gz", convert_options=options)


def adult(rows: int | None = None) -> Set:
    """UCI Adult, split as it comes; the target is the income's class."""
    train, test = read("adult_train"), read("adult_test")
    known = set(keys(train))
    again = len(train) - len(known)
    both = sum(row in known for row in keys(test))
    gaps = [sum(column.null_count for column in t.columns) for t in (train, test)]
    notes = (
        f"train and test as given ({len(train):,} and {len(test):,} rows); {again} rows of train occur before in it, "
        f"{both} of test are equal to one of train, and all were left in; "
        f"{gaps[0]:,} and {gaps[1]:,} cells are missing"
    )
    return Set("adult", few(train, rows), few(test, rows), "income", kinds(train), notes)


def california(rows: int | None = None) -> Set:
    """California housing, a fifth of the rows held out by seed 0; the target is the median house value."""
    table = read("california_housing")
    order = np.random.default_rng(0).permutation(len(table))
    cut = len(table) // 5
    test, train = (table.take(pa.array(np.sort(part))) for part in (order[:cut], order[cut:]))
    gaps = sum(column.null_count for column in table.columns)
    notes = (
        f"{len(train):,} rows to train on and {len(test):,} to test on (seed 0), with ocean_proximity as a ninth "
        f"feature; no row occurs twice; {gaps} cells are missing"
    )
    return Set("california", few(train, rows), few(test, rows), "median_house_value", kinds(table), notes)


SETS = {"adult": adult, "california": california}


def kinds(table: pa.Table) -> dict[str, str]:
    """Numbers and categories by type: the same for every synthesizer."""
    return {f.name: "categorical" if pa.types.is_string(f.type) else "real" for f in table.schema}


def keys(table: pa.Table) -> list[tuple[object, ...]]:
    """Each row as a value that can be compared."""
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def few(table: pa.Table, rows: int | None) -> pa.Table:
    """The first rows of a random order, or all."""
    if rows is None or rows >= len(table):
        return table
    return table.take(pa.array(np.sort(np.random.default_rng(0).permutation(len(table))[:rows])))
