"""A likelihood of lines of tokens: a recurrent network writes them, told z at every step.

p(x|z) = Π_t p(x_t | x_0 ... x_{t-1}, z), over the tokens of a line and its end, 0. Generating Sentences from a
Continuous Space, 2015, https://arxiv.org/abs/1511.06349.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.distributions import Distribution, constraints
from torch.nn import functional as F

from dreamgen.distributions.bounded import at_least_float32
from dreamgen.distributions.draw import draw
from dreamgen.distributions.likelihoods import LIKELIHOODS, Likelihood
from dreamgen.distributions.noise import Noise
from dreamgen.errors import DataError, SettingsError
from dreamgen.nn.recurrent import GRU, Packed


class Writer(nn.Module):
    """The network that writes: tokens so far in, logits of the next one out."""

    def __init__(self, symbols: int, embedding: int, units: int) -> None:
        super().__init__()
        self.symbols, self.units = symbols, units
        self.embedding = nn.Embedding(symbols, embedding)  # of the token before; 0, the end of another line, begins
        self.network = GRU(embedding, units)
        self.out = nn.Linear(units, symbols)

    def forward(
        self, before: Tensor, told: Tensor, alive: list[int], h: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """One run of steps.

        Args:
            before: the token before each, (N,).
            told: of each line, (B, 5H): H for its first state, 3H for the gates at every step, and H beside the
                states, so that z has a short way to the tokens.
            alive: how many lines go on at each step.
            h: states to go on from, (B, H), in place of the first ones.

        Returns:
            Logits (N, V) and states (N, H).
        """
        first, gates, beside = told.split([self.units, 3 * self.units, self.units], dim=1)
        h = torch.tanh(at_least_float32(first)) if h is None else h
        states = self.network(self.embedding(before), h, alive, gates)
        lines = torch.cat([torch.arange(n, device=before.device) for n in alive])
        return at_least_float32(self.out(states + beside.index_select(0, lines))), states


class Lines(Distribution):
    """Lines of tokens, each given those before it.

    Args:
        told: what z says of each line, (..., 5H); in bfloat16, the network multiplies in it too.
        writer: the network, one for all.
        width: T, the places of a line.
        heat: draws are of p to the power of 1 / heat at each token, p itself at 1; likelihoods are always of p.
    """

    arg_constraints = {}
    support = constraints.nonnegative_integer

    def __init__(self, told: Tensor, writer: Writer, width: int, heat: float = 1.0) -> None:
        self.told, self.writer, self.width, self.heat = told, writer, width, heat
        super().__init__(batch_shape=torch.Size((*told.shape[:-1], width)), validate_args=False)

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(x_t | x_<t, z) of each token, in nats, 0 after the end; their sum is log p(x|z).

        Args:
            value: (..., T), broadcast against the batch shape.
        """
        shape = np.broadcast_shapes(value.shape, self.batch_shape)
        packed, logits = self._logits(value.expand(shape))
        log_prob = -F.cross_entropy(logits, packed.pack(packed.tokens), reduction="none")
        return packed.unpack(log_prob, self.width).reshape(shape)

    def chances(self, value: Tensor) -> Tensor:
        """p(x_t | x_<t, z) of every token at each place of some lines, (..., T, V), 0 after the end.

        Args:
            value: (..., T), broadcast against the batch shape.
        """
        shape = np.broadcast_shapes(value.shape, self.batch_shape)
        packed, logits = self._logits(value.expand(shape))
        return packed.unpack(logits.softmax(-1), self.width).reshape(*shape, -1)

    def _logits(self, value: Tensor) -> tuple[Packed, Tensor]:
        """Lines (..., T) packed, and the logits of each of their tokens, (N, V)."""
        lines, told = value.reshape(-1, self.width), self.told.expand(*value.shape[:-1], -1)
        packed = Packed.of(lines)
        before = packed.pack(F.pad(packed.tokens, (1, -1)))
        with self._mixed(value.device):
            logits, _ = self.writer(before, told.reshape(len(lines), -1)[packed.order], packed.alive)
        return packed, logits

    @property
    def mean(self) -> Tensor:
        """It has none; raises SettingsError."""
        raise SettingsError("lines of tokens have no mean: expected a draw, or the likeliest line")

    @property
    def mode(self) -> Tensor:
        """The line that takes the likeliest token at every step, (..., T); not always the likeliest of all lines."""
        return self.write(lambda logits, step: logits.argmax(-1))

    @torch.no_grad()
    def write(self, choose: Callable[[Tensor, int], Tensor]) -> Tensor:
        """Token by token, as `choose` picks of the logits (n, V) at a step; (..., T), 0 after the end.

        Lines of T - 1 tokens are ended.
        """
        told = self.told.reshape(-1, self.told.shape[-1])
        lines = told.new_zeros(len(told), self.width, dtype=torch.float32)
        token, h = torch.zeros(len(told), dtype=torch.long, device=told.device), None
        ended = torch.zeros_like(token, dtype=torch.bool)
        for step in range(self.width - 1):
            logits, h = self.step(token, h)
            token = choose(logits, step).masked_fill(ended, 0)
            ended |= token == 0
            lines[:, step] = token
            if ended.all():
                break
        return lines.reshape(self.batch_shape)

    def step(self, token: Tensor, h: Tensor | None = None, rows: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What may follow a token (n,) of lines of some rows, (n,), None for all: logits (n, V) and states (n, H).

        `h` are the states before it, (n, H); None at a line's beginning.
        """
        told = self.told.reshape(-1, self.told.shape[-1])
        told = told if rows is None else told[rows]
        with self._mixed(told.device):
            logits, states = self.writer(token, told, [len(told)], h)
        return logits, states

    def _mixed(self, device: torch.device) -> torch.autocast:
        # log_prob is asked for where mixed precision has ended; what it began with is seen here alone.
        return torch.autocast(device.type, torch.bfloat16, enabled=self.told.dtype == torch.bfloat16)


@draw.register
def _(distribution: Lines, noise: Noise, samples: int) -> Tensor:
    """Token by token, each given those drawn before it."""
    uniform = noise.uniform((samples, *distribution.batch_shape)).flatten(0, -2)

    def choose(logits: Tensor, step: int) -> Tensor:
        below = (logits / distribution.heat).softmax(-1).cumsum(-1)
        return (below < uniform[:, step : step + 1] * below[:, -1:]).sum(-1)

    told = distribution.told.expand(samples, *distribution.told.shape)
    return Lines(told, distribution.writer, distribution.width).write(choose)


@LIKELIHOODS.register("recurrent")
class RecurrentLikelihood(Likelihood):
    """A line of tokens, written by a recurrent network that z speaks to at every step.

    Args:
        event_shape: (T,), the places of a line.
        symbols: V, how many tokens there are, the end among them.
        embedding: numbers for each token.
        units: H.
        heat: of draws, see `Lines`; below 1 what is unlikely is drawn less often, as where one slip spoils a line.
    """

    has_mean = False
    independent = False
    writes_tokens = True

    def __init__(
        self, event_shape: Sequence[int], symbols: int, embedding: int = 128, units: int = 512, heat: float = 1.0
    ) -> None:
        super().__init__()
        if not 0 < heat < math.inf:
            raise SettingsError(f"likelihood 'recurrent', heat: expected more than 0, got {heat}")
        if len(event_shape) != 1 or not 2 <= symbols <= 1 << 16:
            raise SettingsError("likelihood 'recurrent' writes lines of tokens: expected a language")
        self.width, self.heat = event_shape[0], heat
        self.writer = Writer(symbols, embedding, units)

    def typical(self, p: Distribution) -> Tensor:
        """The likeliest token at every step."""
        return p.mode

    def parameters_shape(self, event_shape: Sequence[int]) -> tuple[int, ...]:
        return (5 * self.writer.units,)

    def forward(self, h: Tensor) -> Distribution:
        return Lines(h, self.writer, self.width, self.heat)

    def check(self, low: float, high: float) -> None:
        if low < 0 or high >= self.writer.symbols:
            raise DataError(
                f"for lines of tokens: expected numbers 0 to {self.writer.symbols - 1}, got {low:g}, {high:g}"
            )
