"""Rows drawn from a model of a table: conditions met, constraints kept, gaps and keys put in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from dreamgen.applications.synthesis.conditioning import Found, conditional_codes, draw_codes, rows_of_codes
from dreamgen.applications.synthesis.conditions import Asked, first_of, rare_noise
from dreamgen.applications.synthesis.constraints import Constraint
from dreamgen.applications.synthesis.missingness import MissingFlags
from dreamgen.applications.table_model import TableModel
from dreamgen.data.batch import Batch
from dreamgen.distributions import PortableNoise, derive_seed
from dreamgen.errors import DataError
from dreamgen.tables import Column, Notes, Schema
from dreamgen.tables.restore import made_anew

if TYPE_CHECKING:
    import pyarrow as pa

_ROUNDS = 20  # of drawing anew what broke a constraint; then it is mended
_SAMPLE = 4096  # rows that one block of noise serves


def is_shared(model: TableModel) -> bool:
    """Whether a model is a decoder alone."""
    return bool(model.saved.settings.encoder == "absent")


@dataclass
class Sampler:
    """Draws rows.

    Attributes:
        model: of the table, and of what tells of its gaps.
        columns: of the table.
        gaps: which columns have any.
        constraints: that every row keeps.
        notes: what was drawn anew or changed.
        found: how the codes of a condition were found; None: there was none.
    """

    model: TableModel
    columns: Sequence[Column]
    gaps: MissingFlags
    constraints: Sequence[Constraint]
    notes: Notes = field(default_factory=Notes)
    found: Found | None = None

    def table(self, n: int, asked: Asked, seed: int) -> "pa.Table":
        """n rows, a function of the seed; raises DataError where conditions or constraints cannot be met."""
        import pyarrow as pa

        table, drawn = self._draw(n, asked, derive_seed(seed, 0)), 0
        for attempt in range(1, _ROUNDS):
            broken = np.flatnonzero(self._broken(table))
            if not len(broken):
                break
            drawn += len(broken)
            fresh = self._draw(len(broken), asked, derive_seed(seed, attempt))
            place = np.arange(n)
            place[broken] = n + np.arange(len(broken))
            table = pa.concat_tables([table, fresh]).take(pa.array(place))
        return self._keys(self._mend(table, drawn))

    def _draw(self, n: int, asked: Asked, seed: int) -> "pa.Table":
        """n rows, whatever the constraints say."""
        codec = self.model.codec
        x = self._rows(n, asked, seed).cpu().double().numpy()
        uniform = np.random.default_rng(derive_seed(seed, "rare")).random(x.shape)
        rare_noise(asked, codec, uniform)
        return self.gaps.put_back(codec.decode(x, noise=uniform), [column.name for column in self.columns])

    @torch.no_grad()
    def _rows(self, n: int, asked: Asked, seed: int) -> torch.Tensor:
        """n rows of numbers, (n, d)."""
        model, device = self.model.saved.model, self.model.device
        prior = model.prior(None)
        if asked.conditions:
            noise = PortableNoise(seed, "conditions", device=device)
            self.found = conditional_codes(prior, model.decoder, asked.conditions, n, noise, self._proposal(asked))
            return rows_of_codes(model.decoder, self.found.z, asked.conditions, noise)
        blocks = []
        for block in range(-(-n // _SAMPLE)):
            # A block's noise is drawn whole, so that a row does not depend on how many others there are.
            noise = PortableNoise(seed, "rows", block, device=device)
            blocks.append(rows_of_codes(model.decoder, draw_codes(prior, _SAMPLE, noise), (), noise))
        return torch.cat(blocks)[:n]

    def _proposal(self, asked: Asked) -> tuple[torch.Tensor, torch.Tensor] | None:
        """Where the encoder sees rows of which nothing but the conditions is known; None without an encoder."""
        if is_shared(self.model):
            return None
        partial = first_of(asked, self.model.codec)
        x = torch.zeros(len(partial), len(self.model.codec.names))
        mask = torch.zeros_like(x, dtype=torch.bool)
        for row, values in enumerate(partial):
            for column, value in values.items():
                x[row, column], mask[row, column] = value, True
        q = self.model.posterior(Batch(x, mask))
        return q.mean.to(self.model.device), q.stddev.to(self.model.device)

    def _broken(self, table: "pa.Table") -> NDArray[np.bool_]:
        found = np.zeros(table.num_rows, bool)
        for constraint in self.constraints:
            found |= constraint.broken(table)
        return found

    def _mend(self, table: "pa.Table", drawn: int) -> "pa.Table":
        """Rows that still break a constraint after all rounds, with cells moved; counted."""
        left, schema = int(self._broken(table).sum()), Schema(tuple(self.columns))
        if drawn:
            self.notes.add("constraints", "{n} rows broke one and were drawn anew", drawn)
        if left:
            self.notes.add("constraints", "{n} rows broke one every time; a cell of each was moved", left)
        for _ in self.constraints:
            for constraint in self.constraints:
                table = constraint.mend(table, schema)
        if still := int(self._broken(table).sum()):
            raise DataError(
                f"{still} rows cannot keep all constraints at once, within the columns' bounds: "
                f"{', '.join(map(str, self.constraints))}"
            )
        return table

    def _keys(self, table: "pa.Table") -> "pa.Table":
        """Keys counted through, whatever rounds the rows came from."""
        for place, column in enumerate(self.columns):
            if column.kind == "identifier":
                table = table.set_column(place, column.name, made_anew(column, table.num_rows))
        return table
