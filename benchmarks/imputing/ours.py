"""Ourselves, as anybody would use the package: `Imputer` with its defaults on a frame with gaps."""

from typing import Any

from dreamgen import Imputer
from imputing.tables import Table


class Ours:
    """`dreamgen.Imputer`; a quick one trains for a fraction of the steps."""

    def __init__(self, seed: int, **settings: Any) -> None:
        self.imputer = Imputer(random_state=seed, **settings)

    def fit(self, train: Table) -> "Ours":
        self.imputer.fit(train.frame())
        return self

    def fill(self, table: Table) -> Table:
        return table.like(self.imputer.transform(table.frame()))

    def bounds(self, table: Table, level: float) -> tuple[Table, Table]:
        """The ends of the intervals; a category's are the likeliest one, and nobody counts them."""
        low, high = self.imputer.intervals(table.frame(), level=level)
        return table.like(low), table.like(high)
