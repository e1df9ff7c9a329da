"""The oracle: what is asked for the true value of a molecule, and how often it was asked."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dreamgen.chemistry.molecules import parse, written
from dreamgen.chemistry.properties import PROPERTIES
from dreamgen.errors import DataError, SettingsError
from dreamgen.registry import nearest

if TYPE_CHECKING:
    from rdkit.Chem import Mol


@dataclass(frozen=True)
class Goal:
    """A property that is to rise, or to fall.

    Attributes:
        name: of the property; where `score` is left out, one of `chemistry.properties.PROPERTIES`.
        highest: whether more is better.
        score: a molecule to its true value; None: the property of that name.

    Raises:
        SettingsError: no property of that name.
    """

    name: str
    highest: bool = True
    score: "Callable[[Mol], float] | None" = None

    def __post_init__(self) -> None:
        if self.score is None and self.name not in PROPERTIES:
            raise SettingsError(f"unknown property {self.name!r}, {nearest(self.name, PROPERTIES)}")

    @classmethod
    def of(cls, goal: "str | Goal") -> "Goal":
        """A goal by the name of its property, which is to rise."""
        return cls(goal) if isinstance(goal, str) else goal

    @property
    def sign(self) -> float:
        """1 where more is better, else -1."""
        return 1.0 if self.highest else -1.0

    def value(self, mol: "Mol") -> float:
        """The true value."""
        return float((self.score or PROPERTIES[self.name])(mol))


class Oracle:
    """Answers with true values, and remembers them: a molecule is asked for once, however it is written.

    Attributes:
        goal: what is asked.
        answers: by canonical SMILES, in the order of the calls; NaN or infinite where the goal has no value.
    """

    def __init__(self, goal: Goal) -> None:
        self.goal = goal
        self.answers: dict[str, float] = {}

    @property
    def calls(self) -> int:
        """How many different molecules were asked for."""
        return len(self.answers)

    def __call__(self, smiles: str) -> float:
        """The value of a molecule; raises DataError for what is none."""
        mol = parse(smiles)
        if mol is None:
            raise DataError(f"{smiles!r} is no molecule")
        name = written(mol)
        if name not in self.answers:
            # A sum over atoms depends, in its last digits, on their order: that of the canonical text counts.
            self.answers[name] = self.goal.value(mol if name == smiles else parse(name) or mol)
        return self.answers[name]

    def ask(self, several: Iterable[str]) -> list[float]:
        """The value of each."""
        return [self(smiles) for smiles in several]
