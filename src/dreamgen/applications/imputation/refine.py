"""Trees that go on from what a model expects in gaps, and are averaged with it.

missForest (https://doi.org/10.1093/bioinformatics/btr597) starts from means, and predicts each column from the others
as they were filled last. Here it starts from a model's conditional means: a column is predicted from the whole row as
the model completes it, what the model expects of the column itself among it. Trees see steps and corners that a
smooth decoder misses; the model sees what all columns have in common, and bears gaps better: the more of them, the
more it counts.

A row to learn from has its own gaps, and its cell of the column is hidden from the model as well: it looks like a row
to be filled. A table with few gaps gets some more for that.

Letters: n rows, d modelled columns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dreamgen.applications.imputation.filling import Block, Floats, expected
from dreamgen.applications.imputation.forests import Forest, grow
from dreamgen.applications.table_model import TableModel
from dreamgen.data.batch import Batch
from dreamgen.data.columns import ColumnShape
from dreamgen.distributions import derive_seed, generator
from dreamgen.errors import ModelFileError
from dreamgen.tensors import dump_tensors, parse_tensors

TREES, LEAVES = 60, (1, 2, 5, 10)
FEATURES, FEWEST_FEATURES = 0.5, 3  # share of the inputs that is tried at a split, but so many where there are
LEAST, GREATEST = 0.3, 0.7  # weight of the trees
_SAMPLES = 30  # K for each row that is learned from
MOST = 20_000  # rows that are learned from
_FEWEST = 20  # rows that have a column, for it to be predicted by trees
_INDICATORS = 10  # a category of more levels is told by its code
_FEW = 0.05  # share of gaps below which a table gets more
FILE, _WEIGHT = "forests.safetensors", "weight"

Shares = Mapping[int, Floats]


@dataclass(frozen=True)
class Refiner:
    """Trees beside one model.

    Attributes:
        shapes: of the model's columns.
        forests: by column; a column that hardly any row has is left to the model.
        weight: of the trees in the mean of both.
    """

    shapes: tuple[ColumnShape, ...]
    forests: dict[int, Forest]
    weight: float

    @classmethod
    def fit(
        cls, model: TableModel, rows: Batch, seed: int, asked: Sequence[str] | None = None, most: int = MOST
    ) -> "Refiner":
        """Grow trees on the rows that a model was trained on.

        Args:
            model: trained.
            rows: n rows with their gaps.
            seed: of the trees.
            asked: the columns that will be asked for; by default all.
            most: rows that are learned from.
        """
        shapes = tuple(model.codec.shapes)
        rows = rows[torch.randperm(len(rows), generator=generator(seed, "trees"))[:most].sort().values]
        x, mask = rows.x, rows.observed
        seen = _with_gaps(mask, seed)
        forests = {}
        for j, shape in enumerate(shapes):
            there = mask[:, j]
            if int(there.sum()) < _FEWEST or (asked is not None and model.codec.names[j] not in asked):
                continue
            others = seen[there].clone()
            others[:, j] = False
            given = Batch(torch.where(others, x[there], 0.0), others)
            means, shares = expected(model, given, _SAMPLES, seed)
            own = x[there, j].double().numpy()
            wanted = np.eye(shape.levels)[own.astype(np.int64)] if shape.levels else own[:, None]
            inputs = _inputs(given, means, shares)
            forests[j] = grow(
                inputs,
                wanted,
                trees=TREES,
                leaves=LEAVES,
                features=min(1.0, max(FEATURES, FEWEST_FEATURES / inputs.shape[1])),
                seed=derive_seed(seed, "trees", j) % 2**31,
            )
        return cls(shapes, forests, float(np.clip(float(seen.float().mean()), LEAST, GREATEST)))

    def refined(self, rows: Batch, means: Floats, shares: Shares) -> tuple[Floats, dict[int, Floats]]:
        """What to expect of each cell.

        Args:
            rows: n rows.
            means: of the model, (n, d), in model units.
            shares: probabilities of levels by the model, (n, levels), by column.

        Returns:
            The same, with the trees' say in it, where a cell was not observed.
        """
        mask = rows.observed.numpy()
        inputs = _inputs(rows, means, shares)
        means, shares = means.copy(), {j: share.copy() for j, share in shares.items()}
        for j, forest in self.forests.items():
            gaps = ~mask[:, j]
            if gaps.any():
                made = shares[j] if j in shares else means[:, j : j + 1]
                made[gaps] += self.weight * (forest.predict(inputs[gaps]) - made[gaps])
        return means, shares

    def shift(self, block: Block) -> Floats:
        """What the trees add to the means of a block's numbers, (real, d), in model units.

        Nothing where a column has values with a probability of their own: what is moved would not be these values.
        """
        means, own = block.means(), [j for j, shape in enumerate(self.shapes) if not shape.levels and not shape.atoms]
        shares = {j: block.levels(j) for j, shape in enumerate(self.shapes) if shape.levels}
        more = np.zeros_like(means)
        more[:, own] = (self.refined(block.rows, means, shares)[0] - means)[:, own]
        return more

    def to_bytes(self) -> bytes:
        """A safetensors file."""
        tensors: dict[str, NDArray[Any]] = {_WEIGHT: np.array([self.weight])}
        for j, forest in self.forests.items():
            tensors |= forest.tensors(str(j))
        return dump_tensors({name: torch.from_numpy(values) for name, values in tensors.items()})

    @classmethod
    def from_bytes(cls, content: bytes, shapes: tuple[ColumnShape, ...]) -> "Refiner":
        """From a safetensors file; raises ModelFileError."""
        tensors = {name: tensor.numpy() for name, tensor in parse_tensors(content, FILE).items()}
        weight = tensors.pop(_WEIGHT, np.zeros(0))
        if weight.shape != (1,) or not 0 <= weight[0] <= 1:
            raise ModelFileError(f"{FILE}: expected one weight from 0 to 1")
        width, forests = sum(map(_width, shapes)), {}
        for name in sorted({key.split(".")[0] for key in tensors}):
            if not name.isdecimal() or int(name) >= len(shapes):
                raise ModelFileError(f"{FILE}: expected trees of {len(shapes)} columns, got {name!r}")
            outputs = shapes[int(name)].levels or 1
            forests[int(name)] = Forest.from_tensors(name, tensors, width, outputs)
        return cls(shapes, dict(sorted(forests.items())), float(weight[0]))


def _with_gaps(mask: torch.Tensor, seed: int) -> torch.Tensor:
    """What is left to be seen: of a table with hardly any gaps, each row loses another share of its cells."""
    if 1 - float(mask.float().mean()) > _FEW:
        return mask
    random = generator(seed, "gaps for trees")
    share = 0.5 * torch.rand((len(mask), 1), generator=random)
    return mask & (torch.rand(mask.shape, generator=random) >= share)


def _width(shape: ColumnShape) -> int:
    return 1 if shape.levels <= 2 or shape.levels > _INDICATORS else shape.levels


def _inputs(rows: Batch, means: Floats, shares: Shares) -> NDArray[np.float32]:
    """Rows as the model completes them, (n, f): numbers, and shares of levels."""
    x = rows.x.double().numpy()
    mask = rows.observed.numpy()
    parts = []
    for j in range(x.shape[1]):
        seen = mask[:, [j]]
        if j not in shares:
            parts.append(np.where(seen, x[:, [j]], means[:, [j]]))
            continue
        levels = shares[j].shape[1]
        if levels > _INDICATORS:
            parts.append(np.where(seen, x[:, [j]], shares[j].argmax(1)[:, None]))
        else:
            known = np.eye(levels)[np.where(seen[:, 0], x[:, j], 0).astype(np.int64)]
            found = np.where(seen, known, shares[j])
            parts.append(found[:, 1:] if levels == 2 else found)
    return np.concatenate(parts, 1, dtype=np.float32)
