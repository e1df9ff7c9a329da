"""Mixtures of Gaussians as priors: learned with the model, or fitted to its codes afterwards.

The codes of a trained model do not fill the standard normal they were pulled towards, and what lies in the gaps
decodes to what was never seen (ELBO surgery, 2016,
http://approximateinference.org/accepted/HoffmanJohnson2016.pdf). A mixture of full covariance over the codes closes
them (From Variational to Deterministic Autoencoders, 2019, https://arxiv.org/abs/1903.12436).
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, constraints

from dreamgen.distributions.draw import draw
from dreamgen.distributions.noise import Noise
from dreamgen.distributions.priors import PRIORS
from dreamgen.errors import SettingsError


class GaussianMixture(Distribution):
    """Σ_c w_c N(loc_c, L_c L_cᵀ) over whole codes: event shape (D,).

    Args:
        logits: (C,), of the weights.
        loc: (C, D).
        scale_tril: L, (C, D, D), lower triangles with a positive diagonal.
        batch_shape: of the distribution; the same mixture for each of its rows.
    """

    arg_constraints = {}
    support = constraints.independent(constraints.real, 1)

    def __init__(self, logits: Tensor, loc: Tensor, scale_tril: Tensor, batch_shape: Any = ()) -> None:
        self.logits, self.loc, self.scale_tril = logits, loc, scale_tril
        super().__init__(torch.Size(batch_shape), loc.shape[-1:], validate_args=False)

    def expand(self, batch_shape: Any, _instance: Any = None) -> "GaussianMixture":
        return GaussianMixture(self.logits, self.loc, self.scale_tril, batch_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        """z (..., D) to (...), in nats."""
        # u = L⁻¹ (z - loc) for all components as one product.
        inverse = torch.linalg.solve_triangular(
            self.scale_tril, torch.eye(self.loc.shape[-1], dtype=self.loc.dtype, device=self.loc.device), upper=False
        )
        shift = (inverse @ self.loc.unsqueeze(-1))[..., 0]
        u = torch.einsum("...d,ced->...ce", value, inverse) - shift
        constant = self.scale_tril.diagonal(dim1=-2, dim2=-1).log().sum(-1) + 0.5 * value.shape[-1] * math.log(
            2 * math.pi
        )
        return torch.logsumexp(torch.log_softmax(self.logits, 0) - constant - 0.5 * u.square().sum(-1), dim=-1)

    @property
    def mean(self) -> Tensor:
        return (self.logits.softmax(0).unsqueeze(-1) * self.loc).sum(0).expand(*self.batch_shape, -1)


@draw.register
def _(distribution: GaussianMixture, noise: Noise, samples: int) -> Tensor:
    """(samples, *batch shape, D)."""
    shape = (samples, *distribution.batch_shape)
    uniform = noise.uniform((*shape, 1))[..., 0]
    component = (distribution.logits.softmax(0).cumsum(0) < uniform.unsqueeze(-1)).sum(-1)
    component = component.clamp(max=len(distribution.logits) - 1)
    epsilon = noise.normal((*shape, distribution.loc.shape[-1])).to(distribution.loc.dtype)
    # One component after another: the triangles of all rows at once would be a large copy of a few.
    z = torch.empty_like(epsilon)
    for c in component.unique().tolist():
        here = component == c
        z[here] = distribution.loc[c] + epsilon[here] @ distribution.scale_tril[c].T
    return z


@PRIORS.register("mixture")
class MixturePrior(nn.Module):
    """p(z) = Σ_c w_c N(loc_c, Σ_c), whatever the context.

    Args:
        components: C.
        full: whether a component has all covariances, or variances alone.
    """

    def __init__(self, latent_dim: int, components: int = 10, full: bool = True) -> None:
        super().__init__()
        if not 1 <= components <= 10_000:
            raise SettingsError(f"prior 'mixture', components: expected 1 to 10,000, got {components}")
        self.logits = nn.Parameter(torch.zeros(components))
        self.loc = nn.Parameter(torch.randn(components, latent_dim))
        self.log_scale = nn.Parameter(torch.zeros(components, latent_dim))
        self.below = nn.Parameter(torch.zeros(components, latent_dim, latent_dim)) if full else None

    def forward(self, context: Tensor | None = None) -> Distribution:
        """p(z), a distribution over whole codes."""
        scale_tril = torch.diag_embed(self.log_scale.clamp(-10, 10).exp())
        if self.below is not None:
            scale_tril = scale_tril + self.below.tril(-1)
        return GaussianMixture(self.logits, self.loc, scale_tril)
