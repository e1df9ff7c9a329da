"""True conditional sampling: codes from p(z | the conditions), then cells from the decoder.

A condition says which values a column may take. Given z the columns are independent, so P(conditions | z) is a
product that the decoder knows exactly, and p(z | conditions) is the prior times that. Codes from a proposal are
weighed, drawn anew by their weights, and moved by a Markov chain that leaves p(z | conditions) as it is, so that no
code is there twice. Nothing is drawn and thrown away: a condition that one row in a million meets costs as much as
any other.

The chain's steps are differences of two codes of the pool (A Markov Chain Monte Carlo version of the genetic
algorithm Differential Evolution, 2006, https://doi.org/10.1007/s11222-006-8769-1): symmetric, and of the right
scale.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from dreamgen.distributions import Columns, Noise, draw
from dreamgen.errors import DataError

_POOL = 16_384
_BLOCK = 2048  # codes decoded at once
_MIXED = 512  # codes compared with all components of a mixture at once
_MOVES = 30
_JITTER = 1e-3
_HALVINGS = 40
_ALIKE = 1e-5
_LEAST = 1e-9  # a probability that no table can tell from 0

Decode = Callable[[Tensor], Distribution]


@dataclass(frozen=True)
class Condition:
    """What one column may be: some codes, or a range of numbers in model units, both ends included.

    On a grid the ends are those of what is drawn and then rounded: half a step beyond the values that are allowed.

    Attributes:
        column: its number.
        codes: of a column of categories.
        weights: what share of each code's rows is allowed, where a code stands for several categories; () for all.
        low, high: of a column of numbers; equal for one exact value of a continuous column.
    """

    column: int
    codes: tuple[int, ...] = ()
    weights: tuple[float, ...] = ()
    low: float = -math.inf
    high: float = math.inf

    def log_mass(self, p: Columns) -> Tensor:
        """log P(the column is allowed | z), (K, B); of one exact value the log density."""
        if self.codes:
            return self._chances(p).sum(-1).clamp(min=1e-30).log()
        if self.low == self.high:
            return self._at(p.log_prob, p, self.low)
        return (self._at(p.cdf_of_draws, p, self.high) - self._at(p.cdf_of_draws, p, self.low)).clamp(min=1e-30).log()

    def fill(self, p: Columns, x: Tensor, noise: Noise) -> Tensor:
        """Cells of the column from p(x | z, allowed), (K, B); x are draws without the condition, (K, B, d)."""
        u = noise.uniform(x.shape[:-1])
        if self.codes:
            chances = self._chances(p)
            below = chances.cumsum(-1) < u.unsqueeze(-1) * chances.sum(-1, keepdim=True)
            return torch.tensor(self.codes, dtype=x.dtype, device=x.device)[
                below.sum(-1).clamp(max=len(self.codes) - 1)
            ]
        if self.low == self.high:
            return torch.full_like(u, self.low)
        start, stop = (self._at(p.cdf_of_draws, p, end) for end in (self.low, self.high))
        return self._quantile(p, x, start + u * (stop - start))

    def _chances(self, p: Columns) -> Tensor:
        """The probability of each allowed code, (K, B, codes)."""
        chances = p.probs(self.column)[..., list(self.codes)]
        return chances * torch.tensor(self.weights, device=chances.device) if self.weights else chances

    def _at(self, function: Callable[[Tensor], Tensor], p: Columns, value: float) -> Tensor:
        if math.isinf(value):
            return torch.full(p.batch_shape[:-1], float(value > 0), device=_device(p))
        x = torch.zeros(p.batch_shape, device=_device(p))
        x[..., self.column] = value
        return function(x)[..., self.column]

    def _quantile(self, p: Columns, x: Tensor, level: Tensor) -> Tensor:
        """The least value with a distribution function of at least `level`, by halving."""
        far = x[..., self.column].abs().max().clamp(min=10.0) * 4
        low = torch.full_like(level, self.low if math.isfinite(self.low) else -float(far))
        high = torch.full_like(level, self.high if math.isfinite(self.high) else float(far))
        probe = x.clone()
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            probe[..., self.column] = middle
            reached = p.cdf_of_draws(probe)[..., self.column] >= level
            low, high = torch.where(reached, low, middle), torch.where(reached, middle, high)
        return _snap(p, high, self.column)


def _device(p: Columns) -> torch.device:
    return (p.numbers.loc if p.numbers is not None else p.log_probs[0]).device


def _snap(p: Columns, x: Tensor, column: int) -> Tensor:
    """The atom of a column where halving has come to one, which is nowhere in between to the model."""
    assert p.numbers is not None
    atoms = p.numbers.numbers.atoms[p.numbers.numbers.columns == column][0]
    for atom in atoms[~atoms.isnan()].tolist():
        x = torch.where((x - atom).abs() < _ALIKE * (1 + abs(atom)), atom, x)
    return x


@dataclass(frozen=True)
class Found:
    """Codes that fit conditions.

    Attributes:
        z: (n, D).
        probability: of the conditions, as estimated; None where a condition is one exact value, which has a density.
    """

    z: Tensor
    probability: float | None


@torch.no_grad()
def conditional_codes(
    prior: Distribution,
    decode: Decode,
    conditions: Sequence[Condition],
    n: int,
    noise: Noise,
    proposal: tuple[Tensor, Tensor] | None = None,
    moves: int = _MOVES,
) -> Found:
    """n codes from p(z | conditions).

    Args:
        prior: over codes; batch shape () with event shape (D,), or batch shape (D,).
        decode: z (1, B, D) to p(x|z).
        conditions: all of which hold.
        n: how many.
        noise: what is drawn is a function of it.
        proposal: where rows that meet the conditions have their codes: loc and scale, (C, D), of an even mixture,
            from which half of the pool is drawn. None: all from the prior.
        moves: steps of the chain.

    Raises:
        DataError: the model gives the conditions no chance.
    """
    pool = max(_POOL, 4 * n)
    z, log_proposal = _propose(prior, pool, noise, proposal)
    target = _Target(prior, decode, conditions)
    log_target = target(z)
    log_weight = log_target - log_proposal
    exact = any(c.low == c.high and not c.codes for c in conditions)
    probability = None if exact else float(log_weight.exp().mean())
    if not bool(torch.isfinite(log_weight).any()) or (probability is not None and probability < _LEAST):
        raise DataError("no row can be like that: the model gives these conditions together no chance")
    weight = (log_weight - log_weight.max()).exp()
    picked = _resample(weight, n, noise)
    # As if by weight, but spread: the chain's steps are differences of codes that fit the conditions.
    partners = z[_resample(weight, pool, noise)]
    return Found(_move(target, z[picked], log_target[picked], partners, moves, noise), probability)


class _Target:
    """log p(z) + log P(conditions | z) for codes (B, D): (B,)."""

    def __init__(self, prior: Distribution, decode: Decode, conditions: Sequence[Condition]) -> None:
        self.prior, self.decode, self.conditions = prior, decode, conditions

    def __call__(self, z: Tensor) -> Tensor:
        total = log_density(self.prior, z)
        return total + torch.cat([self._mass(block) for block in z.split(_BLOCK)])

    def _mass(self, z: Tensor) -> Tensor:
        p = self.decode(z.unsqueeze(0))
        assert isinstance(p, Columns)
        return torch.stack([condition.log_mass(p)[0] for condition in self.conditions]).sum(0)


def log_density(prior: Distribution, z: Tensor) -> Tensor:
    """log p(z) of codes (n, D), (n,), whether the prior is over whole codes or over each unit."""
    blocks: list[Tensor] = [prior.log_prob(block) for block in z.split(_MIXED)]
    value = torch.cat(blocks)
    return value if prior.event_shape else value.sum(-1)


def draw_codes(prior: Distribution, n: int, noise: Noise) -> Tensor:
    """n codes, (n, D)."""
    return draw(prior.expand(torch.Size((n, *prior.batch_shape))), noise, 1)[0]


def _propose(
    prior: Distribution, pool: int, noise: Noise, proposal: tuple[Tensor, Tensor] | None
) -> tuple[Tensor, Tensor]:
    """Codes, (S, D), and the log density of where they came from, (S,)."""
    if proposal is None:
        z = draw_codes(prior, pool, noise)
        return z, log_density(prior, z)
    loc, scale = proposal
    half = pool // 2
    which = (noise.uniform((1, half))[0] * len(loc)).long().clamp(max=len(loc) - 1)
    near = loc[which] + scale[which] * noise.normal((1, half, loc.shape[1]))[0]
    z = torch.cat([draw_codes(prior, pool - half, noise), near])
    each = torch.distributions.Normal(loc, scale, validate_args=False).log_prob(z.unsqueeze(1)).sum(-1)
    log_near = torch.logsumexp(each, 1) - math.log(len(loc))
    return z, torch.logaddexp(log_density(prior, z), log_near) - math.log(2)


def _resample(weight: Tensor, n: int, noise: Noise) -> Tensor:
    """Numbers of n codes, each as often as its weight says to within one, in random order."""
    steps = (torch.arange(n, device=weight.device) + noise.uniform((1, 1))[0]) / n
    total = weight.double().cumsum(0)
    picked = torch.searchsorted(total / total[-1], steps.double()).clamp(max=len(weight) - 1)
    return picked[noise.uniform((1, n))[0].argsort()]


def _move(target: _Target, z: Tensor, log_target: Tensor, partners: Tensor, moves: int, noise: Noise) -> Tensor:
    """Each code moved by a chain that leaves the target as it is."""
    n = len(z)
    reach = 2.38 / math.sqrt(2 * z.shape[1])
    for step in range(moves):
        one, two = ((noise.uniform((1, n))[0] * len(partners)).long() for _ in range(2))
        length = 1.0 if step % 10 == 9 else reach * 0.5 ** (step % 3)  # a whole difference goes from mode to mode
        proposed = z + length * (partners[one] - partners[two]) + _JITTER * noise.normal((1, *z.shape))[0]
        log_proposed = target(proposed)
        accept = noise.uniform((1, n))[0].log() < log_proposed - log_target
        z = torch.where(accept.unsqueeze(1), proposed, z)
        log_target = torch.where(accept, log_proposed, log_target)
    return z


@torch.no_grad()
def rows_of_codes(decode: Decode, z: Tensor, conditions: Sequence[Condition], noise: Noise) -> Tensor:
    """A row for each code, (n, d): conditioned columns within their conditions, others as the decoder has them."""
    blocks = []
    for block in z.split(_BLOCK):
        p = decode(block.unsqueeze(0))
        assert isinstance(p, Columns)
        x = draw(p, noise, 1)[0]
        filled = x.clone()
        for condition in conditions:
            filled[..., condition.column] = condition.fill(p, x, noise)
        blocks.append(filled[0])
    return torch.cat(blocks)
