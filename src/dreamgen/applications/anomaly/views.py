"""What a model makes of rows: the numbers that every score of oddness is computed from."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dreamgen.applications.anomaly.features import Floats, RowSpace
from dreamgen.applications.table_model import TableModel
from dreamgen.data.batch import Batch
from dreamgen.distributions.columns import Columns, ColumnsLikelihood

SAMPLES = 16
MARGINAL = 32  # components of a column's own mixture
_CHUNK = 4096  # rows viewed at once by the marginals


@dataclass(frozen=True)
class Views:
    """Of n rows.

    Attributes:
        points: in the space of rows, (n, D).
        latent: the posterior mean, (n, L).
        residual: the points less what the decoder expects of the posterior mean, (n, D).
        log_likelihood: the importance-weighted bound of log p(x), (n,), nats.
        marginal: log p(x) under independent columns, (n,), nats.
        strange: cells with a value that was never there in training, such as an unknown category, (n,).
    """

    points: Floats
    latent: Floats
    residual: Floats
    log_likelihood: Floats
    marginal: Floats
    strange: Floats

    def __len__(self) -> int:
        return len(self.points)

    def take(self, rows: NDArray[np.int64]) -> "Views":
        """Some of the rows."""
        return Views(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


class Marginals:
    """Every column by itself: its frequencies, or a mixture at its quantiles."""

    def __init__(self, model: TableModel, start: Tensor | None = None, rows: Batch | None = None) -> None:
        self._likelihood = ColumnsLikelihood(model.codec.shapes, components=MARGINAL)
        if start is None:
            assert rows is not None
            start = self._likelihood.start(rows.x, rows.mask)
        self.start = start

    @torch.no_grad()
    def log_prob(self, rows: Batch) -> Floats:
        """log p of each cell, (n, d), nats; 0 where unobserved."""
        p, parts = self._likelihood(self.start.float().view(1, 1, -1)), []
        for begin in range(0, len(rows), _CHUNK):
            part = rows[slice(begin, begin + _CHUNK)]
            cells = p.log_prob(part.x)[0]
            parts.append(cells if part.mask is None else torch.where(part.mask, cells, 0.0))
        found: Floats = torch.cat(parts).double().numpy()
        return found


@torch.no_grad()
def view(model: TableModel, space: RowSpace, marginals: Marginals, rows: Batch, strange: Floats, seed: int) -> Views:
    """Look at rows: the encoder runs once, the decoder for 16 latents of each row and for the posterior mean."""
    latent, residual, bound = [], [], []
    points, begin = space.points(rows), 0
    for trace, real in model.traces(rows, SAMPLES, seed):
        q = trace.latents[0].q
        p = model.saved.model.decoder(q.mean.unsqueeze(0))
        assert isinstance(p, Columns)
        part = slice(begin, begin + real)
        expected = space.expected(p, trace.batch)[:real]
        latent.append(q.mean[:real].double().cpu().numpy())
        residual.append(points[part] - expected)
        bound.append(trace.iwae_bound[:real].double().cpu().numpy())
        begin += real
    joined: Mapping[str, Floats] = {
        "latent": np.concatenate(latent),
        "residual": np.concatenate(residual),
        "log_likelihood": np.concatenate(bound),
    }
    return Views(points=points, marginal=marginals.log_prob(rows).sum(1), strange=strange, **joined)
