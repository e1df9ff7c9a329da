"""Bounds for each row, in nats, by importance sampling.

The encoder runs once for each row, however many samples are drawn. Work is done in blocks of one fixed shape, the
last one padded, and noise is keyed by each row's content: a row's score does not depend on what else is scored.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution, Normal

from dreamgen.data.batch import Batch, as_float
from dreamgen.devices import device_of
from dreamgen.distributions import Delta, RowNoise, row_keys
from dreamgen.errors import DataError, SettingsError
from dreamgen.models import VAE, Trace

_ROWS = 256  # rows encoded at once
_DECODED = 1024  # (sample, row) pairs decoded at once


@dataclass(frozen=True)
class Scores:
    """Of n rows, each (n,), in nats.

    Attributes:
        distortion: -log p(x|z), averaged over the samples.
        rate: KL(q ‖ p).
        log_likelihood: log (1/K) Σ_k w_k, a lower bound of log p(x) in expectation; -distortion where the
            posterior is a point and there is no weight.
    """

    distortion: Tensor
    rate: Tensor
    log_likelihood: Tensor

    @property
    def elbo(self) -> Tensor:
        """-(distortion + rate)."""
        return -(self.distortion + self.rate)


def blocks(x: Tensor, rows: int) -> Iterator[tuple[Tensor, int]]:
    """Blocks of exactly `rows` rows, the last one padded with copies of its first row, and how many are real."""
    for start in range(0, len(x), rows):
        block = x[start : start + rows]
        real = len(block)
        if real < rows:
            block = torch.cat([block, block[:1].expand(rows - real, *block.shape[1:])])
        yield block, real


def batches(data: Tensor | Batch, rows: int, device: torch.device) -> Iterator[tuple[Batch, int]]:
    """`blocks` of examples as the model takes them: floats, on its device, with their masks."""
    batch = data if isinstance(data, Batch) else Batch(data)
    numbers = torch.arange(len(batch))
    for block, real in blocks(numbers, rows):
        part = batch[block].to(device)
        yield Batch(as_float(part.x), part.mask, part.context, part.properties), real


def noise_of(batch: Batch, seed: int | str) -> RowNoise:
    """The noise of a batch's rows: a function of the seed, and of what was observed in each."""
    seen = batch.x if batch.mask is None else torch.where(batch.mask, batch.x, math.inf)
    return RowNoise(seed, row_keys(seen), batch.x.device)


@torch.no_grad()
def encode_rows(model: VAE, data: Tensor | Batch) -> Distribution:
    """q(z|x) of all rows, batch shape (n, D), on the CPU; the data are bytes or floats, (n, *event)."""
    device, parts = device_of(model), []
    for batch, real in batches(data, _ROWS, device):
        q = model.encoder(batch)
        names = [name for name in ("loc", "scale") if name in q.arg_constraints]
        if not isinstance(q, Normal | Delta):
            raise TypeError(f"no way is written to join blocks of {type(q).__name__}")
        parts.append([getattr(q, name)[:real].cpu() for name in names])
    joined: Distribution = type(q)(*(torch.cat(column) for column in zip(*parts, strict=True)))
    return joined


def binarise_rows(x: Tensor, seed: int = 0) -> Tensor:
    """Grey pixels drawn once as 0 or 1, (n, *event) floats; the draw is a function of the seed and the row."""
    drawn = []
    for start in range(0, len(x), _ROWS):
        grey = as_float(x[start : start + _ROWS].cpu())
        if grey.min() < 0 or grey.max() > 1:
            raise DataError("to binarise: expected values in [0, 1], got others")
        uniform = RowNoise(f"binarise {seed}", row_keys(grey)).uniform((1, *grey.shape))[0]
        drawn.append((uniform < grey).float())
    return torch.cat(drawn)


@torch.no_grad()
def score_rows(
    model: VAE,
    data: Tensor | Batch,
    samples: int = 1,
    seed: int = 0,
    progress: Callable[[int], None] = lambda done: None,
) -> Scores:
    """Bounds of each row.

    Args:
        model: in evaluation mode.
        data: bytes or floats, (n, *event), already binarised if it should be; where some elements were not observed,
            the bounds are of the others.
        samples: K, importance samples for each row.
        seed: of the samples.
        progress: told the number of rows done.

    Raises:
        SettingsError: fewer than one sample.
    """
    if samples < 1:
        raise SettingsError(f"samples: expected 1 or more, got {samples}")
    device, done, parts = device_of(model), 0, []
    rows = max(1, min(_ROWS, _DECODED // samples))
    for batch, real in batches(data, rows, device):
        noise = noise_of(batch, seed)
        q = model.encoder(batch)
        traces = (model.explain(batch, q, noise, k) for k in _chunks(samples, max(1, _DECODED // rows)))
        parts.append([value[:real].cpu() for value in _accumulate(traces, samples)])
        done += real
        progress(done)
    return Scores(*(torch.cat(column) for column in zip(*parts, strict=True)))


@torch.no_grad()
def explain_rows(model: VAE, data: Tensor | Batch, samples: int, seed: int = 0) -> Iterator[tuple[Trace, int]]:
    """Traces of blocks of rows with K = `samples` latents each, and how many rows of a block are real.

    Blocks have one shape, the last one padded, and noise is keyed by a row's content.
    """
    rows = max(1, min(_ROWS, _DECODED // samples))
    for batch, real in batches(data, rows, device_of(model)):
        yield model.explain(batch, model.encoder(batch), noise_of(batch, seed), samples), real


def _chunks(total: int, size: int) -> Iterator[int]:
    for start in range(0, total, size):
        yield min(size, total - start)


def _accumulate(traces: Iterator[Trace], samples: int) -> tuple[Tensor, Tensor, Tensor]:
    """Distortion, rate and log-mean-weight of a block over chunks of its samples."""
    distortion, rate, weights = [], [], []
    for trace in traces:
        chunk = trace.log_likelihood.shape[0] / samples
        distortion.append(trace.distortion * chunk)
        rate.append(trace.rate * chunk)
        weights.append(torch.logsumexp(trace.log_weight if trace.has_bound else trace.log_likelihood, 0))
    log_mean = torch.logsumexp(torch.stack(weights), 0) - math.log(samples)
    return torch.stack(distortion).sum(0), torch.stack(rate).sum(0), log_mean
