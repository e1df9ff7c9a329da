"""Gated recurrent networks over lines of tokens, packed so that no step is spent on a line that has ended.

A line is numbers 1, 2, ... with 0 for its end; after the first 0 nothing counts. Letters: B lines, T steps, N tokens
of all lines together (the ends among them), H units.

Learning Phrase Representations using RNN Encoder-Decoder for Statistical Machine Translation, 2014,
https://arxiv.org/abs/1406.1078, with the reset gate applied after the product, as cuDNN and torch do.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from dreamgen.data.batch import Batch
from dreamgen.errors import SettingsError
from dreamgen.nn.mlp import ENCODERS

_MOST_SYMBOLS, _WIDEST = 1 << 16, 1 << 14


@dataclass(frozen=True)
class Packed:
    """The tokens of B lines, step by step, the longest line first.

    Attributes:
        tokens: (B, T), in the lines' new order; T is the longest line's length.
        order: place of each line before, (B,).
        lengths: tokens of each line, its end among them, (B,), falling.
        alive: how many lines go on at each step.
        there: which places of a (T, B) table hold a token.
    """

    tokens: Tensor
    order: Tensor
    lengths: Tensor
    alive: list[int]
    there: Tensor

    @classmethod
    def of(cls, lines: Tensor) -> "Packed":
        """Lines (B, T), whole numbers or floats; what follows the first 0 of a line is not read."""
        tokens = lines.long()
        width = tokens.shape[1]
        lengths = ((tokens != 0).cumprod(1).sum(1) + 1).clamp(max=width)
        lengths, order = lengths.sort(descending=True, stable=True)
        steps = torch.arange(int(lengths[0]), device=lines.device)
        there = lengths > steps.unsqueeze(1)
        return cls(tokens[order, : len(steps)], order, lengths, there.sum(1).tolist(), there)

    def pack(self, values: Tensor) -> Tensor:
        """Values of each token, (B, T, ...) in the lines' new order, as (N, ...)."""
        return values.transpose(0, 1)[self.there]

    def unpack(self, values: Tensor, width: int) -> Tensor:
        """(N, ...) back to (B, width, ...) in the lines' old order, 0 where there is no token."""
        table = values.new_zeros(*self.there.shape, *values.shape[1:])
        table[self.there] = values
        lines = values.new_zeros(len(self.order), width, *values.shape[1:])
        lines[self.order, : len(table)] = table.transpose(0, 1)
        return lines

    def backwards(self) -> Tensor:
        """The tokens with each line turned round, (B, T)."""
        steps = torch.arange(self.tokens.shape[1], device=self.tokens.device)
        return self.tokens.gather(1, (self.lengths.unsqueeze(1) - 1 - steps).clamp(min=0))

    def last(self, h: Tensor) -> Tensor:
        """States (N, H) to that after each line's last token, (B, H)."""
        starts = torch.tensor(self.alive, device=h.device).cumsum(0) - torch.tensor(self.alive, device=h.device)
        return h[starts[self.lengths - 1] + torch.arange(len(self.lengths), device=h.device)]


class GRU(nn.Module):
    """One layer of gated recurrent units.

    Args:
        inputs: numbers at each step.
        hidden: H.
    """

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        if not 1 <= hidden <= _WIDEST:
            raise SettingsError(f"hidden: expected 1 to {_WIDEST} units, got {hidden}")
        self.hidden = hidden
        self.read = nn.Linear(inputs, 3 * hidden)
        self.recall = nn.Parameter(torch.empty(3 * hidden, hidden))
        self.bias = nn.Parameter(torch.zeros(hidden))
        for gate in self.recall.data.chunk(3):
            nn.init.orthogonal_(gate)

    def forward(self, x: Tensor, h: Tensor, alive: list[int], told: Tensor | None = None) -> Tensor:
        """Inputs (N, inputs) and first states (B, H) to the states after each token, (N, H).

        `told`, (B, 3H), goes to the gates of a line at every step: what the whole line is to know.
        """
        gates: Tensor = self.read(x)
        states: Tensor = _Run.apply(gates, told, h, self.recall.to(gates.dtype), self.bias, alive)  # type: ignore[no-untyped-call]
        return states


