"""Climbing: a property of molecules improved by walking in the space of codes, asked of an oracle, behind a wall.

From each start, round after round: lines near the best molecules so far (`proposals`), many of them, since to write
a molecule and to compare it with the start costs no call; those outside the wall are dropped; the rest are ranked by
what is expected of them (`surrogate`), and the oracle is asked for the first few.

- Codes and their slope: Automatic Chemical Design Using a Data-Driven Continuous Representation of Molecules, 2018,
  https://doi.org/10.1021/acscentsci.7b00572.
- The wall and its task: Junction Tree Variational Autoencoder, 2018, https://arxiv.org/abs/1802.04364.
"""

from collections.abc import Collection, Sequence

import numpy as np
import torch

from dreamgen.applications.molecules.guide import Guide
from dreamgen.applications.molecules.lines import molecule_tokens, readable
from dreamgen.applications.molecules.oracle import Goal
from dreamgen.applications.molecules.proposals import USUAL_WAYS, WAYS, propose
from dreamgen.applications.molecules.result import Climb
from dreamgen.applications.molecules.room import Candidate, Room
from dreamgen.applications.molecules.surrogate import counts_of
from dreamgen.errors import DataError, SettingsError
from dreamgen.evaluation import encode_rows
from dreamgen.generator import DreamGenerator
from dreamgen.io import SavedModel
from dreamgen.registry import shorten
from dreamgen.workers import Watch

SIMILARITY, CALLS, ATOMS = 0.4, 500, 38

_CALLS = 20  # of a start in each round
_PATIENCE = 10  # rounds in a row that find nothing new, after which a climb ends
_TOGETHER = 40  # starts that climb side by side, so that the networks see large batches


def climb(
    generator: DreamGenerator,
    starts: Sequence[str],
    goal: str | Goal,
    *,
    similarity: float = SIMILARITY,
    calls: int = CALLS,
    atoms: int = ATOMS,
    ways: Collection[str] = USUAL_WAYS,
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
        ways: how new molecules are made, of those in `proposals`; "edits" alone shows what the model adds.
        seed: of everything random.
        watch: told, after each round, how many calls were made and how many there may be.

    Returns:
        A climb of each start, in order; its best is never worse than the start, nor beyond the wall.

    Raises:
        DataError: a start that is no molecule, that the model cannot write, or that has no value.
        SettingsError: a property or a way that does not exist, fewer than one call or atom, a similarity outside 0 to
            1, or a model of something else.
    """
    for name, number in (("calls", calls), ("atoms", atoms)):
        if number < 1:
            raise SettingsError(f"{name}: expected 1 or more, got {number}")
    if not ways or not set(ways) <= set(WAYS):
        raise SettingsError(f"ways: expected some of {', '.join(WAYS)}, got {shorten(ways)}")
    if not 0 <= similarity <= 1:
        raise SettingsError(f"similarity: expected 0 to 1, got {similarity:g}")
    goal, saved = Goal.of(goal), generator.fitted()
    molecule_tokens(saved)
    if not len(starts):
        raise DataError("expected at least one molecule to start from, got none")
    rows = readable(starts, saved)
    rows.require_all()
    rooms = [Room.at(smiles, goal, similarity, atoms, seed) for smiles in rows.smiles]
    guide = Guide(saved, goal)
    for first in range(0, len(rooms), _TOGETHER):
        together = rooms[first : first + _TOGETHER]
        _begin(saved, guide, together)
        while active := [room for room in together if room.oracle.calls < calls and room.idle < _PATIENCE]:
            _round(saved, guide, active, calls, ways)
            if watch is not None:
                watch(sum(room.oracle.calls for room in rooms), calls * len(rooms))
    return [Climb.of(room) for room in rooms]


def _begin(saved: SavedModel, guide: Guide, rooms: Sequence[Room]) -> None:
    for room, found in zip(rooms, _candidates(saved, guide, rooms, [[room.start] for room in rooms]), strict=True):
        room.ask(found)


def _round(saved: SavedModel, guide: Guide, rooms: Sequence[Room], calls: int, ways: Collection[str]) -> None:
    """New candidates for each start, and the oracle's answers to the most promising."""
    proposed = propose(saved, guide, rooms, ways)
    texts = iter(molecule_tokens(saved).decode(np.stack([line for lines in proposed for line in lines])))
    found = _candidates(saved, guide, rooms, [[next(texts) for _ in lines] for lines in proposed])
    for room, new in zip(rooms, found, strict=True):
        room.pool += new
        room.ask(room.chosen(min(_CALLS, calls - room.oracle.calls)))


def _candidates(
    saved: SavedModel, guide: Guide, rooms: Sequence[Room], texts: Sequence[Sequence[str]]
) -> list[list[Candidate]]:
    """Of each room's SMILES those that it admits and the model can write, with what is known before a call."""
    admitted = [(place, *one) for place, some in enumerate(texts) for one in rooms[place].admit(some)]
    found: list[list[Candidate]] = [[] for _ in rooms]
    lines, bad = molecule_tokens(saved).encode([text for _, text, _, _ in admitted], saved.event_shape[0])
    good = [row for row in range(len(admitted)) if row not in bad]
    if not good:
        return found
    lines = lines[good]
    codes = encode_rows(saved.model, torch.from_numpy(lines)).mean
    read = guide.read(codes).detach().tolist()
    counts = counts_of([admitted[row][2] for row in good])
    for row, line, code, told, count in zip(good, lines, codes.numpy(), read, counts, strict=True):
        place, text, _, alike = admitted[row]
        found[place].append(Candidate(text, alike, line.astype(np.int64), code, told, count))
    return found
