"""How data is to be read, and what is said of what was left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dreamgen.errors import DataError
from dreamgen.workers import Watch


def silent(done: int, total: int) -> None:
    """A watch that says nothing."""


@dataclass(frozen=True)
class Reading:
    """How a set is to be read.

    Attributes:
        size: side in pixels that pictures are brought to; None: as they are, or as their set usually is.
        skip_bad: leave out what cannot be read or learnt from, and count it, in place of an error.
        watch: told how many of how many are done.
        longest: characters of a line or a molecule; None: any of a line, and as usual of a molecule.
        largest_part: of a mixture keep the molecule of most heavy atoms, in place of an error.
    """

    size: int | None = None
    skip_bad: bool = False
    watch: Watch = silent
    longest: int | None = None
    largest_part: bool = False

    def __post_init__(self) -> None:
        if self.longest is not None and self.longest < 1:
            raise DataError(f"longest: expected 1 character or more, got {self.longest}")


USUAL = Reading()
"""As a set usually is; what is bad is an error."""


def notes_of(skipped: Mapping[int, str], n: int, shown: int = 3, what: str = "pictures") -> tuple[str, ...]:
    """What is to be said of pictures, or others, that were left out: how many, and the first of them."""
    if not skipped:
        return ()
    first = "; ".join(skipped[number] for number in sorted(skipped)[:shown])
    return (f"{len(skipped)} of {n} {what} left out: {first}{'; ...' if len(skipped) > shown else ''}",)


def leave_out(bad: Mapping[int, str], n: int, reading: Reading, what: str) -> tuple[str, ...]:
    """What is to be said of the bad ones of n lines or molecules, by number.

    Raises:
        DataError: there are some and they are not to be skipped, or there are no others; the first is named.
    """
    if bad and not reading.skip_bad:
        raise DataError(
            f"{bad[min(bad)]} ({len(bad)} of {n} {what} are bad); --skip-bad leaves such {what} out and counts them"
        )
    if len(bad) == n:
        raise DataError(f"none of {n} {what} can be learnt from, the first because: {bad[min(bad)]}")
    return notes_of(bad, n, what=what)


def listed(names: Sequence[str], shown: int = 5) -> str:
    """The first of some names, for messages."""
    return ", ".join(names[:shown]) + (", ..." if len(names) > shown else "")
