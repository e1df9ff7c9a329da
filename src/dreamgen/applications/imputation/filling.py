"""What a model expects in the cells of a row that were not observed, given those that were.

K latents are drawn from q(z|seen) and weighed by p(seen, z) / q(z|seen), the weights adding up to 1; then

    E[x | seen] ≈ Σ_k w_k E[x | z_k],     F(x | seen) ≈ Σ_k w_k F(x | z_k)

(MIWAE: Deep Generative Modelling and Imputation of Incomplete Data, 2018, https://arxiv.org/abs/1812.02633). A draw
takes one of the latents by its weight and then every cell given it, so the cells of a draw belong together. The
distributions of several models are averaged. Noise is keyed by what was observed in a row, so a row's numbers depend
on no other row.

Letters: K samples, B rows, d modelled columns, m draws.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dreamgen.applications.table_model import TableModel
from dreamgen.data.batch import Batch
from dreamgen.distributions import Noise, RowNoise, derive_seed, draw
from dreamgen.distributions.noise import row_keys
from dreamgen.evaluation.likelihood import batches
from dreamgen.models import Trace

Floats = NDArray[np.float64]
_ROWS, _DECODED = 256, 8192  # rows, and pairs of rows and latents, that are decoded at once
_ENDS, _POOLED = 16, 64  # values for each latent where a quantile has no closed form; of all models, if so many serve


class Several:
    """Noise for distributions of batch shape (K, B, ...), where every draw of a row is its own."""

    def __init__(self, noise: Noise) -> None:
        self._noise = noise

    def normal(self, shape: Sequence[int]) -> Tensor:
        return self._noise.normal((shape[0] * shape[1], *shape[2:])).reshape(tuple(shape))

    def uniform(self, shape: Sequence[int]) -> Tensor:
        return self._noise.uniform((shape[0] * shape[1], *shape[2:])).reshape(tuple(shape))


@dataclass(frozen=True)
class Block:
    """B rows as one model explains them.

    Attributes:
        model: the model.
        trace: with K latents a row.
        real: how many of the rows are no padding.
        noise: for what is drawn.
    """

    model: TableModel
    trace: Trace
    real: int
    noise: Noise

    @cached_property
    def weights(self) -> Tensor:
        """w, (K, B), adding up to 1 for each row."""
        return self.trace.log_weight.softmax(0)

    @cached_property
    def p(self) -> Any:
        """p(x|z), batch shape (K, B, d)."""
        return self.trace.p

    def means(self) -> Floats:
        """Means of numbers in model units, (real, d); what stands for categories has no meaning."""
        found = (self.weights.unsqueeze(-1) * self.p.mean).sum(0)
        return found[: self.real].double().cpu().numpy()  # type: ignore[no-any-return]

    @property
    def rows(self) -> Batch:
        """The rows, without padding, on the CPU."""
        return self.trace.batch[: self.real].to(torch.device("cpu"))

    def levels(self, column: int) -> Floats:
        """Probabilities of the levels of a column of categories, (real, levels)."""
        shares = (self.weights.unsqueeze(-1) * self.p.probs(column)).sum(0)
        return shares[: self.real].double().cpu().numpy()  # type: ignore[no-any-return]

    @torch.no_grad()
    def draws(self, count: int) -> Floats:
        """Rows given what was observed of them, in model units, (count, real, d)."""
        cumulative = self.weights.cumsum(0)
        which = (cumulative.unsqueeze(0) < self.noise.uniform((count, len(self.trace.batch))).unsqueeze(1)).sum(1)
        z = self.trace.latents[0].z
        place = which.clamp(max=len(z) - 1).unsqueeze(-1).expand(-1, -1, z.shape[-1])
        p = self.model.saved.model.decoder(z.gather(0, place))
        return draw(p, Several(self.noise), 1)[0][:, : self.real].double().cpu().numpy()

    @torch.no_grad()
    def values(self, models: int = 1) -> tuple[Tensor, Tensor]:
        """Values of each cell in model units, (V, real, d), some drawn for each latent, and their weights, (V, real),
        on the CPU; fewer where there are those of many models beside them."""
        # The weights lie on few latents, and the ends of few values lie too far inside.
        ends = max(1, min(_ENDS, _POOLED // models))
        values = draw(self.p, Several(self.noise), ends).flatten(0, 1)[:, : self.real]
        return values.cpu(), self.weights[:, : self.real].repeat(ends, 1).cpu() / ends

    def cdf(self, x: Tensor) -> Floats:
        """P(X <= x) of each cell given what was observed in its row, (real, d); x (real, d) in model units, on
        the grid of a column that has one.
        """
        padded = torch.cat([x, x[-1:].expand(len(self.trace.batch) - len(x), -1)]).to(self.weights.device)
        found = (self.weights.unsqueeze(-1) * self.p.cdf(padded)).sum(0)
        return found[: self.real].double().cpu().numpy()  # type: ignore[no-any-return]


@torch.no_grad()
def blocks(model: TableModel, rows: Batch, samples: int, seed: int, first: int | None = None) -> Iterator[Block]:
    """Rows explained by K = `samples` latents each, a block at a time, in order.

    Args:
        model: the model.
        rows: n rows.
        samples: K.
        seed: of the noise, which is also a function of what was observed in a row.
        first: the number of the first row, where two rows that look alike shall have noise of their own; None: rows
            that look alike are treated alike.
    """
    vae, device = model.saved.model, model.device
    start = 0
    for batch, real in batches(rows, max(1, min(_ROWS, _DECODED // samples)), device):
        seen = batch.x if batch.mask is None else torch.where(batch.mask, batch.x, torch.inf)
        keys = row_keys(seen)
        if first is not None:
            keys = [derive_seed(key, first + start + i) for i, key in enumerate(keys)]
        trace = vae.explain(batch, vae.encoder(batch), RowNoise(seed, keys, device), samples)
        yield Block(model, trace, real, RowNoise(f"{seed} fill", keys, device))
        start += real


def weighted_quantiles(values: Tensor, weights: Tensor, levels: Sequence[float]) -> list[Floats]:
    """Quantiles (n, d) for each level, of values (V, n, d) whose weights (V, n) add up to 1."""
    ordered, order = values.sort(0)
    below = weights.unsqueeze(-1).expand_as(values).gather(0, order).cumsum(0)
    found = []
    for level in levels:
        place = (below < level).sum(0, keepdim=True).clamp(max=len(values) - 1)
        found.append(ordered.gather(0, place)[0].double().numpy())
    return found


def expected(model: TableModel, rows: Batch, samples: int, seed: int) -> tuple[Floats, dict[int, Floats]]:
    """Means of numbers in model units, (n, d), and probabilities of levels, (n, levels), by column."""
    means = np.zeros(tuple(rows.x.shape))
    shares = {j: np.zeros((len(rows), shape.levels)) for j, shape in enumerate(model.codec.shapes) if shape.levels}
    start = 0
    for block in blocks(model, rows, samples, seed):
        here = slice(start, start + block.real)
        means[here] = block.means()
        for j, share in shares.items():
            share[here] = block.levels(j)
        start += block.real
    return means, shares
