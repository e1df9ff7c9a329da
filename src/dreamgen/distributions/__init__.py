"""What torch.distributions lacks: explicit noise, points, and the heads that make distributions out of features."""

from dreamgen.distributions.autoregressive import Autoregressive
from dreamgen.distributions.columns import Columns, ColumnsLikelihood
from dreamgen.distributions.delta import Delta
from dreamgen.distributions.draw import draw, each_row
from dreamgen.distributions.fitting import FittedPrior, fit_prior, most_components
from dreamgen.distributions.likelihoods import LIKELIHOODS, BernoulliLikelihood, GreyBernoulli, Likelihood
from dreamgen.distributions.lines import Lines
from dreamgen.distributions.mixtures import GaussianMixture, MixturePrior
from dreamgen.distributions.noise import Noise, PortableNoise, RowNoise, StepNoise, derive_seed, generator, row_keys
from dreamgen.distributions.posteriors import POSTERIORS, DiagonalGaussian
from dreamgen.distributions.priors import PRIORS, StandardNormal
from dreamgen.distributions.rows import Rows
from dreamgen.distributions.sums import log_prob_sum

__all__ = [
    "LIKELIHOODS",
    "POSTERIORS",
    "PRIORS",
    "Autoregressive",
    "BernoulliLikelihood",
    "Columns",
    "ColumnsLikelihood",
    "Delta",
    "DiagonalGaussian",
    "FittedPrior",
    "GaussianMixture",
    "GreyBernoulli",
    "Likelihood",
    "Lines",
    "MixturePrior",
    "Noise",
    "PortableNoise",
    "RowNoise",
    "Rows",
    "StandardNormal",
    "StepNoise",
    "derive_seed",
    "draw",
    "each_row",
    "fit_prior",
    "generator",
    "log_prob_sum",
    "most_components",
    "row_keys",
]
