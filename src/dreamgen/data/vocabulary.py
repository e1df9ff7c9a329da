"""The tokens of a language: its symbols, and pieces, which are neighbouring symbols that often stand together.

Neural Machine Translation of Rare Words with Subword Units, 2015, https://arxiv.org/abs/1508.07909: the commonest
pair of tokens becomes a token, again and again. Lines then have a third of the tokens, and a network learns in a
third of the time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamgen.config import Part
from dreamgen.data.languages import LANGUAGES, Held, Language
from dreamgen.errors import DataError, SettingsError
from dreamgen.registry import check_type, shorten
from dreamgen.workers import in_order, workers_for

Tokens = npt.NDArray[np.integer[Any]]

_END, _BETWEEN = 0, -1
_MOST_TOKENS, _LONGEST_PIECE = 1 << 15, 1 << 12  # the end among them; symbols of one token
_LINES_TO_LEARN = 60_000
_FEW, _LINES_A_TASK = 20_000, 500  # fewer are cut by this process alone
_RARE = 50  # a pair seen less often is not worth a token


@dataclass(frozen=True)
class Vocabulary:
    """What lines are written with.

    Token 0 ends a line; 1, 2, ... are the symbols; then come the pieces, each of two tokens before it.

    Attributes:
        language: a part, one of LANGUAGES.
        symbols: those of the training lines.
        pieces: two tokens for each.
    """

    language: Part
    symbols: tuple[str, ...]
    pieces: tuple[tuple[int, int], ...] = ()

    @property
    def size(self) -> int:
        """V, how many tokens there are, the end among them."""
        return 1 + len(self.symbols) + len(self.pieces)

    @property
    def holds(self) -> Held:
        """What the lines are: "lines" of any kind, or "molecules", written as SMILES."""
        return LANGUAGES.build(self.language).holds

    @classmethod
    def learn(cls, lines: Sequence[str], language: Part) -> "Vocabulary":
        """The symbols of some lines, and the pieces that the language asks for.

        Lines that cannot be written in it are passed over.

        Raises:
            SettingsError: no such language.
            DataError: none that can.
        """
        spoken = LANGUAGES.build(language)
        cut = [part for part in cut_lines(lines, language) if not isinstance(part, str)]
        symbols = sorted({symbol for line in cut for symbol in line})
        if not 1 <= len(symbols) < _MOST_TOKENS - spoken.pieces:
            most = _MOST_TOKENS - spoken.pieces - 1
            raise DataError(f"expected lines of 1 to {most} different symbols, got {len(symbols)}")
        plain = cls(language, tuple(symbols))
        pieces = _commonest(_joined(map(plain._numbers, cut[:_LINES_TO_LEARN])), plain.size, spoken.pieces)
        return cls(language, plain.symbols, tuple(pieces))

    def encode(self, lines: Sequence[str], width: int | None = None) -> tuple[Tokens, dict[int, str]]:
        """Lines to tokens.

        Args:
            lines: n of them.
            width: T, the places of a line, its end among them; None: as many as the longest takes.

        Returns:
            Tokens (n, T), int16, 0 from the end of a line on, and why a line could not be written, by its place; such
            a line is empty.
        """
        bad: dict[int, str] = {}
        numbers = [self._try(part, place, bad) for place, part in enumerate(cut_lines(lines, self.language))]
        tokens = self._in_pieces(_joined(numbers))
        ends = np.flatnonzero(tokens == _BETWEEN)
        starts = np.append(0, ends + 1)[:-1]
        width = int((ends - starts).max(initial=0)) + 1 if width is None else width
        written = np.zeros((len(lines), width), np.int16)
        for place, (start, end) in enumerate(zip(starts, ends, strict=True)):
            if end - start < width:
                written[place, : end - start] = tokens[start:end]
            else:
                bad[place] = f"longer than {width - 1} tokens"
        return written, bad

    def decode(self, tokens: npt.NDArray[Any]) -> list[str]:
        """Tokens, (n, T), to lines; what follows the first 0 is not read."""
        spoken = LANGUAGES.build(self.language)
        spelled = self._spelled
        lines = []
        for row in tokens.astype(np.int64).tolist():
            end = row.index(_END) if _END in row else len(row)
            lines.append(spoken.join([symbol for token in row[:end] for symbol in spelled[token]]))
        return lines

    def valid(self, lines: Sequence[str]) -> list[bool]:
        """Which lines are such as the language holds: of molecules, molecules."""
        spoken = LANGUAGES.build(self.language)
        return [spoken.valid(line) for line in lines]

    @cached_property
    def _spelled(self) -> list[list[str]]:
        """The symbols of each token."""
        spelled: list[list[str]] = [[], *([symbol] for symbol in self.symbols)]
        for first, second in self.pieces:
            spelled.append(spelled[first] + spelled[second])
        return spelled

    @cached_property
    def _number(self) -> dict[str, int]:
        return {symbol: number for number, symbol in enumerate(self.symbols, 1)}

    def _numbers(self, symbols: Sequence[str]) -> list[int]:
        return [self._number[symbol] for symbol in symbols]

    def _try(self, part: list[str] | str, place: int, bad: dict[int, str]) -> list[int]:
        if isinstance(part, str):
            bad[place] = part
            return []
        try:
            return self._numbers(part)
        except KeyError as error:
            bad[place] = f"holds {error}, which the model has never seen"
            return []

    def _in_pieces(self, tokens: Tokens) -> Tokens:
        for number, pair in enumerate(self.pieces, 1 + len(self.symbols)):
            tokens = _merge(tokens, pair, number)
        return tokens

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON."""
        return {
            "language": self.language,
            "symbols": list(self.symbols),
            "pieces": [list(pair) for pair in self.pieces],
        }

    @classmethod
    def from_dict(cls, entry: Any) -> "Vocabulary":
        """The vocabulary that `to_dict` gave; raises SettingsError for anything else."""
        check_type("vocabulary", entry, dict[str, Any])
        if entry.keys() != {"language", "symbols", "pieces"}:
            raise SettingsError(f"vocabulary: expected language, symbols and pieces, got {shorten(list(entry))}")
        LANGUAGES.build(entry["language"])
        symbols, pieces = entry["symbols"], entry["pieces"]
        check_type("vocabulary, symbols", symbols, list[str])
        check_type("vocabulary, pieces", pieces, list[list[int]])
        if not all(symbol and not {"\n", "\r"} & set(symbol) for symbol in symbols):
            raise SettingsError("vocabulary, symbols: expected texts without line ends, none of them empty")
        lengths = [0] + [1] * len(symbols)  # a file could double them again and again
        for number, pair in enumerate(pieces, 1 + len(symbols)):
            if len(pair) != 2 or not all(1 <= token < number for token in pair):
                raise SettingsError(f"vocabulary, pieces: expected two tokens before each, got {shorten(pair)}")
            lengths.append(lengths[pair[0]] + lengths[pair[1]])
            if lengths[-1] > _LONGEST_PIECE:
                raise SettingsError(f"vocabulary, pieces: expected at most {_LONGEST_PIECE} symbols in one")
        vocabulary = cls(entry["language"], tuple(symbols), tuple((first, second) for first, second in pieces))
        if len(set(symbols)) < len(symbols) or not 2 <= vocabulary.size <= _MOST_TOKENS:
            raise SettingsError(f"vocabulary: expected 1 to {_MOST_TOKENS} different tokens")
        return vocabulary


