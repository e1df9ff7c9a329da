"""A prior fitted after training: a mixture of Gaussians over draws from q(z|x), chosen by held-out likelihood.

The draws are the posterior's, not its means: means lie closer together than what the decoder learned to read. They
are drawn anew at every step of expectation maximisation, so the mixture explains the posteriors and not one draw of
them. A component stands for many rows or it is given up, so that none describes a single one.

A Gaussian's log density is linear in the products of pairs of a code's numbers, and so are the sums that its
covariance is made of: with the products written out, both steps are one matrix product each.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution, Normal

from dreamgen.distributions.mixtures import GaussianMixture, MixturePrior
from dreamgen.distributions.noise import StepNoise, derive_seed
from dreamgen.errors import SettingsError

_STEPS, _STEPS_TO_CHOOSE = 50, 15
_MOST_ROWS = 100_000  # that a mixture is fitted to
_HELD_OUT = 0.1
_LEAST_ROWS = 20.0  # that a component stands for
_SHRINK = 0.1  # of covariances towards their mean, at as many rows as dimensions
_RIDGE = 1e-4
_LOST = 4e-6  # of a sum in float32
_BLOCK = 4096  # codes looked at at once, and fewer where their products are more numbers than
_BLOCK_NUMBERS = 1 << 24  # this, 64 MiB
_MOST_NUMBERS = 1 << 24  # of all covariances; several copies of them are made, in float64


@dataclass(frozen=True)
class FittedPrior:
    """A prior, and what it was chosen from.

    Attributes:
        prior: a mixture with full covariances.
        tried: by the number of components, the mean log density of held-out codes, in nats, after a few steps on the
            others, from where the chosen one goes on with all; of the standard normal
            under 0, which is there to compare with and not to choose: a mixture of one can be it.
    """

    prior: MixturePrior
    tried: dict[int, float]


@torch.no_grad()
def fit_prior(q: Distribution, components: Sequence[int] = (1, 10, 50, 200), seed: int = 0) -> FittedPrior:
    """The mixture that explains the codes of rows best, of several sizes.

    Args:
        q: q(z|x) of the rows of the training, batch shape (n, D).
        components: sizes to choose from; more than the rows can bear are left out.
        seed: of draws and starts.

    Raises:
        SettingsError: covariances of so many dimensions that they would fill the memory.
    """
    order = torch.randperm(len(q.mean), generator=torch.Generator().manual_seed(derive_seed(seed, "rows")))
    loc, scale = (values[order[:_MOST_ROWS]] for values in (q.mean, q.stddev))
    n, d = loc.shape
    sizes = [c for c in components if c <= most_components(n, d)] or [1]
    if max(sizes) * d * d > _MOST_NUMBERS:
        raise SettingsError(
            f"mixture: expected covariances of at most {_MOST_NUMBERS:,} numbers, got {max(sizes)} of {d} x {d}: "
            "it is for fewer latents"
        )
    held = max(1, int(n * _HELD_OUT))
    middle = loc.mean(0)
    loc = loc - middle  # sums of products of what is far from 0 have no digits left for what differs
    judge = loc[:held] + scale[:held] * StepNoise(seed, "judge").normal((held, d))
    tried = {0: float(Normal(0.0, 1.0, validate_args=False).log_prob(judge + middle).sum(1).mean())}
    if len(sizes) == 1:
        return FittedPrior(_as_prior(_of_size(sizes[0], loc, scale, _STEPS, seed), middle), tried)
    found = {}
    for size in sizes:
        found[size] = _of_size(size, loc[held:], scale[held:], _STEPS_TO_CHOOSE, seed)
        tried[size] = float(_log_density(found[size], judge).mean())
    best = max(sizes, key=tried.__getitem__)
    # The chosen one goes on, now with the rows that it was chosen by.
    more = _STEPS - _STEPS_TO_CHOOSE
    mixture = _maximise(found[best], loc, scale, more, StepNoise(seed, "chosen", best))
    return FittedPrior(_as_prior(mixture, middle), tried)


def most_components(rows: int, latent_dim: int) -> int:
    """How many components of full covariance a number of rows can bear; 1 at least."""
    return max(1, int(rows / (2 * max(latent_dim, _LEAST_ROWS))))


def _of_size(size: int, loc: Tensor, scale: Tensor, steps: int, seed: int) -> GaussianMixture:
    """Expectation maximisation from the clusters of one draw of the codes."""
    noise = StepNoise(seed, "mixture", size)
    z = _draw(loc, scale, noise)
    start = _of_sums(_sums(z, _clusters(z, size, seed), size), z.shape[1])
    return _maximise(start, loc, scale, steps, noise)


def _maximise(mixture: GaussianMixture, loc: Tensor, scale: Tensor, steps: int, noise: StepNoise) -> GaussianMixture:
    """Steps of expectation maximisation, each with a draw of its own."""
    for _ in range(steps):
        z = _draw(loc, scale, noise)
        sums = _expected(mixture, z)
        kept = sums[:, -1] >= min(_LEAST_ROWS, len(z) / (2 * len(sums)))
        mixture = _of_sums(sums[kept], z.shape[1])
    return mixture


def _draw(loc: Tensor, scale: Tensor, noise: StepNoise) -> Tensor:
    return loc + scale * noise.normal(loc.shape)


def _clusters(z: Tensor, size: int, seed: int) -> Tensor:
    """Which of `size` clusters each code is in, (n,): k-means, a few rounds from random codes."""
    start = torch.randperm(len(z), generator=torch.Generator().manual_seed(derive_seed(seed, "k-means")))
    centres = z[start[:size]]
    for _ in range(10):
        nearest = torch.cat([torch.cdist(block, centres).argmin(1) for block in z.split(_rows_at_once(z.shape[1]))])
        counts = torch.bincount(nearest, minlength=size).unsqueeze(1)
        means = torch.zeros_like(centres).index_add_(0, nearest, z) / counts.clamp(min=1)
        centres = torch.where(counts > 0, means, centres)
    return nearest


def _products(z: Tensor) -> Tensor:
    """What a Gaussian's log density is linear in: z_i z_j for i <= j, z, 1; (n, D(D+1)/2 + D + 1)."""
    i, j = torch.triu_indices(z.shape[1], z.shape[1])
    return torch.cat([z[:, i] * z[:, j], z, torch.ones(len(z), 1)], 1)


