"""What privacy costs: a ledger of everything that was measured on people's rows, and the epsilon of all of it.

Two tables are neighbours if they differ in whether one row counts (zero-out adjacency: passed over, it adds nothing
to any sum), so the number of rows is public. A mechanism M is (ε, δ)-private if
P(M(a) in S) <= e^ε P(M(b) in S) + δ for all neighbours a, b and all S.

Everything here is one mechanism: a sum over rows, which one row moves by at most 1 (in L2, after scaling), plus
Gaussian noise of a standard deviation `noise`, over a Poisson sample of the rows at a rate, some number of times. So
one accountant composes histograms and training steps alike, and nothing is lost between them. The accounting is
Opacus': Rényi (Rényi Differential Privacy of the Sampled Gaussian Mechanism, 2019,
https://arxiv.org/abs/1908.10530), or numerical ("prv": Numerical Composition of Differential Privacy, 2021,
https://arxiv.org/abs/2106.02848), which is a few percent tighter.
"""

import math
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from dreamgen.errors import SettingsError

Accountant = Literal["rdp", "prv"]
_ORDERS = [*(1 + i / 10 for i in range(1, 100)), *range(12, 64), *range(64, 513, 16)]
_LEAST_NOISE, _MOST_NOISE = 1e-2, 1e7


@dataclass(frozen=True)
class Charge:
    """One thing that was measured.

    Attributes:
        what: for people.
        noise: standard deviation of the noise over the most that one row can move the sum (L2).
        rate: share of the rows in each Poisson sample; 1: all of them.
        steps: how many times.
        delta: probability of saying what must not be said at all, as where an unknown category is named; it is
            added to the accountant's.
    """

    what: str
    noise: float
    rate: float = 1.0
    steps: int = 1
    delta: float = 0.0

    def __post_init__(self) -> None:
        for name, holds, what in (
            ("noise", self.noise > 0, "more than 0"),
            ("rate", 0 < self.rate <= 1, "a share, 0 < rate <= 1"),
            ("steps", self.steps >= 1, "1 or more"),
            ("delta", 0 <= self.delta < 1, "a probability"),
        ):
            if not holds:
                raise SettingsError(f"privacy, {self.what}, {name}: expected {what}, got {getattr(self, name)!r}")


@dataclass
class Spending:
    """The ledger: every charge against one budget."""

    charges: list[Charge] = field(default_factory=list)

    def add(self, charge: Charge) -> Charge:
        """Write a charge down, and give it back."""
        self.charges.append(charge)
        return charge

    def epsilon(self, delta: float, accountant: Accountant = "rdp") -> float:
        """The epsilon of all charges together at a total delta; infinite where the charges' own deltas exceed it."""
        return epsilon_of(self.charges, delta, accountant)

    def to_dict(self, delta: float, accountant: Accountant = "rdp") -> dict[str, Any]:
        """The ledger for a card: the total, and each charge with the epsilon that it alone would cost."""
        each = [
            {**vars(charge), "epsilon": round(epsilon_of([charge], delta, accountant), 4)} for charge in self.charges
        ]
        return {
            "epsilon": self.epsilon(delta, accountant),
            "delta": delta,
            "accountant": accountant_name(accountant),
            "neighbours": "tables that differ in whether one row counts; the number of rows is public",
            "charges": each,
        }


def check_budget(epsilon: float, delta: float, rows: int) -> None:
    """Raise SettingsError unless (epsilon, delta) can be a budget for a table of that many rows."""
    if not 0 < epsilon < math.inf:
        raise SettingsError(f"epsilon: expected more than 0, got {epsilon!r}")
    if not 0 < delta < 1 / max(rows, 2):
        # With delta = 1 / rows, publishing a row at random would be private.
        raise SettingsError(f"delta: expected more than 0 and less than 1 / rows = {1 / rows:.2g}, got {delta!r}")


def epsilon_of(charges: Iterable[Charge], delta: float, accountant: Accountant = "rdp") -> float:
    """The epsilon of charges together, in nats, at a total delta that their own deltas are a part of."""
    charges = list(charges)
    left = delta - sum(charge.delta for charge in charges)
    if left <= 0:
        return math.inf
    if not charges:
        return 0.0
    rdp = _opacus(accountant)
    rdp.history = [(c.noise, c.rate, c.steps) for c in charges]
    with warnings.catch_warnings():
        # Of the best order's being the first or last, which costs tightness only, and of log 0 at a rate of 1.
        warnings.simplefilter("ignore")
        options = {"alphas": _ORDERS} if accountant == "rdp" else {}
        return float(rdp.get_epsilon(delta=left, **options))


def noise_for(
    epsilon: float,
    delta: float,
    rate: float,
    steps: int,
    earlier: Sequence[Charge] = (),
    accountant: Accountant = "rdp",
) -> float:
    """The least noise, to 0.1%, with which `steps` steps at a rate, after earlier charges, stay within a budget.

    Raises:
        SettingsError: the earlier charges leave nothing.
    """

    def total(noise: float) -> float:
        return epsilon_of([*earlier, Charge("training", noise, rate, steps)], delta, accountant)

    low, high = _LEAST_NOISE, 1.0
    while total(high) > epsilon:
        low, high = high, 2 * high
        if high > _MOST_NOISE:
            spent = epsilon_of(earlier, delta, accountant)
            raise SettingsError(
                f"epsilon: expected a budget that leaves something for {steps} steps of training, got {epsilon:g} "
                f"at delta {delta:g}, of which {spent:.3g} is spent before"
            )
    while high / low > 1.001:
        middle = math.sqrt(low * high)
        low, high = (low, middle) if total(middle) <= epsilon else (middle, high)
    return high


def accountant_name(accountant: Accountant) -> str:
    """The accountant for a card, with its version."""
    from importlib.metadata import version

    return f"{accountant}, opacus {version('opacus')}"


def _opacus(accountant: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from opacus.accountants import create_accountant
    except ImportError:
        raise SettingsError("private training needs Opacus: pip install 'dreamgen[private]'") from None
    return create_accountant(mechanism=accountant)
