"""New lines near known ones: walks and blends in the space of codes, and rewrites of a line by a moved code.

- A walk decodes a code that was moved up the reader's slope and shaken.
- A blend does so from a place between two codes.
- A rewrite keeps a line and changes it in one place or two, to what the writer finds likely there when it is told
  a moved code. One pass over a line gives the chances at all of its places, so it costs next to nothing, keeps most
  of a molecule, and needs no code that comes back as the very same line.
- A splice is the beginning of one line and the end of another; it comes with the rewrites.
- An edit is a rewrite that asks the model nothing, for comparison: all tokens are as likely.

Letters: n lines, T places, V tokens, D latents. A line ends with 0.
"""

from collections.abc import Callable, Collection, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dreamgen.applications.molecules.guide import Guide
from dreamgen.applications.molecules.room import Candidate, Line, Room
from dreamgen.devices import device_of
from dreamgen.distributions.lines import Lines
from dreamgen.dreaming import decode_rows
from dreamgen.errors import SettingsError
from dreamgen.evaluation.likelihood import blocks
from dreamgen.io import SavedModel

Floats = npt.NDArray[np.float32]

_REWRITES, _WALKS = 60, 15  # in a round, of all parents together
_SPLICES, _BLENDS = 15, 5  # of pairs of them

_ROWS = 256  # lines that the writer looks at together
_UP = 2.0  # the longest way up the slope, where codes of the prior lie sqrt(D) from its centre
_SHAKE, _NUDGE = 1.0, 0.5  # the widest noise in each latent: of walks, and of codes that rewrite
_HEAT, _FLAT = 1.3, 0.02  # chances to the power of 1 / heat, and the share that all tokens have alike
_TWICE = 0.35  # share of rewrites in two places
_DELETE, _CUT, _REPLACE = 0.25, 0.05, 0.4  # of edits; the others insert
_LONGER = 0.4  # the chance that one more token is deleted


def propose(saved: SavedModel, guide: Guide, rooms: Sequence[Room], ways: Collection[str]) -> list[list[Line]]:
    """New lines for each room, (T,) each; not all are new molecules, and not all are within its wall."""
    parents = [room.parents() for room in rooms]
    found = [make(saved, guide, rooms, parents) for way, make in WAYS.items() if way in ways]
    return [[line for lines in some for line in lines] for some in zip(*found, strict=True)]


def _edits(
    saved: SavedModel, guide: Guide, rooms: Sequence[Room], parents: Sequence[Sequence[Candidate]]
) -> list[list[Line]]:
    assert saved.vocabulary is not None
    alike = np.full((saved.event_shape[0], saved.vocabulary.size), 1 / saved.vocabulary.size, np.float32)
    return [
        [rewrite(some[number % len(some)].line, alike, room.rng) for number in range(_REWRITES + _SPLICES)]
        for room, some in zip(rooms, parents, strict=True)
    ]


def _rewritten(
    saved: SavedModel, guide: Guide, rooms: Sequence[Room], parents: Sequence[Sequence[Candidate]]
) -> list[list[Line]]:
    flat = [parent for some in parents for parent in some]
    owners = [room for room, some in zip(rooms, parents, strict=True) for _ in some]
    codes = _moved(guide, np.stack([parent.code for parent in flat]), owners, _NUDGE)
    likely = iter(chances(saved, codes, np.stack([parent.line for parent in flat])))
    found = []
    for room, some in zip(rooms, parents, strict=True):
        told = [(parent.line, _tempered(next(likely))) for parent in some]
        new = [rewrite(*told[number % len(told)], room.rng) for number in range(_REWRITES)]
        for a, b in _pairs(some, _SPLICES, room.rng):
            new.append(splice(a.line, b.line, room.rng))
        found.append(new)
    return found


def _walked(
    saved: SavedModel, guide: Guide, rooms: Sequence[Room], parents: Sequence[Sequence[Candidate]]
) -> list[list[Line]]:
    codes, owners = [], []
    for room, some in zip(rooms, parents, strict=True):
        new = [some[number % len(some)].code for number in range(_WALKS)]
        new += [a.code + room.rng.uniform() * (b.code - a.code) for a, b in _pairs(some, _BLENDS, room.rng)]
        codes += new
        owners += [room] * len(new)
    lines = decode_rows(saved, _moved(guide, np.stack(codes), owners, _SHAKE)).numpy().astype(np.int64)
    found: dict[int, list[Line]] = {id(room): [] for room in rooms}
    for room, line in zip(owners, lines, strict=True):
        found[id(room)].append(line)
    return list(found.values())


