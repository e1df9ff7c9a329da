"""The one data contract: what training, scoring, filling in and coding all pass around."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """B examples.

    Attributes:
        x: data, (B, *event).
        mask: which elements of x are observed, bool, (B, *event); None: all.
        context: what the model is conditioned on, (B, C); None: nothing.
        properties: what is read off the codes, (B, P); None: nothing, or not known.
    """

    x: Tensor
    mask: Tensor | None = None
    context: Tensor | None = None
    properties: Tensor | None = None

    @property
    def observed(self) -> Tensor:
        """The mask, written out where it is None: bool, (B, *event)."""
        return torch.ones_like(self.x, dtype=torch.bool) if self.mask is None else self.mask

    def __len__(self) -> int:
        return self.x.shape[0]

    def __getitem__(self, rows: Tensor | slice) -> "Batch":
        """The examples of some rows: a slice, a mask, or numbers from 0."""
        optional = (self.mask, self.context, self.properties)
        return Batch(_take(self.x, rows), *(value if value is None else _take(value, rows) for value in optional))

    def to(self, device: torch.device) -> "Batch":
        """The same examples on a device."""
        optional = (self.mask, self.context, self.properties)
        return Batch(self.x.to(device), *(value if value is None else value.to(device) for value in optional))


def _take(values: Tensor, rows: Tensor | slice) -> Tensor:
    # Whole rows are copied as such; indexing by a tensor would go element by element.
    if isinstance(rows, Tensor) and rows.dtype == torch.int64:
        return values.index_select(0, rows)
    return values[rows]


def as_float(x: Tensor) -> Tensor:
    """Data as the model sees it: bytes 0..255 become floats 0..1, floats stay, other numbers become float32."""
    if x.dtype == torch.uint8:
        return torch.div(x, 255)  # float32, in one pass over memory
    return x if x.is_floating_point() else x.float()
