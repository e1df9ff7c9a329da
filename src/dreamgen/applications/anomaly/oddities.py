"""Which cells made a row odd: each against what the model expects there, given all the others.

The oddness of a cell is -log p(cell | the rest of the row) less what its column costs on average by itself, in nats.
The conditional comes from latents that are weighted by how well they explain the rest: the cell itself is hidden.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from dreamgen.applications.anomaly.features import Floats
from dreamgen.applications.anomaly.judge import Judge
from dreamgen.applications.anomaly.strange import constants_of, strange_cells
from dreamgen.applications.imputation.filling import Several
from dreamgen.applications.table_model import rows_of
from dreamgen.data.batch import Batch
from dreamgen.distributions import draw
from dreamgen.evaluation.likelihood import noise_of
from dreamgen.tables import Column
from dreamgen.tables.cells import numbers, one_chunk

if TYPE_CHECKING:
    import pyarrow as pa

_SAMPLES = 32  # latents of each row
_DRAWS = 8  # values drawn from each
_CANDIDATES = 12  # cells of a row that are looked at closely
_PAIRS = 4096  # cells looked at at once
_INTERVAL = (0.05, 0.95)
_ERA = (-6.2e10, 2.53e11)  # seconds since 1970 of the years that Python knows, 5 to 9987
_LEAST, _SHARE = 1.0, 0.2  # nats, and of the oddest cell's nats, that make a cell worth naming


@dataclass(frozen=True)
class Oddity:
    """One cell of an odd row.

    Attributes:
        column: its name.
        value: what it holds.
        expected: the likeliest category, or the mean of a number, given the rest of the row.
        low, high: of a number, where 90% were expected; None for a category.
        nats: how odd it is.
        unseen: whether the value never occurred in training.
    """

    column: str
    value: Any
    expected: Any
    low: Any
    high: Any
    nats: float
    unseen: bool = False

    @property
    def is_usual(self) -> bool:
        """Whether a number lies within the interval."""
        return self.low is not None and self.value is not None and bool(self.low <= self.value <= self.high)

    def __str__(self) -> str:
        if self.low is not None:
            value, low, high = _texts([self.value, self.low, self.high])
            return f"{self.column} {value} (expected {low} .. {high})"
        return f"{self.column} {_text(self.value)} (expected {_text(self.expected)})"


def _texts(values: list[Any]) -> list[str]:
    """With as many digits as it takes to tell them apart."""
    for digits in range(4, 10):
        texts = [_text(value, digits) for value in values]
        if len(set(texts)) == len(set(values)):
            break
    return texts


def _text(value: Any, digits: int = 4) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:,.{digits}g}"
    return "nothing" if value is None else str(value)


@dataclass(frozen=True)
class Expected:
    """Of P cells, model units, (P,): -log p given the rest, the mean or mode, and a 90% interval."""

    surprise: Floats
    mean: Floats
    low: Floats
    high: Floats


def oddities_of(judge: Judge, table: "pa.Table", most: int) -> list[list[Oddity]]:
    """The oddest cells of each row, at most `most`, the oddest first; cells no odder than usual are left out."""
    codec, names = judge.model.codec, judge.model.codec.names
    rows, strange = rows_of(codec, table), strange_cells(codec, table)
    usual = judge.usual
    place, column = _candidates(judge, rows, strange[:, : len(names)], usual)
    found: list[list[Oddity]] = [[] for _ in range(len(rows))]
    never = float(np.log(judge.geometry.rows + 1))
    if len(place):
        expected = _expect(judge, rows, place, column)
        values = {name: _decoded(judge, column, getattr(expected, name)) for name in ("mean", "low", "high")}
        cells = {j: _values(codec.codings[j].column, table.column(names[j])) for j in set(column.tolist())}
        for k, (i, j) in enumerate(zip(place.tolist(), column.tolist(), strict=True)):
            new = bool(strange[i, j])
            nats = never if new else float(expected.surprise[k] - usual[j])
            is_number = codec.shapes[j].levels == 0
            low, high = (values["low"][k], values["high"][k]) if is_number else (None, None)
            cell = cells[j][i]
            if nats > 0:
                found[i].append(Oddity(names[j], cell, values["mean"][k], low, high, nats, new))
    for c, constant in enumerate(constants_of(codec)):
        for i in np.flatnonzero(strange[:, len(names) + c]).tolist():
            cell = one_chunk(table.column(constant.name))[i].as_py()
            found[i].append(Oddity(constant.name, cell, constant.value, None, None, never, True))
    return [_worst(one, most) for one in found]


def _values(column: Column, array: Any) -> list[Any]:
    """Cells as a person may compare them, (n,): points in time as such, whatever type or text they are."""
    array = one_chunk(array)
    if column.kind != "datetime":
        values: list[Any] = array.to_pylist()
        return values
    seconds = numbers(array)
    stamps = (np.clip(np.nan_to_num(seconds), *_ERA) * 1e6).round().astype("datetime64[us]").astype(object)
    return [None if np.isnan(second) else stamp for second, stamp in zip(seconds, stamps, strict=True)]


def _worst(oddities: list[Oddity], most: int) -> list[Oddity]:
    """The oddest, without those that are little odd beside it or lie where they were expected."""
    ordered = sorted(oddities, key=lambda oddity: -oddity.nats)
    said = [one for one in ordered if one.nats >= max(_LEAST, _SHARE * ordered[0].nats) and not one.is_usual]
    return (said or ordered[:1])[:most]


def _candidates(judge: Judge, rows: Batch, strange: Any, usual: Floats) -> tuple[Any, Any]:
    """Rows and columns of the cells that look oddest, by themselves or to the whole row's posterior."""
    alone = -judge.marginals.log_prob(rows)
    joint = np.zeros_like(alone)
    begin = 0
    for trace, real in judge.model.traces(rows, 1, judge.seed):
        joint[begin : begin + real] = -trace.p.log_prob(trace.batch.x)[0, :real].double().cpu().numpy()
        begin += real
    mask = rows.observed.numpy()
    odd = np.where(mask, np.maximum(alone, joint) - usual, -np.inf)
    odd[strange] = np.inf
    order = np.argsort(-odd, axis=1, kind="stable")[:, :_CANDIDATES]
    place = np.repeat(np.arange(len(odd)), order.shape[1])
    column = order.ravel()
    kept = np.isfinite(odd[place, column]) | strange[place, column]
    return place[kept], column[kept]


