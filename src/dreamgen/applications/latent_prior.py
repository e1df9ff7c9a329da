"""A prior fitted after training: a mixture of Gaussians over draws from q(z|x), chosen by held-out likelihood.

The draws are the posterior's, not its means: means lie closer together than what the decoder learned to read. They
are drawn anew at every step of expectation maximisation, so the mixture explains the posteriors and not one draw of
them. A component stands for many rows or it is given up, so that none describes a single one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution

from dreamgen.distributions import StepNoise, derive_seed
from dreamgen.distributions.mixtures import GaussianMixture, MixturePrior

_STEPS, _STEPS_TO_CHOOSE = 60, 25
_CHOSEN_ON = 12_000  # rows: enough to tell sizes of mixtures apart
_HELD_OUT = 0.2
_LEAST_ROWS = 20.0  # that a component stands for
_SHRINK = 0.1  # of covariances towards their mean, at as many rows as dimensions
_RIDGE = 1e-4


@dataclass(frozen=True)
class FittedPrior:
    """A prior, and what it was chosen from.

    Attributes:
        prior: a mixture with full covariances.
        tried: by the number of components, the mean log density of held-out codes, in nats; of the standard normal
            under 0.
    """

    prior: MixturePrior
    tried: dict[int, float]


@torch.no_grad()
def fit_prior(q: Distribution, components: Sequence[int] = (1, 10, 30, 60), seed: int = 0) -> FittedPrior:
    """The mixture that explains the codes of rows best, of several sizes.

    Args:
        q: q(z|x) of the rows of the training, batch shape (n, D).
        components: sizes to choose from; more than the rows can bear are left out.
        seed: of draws and starts.
    """
    loc, scale = q.mean, q.stddev
    n, d = loc.shape
    sizes = [c for c in components if c * 2 * max(d, _LEAST_ROWS) <= n] or [1]
    order = torch.randperm(n, generator=torch.Generator().manual_seed(derive_seed(seed, "rows")))[:_CHOSEN_ON]
    held = max(1, int(len(order) * _HELD_OUT))
    judge = loc[order[:held]] + scale[order[:held]] * StepNoise(seed, "judge").normal((held, d))
    tried = {0: float(torch.distributions.Normal(0.0, 1.0).log_prob(judge).sum(1).mean())}
    if len(sizes) > 1:
        rows = order[held:]
        for size in sizes:
            mixture = _maximise(loc[rows], scale[rows], size, _STEPS_TO_CHOOSE, seed)
            tried[size] = float(mixture.log_prob(judge).mean())
    best = max(sizes, key=lambda size: tried.get(size, 0.0))
    return FittedPrior(_as_prior(_maximise(loc, scale, best, _STEPS, seed)), tried)


def _maximise(loc: Tensor, scale: Tensor, size: int, steps: int, seed: int) -> GaussianMixture:
    """Expectation maximisation from k-means."""
    noise = StepNoise(seed, "mixture", size)
    z = _draw(loc, scale, noise)
    share = torch.nn.functional.one_hot(_clusters(z, size, seed), size).to(z.dtype)
    mixture = _maximum(z, share)
    for _ in range(steps):
        z = _draw(loc, scale, noise)
        share = responsibilities(mixture, z)
        kept = share.sum(0) >= min(_LEAST_ROWS, len(z) / (2 * share.shape[1]))
        mixture = _maximum(z, share[:, kept])
    return mixture


def _draw(loc: Tensor, scale: Tensor, noise: StepNoise) -> Tensor:
    return loc + scale * noise.normal(loc.shape)


def _clusters(z: Tensor, size: int, seed: int) -> Tensor:
    from sklearn.cluster import MiniBatchKMeans

    means = MiniBatchKMeans(size, random_state=derive_seed(seed, "k-means") % 2**32, n_init=1, batch_size=4096)
    return torch.from_numpy(means.fit(z.numpy()).labels_).long()


def responsibilities(mixture: GaussianMixture, z: Tensor) -> Tensor:
    """The share of each component in each code, (n, C)."""
    d = z.shape[1]
    inverse = torch.linalg.solve_triangular(mixture.scale_tril, torch.eye(d, dtype=z.dtype), upper=False)
    # One component after another: all at once would be C copies of the codes.
    squares = [((z - loc) @ part.T).square().sum(1) for loc, part in zip(mixture.loc, inverse, strict=True)]
    volume = mixture.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1) + 0.5 * d * math.log(2 * math.pi)
    logits = mixture.logits.log_softmax(0) - volume - 0.5 * torch.stack(squares, 1)
    return logits.softmax(1)


def _maximum(z: Tensor, share: Tensor) -> GaussianMixture:
    """The mixture that explains codes best, given each component's share in them; covariances shrunk a little."""
    d, mass = z.shape[1], share.sum(0).clamp(min=1e-6)
    loc = (share.T @ z) / mass.unsqueeze(1)
    second = torch.stack([(z * part.unsqueeze(1)).T @ z for part in share.T]) / mass[:, None, None]
    covariance = second - loc.unsqueeze(2) * loc.unsqueeze(1)
    pooled = (covariance * (mass / mass.sum())[:, None, None]).sum(0)
    weight = (_SHRINK * d / (mass + d))[:, None, None]
    covariance = (1 - weight) * covariance + weight * pooled + _RIDGE * torch.eye(d)
    return GaussianMixture((mass / mass.sum()).log(), loc, torch.linalg.cholesky(covariance))


def _as_prior(mixture: GaussianMixture) -> MixturePrior:
    prior = MixturePrior(mixture.loc.shape[1], len(mixture.loc))
    assert prior.below is not None
    prior.logits.copy_(mixture.logits)
    prior.loc.copy_(mixture.loc)
    prior.log_scale.copy_(mixture.scale_tril.diagonal(dim1=-2, dim2=-1).log())
    prior.below.copy_(mixture.scale_tril.tril(-1))
    return prior
