"""A trained model that judges rows: its geometry, and the scale of its scores on rows that it never saw."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dreamgen.applications.anomaly.features import Floats, RowSpace
from dreamgen.applications.anomaly.scores import COMBINED, SCORES, Geometry, Scale, combine, measured, surprises
from dreamgen.applications.anomaly.views import Marginals, Views, view
from dreamgen.applications.table_model import TableModel
from dreamgen.config import Settings
from dreamgen.data.batch import Batch
from dreamgen.tables import Codec
from dreamgen.training import Record
from dreamgen.training.fit import split_rows

Scores = dict[str, Floats]
_SMALL = 2000  # rows below which there are several judges, each with its own held-out part
_WIDE = 1600  # columns beyond which one judge has to do, and learns for fewer steps: each tells it of more cells


@dataclass(frozen=True)
class Judge:
    """One model and what its scores mean.

    Attributes:
        model: trained.
        space, marginals, geometry: of the training rows.
        scales: of all that is measured, on the held-out rows.
        usual: what each column costs on average by itself, (d,), nats.
        seed: of the importance samples.
    """

    model: TableModel
    space: RowSpace
    marginals: Marginals
    geometry: Geometry
    scales: Mapping[str, Scale]
    usual: Floats
    seed: int

    def views(self, rows: Batch, strange: Floats) -> Views:
        """What the model makes of rows."""
        return view(self.model, self.space, self.marginals, rows, strange, self.seed)

    def knows(self, rows: Batch, strange: Floats) -> NDArray[np.bool_]:
        """Which rows are equal to one of the training rows that are kept as neighbours, (n,)."""
        return self.geometry.holds(self.space.points(rows), strange)

    def scores(
        self, views: Views, own: NDArray[np.int64] | None = None, names: Sequence[str] = (*SCORES, "combined")
    ) -> Scores:
        """Some scores by name, each as surprise, which is the same scale for all judges."""
        needed = {part for name in names for part in (COMBINED if name == "combined" else (name,))}
        found = surprises(measured(views, self.geometry, own, sorted(needed)), self.scales)
        if "combined" in names:
            found["combined"] = combine(found)
        return {name: found[name] for name in names}


def judges_for(rows: int, columns: int) -> tuple[int, float]:
    """How many judges rows get, and the share of the rows that each holds out.

    Few rows: several judges, whose held-out parts together are most of the rows. Many: one, and 2,000 rows are
    enough to know the 95th percentile.
    """
    if rows < _SMALL:
        return (3 if columns <= _WIDE else 1), 0.3
    return 1, min(0.2, 2000 / rows)


def settings_for(rows: int, columns: int) -> Settings:
    """Settings by the size of a table: nothing else about the data decides."""
    steps = 300 * np.log10(max(rows, 10)) * min(1.0, _WIDE / columns)
    batch = int(np.clip(rows // 8, 16, 128 if rows < 10_000 else 256))
    epochs = int(np.clip(round(steps / max(1, rows / batch)), 2, 300))
    return Settings(
        encoder="columns",
        likelihood="columns",
        latent_dim=int(np.clip(columns // 2, 2, 16)),
        hidden_dim=[128, 128],
        masking={"kind": "random", "whole": 0.7, "most": 0.5},
        start="mean",
        batch_size=batch,
        epochs=epochs,
        learning_rate=2e-3,
        average=0.98,
    )


@dataclass(frozen=True)
class Bench:
    """What all judges share.

    Attributes:
        codec: fitted to the training table.
        rows: its rows.
        strange: cells never seen, of each row, (n,).
    """

    codec: Codec
    rows: Batch
    strange: Floats


def train_judge(
    bench: Bench,
    settings: Settings,
    share: float,
    seed: int,
    device: str,
    on_record: Callable[[Record], None] = lambda record: None,
) -> tuple[Judge, Views, NDArray[np.int64]]:
    """Train one judge; also its views of all training rows, and the numbers of those that it never saw."""
    held_out, kept = (np.sort(part.numpy()) for part in split_rows(len(bench.rows), share, seed))
    taught = bench.rows[torch.from_numpy(kept)]
    # No epoch is chosen by the held-out rows either: the threshold is theirs to set.
    model = TableModel.fit_rows(
        bench.codec, taught, settings=settings.replace(validation=0.0), seed=seed, device=device, on_record=on_record
    )
    space = RowSpace.of(bench.codec.shapes, taught)
    marginals = Marginals(model, rows=taught)
    views = view(model, space, marginals, bench.rows, bench.strange, seed)
    geometry = Geometry.of(views, seed, kept)
    usually = measured(views.take(held_out), geometry, held_out)
    scales = {name: Scale.of(values) for name, values in usually.items()}
    costs = -marginals.log_prob(bench.rows)  # 0 in a gap
    usual = costs.sum(0) / np.maximum(bench.rows.observed.sum(0).cpu().numpy(), 1)
    return Judge(model, space, marginals, geometry, scales, usual, seed), views, held_out
