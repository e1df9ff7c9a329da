"""The ADBench sets, split so that nothing leaks.

Rows that are equal to another row are removed before the split, so no copy of a test row is in the training part; the
standardisation is the training part's. Half of the normal rows train; the rest and all anomalies are judged.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LARGE = [
    "cover",
    "donors",
    "http",
    "InternetAds",
    "ALOI",
    "letter",
    "magic.gamma",
    "mnist",
    "musk",
    "optdigits",
    "annthyroid",
    "satimage-2",
    "shuttle",
    "skin",
    "smtp",
    "thyroid",
    "Waveform",
    "yeast",
    "campaign",
    "cardio",
    "celeba",
]
SMALL = ["glass", "Hepatitis", "Ionosphere", "Lymphography", "Pima", "Stamps", "WBC", "WDBC", "WPBC", "breastw"]
QUICK = ["letter", "donors", "thyroid", "cardio", "http", "smtp", "glass", "Ionosphere", "Pima", "WBC"]


@dataclass(frozen=True)
class Split:
    """Rows to train on, rows to judge, and which of these are odd."""

    train: Floats
    test: Floats
    odd: NDArray[np.bool_]


def folder() -> Path:
    """Where the sets lie; raises SystemExit without DREAMGEN_DATA."""
    data = os.environ.get("DREAMGEN_DATA")
    if not data or not (Path(data) / "adbench").is_dir():
        raise SystemExit("DREAMGEN_DATA has to name a folder with adbench/ in it")
    return Path(data) / "adbench"


def load(name: str, most: int | None = None) -> tuple[Floats, NDArray[np.bool_]]:
    """The rows of a set, each once, and whether each is odd; `most` rows of each kind if that is said."""
    (path,) = folder().glob(f"*_{name}.npz")
    with np.load(path, allow_pickle=False) as file:
        x, odd = file["X"].astype(np.float64), file["y"] == 1
    _, first = np.unique(x, axis=0, return_index=True)
    kept = np.sort(first)
    if most is not None:
        order = np.random.default_rng(0).permutation(kept)
        kept = np.sort(np.concatenate([order[~odd[order]][:most], order[odd[order]][:most]]))
    return x[kept], odd[kept]


def standardise(by: Floats, *parts: Floats) -> list[Floats]:
    """Parts in units of the spread of `by`, around its mean; a constant column keeps its unit."""
    loc, scale = by.mean(0), by.std(0)
    scale[scale == 0] = 1.0
    return [(part - loc) / scale for part in parts]


def normals_only(name: str, seed: int, most: int | None = None) -> Split:
    """Half of the normal rows to train on; the others and every odd row to judge."""
    x, odd = load(name, most)
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(~odd))
    half = len(normal) // 2
    judged = np.concatenate([normal[half:], np.flatnonzero(odd)])
    train, test = standardise(x[normal[:half]], x[normal[:half]], x[judged])
    return Split(train, test, odd[judged])


def unlabelled(name: str, seed: int, most: int | None = None) -> Split:
    """Everything is trained on and everything is judged; the seed is the order of the rows."""
    x, odd = load(name, most)
    order = np.random.default_rng(seed).permutation(len(x))
    (rows,) = standardise(x, x[order])
    return Split(rows, rows, odd[order])
