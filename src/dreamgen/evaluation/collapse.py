"""Posterior collapse: when the latents carry next to nothing, and what helps against it.

Understanding Posterior Collapse in Generative Latent Variable Models, 2019, https://openreview.net/forum?id=r1xaVLUYuE.
"""

from torch import Tensor
from torch.distributions import Distribution

from dreamgen.distributions import Delta
from dreamgen.evaluation.latents import active_units

ALMOST_NOTHING = 0.5
"""Nats for an example: less than one toss of a coin, log 2 = 0.69."""

_ROWS_TO_JUDGE = 100
_CURES = (
    "-o 'beta={kind=\"linear\", steps=1000}' (as in --recipe annealed); with it -o free_bits=0.25 (as in --recipe "
    "free-bits), or few latents with more (-o latent_dim=5 -o free_bits=1); a lower beta; of a Gaussian a smaller "
    "-o likelihood.scale; a weaker decoder (-o likelihood=bernoulli, a smaller -o hidden_dim)"
)


def collapse_warning(q: Distribution, units: Tensor | None) -> str | None:
    """One line that says that the posterior has collapsed and names the cures, or None if it has not.

    Collapsed is a posterior whose rate is below half a nat, or without one active unit: then the code says less about
    its example than a coin could. How many of the units are active is not asked: a model with more latents than it
    needs leaves most of them alone and is well. Free bits can hold up the rate of a code that says nothing, which is
    why both are looked at.

    Args:
        q: q(z|x) of the rows, batch shape (n, D). Fewer than 100 rows are not judged, nor is a point.
        units: rate of each unit, (D,), in nats; None where it is not known.
    """
    rows, latents = q.mean.shape
    if isinstance(q, Delta) or rows < _ROWS_TO_JUDGE:
        return None
    active, rate = active_units(q), None if units is None else units.sum().item()
    if active and (rate is None or rate >= ALMOST_NOTHING):
        return None
    carried = "" if rate is None else f", {rate:.2f} nats"
    return (
        f"the posterior has collapsed ({active} of {latents} latents active{carried}): the decoder works without "
        f"them. Cures: {_CURES}"
    )
