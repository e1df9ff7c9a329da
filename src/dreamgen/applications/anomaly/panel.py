"""A panel of judges: few rows are judged by several, so that each row is held out by one of them at least."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dreamgen.applications.anomaly.judge import Bench, Judge, Scores, judges_for, train_judge
from dreamgen.applications.anomaly.scores import SCORES
from dreamgen.applications.anomaly.strange import strange_cells
from dreamgen.applications.table_model import rows_of
from dreamgen.config import Settings
from dreamgen.data.batch import Batch
from dreamgen.distributions.noise import derive_seed
from dreamgen.tables import Codec
from dreamgen.training import Record

if TYPE_CHECKING:
    import pyarrow as pa

    from dreamgen.applications.anomaly.features import Floats

ALL = (*SCORES, "combined")
LEAST_ROWS = 8
_ROWS = 8192  # judged at once


@dataclass(frozen=True)
class Panel:
    """Judges that were trained together, and what they found of their training rows.

    Attributes:
        judges: one or more.
        rows: n, how many they learned from.
        calibration: by name the scores of rows that a judge held out, ascending.
        training: by name the scores of all n rows, (n,), by the judges that never saw them where there are any.
    """

    judges: tuple[Judge, ...]
    rows: int
    calibration: Scores
    training: Scores

    @classmethod
    def train(
        cls, bench: Bench, settings: Settings, seed: int, device: str, on_record: Callable[[Record], None]
    ) -> "Panel":
        """As many judges as so many rows get, each with its own held-out part."""
        n = len(bench.rows)
        count, share = judges_for(n, len(bench.codec.shapes))
        judges: list[Judge] = []
        seen: list[Scores] = []
        held = np.zeros((count, n), bool)
        for number in range(count):
            own = derive_seed(seed, "judge", number) % 2**31
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message=".*latent")  # a collapsed latent is no worse a judge
                judge, views, held_out = train_judge(bench, settings, share, own, device, on_record)
            judges.append(judge)
            held[number, held_out] = True
            seen.append(judge.scores(views, np.arange(n)))
        judged = held.any(0)
        weight = np.where(judged, held, True).astype(np.float64)
        weight /= weight.sum(0)
        found = {name: np.einsum("kn,kn->n", weight, np.stack([s[name] for s in seen])) for name in seen[0]}
        return cls(tuple(judges), n, {name: np.sort(values[judged]) for name, values in found.items()}, found)

    def scores(self, table: "pa.Table", names: Sequence[str] = ALL) -> Scores:
        """Some scores of the rows of a table by name, (n,), each the mean of what the judges say."""
        parts = [self._score(rows, strange, names) for rows, strange in self._read(table)]
        return {name: np.concatenate([part[name] for part in parts]) for name in names}

    def _score(self, rows: Batch, strange: "Floats", names: Sequence[str]) -> Scores:
        found = [judge.scores(judge.views(rows, strange), names=names) for judge in self.judges]
        return {name: np.mean([one[name] for one in found], axis=0) for name in names}

    def knows(self, table: "pa.Table") -> NDArray[np.bool_]:
        """Which rows of a table are equal to rows of the training, of those that are kept, (n,)."""
        return np.concatenate([self.judges[0].knows(rows, strange) for rows, strange in self._read(table)])

    def knows_most(self, met: int, rows: int) -> bool:
        """Whether so many rows equal to kept ones, of `rows`, mean that most rows are of the training.

        In a table of few categories rows are equal by chance: as often as in the training itself.
        """
        geometry = self.judges[0].geometry
        kept, chance = len(geometry.tensors["reference"]) / self.rows, geometry.repeated
        return rows >= LEAST_ROWS and met > rows * (chance + kept * (1 - chance) / 2)

    def _read(self, table: "pa.Table") -> Iterator[tuple[Batch, "Floats"]]:
        """Rows of a table, some at a time, and how many of each one's cells were never seen."""
        codec = self.judges[0].model.codec
        for start in range(0, table.num_rows, _ROWS):
            yield cells_of(codec, table.slice(start, _ROWS))


def cells_of(codec: Codec, table: "pa.Table") -> tuple[Batch, "Floats"]:
    """The rows of a table, and how many cells of each were never seen, (n,)."""
    return rows_of(codec, table), strange_cells(codec, table).sum(1).astype(np.float64)
