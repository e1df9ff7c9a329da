"""A model of a table in which no row can be found: the whole chain within one privacy budget.

1. A stand-in is drawn from noisy counts (`dreamgen.tables.private`). Schema and codec are the stand-in's, so no
   category, bound or quantile is known but through noise, and the model is first trained on it, at no further cost.
2. The model goes on with the real rows, by private steps (`dreamgen.training.private`).

One accountant composes the counts and the steps, so epsilon and delta are those of everything that leaves. The prior
stays the standard normal: one that is fitted to codes of the rows afterwards would not be counted.
"""

import secrets
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from dreamgen.applications.table_model import TableModel, rows_of
from dreamgen.config import Settings
from dreamgen.devices import find_device
from dreamgen.distributions import derive_seed
from dreamgen.errors import DataError, SettingsError
from dreamgen.privacy import Accountant, Charge, Spending, check_budget, noise_for
from dreamgen.tables import Codec, Schema, fit_codec, infer_schema
from dreamgen.tables.private import cost, stand_in
from dreamgen.training import Record
from dreamgen.training.fit import fit_model
from dreamgen.training.private import check_settings

if TYPE_CHECKING:
    import pyarrow as pa

Value = str | int | float | bool

_DELTA_SHARE = 0.1  # of delta, for naming categories
_STEPS = 1000  # private ones; the noise grows with their root

# Noise is spread over all weights, so there are few of them, and over all steps, so batches are large.
PRIVATE = Settings(
    latent_dim=8,
    hidden_dim=[128],
    encoder={"kind": "columns", "embedding": 4},
    likelihood={"kind": "columns", "components": 3},
    batch_size=2048,
    validation=0.0,
    learning_rate=3e-3,
    average=0.99,
)


def fit_private(
    table: "pa.Table",
    schema: Schema,
    epsilon: float,
    delta: float = 1e-5,
    *,
    share: float = 0.2,
    clip: float = 0.5,
    first_steps: int = 1000,
    settings: Settings = PRIVATE,
    categories: Mapping[str, Sequence[Value]] | None = None,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    accountant: Accountant = "rdp",
    seed: int | None = None,
    device: str = "auto",
    on_record: Callable[[Record], None] = lambda record: None,
) -> tuple[TableModel, Spending]:
    """Train a model of a table that is (epsilon, delta)-private in its rows.

    Args:
        table: the rows.
        schema: names, kinds, dtypes, decimals and steps of its columns, which are taken as public, and nothing else.
        epsilon, delta: the budget of everything; delta less than 1 / rows.
        share: of the budget for the counts, as a share of Gaussian noise squared; the steps have the rest.
        clip: the length to which the gradient of a row is bent.
        first_steps: steps of the first training, on the stand-in.
        settings: of the model and its private steps, 1,000 where `epochs` is "auto"; `update` is set here.
        categories: what is known in public of a column's categories; others are named only where they are frequent.
        bounds: least and greatest number of a column, known in public.
        accountant: "rdp" or "prv".
        seed: of everything drawn, and therefore a secret, which is not kept; None: nobody's guess.
        device, on_record: as `TableModel.fit` has them; records show means over the rows, for the owner alone.

    Returns:
        The model, with the ledger on its card under "privacy", and the ledger.

    Raises:
        SettingsError: no budget, or a setting that looks at rows without being counted.
        DataError: no column can be told from a constant within the budget.
    """
    check_budget(epsilon, delta, table.num_rows)
    check_settings(settings)
    if not 0 < share < 1:
        raise SettingsError(f"share: expected a part of the budget, 0 < share < 1, got {share!r}")
    if settings.epochs == "auto":
        settings = settings.replace(epochs=-(-_STEPS * min(settings.batch_size, table.num_rows) // table.num_rows))
    told = "drawn from the system and not kept" if seed is None else "given: private only while it is a secret"
    seed = secrets.randbits(63) if seed is None else seed
    made, spending = _stand_in(table, schema, epsilon, delta, share, accountant, seed, categories or {}, bounds or {})
    kinds = {column.name: column.kind for column in schema.columns}
    codec = fit_codec(made, infer_schema(made, kinds))
    if not codec.shapes:
        raise DataError("no column varies by more than the noise of so small a budget: there is nothing to model")
    counted = Charge("counts", (sum(c.noise**-2 for c in spending.charges)) ** -0.5, delta=delta * _DELTA_SHARE)
    update = {
        "kind": "private",
        "epsilon": epsilon,
        "delta": delta,
        "clip": clip,
        "accountant": accountant,
        "earlier": [[counted.noise, counted.rate, counted.steps, counted.delta]],
    }
    first = _begin(codec, made, settings, first_steps, derive_seed(seed, "begin"), device)
    saved = fit_model(
        settings.replace(update=update),
        rows_of(codec, table),
        None,
        first.saved.meaning,
        seed=seed,
        device=find_device(device),
        weights=first.saved.model.state_dict(),
        on_record=on_record,
    )
    training = saved.card["privacy"]["charges"][-1]
    spending.add(Charge("training", training["noise"], training["rate"], training["steps"]))
    # By name, where the update knew only their sum.
    saved.card["privacy"] = spending.to_dict(delta, accountant) | {"clip": clip, "seed": told}
    return TableModel(saved, codec), spending


def _stand_in(
    table: "pa.Table",
    schema: Schema,
    epsilon: float,
    delta: float,
    share: float,
    accountant: Accountant,
    seed: int,
    categories: Mapping[str, Sequence[Value]],
    bounds: Mapping[str, tuple[float, float]],
) -> tuple["pa.Table", Spending]:
    """The stand-in, whose counts together have the noise that takes a share of the budget."""
    spending = Spending()
    noise = noise_for(epsilon, delta, 1.0, 1, (), accountant) / share**0.5 * cost(schema, categories, bounds)
    rng = np.random.default_rng(derive_seed(seed, "stand-in"))
    made = stand_in(table, schema, noise, delta * _DELTA_SHARE, rng, spending, categories=categories, bounds=bounds)
    return made, spending


def _begin(codec: Codec, made: "pa.Table", settings: Settings, steps: int, seed: int, device: str) -> TableModel:
    """The model trained on the stand-in, as on any table."""
    rows = rows_of(codec, made)
    batch = min(512, len(rows))
    epochs = max(1, steps * batch // len(rows))
    first = settings.replace(update="plain", start="mean", batch_size=batch, epochs=epochs, learning_rate=2e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a first training may well leave latents idle
        return TableModel.fit_rows(codec, rows, settings=first, seed=seed, device=device)
