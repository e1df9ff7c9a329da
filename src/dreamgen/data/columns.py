"""What a model knows of a column of a table: not its name and not its unit, only how its values can lie."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ColumnShape:
    """One column as numbers.

    Attributes:
        levels: how many categories there are, coded 0 .. levels - 1; 0 for a column of numbers.
        atoms: numbers that have a probability of their own, such as the 0 of a sum that is mostly nothing.
        step: the distance of two neighbouring values where the numbers lie on a grid; 0 where they are continuous.
        floor: the least scale of a component around a number. No cell can then be worth more than about
            -log(floor) nats over a scale of 1, so no column drowns the rest.
    """

    levels: int = 0
    atoms: tuple[float, ...] = ()
    step: float = 0.0
    floor: float = 0.02
