"""Languages: how a line of text is cut into symbols, and put together again."""

import re
from typing import Literal, Protocol

from dreamgen.chemistry.extras import selfies
from dreamgen.chemistry.smiles import canonical, kekulised
from dreamgen.errors import DataError, SettingsError
from dreamgen.registry import Registry, shorten

Held = Literal["pictures", "lines", "molecules"]
"""What a set or a model may be of; "pictures" stands for other numbers too."""


class Language(Protocol):
    """A way to write lines."""

    pieces: int
    """How many tokens may stand for several symbols."""
    slow: bool
    """Whether many lines are worth several processes."""
    holds: Held
    """What its lines are, "lines" of any kind or "molecules"."""

    def split(self, line: str) -> list[str]:
        """A line to its symbols; raises DataError, with a short reason, where it cannot be written so."""

    def join(self, symbols: list[str]) -> str:
        """Symbols to a line."""

    def valid(self, line: str) -> bool:
        """Whether a line that was put together is one of what it holds."""


LANGUAGES: Registry[Language] = Registry("language")

_MOST_PIECES = 1 << 13


def _checked(pieces: int) -> int:
    if not 0 <= pieces <= _MOST_PIECES:
        raise SettingsError(f"language, pieces: expected 0 to {_MOST_PIECES}, got {pieces}")
    return pieces


@LANGUAGES.register("characters")
class Characters:
    """Every character is a symbol.

    Args:
        pieces: how many tokens may stand for several symbols, here and below.
    """

    holds: Held = "lines"
    slow = False

    def __init__(self, pieces: int = 0) -> None:
        self.pieces = _checked(pieces)

    def split(self, line: str) -> list[str]:
        return list(line)

    def join(self, symbols: list[str]) -> str:
        return "".join(symbols)

    def valid(self, line: str) -> bool:
        return True


# A bracket with all that is in it, elements of two letters, rings of two digits; else a character.
_SMILES = re.compile(r"\[[^\]]*\]|Br|Cl|%\d\d|.")


@LANGUAGES.register("smiles")
class Smiles:
    """Molecules as SMILES: atoms, bonds, rings and branches. What is put together need not be a molecule.

    SMILES, a chemical language and information system, 1988, https://doi.org/10.1021/ci00057a005.

    Args:
        kekule: aromatic rings are written as single and double bonds in turn. Whether a ring can be aromatic only its
            last atom settles; whether an atom can have one more bond is known on the spot.
    """

    holds: Held = "molecules"

    def __init__(self, pieces: int = 500, kekule: bool = False) -> None:
        self.pieces, self.kekule, self.slow = _checked(pieces), kekule, kekule

    def split(self, line: str) -> list[str]:
        text = kekulised(line) if self.kekule else line
        if text is None:
            raise DataError("no molecule")
        return _SMILES.findall(text)

    def join(self, symbols: list[str]) -> str:
        text = "".join(symbols)
        return canonical(text) or text

    def valid(self, line: str) -> bool:
        return canonical(line) is not None  # read once more: it may be written as what cannot be read


@LANGUAGES.register("selfies")
class Selfies:
    """Molecules as SELFIES, in which every row of symbols is a molecule; written and read as SMILES.

    Self-referencing embedded strings (SELFIES): A 100% robust molecular string representation, 2020,
    https://arxiv.org/abs/1905.13741.
    """

    holds: Held = "molecules"
    slow = True

    def __init__(self, pieces: int = 500) -> None:
        self.pieces = _checked(pieces)

    def split(self, line: str) -> list[str]:
        try:
            return list(selfies().split_selfies(selfies().encoder(line)))
        except (selfies().EncoderError, LookupError) as error:  # it also fails on digits and bonds out of place
            raise DataError("cannot be written in SELFIES") from error

    def join(self, symbols: list[str]) -> str:
        try:
            text: str = selfies().decoder("".join(symbols))
        except selfies().DecoderError as error:
            raise DataError(f"{shorten(symbols)}: no symbols of SELFIES") from error
        return canonical(text) or text

    def valid(self, line: str) -> bool:
        return bool(line)  # whatever its symbols are, unless they say nothing
