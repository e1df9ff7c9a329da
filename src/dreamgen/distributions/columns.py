"""p(x|z) of a row of mixed columns, each of its own kind.

A column of categories has a softmax over its levels. A column of numbers is a mixture: atoms, which are values with a
probability of their own (a capital gain of 0), beside components around a location. On a grid of step s, a component
gives the cell [x - s/2, x + s/2] its probability; elsewhere it gives a density. Components are logistic or normal.

Columns of one kind are computed together. Letters: K samples, B rows, d columns, A atoms, M components.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Distribution, constraints
from torch.nn import functional as F

from dreamgen.data.columns import ColumnShape
from dreamgen.distributions.bounded import at_least_float32
from dreamgen.distributions.draw import draw
from dreamgen.distributions.likelihoods import LIKELIHOODS, Likelihood
from dreamgen.distributions.noise import Noise
from dreamgen.errors import SettingsError
from dreamgen.registry import nearest

_ALIKE = 1e-4  # model units within which a number is an atom; the codec rounds no finer
_NEVER = -1e9  # the logit of what does not exist


class Family(NamedTuple):
    """A component by its standard form: log density, distribution function and its inverse."""

    log_density: Callable[[Tensor], Tensor]
    cdf: Callable[[Tensor], Tensor]
    icdf: Callable[[Tensor], Tensor]


def _logistic(u: Tensor) -> Tensor:
    return F.logsigmoid(u) + F.logsigmoid(-u)


def _normal(u: Tensor) -> Tensor:
    return -0.5 * u.square() - 0.5 * math.log(2 * math.pi)


FAMILIES = {
    "logistic": Family(_logistic, torch.sigmoid, torch.logit),
    "normal": Family(_normal, torch.special.ndtr, torch.special.ndtri),
}


class Numbers(NamedTuple):
    """The columns of numbers: what does not depend on z.

    Attributes:
        columns: their numbers in the table, (n,).
        atoms: (n, A), NaN where a column has fewer.
        step: (n,), 0 where continuous.
        floor: (n,), least scale.
        family: of the components.
    """

    columns: Tensor
    atoms: Tensor
    step: Tensor
    floor: Tensor
    family: Family


class NumberMixture:
    """p of the columns of numbers.

    Args:
        h: (K, B, n, A + 3M): logits of atoms and components, then locations, then scales before softplus.
    """

    def __init__(self, h: Tensor, numbers: Numbers) -> None:
        self.numbers, count = numbers, numbers.atoms.shape[-1]
        components = (h.shape[-1] - count) // 3
        logits, self.loc, scale = h.split([count + components, components, components], dim=-1)
        absent = F.pad(numbers.atoms.isnan(), (0, components))
        self.log_weight = F.log_softmax(logits.masked_fill(absent, _NEVER), dim=-1)
        self.scale = F.softplus(scale) + numbers.floor.unsqueeze(-1)
        self.atoms = numbers.atoms.nan_to_num(0.0)

    def _parts(self) -> tuple[Tensor, Tensor]:
        """Log-weights of the atoms, (..., A), and of the components, (..., M)."""
        atoms, components = self.log_weight.split([self.atoms.shape[-1], self.loc.shape[-1]], dim=-1)
        return atoms, components

    def log_prob(self, x: Tensor) -> Tensor:
        """x (B, n) or (K, B, n) to (K, B, n)."""
        family, step = self.numbers.family, self.numbers.step.unsqueeze(-1)
        log_atom, log_component = self._parts()
        value = x.unsqueeze(-1)
        u = (value - self.loc) / self.scale
        each = family.log_density(u) - self.scale.log()
        if bool((step > 0).any()):
            half = 0.5 * step / self.scale
            # Both ends on the lower side, where a difference of distribution functions keeps its digits.
            low = -u.abs() - half
            mass = (family.cdf(low + 2 * half) - family.cdf(low)).clamp(min=1e-12)
            far = each + step.clamp(min=1e-12).log()  # where the cell is small beside the digits: density times width
            cell = torch.where(mass > 1e-6, mass.log(), far)
            each = torch.where(step > 0, cell, each)
        slab: Tensor = torch.logsumexp(log_component + each, dim=-1)
        if not log_atom.shape[-1]:
            return slab
        alike = (value - self.atoms).abs() < _ALIKE * (1 + self.atoms.abs())
        alike = alike & ~self.numbers.atoms.isnan()
        spike = torch.logsumexp(log_atom.masked_fill(~alike, _NEVER), dim=-1)
        # An atom of a continuous column has no density: its probability stands alone.
        on_grid = self.numbers.step > 0
        return torch.where(alike.any(-1), torch.where(on_grid, torch.logaddexp(spike, slab), spike), slab)

    @property
    def mean(self) -> Tensor:
        """(K, B, n)."""
        log_atom, log_component = self._parts()
        mean: Tensor = (log_atom.exp() * self.atoms).sum(-1) + (log_component.exp() * self.loc).sum(-1)
        return mean

    def cdf(self, x: Tensor) -> Tensor:
        """P(X <= x), x (B, n) or (K, B, n) to (K, B, n); of a column on a grid for x on it: its cell is within."""
        return self.cdf_of_draws(x + 0.5 * self.numbers.step)

    def cdf_of_draws(self, x: Tensor) -> Tensor:
        """P(what `draw` gives <= x): on a grid, a number that is yet to be rounded to it."""
        log_atom, log_component = self._parts()
        value = x.unsqueeze(-1)
        slab: Tensor = (log_component.exp() * self.numbers.family.cdf((value - self.loc) / self.scale)).sum(-1)
        below = (self.atoms <= value) & ~self.numbers.atoms.isnan()
        return slab + (log_atom.exp() * below).sum(-1)

    def draw(self, which: Tensor, where: Tensor) -> Tensor:
        """A value for each of two uniform numbers: which part, and where in it."""
        count = self.atoms.shape[-1]
        part = (self.log_weight.exp().cumsum(-1) < which.unsqueeze(-1)).sum(-1, keepdim=True)
        part = part.clamp(max=self.log_weight.shape[-1] - 1)
        component = (part - count).clamp(min=0)
        shape = (*part.shape[:-1], self.loc.shape[-1])
        loc, scale = (values.expand(shape).gather(-1, component)[..., 0] for values in (self.loc, self.scale))
        value: Tensor = loc + scale * self.numbers.family.icdf(where.clamp(1e-6, 1 - 1e-6))
        if not count:
            return value
        atoms = self.atoms.expand(*part.shape[:-1], count).gather(-1, part.clamp(max=count - 1))[..., 0]
        return torch.where(part[..., 0] < count, atoms, value)


def _at(values: Tensor, code: Tensor) -> Tensor:
    """The value of each code's level: (K, B, g, levels) at (B, g) or (K, B, g)."""
    # numpy's: torch's own loads half of its compiler.
    shape = np.broadcast_shapes(values.shape[:-1], code.shape)
    level = code.long().clamp(0, values.shape[-1] - 1).expand(shape)
    return values.expand(*shape, values.shape[-1]).gather(-1, level.unsqueeze(-1))[..., 0]