@torch.no_grad()
def _expect(judge: Judge, rows: Batch, place: Any, column: Any) -> Expected:
    """What the rest of the row says about each cell."""
    parts = []
    for start in range(0, len(place), _PAIRS):
        i = torch.from_numpy(place[start : start + _PAIRS])
        j = torch.from_numpy(column[start : start + _PAIRS])
        part = rows[i]
        mask = part.observed.clone()
        mask[torch.arange(len(i)), j] = False
        hidden = Batch(torch.where(mask, part.x, 0.0), mask)
        begin = 0
        for trace, real in judge.model.traces(hidden, _SAMPLES, judge.seed):
            where = slice(begin, begin + real)
            parts.append(_of_block(judge, trace, part.x[where], j[where], real))
            begin += real
    return Expected(*(np.concatenate(values) for values in zip(*parts, strict=True)))


def _of_block(judge: Judge, trace: Any, x: Tensor, j: Tensor, real: int) -> tuple[Floats, ...]:
    """The four numbers of each of `real` cells, column j of each row."""
    at = torch.arange(real)
    log_weight = trace.log_weight[:, :real].log_softmax(0).cpu()
    full = trace.batch.x.clone()
    full[:real] = x.to(full.device)
    log_prob = trace.p.log_prob(full)[:, :real].cpu()[:, at, j]
    surprise = -torch.logsumexp(log_weight + log_prob, 0)
    weight = log_weight.exp()
    # Several draws for each latent: the noise of a row is its own, whatever rows stand beside it.
    draws = draw(trace.p, Several(noise_of(trace.batch, judge.seed)), _DRAWS)[:, :, :real].cpu()[:, :, at, j]
    flat, order = draws.flatten(0, 1).sort(0)
    share = weight.expand(_DRAWS, *weight.shape).flatten(0, 1).gather(0, order).cumsum(0) / _DRAWS
    low, high = (flat.gather(0, (share < q).sum(0, keepdim=True).clamp(max=len(flat) - 1))[0] for q in _INTERVAL)
    mean = (weight * trace.p.mean[:, :real].cpu()[:, at, j]).sum(0)
    for k in at.tolist():  # the likeliest level, by the weighted probabilities
        if judge.model.codec.shapes[int(j[k])].levels:
            probs = trace.p.probs(int(j[k]))[:, k].cpu()
            mean[k] = (weight[:, k : k + 1] * probs).sum(0).argmax().float()
    return tuple(value.double().numpy() for value in (surprise, mean, low, high))


def _decoded(judge: Judge, column: Any, values: Floats) -> list[Any]:
    """Model units of cells, each of its own column, as the table's own values."""
    codec = judge.model.codec
    x = np.zeros((len(column), len(codec.names)))
    x[np.arange(len(column)), column] = values
    decoded = codec.decode(x)
    columns = {j: _values(codec.codings[j].column, decoded.column(codec.names[j])) for j in set(column.tolist())}
    return [columns[j][k] for k, j in enumerate(column.tolist())]
