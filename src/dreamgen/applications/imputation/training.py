"""The models that fill gaps: their settings, and their training on tables with gaps."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dreamgen.applications.imputation.predictor import Member
from dreamgen.applications.imputation.refine import Refiner
from dreamgen.applications.table_model import TableModel
from dreamgen.config import Settings
from dreamgen.data.batch import Batch
from dreamgen.distributions import derive_seed
from dreamgen.errors import DataError
from dreamgen.recipes import RECIPES
from dreamgen.tables import Codec
from dreamgen.training.fit import split_rows

STEPS = 4000
HELD_OUT = 0.05  # share of the rows on which intervals are checked
FEW, FEW_HELD_OUT = 2000, 0.2  # rows below which it is so many, and all of them are learned from in the end
_SHORTER = 8  # times fewer steps, of a second model of few rows


def filling_settings(rows: int, missing: float, steps: int = STEPS) -> Settings:
    """Settings for filling a table of so many rows, of whose cells a share is missing.

    The bound is the importance-weighted one, for gaps are filled by the same weights. A table with many gaps shows
    the encoder all the patterns it will meet; one without gaps has to have some made. One component a number: what
    columns have in common then has to be in the latents, and not in the shape of a column. The best epoch by the
    bound comes long before the best means, so no rows choose one.
    """
    batch = 128 if rows < 5_000 else 256
    kept = max(1, rows - int(HELD_OUT * rows))
    return RECIPES["table"].settings.replace(
        objective={"kind": "iwae", "samples": 5},
        masking={"kind": "random", "whole": 0.5, "most": round(max(0.0, 0.9 - 3.6 * missing), 2)},
        encoder={"kind": "columns", "activation": "silu"},
        decoder={"kind": "mlp", "activation": "silu"},
        likelihood={"kind": "columns", "components": 1},
        latent_dim=10,
        hidden_dim=[128, 128],
        batch_size=batch,
        epochs=max(1, round(steps / -(-kept // batch))),
        learning_rate=3e-3,
        validation=0.0,
    )


def missing_share(rows: Batch) -> float:
    """The share of cells that were not observed."""
    return 0.0 if rows.mask is None else 1 - float(rows.mask.float().mean())


def settings_for(rows: Batch, steps: int | None, asked: Settings | Mapping[str, Any] | None) -> tuple[Settings, ...]:
    """The settings that were asked for, or some of them changed, or the usual ones, a model for each.

    Of few rows nobody knows how long they can be learned from: where columns decide each other longer is better, and
    where they are noise a long training knows the rows by heart. Held-out rows are too few to tell, and rows of the
    fit gain more by a longer training than others do. A long and a short one are averaged.
    """
    if isinstance(asked, Settings):
        return (asked,)
    lengths = [STEPS, STEPS // _SHORTER] if len(rows) < FEW and not (steps or asked) else [steps or STEPS]
    usual = [filling_settings(len(rows), missing_share(rows), length) for length in lengths]
    return tuple(one.replace(**asked) if asked else one for one in usual)


@dataclass(frozen=True)
class Trained:
    """What came of some trainings.

    Attributes:
        members: what fills.
        witnesses: what says how far they can be trusted: the same, but they never saw
        held_out: these rows.
        places: which of the rows with a value they are, (n,).
    """

    members: list[Member]
    witnesses: list[Member]
    held_out: Batch
    places: NDArray[np.int64]


def train_models(
    codec: Codec,
    rows: Batch,
    settings: Sequence[Settings],
    count: int,
    seed: int,
    *,
    refine: bool = True,
    asked: Sequence[str] | None = None,
    **run: Any,
) -> Trained:
    """Models with seeds of their own, and the same rows held out for all; raises DataError.

    Args:
        codec: fitted.
        rows: to learn from.
        settings: one or more, each for a model.
        count: of models by each.
        seed: of everything random.
        refine: with trees.
        asked: the columns that trees are grown for; by default all.
        run: as `TableModel.fit_rows` has it.
    """
    # A row without any value teaches nothing; the order of the others is kept.
    taught = rows if rows.mask is None else rows[rows.mask.any(1)]
    if not len(taught):
        raise DataError("expected rows with values, got only gaps")
    aside, kept = split_rows(len(taught), FEW_HELD_OUT if len(taught) < FEW else HELD_OUT, seed)
    seeds = [seed, *(derive_seed(seed, "model", number) % 2**31 for number in range(1, count))]

    def fitted(some: Batch) -> list[Member]:
        models = [(_fit(codec, some, one, own, **run), own) for own in seeds for one in settings]
        return [Member(one, Refiner.fit(one, some, own, asked) if refine else None) for one, own in models]

    held_out, witnesses = taught[aside], fitted(taught[kept.sort().values])
    members = fitted(taught) if len(taught) < FEW and len(held_out) else witnesses
    return Trained(members, witnesses, held_out, aside.numpy())


def _fit(codec: Codec, rows: Batch, settings: Settings, seed: int, **run: Any) -> TableModel:
    with warnings.catch_warnings():
        # Columns that know little of each other need few latents: no cure is called for.
        warnings.filterwarnings("ignore", message="the posterior has collapsed")
        return TableModel.fit_rows(codec, rows, settings=settings, seed=seed, **run)