class Columns(Distribution):
    """p(x|z) of rows, batch shape (K, B, d).

    Args:
        numbers: of the columns of numbers, or None.
        logits: of each group of columns with one number of levels, (K, B, g, levels).
        groups: the columns of each group, (g,).
        order: where each column of the table stands among the numbers and then the groups, (d,).
    """

    arg_constraints = {}
    support = constraints.real

    def __init__(
        self, numbers: NumberMixture | None, logits: Sequence[Tensor], groups: Sequence[Tensor], order: Tensor
    ) -> None:
        self.numbers, self.groups, self._order = numbers, groups, order
        self.log_probs = [F.log_softmax(part, dim=-1) for part in logits]
        first = numbers.loc if numbers is not None else self.log_probs[0]
        super().__init__(torch.Size((*first.shape[:-2], len(order))), validate_args=False)

    def _join(self, parts: Sequence[Tensor]) -> Tensor:
        return torch.cat(list(parts), dim=-1).index_select(-1, self._order)

    def log_prob(self, value: Tensor) -> Tensor:
        """x (B, d) or (K, B, d) to (K, B, d), in nats: probabilities, or densities in model units."""
        parts = []
        if self.numbers is not None:
            parts.append(self.numbers.log_prob(value.index_select(-1, self.numbers.numbers.columns)))
        for columns, log_probs in zip(self.groups, self.log_probs, strict=True):
            parts.append(_at(log_probs, value.index_select(-1, columns)))
        return self._join(parts)

    @property
    def mean(self) -> Tensor:
        """The mean of numbers and the likeliest code of categories, (K, B, d)."""
        parts = [] if self.numbers is None else [self.numbers.mean]
        return self._join(parts + [p.argmax(-1).to(p.dtype) for p in self.log_probs])

    def probs(self, column: int) -> Tensor:
        """The probability of each level of a column of categories, (K, B, levels)."""
        for columns, log_probs in zip(self.groups, self.log_probs, strict=True):
            found = (columns == column).nonzero()
            if len(found):
                return log_probs[..., int(found[0]), :].exp()
        raise SettingsError(f"column {column} is one of numbers: it has no levels")

    def cdf(self, value: Tensor) -> Tensor:
        """P(X <= x) of each cell, (K, B, d); of a category, in the order of the codes; on a grid, x is on it."""
        return self._cdf(value, NumberMixture.cdf)

    def cdf_of_draws(self, value: Tensor) -> Tensor:
        """The same of what `draw` gives, where a number of a grid is yet to be rounded to it: x is any number."""
        return self._cdf(value, NumberMixture.cdf_of_draws)

    def _cdf(self, value: Tensor, of_numbers: Callable[[NumberMixture, Tensor], Tensor]) -> Tensor:
        parts = []
        if self.numbers is not None:
            parts.append(of_numbers(self.numbers, value.index_select(-1, self.numbers.numbers.columns)))
        for columns, log_probs in zip(self.groups, self.log_probs, strict=True):
            parts.append(_at(log_probs.exp().cumsum(-1), value.index_select(-1, columns)))
        return self._join(parts)


