"""A model whose evidence is known exactly: z ~ N(0, I), x | z ~ N(W z + b, σ² I).

Then x ~ N(b, W Wᵀ + σ² I) and the posterior is Gaussian too (Probabilistic Principal Component Analysis, 1999,
https://www.jstor.org/stable/2680726). W has orthogonal columns, so the true posterior is diagonal and lies within
reach of a diagonal Gaussian encoder.
"""

import numpy as np
import torch
from scipy.stats import multivariate_normal
from torch import Tensor

from dreamgen import Settings, build_model
from dreamgen.models import VAE

LATENT, SEEN, SIGMA = 2, 5, 0.7


class LinearGaussian:
    """The oracle, as a library model in float64 and as formulas in numpy."""

    def __init__(self, seed: int = 0) -> None:
        random = np.random.default_rng(seed)
        orthogonal, _ = np.linalg.qr(random.normal(size=(SEEN, LATENT)))
        self.weights = orthogonal * np.array([1.5, 0.8])
        self.offset = random.normal(size=SEEN)
        z = random.normal(size=(64, LATENT))
        self.x = z @ self.weights.T + self.offset + SIGMA * random.normal(size=(64, SEEN))

    def evidence(self) -> np.ndarray:
        """log p(x) of each row, in nats."""
        covariance = self.weights @ self.weights.T + SIGMA**2 * np.eye(SEEN)
        return multivariate_normal(self.offset, covariance).logpdf(self.x)

    def posterior(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean of p(z|x) of each row, and its diagonal variance."""
        precision = np.eye(LATENT) + self.weights.T @ self.weights / SIGMA**2
        covariance = np.linalg.inv(precision)
        return (self.x - self.offset) @ self.weights @ covariance / SIGMA**2, np.diag(covariance)

    def model(self, off: float = 0.0) -> VAE:
        """The library's model with the true decoder and the true posterior, its mean moved by `off`."""
        settings = Settings(
            latent_dim=LATENT,
            encoder={"kind": "mlp", "hidden": []},
            decoder={"kind": "mlp", "hidden": []},
            likelihood={"kind": "gaussian", "scale": SIGMA},
        )
        model = build_model(settings, (SEEN,), seed=0).double()
        _, variance = self.posterior()
        slope = np.diag(variance) @ self.weights.T / SIGMA**2
        with torch.no_grad():
            model.decoder.network.out.weight.copy_(torch.from_numpy(self.weights))
            model.decoder.network.out.bias.copy_(torch.from_numpy(self.offset))
            model.encoder.posterior.loc.weight.copy_(torch.from_numpy(slope))
            model.encoder.posterior.loc.bias.copy_(torch.from_numpy(-slope @ self.offset) + off)
            model.encoder.posterior.log_variance.weight.zero_()
            model.encoder.posterior.log_variance.bias.copy_(torch.from_numpy(np.log(variance)))
        return model

    def tensor(self) -> Tensor:
        """The data as a tensor."""
        return torch.from_numpy(self.x)
