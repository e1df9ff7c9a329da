"""Where the codes of a trained model really lie: the aggregated posterior, by the codes that are kept with a model.

A prior is what codes were pulled towards, and not what they fill. A mixture of Gaussians fitted to them afterwards is
closer, for a model of any kind and without another look at the data: codes of a few thousand training rows lie beside
the weights (From Variational to Deterministic Autoencoders, 2019, https://arxiv.org/abs/1903.12436).
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution, Normal

from dreamgen.distributions import MixturePrior, fit_prior, most_components
from dreamgen.errors import SettingsError
from dreamgen.models.blur import blurred

KEPT, KEPT_TO_FIT = (
    2000,
    10_000,
)  # training rows whose codes are kept; where dreams need them
TOLD_APART = 20  # rows that were told the same, for a mixture of their own: it is to describe no single one
_FEWEST = 2  # codes that a covariance can be taken of
_HALVINGS = 40


def keep_codes(q: Distribution, context: Tensor | None, labels: Tensor | None, rows: int = KEPT) -> dict[str, Tensor]:
    """Codes of the first rows as they are kept: `loc`, `scale` (n, D) and `context` (n, C) in 16 bits, `labels` (n,).

    A posterior without noise has no `scale`, and a model that is told nothing has no `context`.
    """
    codes = {"loc": kept_codes(q.mean[:rows])}
    if isinstance(q, Normal):
        codes["scale"] = kept_codes(q.stddev[:rows])
    if context is not None:
        codes["context"] = context[:rows].half()
    if labels is not None:
        codes["labels"] = labels[:rows]
    return codes


def kept_codes(z: Tensor) -> Tensor:
    """Codes in 16 bits; nobody has a use for what lies farther out than those reach."""
    largest = torch.finfo(torch.float16).max
    return z.clamp(-largest, largest).half()


def kept_posterior(codes: Mapping[str, Tensor], card: Mapping[str, Any]) -> Normal:
    """q(z|x) of the rows whose codes are kept, batch shape (n, D).

    Codes without scales (of a point, or as kept by earlier versions) get those that the rates on the card speak of.

    Raises:
        SettingsError: there are no codes.
    """
    if not len(codes.get("loc", ())):
        raise SettingsError("no codes are kept with this model, and a mixture is fitted to them")
    loc = codes["loc"].float()
    if "scale" in codes:
        scale = codes["scale"].float()
    else:
        rates = card.get("rate_per_unit") or [0.0] * loc.shape[1]
        scale = scale_of_rate(torch.tensor(rates), loc.square().mean(0)).expand_as(loc)
    return Normal(loc, scale, validate_args=False)


def scale_of_rate(rate: Tensor, square: Tensor) -> Tensor:
    """The scale σ <= 1 of posteriors whose KL to the standard normal is `rate` on average.

    rate = (E loc² + σ² - 1 - log σ²) / 2, solved by halving. 0 where the rate is 0 and the codes vary all the same,
    as those of a point do.

    Args:
        rate: of each unit, (D,), in nats.
        square: mean of loc² of each unit, (D,).
    """
    wanted = (2 * rate + 1 - square).clamp(min=1)  # σ² - log σ²
    low, high = torch.full_like(wanted, -30.0), torch.zeros_like(wanted)  # of log σ²
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        too_far = middle.exp() - middle > wanted
        low, high = torch.where(too_far, middle, low), torch.where(too_far, high, middle)
    return torch.where(rate > 0, (0.5 * high).exp(), 0.0)


def rows_told(codes: Mapping[str, Tensor], told: Tensor) -> Tensor:
    """Which rows with kept codes were told a context (C,), bool, (n,)."""
    kept = codes.get("context")
    if kept is None or not kept.shape[1]:
        return torch.zeros(len(codes.get("loc", ())), dtype=torch.bool)
    return (kept == told.to(kept)).all(1)


def fit_codes(
    codes: Mapping[str, Tensor],
    card: Mapping[str, Any],
    components: int = 10,
    told: Tensor | None = None,
    level: float = 0.0,
) -> MixturePrior:
    """A mixture of full covariance fitted to the kept codes of a model, posterior noise and all; takes a second.

    It is a function of the codes and of what is asked for alone.

    Args:
        codes: as `SavedModel.codes`.
        card: as `SavedModel.card`.
        components: how many; fewer where there are too few codes for so many covariances.
        told: (C,), only codes of rows that a conditional model was told this of; None: all.
        level: to which the codes are blurred first.

    Raises:
        SettingsError: there are no codes, or too few of rows that were told this.
    """
    if components < 1:
        raise SettingsError(f"mixture: expected 1 component or more, got {components}")
    q = kept_posterior(codes, card)
    if told is not None:
        rows = rows_told(codes, told)
        if rows.sum() < _FEWEST:
            many = int(rows.sum())
            raise SettingsError(f"mixture: expected {_FEWEST} kept codes of rows that were told the same, got {many}")
        q = Normal(q.loc[rows], q.scale[rows], validate_args=False)
    if level:
        q = blurred(q, torch.tensor(level))
    n, d = q.loc.shape
    return fit_prior(q, (min(components, most_components(n, d)),)).prior