def _pairs(some: Sequence[Candidate], many: int, rng: np.random.Generator) -> list[tuple[Candidate, Candidate]]:
    """Pairs of different parents; none where there is but one."""
    drawn = [rng.choice(len(some), 2, replace=False) for _ in range(many)] if len(some) > 1 else []
    return [(some[a], some[b]) for a, b in drawn]


def _moved(guide: Guide, codes: Floats, owners: Sequence[Room], shake: float) -> Tensor:
    """Codes (n, D), each moved up the slope and shaken by amounts that its room draws."""
    up = torch.tensor([room.rng.uniform(0, _UP) for room in owners], dtype=torch.float32)
    noise = [shake * room.rng.uniform() * room.rng.standard_normal(codes.shape[1]) for room in owners]
    return guide.ascend(torch.from_numpy(codes).float(), up) + torch.from_numpy(np.stack(noise)).float()


@torch.no_grad()
def chances(saved: SavedModel, z: Tensor, lines: Line) -> Floats:
    """What the writer, told z (n, D), expects at each place of lines (n, T) given what stands before: (n, T, V)."""
    device, found = device_of(saved.model), []
    for rows, real in blocks(torch.arange(len(z)), _ROWS):
        p = saved.model.decoder(z[rows].to(device))
        if not isinstance(p, Lines):
            raise SettingsError("expected a model that writes molecules as lines of tokens: got another one")
        found.append(p.chances(torch.from_numpy(lines)[rows].to(device))[:real].float().cpu().numpy())
    return np.concatenate(found)


def _tempered(chance: Floats) -> Floats:
    """Chances made flatter, (T, V), so that what is unlikely is tried too; after a line's end all are alike."""
    heated = chance ** np.float32(1 / _HEAT)
    heated /= np.maximum(heated.sum(-1, keepdims=True), np.finfo(np.float32).tiny)
    flatter: Floats = (1 - _FLAT) * heated + np.float32(_FLAT / chance.shape[-1])
    return flatter


def rewrite(line: Line, chance: Floats, rng: np.random.Generator) -> Line:
    """A line (T,) edited in one place or two, by the chances (T, V) of the tokens there."""
    text = _text(line)
    places = rng.choice(len(text) + 1, size=min(1 + (rng.random() < _TWICE), len(text) + 1), replace=False)
    for place in sorted(places.tolist(), reverse=True):  # from the end, so that earlier places keep their numbers
        text = _edited(text, place, chance[place], rng)
    return _line(text, len(line))


def _edited(text: list[int], place: int, chance: Floats, rng: np.random.Generator) -> list[int]:
    kind = rng.random()
    if kind < _DELETE:
        return text[:place] + text[place + int(rng.geometric(1 - _LONGER)) :]
    if kind < _DELETE + _CUT:
        return text[:place]
    cumulated = chance[1:].cumsum()
    token = 1 + int(np.searchsorted(cumulated[:-1], rng.random() * cumulated[-1], side="right"))
    replaces = kind < _DELETE + _CUT + _REPLACE
    return [*text[:place], token, *text[place + replaces :]]


def splice(a: Line, b: Line, rng: np.random.Generator) -> Line:
    """The beginning of a line and the end of another, (T,), from about the same place on."""
    one, other = _text(a), _text(b)
    place = int(rng.integers(1, len(one) + 1)) if one else 0
    there = int(np.clip(place + rng.integers(-2, 3), 0, len(other)))
    return _line(one[:place] + other[there:], len(a))


def _text(line: Line) -> list[int]:
    text: list[int] = line[: int((line != 0).cumprod().sum())].tolist()
    return text


def _line(text: list[int], width: int) -> Line:
    line, text = np.zeros(width, np.int64), text[: width - 1]
    line[: len(text)] = text
    return line


WAYS: dict[str, Callable[..., list[list[Line]]]] = {"rewrites": _rewritten, "walks": _walked, "edits": _edits}
USUAL_WAYS = ("rewrites", "walks")
