"""The tables: read, without identifiers and free text, duplicates removed before anything is split.

All tables of the folder `tabular` of 300 rows and more are taken, but for wdbc, which has a task of its own,
and AI4I, whose numbers were drawn by its authors. Rows beyond `MOST_ROWS` are left out at random.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MOST_ROWS = 6000
TRAIN = 0.7


@dataclass(frozen=True)
class Source:
    """Where a table lies, which of its columns are categories though written as numbers, and which are no data."""

    file: str
    categories: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


SOURCES = {
    "adult": Source("adult_train"),
    "banknote": Source("banknote", ("class",)),
    "california": Source("california_housing"),
    "concrete": Source("concrete_strength"),
    "energy": Source("energy_efficiency", ("orientation", "glazing_area_distribution")),
    "german": Source("german_credit", ("credit_risk",)),
    "heart": Source(
        "heart_cleveland",
        ("sex", "chest_pain", "fasting_sugar_gt120", "rest_ecg", "exercise_angina", "slope", "thal", "disease"),
    ),
    "pima": Source("pima_diabetes", ("diabetes",)),
    "titanic": Source("titanic", ("Survived", "Pclass"), ("PassengerId", "Name", "Ticket", "Cabin")),
    "wine": Source("wine_quality"),
}


@dataclass(frozen=True)
class Table:
    """Rows as everybody gets them.

    Attributes:
        numbers: standardised on the train part, (n, numbers), NaN where missing.
        codes: categories as numbers 0 .. levels - 1, (n, categories), -1 where missing.
        levels: how many categories each column has.
        names: of the numbers, then of the categories.
        raw: the numbers in their own units, (n, numbers).
        loc, scale: what the standardised ones were made with, (numbers,).
    """

    numbers: NDArray[np.float64]
    codes: NDArray[np.int64]
    levels: tuple[int, ...]
    names: tuple[str, ...]
    raw: NDArray[np.float64]
    loc: NDArray[np.float64]
    scale: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.numbers)

    def hide(self, share: float, random: np.random.Generator) -> "Table":
        """A copy without a share of its cells, taken completely at random."""
        numbers, codes = self.numbers.copy(), self.codes.copy()
        numbers[random.random(numbers.shape) < share] = np.nan
        codes[random.random(codes.shape) < share] = -1
        return self.filled(numbers, codes)

    def filled(self, numbers: NDArray[np.float64], codes: NDArray[np.int64]) -> "Table":
        """The same table with other cells."""
        return replace(self, numbers=numbers, codes=codes)

    def frame(self) -> pd.DataFrame:
        """The same for a person: numbers in their own units, categories as words, gaps as NaN and None."""
        width = self.numbers.shape[1]
        raw = np.where(np.isnan(self.numbers), np.nan, self.raw)
        columns: dict[str, object] = {name: raw[:, i] for i, name in enumerate(self.names[:width])}
        for i, name in enumerate(self.names[width:]):
            columns[name] = pd.Series([f"c{code}" if code >= 0 else None for code in self.codes[:, i]], dtype=object)
        return pd.DataFrame(columns)

    def like(self, frame: pd.DataFrame) -> "Table":
        """A filled frame as standardised numbers and codes again."""
        width = self.numbers.shape[1]
        numbers = (frame.iloc[:, :width].to_numpy(dtype=np.float64) - self.loc) / self.scale
        codes = [frame.iloc[:, i].map(lambda word: int(str(word)[1:])) for i in range(width, frame.shape[1])]
        return self.filled(numbers, np.stack(codes, 1).astype(np.int64) if codes else self.codes)


def folder() -> Path:
    """The data sets at hand."""
    return Path(os.environ.get("DREAMGEN_DATA", "data"))


def load(name: str, seed: int, most: int = MOST_ROWS) -> tuple[Table, Table]:
    """Train and test part of a table, complete but for the gaps that it came with."""
    source = SOURCES[name]
    frame = pd.read_csv(folder() / "tabular" / f"{source.file}.csv.gz").drop(columns=list(source.dropped))
    frame = frame.drop_duplicates()
    random = np.random.default_rng([seed, 1])
    order = random.permutation(len(frame))[:most]
    kept = int(len(order) * TRAIN)
    words = [c for c in frame if c in source.categories or not pd.api.types.is_numeric_dtype(frame[c])]
    values = [c for c in frame if c not in words]
    raw = frame[values].to_numpy(dtype=np.float64)[order]
    mean, scale = np.nanmean(raw[:kept], 0), np.nanstd(raw[:kept], 0)
    scale = np.where(scale > 0, scale, 1)
    # Categories that the train part has not are gaps: nobody could fill them in, and nobody is asked to.
    coded = []
    for column in words:
        text = frame[column].iloc[order].astype("string")
        known = sorted(text.iloc[:kept].dropna().unique())
        coded.append(pd.Categorical(text, categories=known).codes.astype(np.int64))
    codes = np.stack(coded, 1) if coded else np.empty((len(order), 0), np.int64)
    levels = tuple(int(codes[:kept, i].max()) + 1 for i in range(codes.shape[1]))
    table = Table((raw - mean) / scale, codes, levels, (*values, *words), raw, mean, scale)
    return _rows(table, slice(0, kept)), _rows(table, slice(kept, None))


def _rows(table: Table, rows: slice) -> Table:
    return replace(table, numbers=table.numbers[rows], codes=table.codes[rows], raw=table.raw[rows])


def wdbc() -> Table:
    """The 30 features of wdbc, standardised, complete."""
    frame = pd.read_csv(folder() / "tabular" / "breast_cancer_wdbc.csv.gz").drop(columns=["id", "diagnosis"])
    x = frame.to_numpy(dtype=np.float64)
    mean, scale = x.mean(0), x.std(0)
    empty = np.empty((len(x), 0), np.int64)
    return Table((x - mean) / scale, empty, (), tuple(map(str, frame.columns)), x, mean, scale)
