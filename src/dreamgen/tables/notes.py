"""What was dropped or changed on the way, counted and named: nothing vanishes in silence."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_NAMED = 3  # examples in a line
_COUNTED = re.compile(r"\{n\} (cell|gap|row|value)s\b")
_VERB = re.compile(r"\b(are|were|have|begin|break|come|hold|lie|stay)\b")
_OF_ONE = {"are": "is", "were": "was", "have": "has"}


@dataclass
class Notes:
    """Lines such as "column 'age': 3 cells lie above 90, the greatest in training".

    Notes of the same subject and matter add up, so the notes of many batches read like those of one table.
    """

    _entries: dict[tuple[str, str], tuple[int, tuple[str, ...]]] = field(default_factory=dict)

    @classmethod
    def of(cls, *others: "Notes") -> "Notes":
        """Several notes as one."""
        notes = cls()
        for one in others:
            notes.update(one)
        return notes

    def add(self, subject: str, what: str, count: int = 0, examples: Iterable[object] = ()) -> None:
        """Note that `count` cells, rows or columns met something.

        Args:
            subject: where, such as "column 'age'".
            what: the matter, where `{n}` stands for the count and `{s}` for its examples.
            count: how many; 0 where the note is no count.
            examples: a few of what was met; kept as texts.
        """
        before, known = self._entries.get((subject, what), (0, ()))
        texts = dict.fromkeys([*known, *(repr(e) for e in examples)])
        self._entries[subject, what] = (before + int(count), tuple(texts)[: _NAMED + 1])

    def column(self, name: str, what: str, count: int = 0, examples: Iterable[object] = ()) -> None:
        """A note on a column."""
        self.add(f"column {name!r}", what, count, examples)

    def say(self, line: str, subject: str = "") -> None:
        """A line as it is."""
        self.add(subject, line.replace("{", "{{").replace("}", "}}"))

    def update(self, other: "Notes") -> None:
        """Take over another's notes, counts added."""
        for (subject, what), (count, examples) in other._entries.items():
            before, known = self._entries.get((subject, what), (0, ()))
            self._entries[subject, what] = (before + count, tuple(dict.fromkeys([*known, *examples]))[: _NAMED + 1])

    def beyond(self, other: "Notes") -> "Notes":
        """Those of a subject and matter that another has none of."""
        return Notes({key: entry for key, entry in self._entries.items() if key not in other._entries})

    def count(self, subject: str = "", what: str = "") -> int:
        """The sum of counts of the notes whose subject and matter hold the given texts."""
        return sum(n for (s, w), (n, _) in self._entries.items() if subject in s and what in w)

    @property
    def lines(self) -> list[str]:
        """One line a note."""
        return list(self)

    def __iter__(self) -> Iterator[str]:
        for (subject, what), (count, examples) in self._entries.items():
            said = (_of_one(what) if count == 1 else what).format(n=f"{count:,}", s=_named(examples))
            yield f"{subject}: {said}" if subject else said

    def __len__(self) -> int:
        return len(self._entries)

    def __str__(self) -> str:
        return "\n".join(self.lines)


def _named(examples: tuple[str, ...]) -> str:
    return ", ".join(examples[:_NAMED]) + (", ..." if len(examples) > _NAMED else "")


def _of_one(what: str) -> str:
    """A matter of many, told of one: "{n} cells lie below 0" becomes "{n} cell lies below 0"."""
    if "{n}" not in what:
        return what
    before, after = what.split("{n}", 1)
    after = _COUNTED.sub(r"{n} \1", "{n}" + after)
    told = _VERB.sub(lambda found: _OF_ONE.get(found[0], found[0] + "s"), after, count=1)
    return before + told.replace("as they are", "as it is")
