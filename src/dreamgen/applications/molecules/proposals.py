"""New lines near known ones: walks and blends in the space of codes, and rewrites of a line by a moved code.

- A walk decodes a code that was moved up the reader's slope and shaken.
- A blend decodes a code between two.
- A rewrite keeps a line and changes it in one or two places, to what the writer finds likely there when it is told
  a moved code: one pass over a line gives the chances at all of its places, so that it costs next to nothing, keeps
  most of a molecule, and needs no code that comes back as the same line.

Letters: n lines, T places, V tokens, D latents. A line ends with 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dreamgen.applications.molecules.guide import Guide
from dreamgen.dreaming import decode_rows
from dreamgen.errors import SettingsError
from dreamgen.distributions.lines import Lines
from dreamgen.evaluation.likelihood import blocks
from dreamgen.io import SavedModel

Floats = npt.NDArray[np.float32]
Line = npt.NDArray[np.int64]

_ROWS = 256  # lines that the writer looks at together
_SHAKES = (0.0, 1.0)
_LONGEST_UP = 2.0
_FLAT = 0.02  # share of the chances that all tokens have alike, so that no edit is out of reach
_HEAT = 1.3
_TWICE = 0.35  # share of rewrites in two places
_REPLACE, _INSERT, _DELETE, _CUT = 0.4, 0.3, 0.25, 0.05


@dataclass(frozen=True)
class Parent:
    """A molecule to go on from: its line of tokens, (T,), and its code, (D,)."""

    line: Line
    code: Floats


def move(guide: Guide, z: Tensor, rng: np.random.Generator, shake: float) -> Tensor:
    """Codes (n, D), each moved up the slope by a length of its own and shaken by a radius of its own."""
    up = torch.from_numpy(rng.uniform(0, _LONGEST_UP, len(z))).to(z)
    radius = torch.from_numpy(shake * rng.uniform(0.0, 1.0, (len(z), 1))).to(z)
    noise = torch.from_numpy(rng.standard_normal(tuple(z.shape))).to(z)
    return guide.ascend(z, up) + radius * noise


@torch.no_grad()
def chances(saved: SavedModel, z: Tensor, lines: Line) -> Floats:
    """What the writer, told z (n, D), expects at each place of lines (n, T) given what stands before: (n, T, V)."""
    found = []
    for rows, real in blocks(torch.arange(len(z)), _ROWS):
        p = saved.model.decoder(z[rows].to(next(saved.model.parameters()).device))
        if not isinstance(p, Lines):
            raise SettingsError("expected a model of molecules as lines of text: train one with a `language`")
        found.append(p.chances(torch.from_numpy(lines)[rows])[:real].float().cpu().numpy())
    return np.concatenate(found)


def rewrite(line: Line, chance: Floats, rng: np.random.Generator) -> Line:
    """A line (T,) changed in one place or two, by the chances (T, V) of the tokens there; of the same width."""
    width, text = len(line), line[: int((line != 0).sum())].tolist()
    places = rng.choice(len(text) + 1, size=min(1 + (rng.random() < _TWICE), len(text) + 1), replace=False)
    for place in sorted(places.tolist(), reverse=True):  # from the end, so that earlier places keep their numbers
        text = _edit(text, place, chance[place], rng)
    new = np.zeros(width, np.int64)
    text = text[: width - 1]
    new[: len(text)] = text
    return new


def _edit(text: list[int], place: int, chance: Floats, rng: np.random.Generator) -> list[int]:
    kind = rng.random()
    if kind < _DELETE:
        return text[:place] + text[place + 1 + int(rng.geometric(0.6)) - 1 :]
    if kind < _DELETE + _CUT:
        return text[:place]
    cumulated = chance[1:].cumsum()
    token = 1 + int(np.searchsorted(cumulated, rng.random() * cumulated[-1]).clip(0, len(cumulated) - 1))
    replaces = kind < _DELETE + _CUT + _REPLACE
    return [*text[:place], token, *text[place + replaces :]]


def splice(a: Line, b: Line, rng: np.random.Generator) -> Line:
    """The beginning of one line and the end of another, (T,)."""
    one, other = a[: int((a != 0).sum())], b[: int((b != 0).sum())]
    place = int(rng.integers(1, len(one) + 1))
    there = int(np.clip(place + rng.integers(-2, 3), 0, len(other)))
    new = np.zeros(len(a), np.int64)
    text = np.concatenate([one[:place], other[there:]])[: len(a) - 1]
    new[: len(text)] = text
    return new


def tempered(chance: Floats) -> Floats:
    """Chances made flatter, so that what is unlikely is tried too."""
    heated = chance ** np.float32(1 / _HEAT)
    heated /= np.maximum(heated.sum(-1, keepdims=True), np.finfo(np.float32).tiny)
    return (1 - _FLAT) * heated + np.float32(_FLAT / chance.shape[-1])


def decode(saved: SavedModel, z: Tensor) -> Line:
    """Codes (n, D) to the likeliest lines, (n, T)."""
    return decode_rows(saved, z).numpy().astype(np.int64)
