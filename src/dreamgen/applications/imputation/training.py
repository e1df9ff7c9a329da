"""The models that fill gaps: their settings, and their training on tables with gaps."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

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


def settings_for(rows: Batch, steps: int | None, asked: Settings | Mapping[str, Any] | None) -> Settings:
    """The settings that were asked for, or some of them changed, or the usual ones."""
    if isinstance(asked, Settings):
        return asked
    usual = filling_settings(len(rows), missing_share(rows), steps or STEPS)
    return usual.replace(**asked) if asked else usual


def train_models(
    codec: Codec,
    rows: Batch,
    settings: Settings,
    count: int,
    seed: int,
    *,
    refine: bool = True,
    asked: Sequence[str] | None = None,
    **run: Any,
) -> tuple[list[Member], list[Batch]]:
    """Models with seeds of their own, and for each the rows that it was not trained on; raises DataError."""
    # A row without any value teaches nothing; the order of the others is kept.
    taught = rows if rows.mask is None else rows[rows.mask.any(1)]
    if not len(taught):
        raise DataError("expected rows with values, got only gaps")
    models, held_out = [], []
    for number in range(count):
        own = seed if number == 0 else derive_seed(seed, "model", number) % 2**31
        with warnings.catch_warnings():
            # Columns that know little of each other need few latents: no cure is called for.
            warnings.filterwarnings("ignore", message="the posterior has collapsed")
            aside, kept = split_rows(len(taught), HELD_OUT, own)
            known = taught[kept.sort().values]
            model = TableModel.fit_rows(codec, known, settings=settings, seed=own, **run)
        models.append(Member(model, Refiner.fit(model, known, own, asked) if refine else None))
        held_out.append(taught[aside])
    return models, held_out
