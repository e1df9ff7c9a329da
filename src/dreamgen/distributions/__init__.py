"""What torch.distributions lacks: explicit noise, points, and the heads that make distributions out of features."""

from dreamgen.distributions.autoregressive import Autoregressive
from dreamgen.distributions.delta import Delta
from dreamgen.distributions.draw import draw
from dreamgen.distributions.likelihoods import LIKELIHOODS, BernoulliLikelihood, GreyBernoulli, Likelihood
from dreamgen.distributions.noise import Noise, RowNoise, StepNoise, derive_seed, generator, row_keys
from dreamgen.distributions.posteriors import POSTERIORS
from dreamgen.distributions.priors import PRIORS

__all__ = [
    "LIKELIHOODS",
    "POSTERIORS",
    "PRIORS",
    "Autoregressive",
    "BernoulliLikelihood",
    "Delta",
    "GreyBernoulli",
    "Likelihood",
    "Noise",
    "RowNoise",
    "StepNoise",
    "derive_seed",
    "draw",
    "generator",
    "row_keys",
]
