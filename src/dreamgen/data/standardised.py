"""Many written molecules brought to what a model learns: by several processes, and once, for the answers are kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from dreamgen.chemistry.extras import rdkit
from dreamgen.chemistry.smiles import Standard, standardise
from dreamgen.data.cache import Arrays, kept
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

    def work() -> Standardised:
        return _work(texts, standard, watch)

    if len(texts) <= FEW:
        return work()
    facts = (f"{_FORMAT} {rdkit('rdBase').rdkitVersion} {standard}", *texts)
    return kept("standard_smiles", facts, work, _packed, partial(_unpacked, n=len(texts)))


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


def _packed(done: Standardised) -> Arrays:
    return {
        "smiles": np.array(done.smiles, np.bytes_),
        "bad": np.array(list(done.bad), np.int64),
        "reasons": np.array(list(done.bad.values()), np.bytes_),
    }


def _unpacked(arrays: Arrays, n: int) -> Standardised:
    smiles, rows, reasons = arrays["smiles"], arrays["bad"], arrays["reasons"]
    if smiles.shape != (n,) or rows.shape != reasons.shape or rows.dtype != np.int64:
        raise ValueError("expected a text for each molecule, and a reason for each bad one")
    bad = dict(zip(rows.tolist(), reasons.astype(np.str_).tolist(), strict=True))
    return Standardised(smiles.astype(np.str_).tolist(), bad)
