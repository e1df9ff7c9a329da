"""What a part reports: how often the product held, and the first few times that it did not."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_SHOWN = 30


@dataclass
class Outcome:
    """The count of one part.

    Attributes:
        good, total: how many attempts the product withstood, and how many there were.
        failures: the first attempts that it did not withstand, a line each.
        note: what else was measured.
        skipped: why the part did not run; empty where it did.
        seconds: how long it took.
    """

    good: int = 0
    total: int = 0
    failures: list[str] = field(default_factory=list)
    note: str = ""
    skipped: str = ""
    seconds: float = 0.0

    def count(self, held: bool, what: str) -> None:
        """One attempt: whether the product withstood it, and what to say if it did not."""
        self.total += 1
        self.good += held
        if not held and len(self.failures) < _SHOWN:
            self.failures.append(what)

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return self.good == self.total

    def line(self, name: str) -> str:
        """The part in one line, and one more for each failure that is shown."""
        if self.skipped:
            return f"{name:<9} skipped: {self.skipped}"
        note = f"; {self.note}" if self.note else ""
        first = f"{name:<9} {self.good} of {self.total}, {self.seconds:.1f} s{note}"
        return "\n".join([first, *(f"          FAILED {failure}" for failure in self.failures)])

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {**vars(self), "seconds": round(self.seconds, 2)}


Part = Callable[[int, int, Path], Outcome]
"""A part is called with its size, a seed and an empty folder."""


def timed(part: Part, size: int, seed: int, folder: Path) -> Outcome:
    """Run a part and note its seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    outcome = part(size, seed, folder)
    outcome.seconds = time.perf_counter() - started
    return outcome