@draw.register
def _(distribution: Columns, noise: Noise, samples: int) -> Tensor:
    """(samples, *batch shape): each cell apart, given z."""
    shape = (samples, *distribution.batch_shape)
    which, where = noise.uniform(shape), noise.uniform(shape)
    parts = []
    if distribution.numbers is not None:
        columns = distribution.numbers.numbers.columns
        parts.append(distribution.numbers.draw(which.index_select(-1, columns), where.index_select(-1, columns)))
    for columns, log_probs in zip(distribution.groups, distribution.log_probs, strict=True):
        below = log_probs.exp().cumsum(-1) < which.index_select(-1, columns).unsqueeze(-1)
        parts.append(below.sum(-1).clamp(max=log_probs.shape[-1] - 1).to(log_probs.dtype))
    return distribution._join(parts)


@LIKELIHOODS.register("columns")
class ColumnsLikelihood(Likelihood):
    """A likelihood for every column of a table.

    Args:
        columns: their shapes.
        components: M, of the mixture of each column of numbers.
        family: "logistic", whose tails forgive, or "normal".
        floor: multiplies the least scale of every column.
    """

    def __init__(
        self, columns: Sequence[ColumnShape], components: int = 4, family: str = "logistic", floor: float = 1.0
    ) -> None:
        super().__init__()
        if not columns:
            raise SettingsError("likelihood 'columns' explains tables, and there are no columns")
        if not 1 <= components <= 100:
            raise SettingsError(f"likelihood 'columns', components: expected 1 to 100, got {components}")
        if family not in FAMILIES:
            raise SettingsError(f"likelihood 'columns', family {family!r}: {nearest(family, FAMILIES)}")
        if floor <= 0:
            raise SettingsError(f"likelihood 'columns', floor: expected more than 0, got {floor!r}")
        self._family, self._components = FAMILIES[family], components
        numbers = [j for j, column in enumerate(columns) if not column.levels]
        self._levels = sorted({column.levels for column in columns if column.levels})
        groups = [[j for j, column in enumerate(columns) if column.levels == levels] for levels in self._levels]
        most = max((len(columns[j].atoms) for j in numbers), default=0)
        atoms = [[*columns[j].atoms, *[math.nan] * (most - len(columns[j].atoms))] for j in numbers]
        # Constants of the table: they follow the model to its device and are rebuilt, not saved.
        self._constant("numbers", torch.tensor(numbers, dtype=torch.long))
        self._constant("atoms", torch.tensor(atoms).reshape(len(numbers), most))
        self._constant("step", torch.tensor([columns[j].step for j in numbers]))
        self._constant("least", torch.tensor([columns[j].floor * floor for j in numbers]))
        for number, group in enumerate(groups):
            self._constant(f"group{number}", torch.tensor(group))
        order = numbers + [j for group in groups for j in group]
        self._constant("order", torch.tensor(sorted(range(len(order)), key=order.__getitem__)))

    def _constant(self, name: str, value: Tensor) -> None:
        self.register_buffer(f"_{name}", value, persistent=False)

    def _buffer(self, name: str) -> Tensor:
        value: Tensor = getattr(self, f"_{name}")
        return value

    @property
    def _groups(self) -> list[Tensor]:
        return [self._buffer(f"group{number}") for number in range(len(self._levels))]

    @property
    def _sizes(self) -> list[int]:
        """How many of the decoder's numbers go to the columns of numbers, and to each group of categories."""
        each = self._buffer("atoms").shape[1] + 3 * self._components
        pairs = zip(self._groups, self._levels, strict=True)
        return [len(self._buffer("numbers")) * each, *(len(group) * levels for group, levels in pairs)]

    def parameters_shape(self, event_shape: Sequence[int]) -> tuple[int, ...]:
        return (sum(self._sizes),)

    def forward(self, h: Tensor) -> Distribution:
        """h (..., P) to p(x|z), batch shape (..., d)."""
        first, *rest = at_least_float32(h).split(self._sizes, dim=-1)
        numbers = None
        if len(self._buffer("numbers")):
            columns, atoms, step, least = map(self._buffer, ("numbers", "atoms", "step", "least"))
            shape = (len(self._buffer("numbers")), -1)
            numbers = NumberMixture(first.unflatten(-1, shape), Numbers(columns, atoms, step, least, self._family))
        logits = [part.unflatten(-1, (-1, levels)) for part, levels in zip(rest, self._levels, strict=True)]
        return Columns(numbers, logits, self._groups, self._buffer("order"))

    def start(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Every column's own marginal, (P,): the frequencies of levels and atoms, and components at the quantiles."""
        seen = torch.ones_like(x, dtype=torch.bool) if mask is None else mask
        parts = [self._start_of_number(n, x[seen[:, j], j]) for n, j in enumerate(self._buffer("numbers").tolist())]
        for group, levels in zip(self._groups, self._levels, strict=True):
            for j in group.tolist():
                count = torch.bincount(x[seen[:, j], j].long().cpu(), minlength=levels)
                parts.append((count + 0.5).log() - (count.sum() + 0.5 * levels).log())
        return torch.cat([part.float().to(x.device) for part in parts])

    def _start_of_number(self, n: int, values: Tensor) -> Tensor:
        atoms, m = self._buffer("atoms")[n], self._components
        is_atom = (values.unsqueeze(1) - atoms).abs() < _ALIKE * (1 + atoms.abs())
        rest = values[~is_atom.any(1)]
        share = (torch.cat([is_atom.sum(0), torch.tensor([len(rest)], device=values.device)]) + 0.5).log()
        middles = (torch.arange(m, device=values.device) + 0.5) / m
        loc = torch.quantile(rest[:100_000], middles) if len(rest) else torch.linspace(-1, 1, m).to(values.device)
        width = (rest.std() if len(rest) > 1 else torch.tensor(1.0)).clamp(0.1, 3) / m**0.5
        raw = torch.log(torch.expm1(0.55 * width)).to(values.device)  # a logistic's deviation is 1.8 of its scale
        return torch.cat([share[:-1], (share[-1] - math.log(m)).expand(m), loc, raw.expand(m)])
