"""An encoder of rows of mixed columns, some of whose cells may be unobserved."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dreamgen.data.batch import Batch
from dreamgen.data.columns import ColumnShape
from dreamgen.errors import SettingsError
from dreamgen.nn.mlp import ENCODERS, trunk

_FARTHEST = 10.0  # model units; a number beyond is as far as that to the network, not to the likelihood


@ENCODERS.register("columns")
class ColumnsEncoder(nn.Module):
    """Numbers as they are, categories by an embedding for each level, and which cells were observed.

    A column of two levels is a number. An unobserved category has an embedding of its own; an unobserved number is 0
    and told apart by the mask.

    Args:
        columns: their shapes.
        context_dim: C, 0 for none.
        hidden: widths of the layers, from the outside in.
        activation: of the layers.
        embedding: numbers for each category.
    """

    def __init__(
        self,
        columns: Sequence[ColumnShape],
        context_dim: int,
        hidden: list[int],
        activation: str = "relu",
        embedding: int = 8,
    ) -> None:
        super().__init__()
        if not columns:
            raise SettingsError("encoder 'columns' reads tables, and there are no columns")
        if not 1 <= embedding <= 1024:
            raise SettingsError(f"encoder 'columns', embedding: expected 1 to 1024, got {embedding}")
        categories = [j for j, column in enumerate(columns) if column.levels > 2]
        numbers = [j for j, column in enumerate(columns) if column.levels <= 2]
        sizes = [columns[j].levels + 1 for j in categories]  # one more for an unobserved cell
        starts = [sum(sizes[:n]) for n in range(len(sizes))]
        self._constant("categories", categories)
        self._constant("numbers", numbers)
        self._constant("starts", starts)
        self._constant("unobserved", [columns[j].levels for j in categories])
        self.embedding = nn.Embedding(sum(sizes), embedding) if categories else None
        width = len(numbers) + len(columns) + len(categories) * embedding + context_dim
        self.layers = trunk(width, hidden, activation)
        self.features = hidden[-1] if hidden else width

    def _constant(self, name: str, values: list[int]) -> None:
        self.register_buffer(f"_{name}", torch.tensor(values, dtype=torch.long), persistent=False)

    def _buffer(self, name: str) -> Tensor:
        value: Tensor = getattr(self, f"_{name}")
        return value

    def forward(self, batch: Batch) -> Tensor:
        """A batch of B rows to features, (B, F)."""
        mask = batch.observed
        x = torch.where(mask, batch.x, 0.0)
        numbers = x.index_select(1, self._buffer("numbers")).clamp(-_FARTHEST, _FARTHEST)
        parts = [numbers, mask.to(x.dtype)]
        if self.embedding is not None:
            columns, unobserved = self._buffer("categories"), self._buffer("unobserved")
            code = torch.where(mask.index_select(1, columns), x.index_select(1, columns).long(), unobserved)
            code = torch.minimum(code.clamp(min=0), unobserved) + self._buffer("starts")
            parts.append(self.embedding(code).flatten(1))
        if batch.context is not None:
            parts.append(batch.context)
        features: Tensor = self.layers(torch.cat(parts, dim=-1))
        return features
