"""One start that is climbed from: its wall, what the oracle said of molecules within, and what waits to be asked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dreamgen.applications.molecules.oracle import Goal, Oracle
from dreamgen.applications.molecules.surrogate import Surrogate
from dreamgen.chemistry.fingerprints import Bits, fingerprints, similarities
from dreamgen.chemistry.molecules import parse
from dreamgen.distributions.noise import derive_seed
from dreamgen.errors import DataError

if TYPE_CHECKING:
    from rdkit.Chem import Mol

Line = npt.NDArray[np.int64]
Code = npt.NDArray[np.float32]

_PARENTS = 8  # molecules that a round goes on from
_EAGER = 2.0  # ranks over which the chance to be one of them falls by e; as many more for each round without a gain
_SHARE = 2  # of the candidates that wait one in so many is asked for in a round, at most
_POOL = 120  # candidates that wait for a call
_BOLD = 0.5  # standard deviations that are added to what is expected


@dataclass(frozen=True)
class Candidate:
    """A molecule within the wall.

    Attributes:
        smiles: canonical.
        similarity: to the start.
        line: its tokens, (T,).
        code: mean of its posterior, (D,).
        read: the goal as the reader tells it of the code.
        counts: of its environments, (F,).
    """

    smiles: str
    similarity: float
    line: Line
    code: Code
    read: float
    counts: npt.NDArray[np.float32]


@dataclass
class Room:
    """A start and all that is known around it.

    Attributes:
        start: canonical SMILES.
        bits: its fingerprint, (1, F).
        wall: similarity to it, at least.
        atoms: heavy atoms, at most.
        oracle: its own, which counts its calls.
        rng: its own, so that a start climbs the same way whoever climbs beside it.
        seen: molecules that were met, within the wall or not.
        asked: those with a value, and `values`, higher is better.
        pool: those that wait.
        idle: rounds in a row that had nobody to ask for.
        stale: rounds in a row without a better molecule.
    """

    start: str
    bits: Bits
    wall: float
    atoms: int
    oracle: Oracle
    rng: np.random.Generator
    seen: set[str] = field(default_factory=set)
    asked: list[Candidate] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    pool: list[Candidate] = field(default_factory=list)
    idle: int = 0
    stale: int = 0

    @classmethod
    def at(cls, smiles: str, goal: Goal, wall: float, atoms: int, seed: int) -> "Room":
        """The room of a start, whose SMILES is canonical."""
        mol = parse(smiles)
        assert mol is not None
        most = max(atoms, mol.GetNumHeavyAtoms())
        rng = np.random.default_rng(derive_seed(seed, "climb", smiles))
        return cls(smiles, fingerprints([mol]), wall, most, Oracle(goal), rng)

    def admit(self, texts: Sequence[str]) -> "list[tuple[str, Mol, float]]":
        """Those of some SMILES that were never met and are within the wall, with their similarity."""
        fresh = [text for text in dict.fromkeys(texts) if text not in self.seen]
        self.seen.update(fresh)
        mols = [(text, mol) for text in fresh if "." not in text and (mol := parse(text)) is not None]
        mols = [(text, mol) for text, mol in mols if mol.GetNumHeavyAtoms() <= self.atoms]
        near = similarities(fingerprints([mol for _, mol in mols]), self.bits)[:, 0].tolist()
        return [(text, mol, alike) for (text, mol), alike in zip(mols, near, strict=True) if alike >= self.wall]

    def ask(self, candidates: Sequence[Candidate]) -> None:
        """A round's calls of the oracle; raises DataError where the start itself has no value."""
        before = max(self.values, default=-math.inf)
        for candidate in candidates:
            value = self.oracle(candidate.smiles) * self.oracle.goal.sign
            if math.isfinite(value):
                self.asked.append(candidate)
                self.values.append(value)
            elif candidate.smiles == self.start:
                raise DataError(f"{self.start} has no {self.oracle.goal.name} to improve")
        self.idle = 0 if candidates else self.idle + 1
        self.stale = 0 if max(self.values) > before else self.stale + 1

    def parents(self) -> list[Candidate]:
        """The best so far, and others drawn by their ranks: the best alone soon have no new neighbours."""
        ranked = np.argsort(-np.array(self.values), kind="stable")
        chance = np.exp(-np.arange(len(ranked)) / (_EAGER * (1 + self.stale)))
        # Of numbers -log(u) / p the smallest are a draw without repetition, where a chance may be as good as none.
        drawn = self.rng.exponential(size=len(ranked)) / np.maximum(chance, 1e-300)
        drawn[0] = -1
        return [self.asked[row] for row in ranked[np.argsort(drawn, kind="stable")[:_PARENTS]]]

    def chosen(self, many: int) -> list[Candidate]:
        """Those of the pool that promise most, at most so many, taken out of it."""
        if not self.pool:
            return []
        many = min(many, -(-len(self.pool) // _SHARE))
        known = Surrogate(*_table(self.asked), np.array(self.values))
        mean, deviation = known.expect(*_table(self.pool))
        order = np.argsort(-(mean + _BOLD * deviation), kind="stable").tolist()
        chosen = [self.pool[row] for row in order[:many]]
        self.pool = [self.pool[row] for row in order[many : many + _POOL]]
        return chosen


def _table(some: Sequence[Candidate]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Counts (n, F) and what is read (n,)."""
    counts = np.stack([one.counts for one in some]).astype(np.float64)
    return counts, np.array([one.read for one in some], np.float64)
