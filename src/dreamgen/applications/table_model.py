"""A model of a table: what finding odd rows, filling gaps and making synthetic rows share.

A row is x (d,), a number for each modelled column, with a mask of the cells that were observed. The codec turns
tables into rows and back; everything between is the same model, loop and bounds as for pictures.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.distributions import Distribution

from dreamgen.config import Settings
from dreamgen.data.batch import Batch
from dreamgen.data.meaning import Meaning
from dreamgen.devices import device_of, find_device
from dreamgen.distributions import LIKELIHOODS, PortableNoise, draw
from dreamgen.errors import DataError, ModelFileError, SettingsError
from dreamgen.evaluation import encode_rows, explain_rows, score_rows
from dreamgen.files import dump_json, parse_json
from dreamgen.io import SavedModel, load_model, save_model
from dreamgen.models import Trace
from dreamgen.recipes import RECIPES
from dreamgen.registry import shorten
from dreamgen.tables import Codec, Schema, fit_codec, infer_schema
from dreamgen.training import Record
from dreamgen.training.fit import fit_model

if TYPE_CHECKING:
    import pyarrow as pa

_CODEC = "codec.json"
_BLOCK = 256  # rows decoded at once; part of what makes a row's numbers independent of the batch


class TableModel:
    """A trained model, and the codec that turns tables into its rows.

    Args:
        saved: the model; its columns are the codec's.
        codec: fitted.
    """

    def __init__(self, saved: SavedModel, codec: Codec) -> None:
        self.saved, self.codec = saved, codec

    @classmethod
    def fit(
        cls,
        table: "pa.Table",
        *,
        schema: Schema | None = None,
        transform: str = "auto",
        settings: Settings | None = None,
        seed: int = 0,
        device: str = "auto",
        out: Path | None = None,
        resume: bool = False,
        stop: Callable[[], bool] = lambda: False,
        on_record: Callable[[Record], None] = lambda record: None,
    ) -> "TableModel":
        """Train on the rows of a table.

        Args:
            table: any number of cells may be missing.
            schema: what its columns hold; None: inferred.
            transform: of the codec.
            settings: None: those of the recipe `table`.
            seed: of weights, order and noise.
            device: "auto", "cpu", "cuda".
            out, resume, stop, on_record: as `DreamGenerator.fit` has them.

        Raises:
            DataError: a table without rows, or in which no column varies.
            SettingsError, DivergedError: as training raises them.
        """
        codec = fit_codec(table, schema or infer_schema(table), transform=transform)
        return cls.fit_rows(
            codec,
            rows_of(codec, table),
            settings=settings,
            seed=seed,
            device=device,
            out=out,
            resume=resume,
            stop=stop,
            on_record=on_record,
        )

    @classmethod
    def fit_rows(
        cls,
        codec: Codec,
        rows: Batch,
        *,
        settings: Settings | None = None,
        seed: int = 0,
        device: str = "auto",
        **run: Any,
    ) -> "TableModel":
        """Train on rows that a codec made, x (n, d) with a mask; see `fit` for the rest."""
        settings = settings or RECIPES["table"].settings
        if LIKELIHOODS.normalise(settings.likelihood)["kind"] != "columns":
            raise SettingsError(f"likelihood: expected 'columns' for a table, got {shorten(settings.likelihood)}")
        if not len(rows):
            raise DataError("expected a table with rows, got none")
        if not codec.shapes:
            raise DataError("no column varies: there is nothing to model")
        meaning = Meaning((len(codec.shapes),), columns=tuple(codec.shapes))
        saved = fit_model(settings, rows, None, meaning, seed=seed, device=find_device(device), **run)
        saved.codes = {}  # codes of rows are not to lie about in files
        return cls(saved, codec)

    # Rows

    def encode(self, table: "pa.Table") -> Batch:
        """The rows of a table, checked against the schema; raises DataError."""
        self.codec.check(table)
        return rows_of(self.codec, table)

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return device_of(self.saved.model)

    def posterior(self, rows: Batch) -> Distribution:
        """q(z|x) of all rows, batch shape (n, D), on the CPU."""
        return encode_rows(self.saved.model, rows)

    def log_likelihood(self, rows: Batch, samples: int = 16, seed: int = 0) -> npt.NDArray[np.float64]:
        """log p of the observed cells of each row, (n,): the importance-weighted bound, in nats of model units."""
        return score_rows(self.saved.model, rows, samples, seed).log_likelihood.double().numpy()

    def traces(self, rows: Batch, samples: int, seed: int = 0) -> Iterator[tuple[Trace, int]]:
        """Blocks of rows explained by K = `samples` latents each, and how many rows of a block are real.

        Rows come in order; a block is padded to one size. `trace.log_weight.softmax(0)` weighs the latents by how
        well they explain the observed cells, so that weighted sums over `trace.p` are means given them.
        """
        return explain_rows(self.saved.model, rows, samples, seed)

    @torch.no_grad()
    def sample(self, n: int, seed: int = 0) -> Tensor:
        """n rows from the prior and the likelihood, (n, d); row i is a function of (seed, i)."""
        if n < 1:
            raise SettingsError(f"n: expected 1 or more, got {n}")
        prior, blocks = self.saved.model.prior(None), []
        for block in range(-(-n // _BLOCK)):
            noise = PortableNoise(seed, "rows", block, device=self.device)
            z = draw(prior.expand((_BLOCK, *prior.batch_shape)), noise, 1)
            blocks.append(draw(self.saved.model.decoder(z), noise, 1)[0, 0].cpu())
        return torch.cat(blocks)[:n]

    # Keeping

    def save(self, folder: str | Path, more: Mapping[str, bytes] | None = None) -> None:
        """Write a model folder, with the codec and `more` files beside the model."""
        self.saved.more = {_CODEC: dump_json(self.codec.to_dict()), **(more or {})}
        save_model(Path(folder), self.saved)

    @classmethod
    def load(cls, folder: str | Path, device: str = "auto") -> "TableModel":
        """A model from a folder; `saved.more` holds what was kept beside it. Raises ModelFileError."""
        saved = load_model(Path(folder))
        if _CODEC not in saved.more:
            raise ModelFileError(f"{folder} is not a model of a table: it has no {_CODEC}")
        try:
            codec = Codec.from_dict(parse_json(saved.more[_CODEC], _CODEC))
        except (SettingsError, DataError) as error:
            raise ModelFileError(f"{_CODEC}: {error}") from error
        if tuple(codec.shapes) != saved.columns:
            raise ModelFileError(f"{_CODEC}: its columns are not the model's")
        saved.model.to(find_device(device))
        return cls(saved, codec)


def rows_of(codec: Codec, table: "pa.Table") -> Batch:
    """The rows of a table as a codec makes them."""
    x, mask = codec.encode(table)
    return Batch(torch.from_numpy(x), torch.from_numpy(mask))