def cut_lines(lines: Sequence[str], language: Part) -> list[list[str] | str]:
    """The symbols of each line, or, as a text, why it cannot be written in the language.

    Many lines of a slow language are cut by several processes.
    """
    tasks = [lines[start : start + _LINES_A_TASK] for start in range(0, len(lines), _LINES_A_TASK)]
    workers = workers_for(len(lines), _FEW) if LANGUAGES.build(language).slow else 1
    return list(chain.from_iterable(in_order(partial(_cut, language), tasks, workers, "cut lines into symbols")))


def _cut(language: Part, lines: Sequence[str]) -> list[list[str] | str]:
    spoken = LANGUAGES.build(language)
    return [_cut_one(spoken, line) for line in lines]


def _cut_one(spoken: Language, line: str) -> list[str] | str:
    try:
        return spoken.split(line)
    except DataError as error:
        return str(error)


def _joined(lines: Iterable[Sequence[int]]) -> Tokens:
    """All lines as one row of tokens, with -1 after each."""
    return np.fromiter(chain.from_iterable([*line, _BETWEEN] for line in lines), np.int64)


def _commonest(tokens: Tokens, size: int, pieces: int) -> list[tuple[int, int]]:
    """The pairs that are worth a token, the commonest first, each counted after those before it became tokens."""
    found: list[tuple[int, int]] = []
    while len(found) < pieces:
        left, right = tokens[:-1], tokens[1:]
        inside = (left != _BETWEEN) & (right != _BETWEEN)
        counts = np.bincount(left[inside] * size + right[inside], minlength=1)
        if counts.max() < _RARE:
            break
        pair = divmod(int(counts.argmax()), size)
        tokens = _merge(tokens, pair, size)
        found.append(pair)
        size += 1
    return found


def _merge(tokens: Tokens, pair: tuple[int, int], number: int) -> Tokens:
    """A pair of tokens as one, from the left: of three in a row the first two."""
    at = np.flatnonzero((tokens[:-1] == pair[0]) & (tokens[1:] == pair[1]))
    if pair[0] == pair[1]:
        # Within a run of equal tokens every second place begins a pair.
        breaks = np.flatnonzero(np.diff(at, prepend=-2) > 1)
        starts = np.repeat(at[breaks], np.diff(np.append(breaks, len(at))))
        at = at[(at - starts) % 2 == 0]
    merged = tokens.copy()
    merged[at] = number
    return np.delete(merged, at + 1)
