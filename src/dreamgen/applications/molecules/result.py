"""What climbs find, and what stands in a table of them."""

from dataclasses import dataclass
from typing import Any

from dreamgen.applications.molecules.oracle import Oracle
from dreamgen.applications.molecules.room import Room

COLUMNS = ("smiles", "start", "start_value", "best_value", "improvement", "similarity", "calls")


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

    def row(self) -> dict[str, Any]:
        """Plain values by `COLUMNS`, of which `smiles` is the best."""
        return {name: self.best if name == "smiles" else getattr(self, name) for name in COLUMNS}

    @classmethod
    def of(cls, room: Room) -> "Climb":
        """The climb that ended in a room."""
        oracle: Oracle = room.oracle
        alike = {one.smiles: one.similarity for one in room.asked}
        path: list[Step] = []
        for number, (smiles, value) in enumerate(oracle.answers.items(), 1):
            if smiles in alike and (not path or (value - path[-1].value) * oracle.goal.sign > 0):
                path.append(Step(smiles, value, alike[smiles], number))
        return cls(room.start, tuple(path), oracle.calls, oracle.goal.highest)