class _Run(torch.autograd.Function):
    """All steps with their gradient written out: the products with one weight matrix become one product at the end.

    States stay in float32 (or float64); products are in the gates' type. With reset r, update u, candidate n:
    h' = n + u (h - n), n = tanh(g_n + r (W_n h + b)).
    """

    @staticmethod
    def forward(
        ctx: Any, gates: Tensor, told: Tensor | None, h: Tensor, weight: Tensor, bias: Tensor, alive: list[int]
    ) -> Tensor:
        kind, units = h.dtype, h.shape[1]
        kept = {name: h.new_empty(len(gates), units) for name in ("inner", "candidate", "state")}
        kept["reset_update"] = h.new_empty(len(gates), 2 * units)
        before = h.new_empty(len(gates), units, dtype=weight.dtype)
        recall, end = weight.t(), 0
        for n in alive:
            here, end = slice(end, end + n), end + n
            h = h[:n]
            before[here] = h
            heard = gates[here].to(kind)
            if told is not None:
                heard = heard + told[:n].to(kind)
            recalled = torch.mm(before[here], recall).to(kind)
            reset_update = torch.add(
                heard[:, : 2 * units], recalled[:, : 2 * units], out=kept["reset_update"][here]
            ).sigmoid_()
            inner = torch.add(recalled[:, 2 * units :], bias, out=kept["inner"][here])
            candidate = torch.addcmul(
                heard[:, 2 * units :], reset_update[:, :units], inner, out=kept["candidate"][here]
            ).tanh_()
            h = torch.lerp(candidate, h, reset_update[:, units:], out=kept["state"][here])
        ctx.save_for_backward(before, weight, kept["reset_update"], kept["inner"], kept["candidate"])
        ctx.alive, ctx.told = alive, None if told is None else told.dtype
        return kept["state"]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad: Tensor) -> tuple[Tensor | None, ...]:
        before, weight, reset_update, inner, candidate = ctx.saved_tensors
        units, lines, kind = inner.shape[1], ctx.alive[0], inner.dtype
        to_gates = inner.new_empty(len(inner), 3 * units)
        to_recalled = torch.empty_like(to_gates, dtype=weight.dtype)
        to_told = None if ctx.told is None else inner.new_zeros(lines, 3 * units)
        to_state, start = inner.new_zeros(lines, units), len(inner)
        for n in reversed(ctx.alive):
            start -= n
            here, d, g = slice(start, start + n), to_state[:n], to_gates[start : start + n]
            d += grad[0][here]
            reset, update, new = reset_update[here, :units], reset_update[here, units:], candidate[here]
            to_new = torch.mul(d, 1 - update)
            g[:, units : 2 * units] = torch.sub(before[here].to(kind), new).mul_(to_new).mul_(update)
            to_new.addcmul_(to_new * new, new, value=-1)
            g[:, 2 * units :] = to_new
            to_inner = to_new * reset
            g[:, :units] = torch.mul(to_inner, inner[here]).mul_(1 - reset)
            to_recalled[here, : 2 * units] = g[:, : 2 * units]
            to_recalled[here, 2 * units :] = to_inner
            d.mul_(update).add_(torch.mm(to_recalled[here], weight))
            if to_told is not None:
                to_told[:n] += g
        to_bias = torch.mul(to_gates[:, 2 * units :], reset_update[:, :units]).sum(0)
        to_weight = torch.mm(to_recalled.t(), before)
        return (
            to_gates.to(weight.dtype),
            None if to_told is None else to_told.to(ctx.told),
            to_state,
            to_weight,
            to_bias,
            None,
        )


@ENCODERS.register("recurrent")
class RecurrentEncoder(nn.Module):
    """Reads a line forwards and backwards; the two last states are its features.

    Args:
        symbols: V, how many tokens there are, the end among them.
        context_dim: C, 0 for none.
        embedding: numbers for each token.
        units: H of each direction.
    """

    def __init__(self, symbols: int, context_dim: int, embedding: int = 128, units: int = 256) -> None:
        super().__init__()
        if not 2 <= symbols <= _MOST_SYMBOLS:
            raise SettingsError("encoder 'recurrent' reads lines of tokens: expected a language")
        self.embedding = nn.Embedding(symbols, embedding)
        self.forwards, self.backwards = GRU(embedding, units), GRU(embedding, units)
        self.features = 2 * units + context_dim

    def forward(self, batch: Batch) -> Tensor:
        """A batch of B lines, (B, T), to features, (B, F)."""
        packed = Packed.of(batch.x)
        nothing = self.forwards.recall.new_zeros(len(batch), self.forwards.hidden)
        last = [
            packed.last(network(self.embedding(packed.pack(tokens)), nothing, packed.alive))
            for network, tokens in ((self.forwards, packed.tokens), (self.backwards, packed.backwards()))
        ]
        features = torch.cat(last, dim=1)[packed.order.argsort()]
        return features if batch.context is None else torch.cat([features, batch.context], dim=1)
