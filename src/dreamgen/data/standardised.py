"""Many written molecules brought to what a model learns: by several processes, and once, for the answers are kept."""

import contextlib
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import filelock
import numpy as np

from dreamgen.chemistry.extras import rdkit
from dreamgen.chemistry.smiles import Standard, standardise
from dreamgen.data.arrays import read_arrays
from dreamgen.data.cache import cache_folder
from dreamgen.errors import DataError, OutputError
from dreamgen.files import make_folder, write_bytes, writing
from dreamgen.workers import Watch, in_order, workers_for

FEW = 4000  # molecules that one process reads before another has started
PIECE = 1000  # molecules that one task of a worker holds
_FORMAT = 1


@dataclass(frozen=True)
class Standardised:
    """What became of written molecules.

    Attributes:
        smiles: the canonical SMILES of each, "" of a bad one.
        bad: why not, by number.
    """

    smiles: list[str]
    bad: dict[int, str]


def standardised(texts: Sequence[str], standard: Standard, watch: Watch) -> Standardised:
    """Bring molecules to their standard, or find in the user's cache that it was done; `watch` is told how far it is.

    What is kept is known by the texts, the standard and RDKit's version. Where it cannot be kept it is done again the
    next time; so it is for a few thousand, which take less than a second.
    """
    if len(texts) <= FEW:
        return _work(texts, standard, watch)
    facts = f"{_FORMAT} {rdkit('rdBase').rdkitVersion} {standard}\n"
    key = hashlib.sha256((facts + "\n".join(texts)).encode("utf-8", "surrogateescape")).hexdigest()
    place = cache_folder() / "standard_smiles" / f"{key[:32]}.npz"
    if found := _read(place, len(texts)):
        return found
    try:
        make_folder(place.parent)
        # Another process that wants the same waits, and then finds it done.
        with writing(place), filelock.FileLock(place.with_suffix(".lock")):
            done = _read(place, len(texts)) or _work(texts, standard, watch)
            with contextlib.suppress(OutputError):
                write_bytes(place, _packed(done))
            return done
    except OutputError:
        return _work(texts, standard, watch)


def _work(texts: Sequence[str], standard: Standard, watch: Watch) -> Standardised:
    pieces = (list(texts[start : start + PIECE]) for start in range(0, len(texts), PIECE))
    smiles: list[str] = []
    bad: dict[int, str] = {}
    workers = workers_for(len(texts), FEW)
    for piece in in_order(partial(standardise, standard=standard), pieces, workers, "read molecules"):
        for one, reason in piece:
            if reason:
                bad[len(smiles)] = reason
            smiles.append(one)
        watch(len(smiles), len(texts))
    return Standardised(smiles, bad)


def _packed(done: Standardised) -> bytes:
    buffer = io.BytesIO()
    np.savez(
        buffer,
        smiles=np.array(done.smiles, np.bytes_),
        bad=np.array(list(done.bad), np.int64),
        reasons=np.array(list(done.bad.values()), np.bytes_),
    )
    return buffer.getvalue()


def _read(place: Path, n: int) -> Standardised | None:
    """What is kept, or None where nothing is, or it is damaged."""
    try:
        arrays = read_arrays(place)
        smiles, rows, reasons = arrays["smiles"], arrays["bad"], arrays["reasons"]
        if smiles.shape != (n,) or rows.shape != reasons.shape or rows.dtype != np.int64:
            return None
        bad = dict(zip(rows.tolist(), reasons.astype(np.str_).tolist(), strict=True))
        return Standardised(smiles.astype(np.str_).tolist(), bad)
    except (DataError, KeyError, ValueError):
        return None
