"""Molecules as a person writes them, brought to the lines that a model can read, or counted by why not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dreamgen.chemistry.smiles import canonical
from dreamgen.data.vocabulary import Vocabulary
from dreamgen.errors import DataError, SettingsError
from dreamgen.inputs import lines_of
from dreamgen.io import SavedModel
from dreamgen.registry import shorten


@dataclass(frozen=True)
class Readable:
    """Which of some molecules a model can read.

    Attributes:
        given: n texts, as they were handed over.
        smiles: canonical SMILES of those that can be read, in their order.
        places: of those among the n.
        bad: why another cannot be read, by its place.
    """

    given: list[str]
    smiles: list[str]
    places: list[int]
    bad: dict[int, str]

    @property
    def reasons(self) -> dict[str, int]:
        """How many cannot be read for each reason, the commonest first."""
        return dict(Counter(self.bad.values()).most_common())

    def require_all(self) -> None:
        """Raise DataError that names the first which cannot be read and counts the others."""
        if self.bad:
            first = min(self.bad)
            others = f"; {len(self.bad)} of {len(self.given)} cannot be read" if len(self.bad) > 1 else ""
            raise DataError(f"molecule {first + 1}, {shorten(self.given[first])}: {self.bad[first]}{others}")


def readable(smiles: Sequence[str], saved: SavedModel) -> Readable:
    """Molecules in any notation of SMILES, canonical, as far as the tokens of a model can write them.

    Raises:
        DataError: not a sequence of texts, or none.
    """
    assert saved.vocabulary is not None
    given = lines_of(smiles)
    found = [canonical(text) for text in given]
    bad = {place: "no molecule" for place, text in enumerate(found) if text is None}
    bad |= {place: "a mixture: expected one molecule" for place, text in enumerate(found) if "." in (text or "")}
    places = [place for place in range(len(given)) if place not in bad]
    unwritten = _unwritten([found[place] or "" for place in places], saved.vocabulary, saved.event_shape[0])
    bad |= {places[row]: reason for row, reason in unwritten.items()}
    places = [place for place in places if place not in bad]
    return Readable(given, [found[place] or "" for place in places], places, dict(sorted(bad.items())))


def molecule_tokens(saved: SavedModel) -> Vocabulary:
    """The tokens of a model of molecules that is told nothing; raises SettingsError for any other."""
    if saved.vocabulary is None or saved.holds != "molecules" or saved.context is not None:
        raise SettingsError("expected a model of molecules as lines of text, told nothing: got another one")
    return saved.vocabulary


def _unwritten(lines: list[str], vocabulary: Vocabulary, width: int) -> dict[int, str]:
    return vocabulary.encode(lines, width)[1] if lines else {}