def _rows_at_once(d: int) -> int:
    """How many codes of d numbers make a block, whose products are to fit into a budget."""
    return max(1, min(_BLOCK, _BLOCK_NUMBERS // ((d + 1) * (d + 2) // 2)))


def _sums(z: Tensor, component: Tensor, size: int) -> Tensor:
    """The products of codes summed by component, (C, P)."""
    rows, total = _rows_at_once(z.shape[1]), torch.zeros(size, _products(z[:1]).shape[1])
    for block, which in zip(z.split(rows), component.split(rows), strict=True):
        total.index_add_(0, which, _products(block))
    return total


def _log_density(mixture: GaussianMixture, z: Tensor) -> Tensor:
    """log p of codes, (n,)."""
    weights = _weights(mixture).T
    return torch.cat([(_products(block) @ weights).logsumexp(1) for block in z.split(_rows_at_once(z.shape[1]))])


def _expected(mixture: GaussianMixture, z: Tensor) -> Tensor:
    """`_sums` where each code is shared out among the components, as the mixture has it."""
    weights = _weights(mixture)
    total = torch.zeros_like(weights)
    for block in z.split(_rows_at_once(z.shape[1])):
        products = _products(block)
        total += (products @ weights.T).softmax(1).T @ products
    return total


def _weights(mixture: GaussianMixture) -> Tensor:
    """What products are weighed by to give log w_c N(z; loc_c, covariance_c), (C, P)."""
    d = mixture.loc.shape[1]
    i, j = torch.triu_indices(d, d)
    precision = torch.cholesky_inverse(mixture.scale_tril)
    pull = (precision @ mixture.loc.unsqueeze(-1))[..., 0]
    volume = mixture.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1) + 0.5 * d * math.log(2 * math.pi)
    constant = mixture.logits.log_softmax(0) - volume - 0.5 * (pull * mixture.loc).sum(-1)
    pairs = precision[:, i, j] * torch.where(i == j, -0.5, -1.0)
    return torch.cat([pairs, pull, constant.unsqueeze(1)], 1)


def _of_sums(sums: Tensor, d: int) -> GaussianMixture:
    """The mixture that explains codes best, by the sums of their products; covariances shrunk a little."""
    i, j = torch.triu_indices(d, d)
    mass = sums[:, -1].clamp(min=1e-6)
    # In float64, and with a ridge that covers the digits that the sums lost: squares of far codes nearly cancel.
    means = sums.double() / mass.double().unsqueeze(1)
    loc = means[:, -d - 1 : -1]
    second = torch.zeros(len(sums), d, d, dtype=torch.float64)
    second[:, i, j] = means[:, : len(i)]
    second[:, j, i] = means[:, : len(i)]
    covariance = second - loc.unsqueeze(2) * loc.unsqueeze(1)
    pooled = (covariance * (mass / mass.sum())[:, None, None]).sum(0)
    weight = (_SHRINK * d / (mass + d))[:, None, None]
    ridge = _RIDGE + _LOST * second.diagonal(dim1=1, dim2=2).amax(1)
    covariance = (1 - weight) * covariance + weight * pooled + ridge[:, None, None] * torch.eye(d)
    tril = torch.linalg.cholesky(covariance).float()
    return GaussianMixture((mass / mass.sum()).log(), loc.float(), tril)


def _as_prior(mixture: GaussianMixture, middle: Tensor) -> MixturePrior:
    """The mixture moved by `middle`, as a part of a model."""
    with torch.random.fork_rng(devices=[]):  # what it draws to begin with is written over
        prior = MixturePrior(mixture.loc.shape[1], len(mixture.loc))
    assert prior.below is not None
    prior.logits.copy_(mixture.logits)
    prior.loc.copy_(mixture.loc + middle)
    prior.log_scale.copy_(mixture.scale_tril.diagonal(dim1=-2, dim2=-1).log())
    prior.below.copy_(mixture.scale_tril.tril(-1))
    return prior
