"""Climbing: a property of molecules improved by walking in the space of codes, asked of an oracle, behind a wall.

From each start, round after round: codes and lines near the best molecules so far (`proposals`), many of them, since
to write a molecule and to compare it with the start costs no call; those outside the wall are dropped; the rest are
ranked by what is expected of them (`surrogate`), and the oracle is asked for the first few. Automatic Chemical
Design Using a Data-Driven Continuous Representation of Molecules, 2018, https://doi.org/10.1021/acscentsci.7b00572;
the wall and its task: Junction Tree Variational Autoencoder, 2018, https://arxiv.org/abs/1802.04364.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from dreamgen.applications.molecules.guide import Guide
from dreamgen.applications.molecules.oracle import Goal, Oracle
from dreamgen.applications.molecules.proposals import (
    Parent,
    chances,
    decode,
    move,
    rewrite,
    splice,
    tempered,
)
from dreamgen.applications.molecules.surrogate import Surrogate, counts_of
from dreamgen.chemistry.fingerprints import Bits, fingerprints, similarities
from dreamgen.chemistry.molecules import parse
from dreamgen.chemistry.smiles import canonical
from dreamgen.data.vocabulary import Vocabulary
from dreamgen.distributions.noise import derive_seed
from dreamgen.errors import DataError, SettingsError
from dreamgen.evaluation import encode_rows
from dreamgen.generator import DreamGenerator
from dreamgen.io import SavedModel
from dreamgen.registry import shorten

SIMILARITY, CALLS, ATOMS = 0.4, 500, 38

_ROUND = 20  # calls of a start in each round
_PARENTS = 5  # molecules that a round goes on from
_REWRITES, _WALKS, _BLENDS, _SPLICES = 12, 3, 5, 15  # of each parent, of each parent, of all, of all
_POOL = 120  # candidates that wait for a call
_BOLD = 0.5  # standard deviations that are added to what is expected
_IDLE = 3  # rounds without a new candidate after which a climb ends
_GROUP = 100  # starts that climb together


@dataclass(frozen=True)
class Step:
    """A molecule that was better than all before it.

    Attributes:
        smiles: canonical.
        value: true value.
        similarity: to the start.
        calls: which call of the oracle it was, the start's being the first.
    """

    smiles: str
    value: float
    similarity: float
    calls: int


@dataclass(frozen=True)
class Climb:
    """What was found from one start.

    Attributes:
        start: canonical SMILES.
        path: the start, and each molecule that improved on those before, in order.
        calls: different molecules that the oracle was asked for, the start among them.
        highest: whether more is better.
    """

    start: str
    path: tuple[Step, ...]
    calls: int
    highest: bool = True

    @property
    def best(self) -> str:
        """The best molecule; the start, where nothing better was found."""
        return self.path[-1].smiles

    @property
    def start_value(self) -> float:
        """Value of the start."""
        return self.path[0].value

    @property
    def best_value(self) -> float:
        """Value of the best."""
        return self.path[-1].value

    @property
    def improvement(self) -> float:
        """By how much it is better, 0 or more, in whichever direction was asked for."""
        return (self.best_value - self.start_value) * (1 if self.highest else -1)

    @property
    def similarity(self) -> float:
        """Tanimoto of the best to the start, 0 to 1."""
        return self.path[-1].similarity


Watch = Callable[[int, int], None]


def climb(
    generator: DreamGenerator,
    starts: Sequence[str],
    goal: str | Goal,
    *,
    similarity: float = SIMILARITY,
    calls: int = CALLS,
    atoms: int = ATOMS,
    seed: int = 0,
    watch: Watch | None = None,
) -> list[Climb]:
    """Improve molecules, each on its own.

    Args:
        generator: a model of molecules as lines of text; best with a reader of the property or of its terms.
        starts: n SMILES.
        goal: a property to raise, by name, or a `Goal`.
        similarity: the wall: Tanimoto of Morgan fingerprints (radius 2, 2048 bits) to the start, at least.
        calls: the oracle is asked for at most so many different molecules from each start, the start among them.
        atoms: heavy atoms of a molecule, or as many as its start has where that is more: similarity alone does not
            stop a chain from growing, whose links all look alike. 38 is the largest in ZINC250k, and usual.
        seed: of everything random.
        watch: told, after each round, how many calls were made and how many there may be.

    Returns:
        A climb of each start, in order; its best is never worse than the start, nor beyond the wall.

    Raises:
        DataError: a start that is no molecule, that the model cannot write, or that has no value.
        SettingsError: a property that does not exist, fewer than one call, a similarity outside 0 to 1, or a model
            of something else.
    """
    if calls < 1:
        raise SettingsError(f"calls: expected 1 or more, got {calls}")
    if not 0 <= similarity <= 1:
        raise SettingsError(f"similarity: expected 0 to 1, got {similarity:g}")
    goal = Goal.of(goal)
    saved = generator.fitted()
    written = _written(starts, _vocabulary(saved), saved.event_shape[0])
    rooms = [_Room.at(smiles, goal, similarity, atoms, seed) for smiles in written]
    for start in range(0, len(rooms), _GROUP):
        group = rooms[start : start + _GROUP]
        _Party(generator, goal, group, calls).climb(lambda: watch and watch(_asked(rooms), calls * len(rooms)))
    return [room.result() for room in rooms]


def _asked(rooms: "Sequence[_Room]") -> int:
    return sum(room.oracle.calls for room in rooms)


def _vocabulary(saved: SavedModel) -> Vocabulary:
    if saved.vocabulary is None or saved.context is not None:
        raise SettingsError("expected a model of molecules as lines of text that is told nothing: got another one")
    return saved.vocabulary


def _written(starts: Sequence[str], vocabulary: Vocabulary, width: int) -> list[str]:
    """Starts as canonical SMILES; raises DataError that names the first which is no molecule or cannot be written."""
    names = []
    for place, text in enumerate(starts, 1):
        smiles = canonical(text)
        if smiles is None:
            raise DataError(f"start {place}, {shorten(text)}: no molecule")
        names.append(smiles)
    _, bad = vocabulary.encode(names, width) if names else (None, {})
    if bad:
        first = min(bad)
        raise DataError(f"start {first + 1}, {shorten(starts[first])}: the model cannot write it: {bad[first]}")
    return names


@dataclass
class _Candidate:
    """A molecule within the wall."""

    smiles: str
    similarity: float
    line: npt.NDArray[np.int64]
    code: npt.NDArray[np.float32]
    read: float
    counts: npt.NDArray[np.float32]


@dataclass
class _Room:
    """One start, what the oracle said, and what waits."""

    start: str
    bits: Bits
    wall: float
    atoms: int
    oracle: Oracle
    rng: np.random.Generator
    seen: set[str] = field(default_factory=set)
    asked: list[_Candidate] = field(default_factory=list)
    values: list[float] = field(default_factory=list)  # of those, higher is better
    pool: list[_Candidate] = field(default_factory=list)
    idle: int = 0

    @classmethod
    def at(cls, smiles: str, goal: Goal, wall: float, atoms: int, seed: int) -> "_Room":
        mol = parse(smiles)
        assert mol is not None
        rng = np.random.default_rng(derive_seed(seed, "climb", smiles))
        most = max(atoms, mol.GetNumHeavyAtoms())
        return cls(smiles, fingerprints([mol]), wall, most, Oracle(goal), rng, {smiles})

    def ask(self, candidates: Sequence[_Candidate]) -> None:
        for candidate in candidates:
            value = self.oracle(candidate.smiles) * self.oracle.goal.sign
            if math.isfinite(value):
                self.asked.append(candidate)
                self.values.append(value)
            elif candidate.smiles == self.start:
                raise DataError(f"{self.start} has no {self.oracle.goal.name} to improve")

    def parents(self) -> list[_Candidate]:
        """The best so far, the first of all among them."""
        return [self.asked[row] for row in np.argsort(self._ranks(), kind="stable")[:_PARENTS]]

    def _ranks(self) -> npt.NDArray[np.float64]:
        return -np.array(self.values)

    def chosen(self, many: int) -> list[_Candidate]:
        """Those of the pool that promise most, taken out of it."""
        if not self.pool:
            return []
        known = Surrogate(
            np.stack([one.counts for one in self.asked]),
            np.array([one.read for one in self.asked]),
            np.array(self.values),
        )
        mean, deviation = known.expect(
            np.stack([one.counts for one in self.pool]), np.array([one.read for one in self.pool])
        )
        order = np.argsort(-(mean + _BOLD * deviation), kind="stable").tolist()
        chosen = [self.pool[row] for row in order[:many]]
        self.pool = [self.pool[row] for row in order[many : many + _POOL]]
        return chosen

    def result(self) -> Climb:
        sign, best, path = self.oracle.goal.sign, -math.inf, []
        similarity = {one.smiles: one.similarity for one in self.asked}
        for number, (smiles, value) in enumerate(self.oracle.answers.items(), 1):
            if smiles in similarity and value * sign > best:
                best = value * sign
                path.append(Step(smiles, value, similarity[smiles], number))
        return Climb(self.start, tuple(path), self.oracle.calls, self.oracle.goal.highest)


class _Party:
    """Starts that climb together, so that the networks see large batches."""

    def __init__(self, generator: DreamGenerator, goal: Goal, rooms: Sequence[_Room], calls: int) -> None:
        self.generator, self.rooms, self.calls = generator, rooms, calls
        self.saved = generator.fitted()
        self.vocabulary = _vocabulary(self.saved)
        self.guide = Guide(self.saved, goal)

    def climb(self, tell: Callable[[], object]) -> None:
        for room, (first, *_) in zip(self.rooms, self._known([[room.start] for room in self.rooms]), strict=True):
            room.ask([first])
        while active := [room for room in self.rooms if room.oracle.calls < self.calls and room.idle < _IDLE]:
            for room, found in zip(active, self._near(active), strict=True):
                room.pool += found
                room.idle = 0 if found else room.idle + 1
                room.ask(room.chosen(min(_ROUND, self.calls - room.oracle.calls)))
            tell()

    def _near(self, rooms: Sequence[_Room]) -> list[list[_Candidate]]:
        """New molecules for each start, within its wall."""
        lines = [[*a, *b] for a, b in zip(self._rewritten(rooms), self._walked(rooms), strict=True)]
        texts = self.vocabulary.decode(np.stack([line for some in lines for line in some]))
        places = iter(texts)
        return self._known([[next(places) for _ in some] for some in lines], rooms)

    def _rewritten(self, rooms: Sequence[_Room]) -> list[list[npt.NDArray[np.int64]]]:
        parents = [room.parents() for room in rooms]
        flat = [parent for some in parents for parent in some]
        z = torch.from_numpy(np.stack([parent.code for parent in flat]))
        owners = [room for room, some in zip(rooms, parents, strict=True) for _ in some]
        moved = self._moved(z, owners, 0.5)
        found = []
        chance = iter(chances(self.saved, moved, np.stack([parent.line for parent in flat])))
        for room, some in zip(rooms, parents, strict=True):
            new = []
            for parent in some:
                own = tempered(next(chance))
                new += [rewrite(parent.line, own, room.rng) for _ in range(_REWRITES * _PARENTS // len(some))]
            for _ in range(_SPLICES if len(some) > 1 else 0):
                a, b = room.rng.choice(len(some), 2, replace=False)
                new.append(splice(some[a].line, some[b].line, room.rng))
            found.append(new)
        return found

    def _moved(self, z: torch.Tensor, owners: Sequence[_Room], shake: float) -> torch.Tensor:
        # A room's own numbers, so that a start climbs the same way whoever climbs beside it.
        up = torch.tensor([room.rng.uniform(0, 2.0) for room in owners], dtype=z.dtype)
        noise = [shake * room.rng.uniform() * room.rng.standard_normal(z.shape[1]) for room in owners]
        return self.guide.ascend(z, up) + torch.from_numpy(np.stack(noise)).to(z)

    def _walked(self, rooms: Sequence[_Room]) -> list[list[npt.NDArray[np.int64]]]:
        codes, owners, sizes = [], [], []
        for room in rooms:
            some = room.parents()
            new = [parent.code for parent in some for _ in range(_WALKS * _PARENTS // len(some))]
            for _ in range(_BLENDS if len(some) > 1 else 0):
                a, b = room.rng.choice(len(some), 2, replace=False)
                new.append(some[a].code + room.rng.uniform() * (some[b].code - some[a].code))
            codes += new
            owners += [room] * len(new)
            sizes.append(len(new))
        lines = iter(decode(self.saved, self._moved(torch.from_numpy(np.stack(codes)).float(), owners, 1.0)))
        return [[next(lines) for _ in range(size)] for size in sizes]

    def _known(self, texts: Sequence[Sequence[str]], rooms: Sequence[_Room] | None = None) -> list[list[_Candidate]]:
        """What is to be known of each molecule before a call; without rooms, of the starts themselves."""
        found: list[list[_Candidate]] = []
        kept: list[tuple[int, str, float, npt.NDArray[np.float32]]] = []
        for number, (room, some) in enumerate(zip(rooms or self.rooms, texts, strict=True)):
            found.append([])
            fresh = [text for text in dict.fromkeys(some) if rooms is None or text not in room.seen]
            room.seen.update(fresh)
            mols = {text: mol for text in fresh if "." not in text and (mol := parse(text)) is not None}
            mols = {text: mol for text, mol in mols.items() if mol.GetNumHeavyAtoms() <= room.atoms}
            if not mols:
                continue
            near = similarities(fingerprints(list(mols.values())), room.bits)[:, 0]
            inside = [(t, float(s)) for t, s in zip(mols, near, strict=True) if s >= room.wall]
            counts = counts_of([mols[text] for text, _ in inside])
            kept += [(number, text, alike, row) for (text, alike), row in zip(inside, counts, strict=True)]
        if not kept:
            return found
        lines, bad = self.vocabulary.encode([text for _, text, _, _ in kept], self.saved.event_shape[0])
        good = [place for place in range(len(kept)) if place not in bad]
        if not good:
            return found
        codes = encode_rows(self.saved.model, torch.from_numpy(lines[good])).mean.numpy()
        read = self.guide.read(torch.from_numpy(codes)).detach().numpy()
        for place, code, told in zip(good, codes, read.tolist(), strict=True):
            number, text, alike, counts_row = kept[place]
            line = lines[place].astype(np.int64)
            found[number].append(_Candidate(text, alike, line, code, told, counts_row))
        return found
