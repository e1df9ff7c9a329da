"""Every numbered step of docs/mathematics.md, checked by number against something that is not this library.

Tolerances are stated: quadrature and exact formulas agree to rounding, and what is drawn agrees to four standard
errors of its mean. All noise is seeded, so a test that passes once passes always.

Letters: B rows, K samples, D units of a latent, N pixels. Everything is in nats.
"""

import itertools
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from scipy.integrate import quad, trapezoid
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, logit
from torch import Tensor
from torch.distributions import ContinuousBernoulli, MultivariateNormal, Normal, kl_divergence

from dreamgen import VAE, Batch, Settings, Trace, build_model, evaluate
from dreamgen.distributions import GreyBernoulli, StepNoise, draw
from dreamgen.distributions.bounded import bound_log_variance
from dreamgen.distributions.likelihoods import GaussianLikelihood
from dreamgen.evaluation.latents import mutual_information
from dreamgen.models.trace import Latent
from dreamgen.objectives.bounds import NegativeELBO
from dreamgen.objectives.schedules import Constant
from oracle import LATENT, SEEN, SIGMA, LinearGaussian

Array = npt.NDArray[np.float64]

# A model small enough for sums and integrals: one latent, three black-or-white pixels whose logits are linear in it.
SLOPE, OFFSET = np.array([2.0, -1.5, 1.0]), np.array([0.3, -0.2, 0.1])
PICTURES = np.array(list(itertools.product((0.0, 1.0), repeat=3)))
GRID = np.linspace(-12, 12, 4801)
CLOUDS = [(0.0, 1.0), (0.8, 0.6), (-1.5, 0.3), (0.2, 1.6)]  # (μ, σ) of some q
STANDARD = Normal(torch.zeros((), dtype=torch.float64), torch.ones((), dtype=torch.float64))


def integral(values: Array) -> float:
    """Over GRID; for smooth functions that vanish at its ends the trapezoidal rule is exact to rounding."""
    return float(trapezoid(values, GRID))


def log_likelihood(x: Array) -> Array:
    """log p(x|z) of one picture on GRID."""
    p = expit(np.outer(GRID, SLOPE) + OFFSET)
    return (x * np.log(p) + (1 - x) * np.log1p(-p)).sum(1)


def evidence(x: Array) -> float:
    """log p(x) by quadrature."""
    return math.log(integral(np.exp(log_likelihood(x)) * stats.norm.pdf(GRID)))


def elbo(x: Array, mu: float, sigma: float) -> float:
    """E_q[log p(x, z) - log q(z)] by quadrature."""
    log_w = log_likelihood(x) + stats.norm.logpdf(GRID) - stats.norm.logpdf(GRID, mu, sigma)
    return integral(stats.norm.pdf(GRID, mu, sigma) * log_w)


def toy_model(mu: float, sigma: float) -> VAE:
    """The same model in the library, with q(z|x) = N(mu, sigma²) for every x."""
    settings = Settings(latent_dim=1, encoder={"kind": "mlp", "hidden": []}, decoder={"kind": "mlp", "hidden": []})
    model = build_model(settings, (3,), seed=0).double().requires_grad_(False)
    model.decoder.network.out.weight.copy_(torch.from_numpy(SLOPE).unsqueeze(1))
    model.decoder.network.out.bias.copy_(torch.from_numpy(OFFSET))
    for head, value in (
        (model.encoder.posterior.loc, mu),
        (model.encoder.posterior.log_variance, 2 * math.log(sigma)),
    ):
        head.weight.zero_()
        head.bias.fill_(value)
    return model


def toy_trace(x: Array, mu: float, sigma: float, samples: int, seed: int = 0) -> Trace:
    rows = torch.from_numpy(np.atleast_2d(x))
    return toy_model(mu, sigma).infer(Batch(rows), StepNoise(seed, "mathematics"), samples)


def within_four_errors(draws: Tensor, expected: float, errors: float = 4.0) -> bool:
    """Whether the mean of independent draws is as near to a number as its standard error lets it be."""
    mean, error = draws.mean().item(), draws.std().item() / math.sqrt(len(draws))
    return abs(mean - expected) < errors * error


# The bound


def test_the_evidence_is_an_average_over_the_prior() -> None:
    assert sum(math.exp(evidence(x)) for x in PICTURES) == pytest.approx(1, abs=1e-12)
    z = draw(Normal(torch.zeros(40_000, 1), torch.ones(40_000, 1)), StepNoise(1), 1).double()  # (1, B, 1)
    p = toy_model(0, 1).decoder(z)
    for x in PICTURES:
        likelihood = p.log_prob(torch.from_numpy(x)).sum(-1).exp()[0]
        assert within_four_errors(likelihood, math.exp(evidence(x)))


@pytest.mark.parametrize(("mu", "sigma"), CLOUDS)
def test_by_jensen_the_bound_lies_below_the_evidence(mu: float, sigma: float) -> None:
    q = stats.norm.pdf(GRID, mu, sigma)
    for x in PICTURES:
        joint = np.exp(log_likelihood(x)) * stats.norm.pdf(GRID)
        weight = np.divide(joint, q, out=np.zeros_like(q), where=q > 1e-300)
        assert integral(q * weight) == pytest.approx(math.exp(evidence(x)), rel=1e-9)  # whatever q is
        assert elbo(x, mu, sigma) < evidence(x)


@pytest.mark.parametrize(("mu", "sigma"), CLOUDS)
def test_the_gap_is_the_divergence_from_the_true_posterior(mu: float, sigma: float) -> None:
    q, log_q = stats.norm.pdf(GRID, mu, sigma), stats.norm.logpdf(GRID, mu, sigma)
    for x in PICTURES:
        log_posterior = log_likelihood(x) + stats.norm.logpdf(GRID) - evidence(x)
        gap = integral(q * (log_q - log_posterior))
        assert gap > 0
        assert elbo(x, mu, sigma) + gap == pytest.approx(evidence(x), abs=1e-9)
        # At the posterior itself the ratio p(x, z) / q(z) is the same number for every z, and Jensen costs nothing.
        posterior = np.exp(log_posterior)
        tight = integral(posterior * (log_likelihood(x) + stats.norm.logpdf(GRID) - log_posterior))
        assert tight == pytest.approx(evidence(x), abs=1e-9)


@pytest.mark.parametrize(("mu", "sigma"), CLOUDS)
def test_the_bound_is_minus_distortion_minus_rate(mu: float, sigma: float) -> None:
    q, log_q = stats.norm.pdf(GRID, mu, sigma), stats.norm.logpdf(GRID, mu, sigma)
    rate = integral(q * (log_q - stats.norm.logpdf(GRID)))
    trace = toy_trace(PICTURES, mu, sigma, samples=4000)
    for row, x in enumerate(PICTURES):
        distortion = -integral(q * log_likelihood(x))
        assert elbo(x, mu, sigma) == pytest.approx(-distortion - rate, abs=1e-9)
        assert trace.rate[row].item() == pytest.approx(rate, abs=1e-9)
        assert within_four_errors(-trace.log_likelihood[:, row], distortion)


def test_the_loss_is_minus_the_bound_and_the_lessons_formula_is_neither() -> None:
    trace = toy_trace(PICTURES, 0.8, 0.6, samples=3)
    terms = NegativeELBO(Constant(1.0), free_bits=0.0)(trace, step=0, total=1)
    torch.testing.assert_close(terms.loss, -trace.elbo, rtol=0, atol=1e-12)
    torch.testing.assert_close(terms.loss, trace.distortion + trace.rate, rtol=0, atol=1e-12)
    as_written = trace.distortion - trace.rate  # "ELBO = reconstruction_loss - KL_loss"
    assert torch.all((as_written - trace.elbo).abs() > 0.1)
    assert torch.all((as_written + trace.elbo).abs() > 0.1)


# The divergence of two Gaussians


@pytest.mark.parametrize(("mu", "sigma"), [*CLOUDS, (3.0, 0.05), (-0.4, 7.0)])
def test_the_divergence_of_one_latent_term_by_term(mu: float, sigma: float) -> None:
    z = mu + sigma * GRID  # twelve standard deviations to each side, whatever the cloud
    q = stats.norm.pdf(z, mu, sigma)

    def mean(values: Array) -> float:
        return float(trapezoid(q * values, z))

    log_q = -0.5 * np.log(2 * np.pi * sigma**2) - (z - mu) ** 2 / (2 * sigma**2)
    log_p = -0.5 * np.log(2 * np.pi) - z**2 / 2
    np.testing.assert_allclose(log_q, stats.norm.logpdf(z, mu, sigma), atol=1e-9)
    np.testing.assert_allclose(log_p, stats.norm.logpdf(z), atol=1e-9)
    difference = -0.5 * np.log(sigma**2) - (z - mu) ** 2 / (2 * sigma**2) + z**2 / 2
    np.testing.assert_allclose(log_q - log_p, difference, atol=1e-9)
    assert mean((z - mu) ** 2 / (2 * sigma**2)) == pytest.approx(0.5, rel=1e-9)
    assert mean(z**2 / 2) == pytest.approx((sigma**2 + mu**2) / 2, rel=1e-9)

    closed = -0.5 * (1 + math.log(sigma**2) - mu**2 - sigma**2)
    assert closed == pytest.approx(mean(log_q - log_p), abs=1e-9)
    q_torch = Normal(torch.tensor([[mu]], dtype=torch.float64), torch.tensor([[sigma]], dtype=torch.float64))
    assert closed == pytest.approx(kl_divergence(q_torch, STANDARD).item(), abs=1e-9)
    latent = Latent("z", q_torch.mean.unsqueeze(0), q_torch, STANDARD.expand((1,)))
    assert latent.rate_per_unit is not None
    assert closed == pytest.approx(latent.rate_per_unit.item(), abs=1e-9)


def test_the_divergences_of_independent_latents_add_up() -> None:
    random = np.random.default_rng(0)
    mu, sigma = random.normal(size=(4, 3)), np.exp(random.normal(size=(4, 3)))
    q = Normal(torch.from_numpy(mu), torch.from_numpy(sigma))
    z = draw(q, StepNoise(2), 20_000)
    latent = Latent("z", z, q, STANDARD.expand((3,)))
    for row in range(4):
        covariance = np.diag(sigma[row] ** 2)  # the formula for any two Gaussians, which knows of no diagonal
        whole = 0.5 * (np.trace(covariance) + mu[row] @ mu[row] - 3 - np.linalg.slogdet(covariance)[1])
        assert latent.rate[row].item() == pytest.approx(whole, abs=1e-9)
        assert within_four_errors(-latent.log_ratio[:, row], whole)


@pytest.mark.parametrize(("mu", "log_variance"), [(0.7, -1.2), (-2.0, 0.9), (0.0, 0.0)])
def test_each_term_of_the_divergence_pulls_to_the_prior(mu: float, log_variance: float) -> None:
    def by_quadrature(mu: float, log_variance: float) -> float:
        log_q = stats.norm.logpdf(GRID, mu, math.exp(log_variance / 2))
        return integral(np.exp(log_q) * (log_q - stats.norm.logpdf(GRID)))

    h = 1e-4
    slope_mu = (by_quadrature(mu + h, log_variance) - by_quadrature(mu - h, log_variance)) / (2 * h)
    slope_lv = (by_quadrature(mu, log_variance + h) - by_quadrature(mu, log_variance - h)) / (2 * h)
    assert slope_mu == pytest.approx(mu, abs=1e-6)
    assert slope_lv == pytest.approx((math.exp(log_variance) - 1) / 2, abs=1e-6)

    m = torch.tensor([[mu]], dtype=torch.float64, requires_grad=True)
    lv = torch.tensor([[log_variance]], dtype=torch.float64, requires_grad=True)
    q = Normal(m, (0.5 * lv).exp())
    Latent("z", m.unsqueeze(0), q, STANDARD.expand((1,))).rate.sum().backward()
    assert m.grad is not None
    assert lv.grad is not None
    assert m.grad.item() == pytest.approx(slope_mu, abs=1e-6)
    assert lv.grad.item() == pytest.approx(slope_lv, abs=1e-6)
    assert by_quadrature(mu, log_variance) >= -1e-12


def test_the_soft_limit_changes_no_usual_variance_and_stops_no_gradient() -> None:
    usual = torch.linspace(-10, 10, 401, dtype=torch.float64)
    torch.testing.assert_close(bound_log_variance(usual), usual, rtol=0, atol=0)
    wild = torch.tensor([-30.0, -14.0, 14.0, 30.0], dtype=torch.float64, requires_grad=True)
    bounded = bound_log_variance(wild)
    assert torch.all(bounded.abs() < 14)
    bounded.sum().backward()
    assert wild.grad is not None
    assert torch.all(wild.grad > 0)


# Gradients through a random number


def test_moved_noise_has_the_law_of_the_cloud() -> None:
    mu, sigma, n = -0.7, 0.4, 20_000
    z = draw(Normal(torch.full((n, 1), mu), torch.full((n, 1), sigma)), StepNoise(3), 1).double().flatten()
    assert stats.kstest(z.numpy(), stats.norm(mu, sigma).cdf).pvalue > 0.001
    assert within_four_errors(z, mu)
    assert within_four_errors((z - mu) ** 2, sigma**2)


def slopes_and_truth(n: int = 40_000) -> tuple[Tensor, Tensor, tuple[float, float]]:
    """∂/∂μ and ∂/∂σ of -E_q[log p(x|z)]: pathwise, by the score function, (n, 2) each, and by finite differences."""
    mu, sigma, x, h = 0.8, 0.6, PICTURES[5], 1e-4

    def distortion(mu: float, sigma: float) -> float:
        return -integral(stats.norm.pdf(GRID, mu, sigma) * log_likelihood(x))

    truth = (
        (distortion(mu + h, sigma) - distortion(mu - h, sigma)) / (2 * h),
        (distortion(mu, sigma + h) - distortion(mu, sigma - h)) / (2 * h),
    )
    # One z for each of n equal rows, each with parameters of its own, so that every row's gradient is one draw.
    loc = torch.full((n, 1), mu, dtype=torch.float64, requires_grad=True)
    scale = torch.full((n, 1), sigma, dtype=torch.float64, requires_grad=True)
    rows = Batch(torch.from_numpy(x).expand(n, 3))
    trace = toy_model(mu, sigma).explain(rows, Normal(loc, scale), StepNoise(4), samples=1)
    path = torch.cat(torch.autograd.grad(trace.distortion.sum(), (loc, scale)), dim=1)
    z, cost = trace.latents[0].z[0].detach(), trace.distortion.detach().unsqueeze(1)
    score = cost * torch.cat([(z - mu) / sigma**2, ((z - mu) ** 2 - sigma**2) / sigma**3], dim=1)
    return path, score, truth


def test_the_gradient_through_the_sample_is_the_gradient_of_the_mean() -> None:
    path, _, truth = slopes_and_truth()
    for column, expected in enumerate(truth):
        assert within_four_errors(path[:, column], expected)
        assert abs(expected) > 0.1  # so that agreement is no accident
    leaf = torch.zeros(3, requires_grad=True)
    assert not Normal(leaf, 1.0).sample().requires_grad  # drawn directly, z knows nothing of μ
    assert draw(Normal(leaf.unsqueeze(1), 1.0), StepNoise(0), 1).requires_grad


def test_a_gradient_without_the_trick_exists_and_is_noisier() -> None:
    path, score, truth = slopes_and_truth()
    for column, expected in enumerate(truth):
        assert within_four_errors(score[:, column], expected)
        assert score[:, column].var() > 5 * path[:, column].var()


# Pixels


def test_probabilities_of_all_black_and_white_pictures_add_up_to_one() -> None:
    logits = torch.tensor([0.3, -2.0, 1.1, 4.0, -0.5], dtype=torch.float64)
    pictures = torch.tensor(list(itertools.product((0.0, 1.0), repeat=5)), dtype=torch.float64)
    log_prob = GreyBernoulli(logits).log_prob(pictures)
    assert log_prob.sum(1).exp().sum().item() == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(log_prob, stats.bernoulli.logpmf(pictures.numpy(), expit(logits.numpy())), atol=1e-12)


def cross_entropy(x: float, p: float) -> float:
    """The library's BCE of one pixel."""
    value = torch.tensor([x], dtype=torch.float64)
    return -GreyBernoulli(torch.tensor([logit(p)], dtype=torch.float64)).log_prob(value).item()


@pytest.mark.parametrize("x", [0.02, 0.3, 0.5, 0.9])
def test_the_best_answer_to_a_grey_pixel_still_costs_its_entropy(x: float) -> None:
    best = minimize_scalar(lambda p: cross_entropy(x, p), bounds=(1e-6, 1 - 1e-6), method="bounded")
    assert best.x == pytest.approx(x, abs=1e-4)
    assert best.fun == pytest.approx(stats.entropy([x, 1 - x]), abs=1e-7)
    assert cross_entropy(1.0, 0.5) == pytest.approx(math.log(2))
    assert cross_entropy(1.0, 1 - 1e-9) < 1e-8


def test_the_best_answer_to_several_pictures_is_their_average() -> None:
    stroke_here_or_there, share = [1.0, 0.0], [0.3, 0.7]

    def expected(cost: Callable[[float, float], float], p: float) -> float:
        return sum(w * cost(x, p) for w, x in zip(share, stroke_here_or_there, strict=True))

    for cost in (cross_entropy, lambda x, p: (x - p) ** 2):
        best = minimize_scalar(lambda p, cost=cost: expected(cost, p), bounds=(1e-6, 1 - 1e-6), method="bounded")
        assert best.x == pytest.approx(0.3, abs=1e-4)  # grey, although no picture is grey


@pytest.mark.parametrize("p", [0.001, 0.2, 0.5, 0.77, 0.9999])
def test_on_grey_pixels_the_exponential_of_the_score_is_no_density(p: float) -> None:
    score = GreyBernoulli(torch.tensor([logit(p)], dtype=torch.float64))

    def exp_score(x: float) -> float:
        return score.log_prob(torch.tensor([x], dtype=torch.float64)).exp().item()

    mass, _ = quad(exp_score, 0, 1)
    constant = 2.0 if p == 0.5 else 2 * math.atanh(1 - 2 * p) / (1 - 2 * p)
    assert mass * constant == pytest.approx(1, abs=1e-8)
    assert mass <= 0.5 + 1e-9
    x = torch.linspace(0, 1, 11, dtype=torch.float64)
    density = ContinuousBernoulli(torch.tensor([p], dtype=torch.float64)).log_prob(x)
    np.testing.assert_allclose(density - score.log_prob(x), math.log(constant), atol=1e-7)
    assert 784 * math.log(constant) > 543


def test_the_grey_score_is_the_mean_over_pictures_drawn_from_the_greys() -> None:
    grey = np.array([0.15, 0.6, 0.9])
    chance = np.prod(np.where(PICTURES == 1, grey, 1 - grey), axis=1)
    assert chance.sum() == pytest.approx(1)
    for logits in torch.from_numpy(np.random.default_rng(5).normal(size=(4, 3))):
        p = GreyBernoulli(logits)
        drawn = p.log_prob(torch.from_numpy(PICTURES)).sum(1).numpy()
        assert p.log_prob(torch.from_numpy(grey)).sum().item() == pytest.approx(chance @ drawn, abs=1e-12)
    # So the grey figure is a lower bound after all: of the mean evidence of pictures drawn from the greys.
    mean_evidence = sum(c * evidence(x) for c, x in zip(chance, PICTURES, strict=True))
    for mu, sigma in CLOUDS:
        assert elbo(grey, mu, sigma) < mean_evidence


def test_squared_error_is_a_gaussian_of_variance_one_half() -> None:
    random = np.random.default_rng(6)
    x, mean = torch.from_numpy(random.random((2, 5))), torch.from_numpy(random.random((2, 5)))
    p = GaussianLikelihood(scale=math.sqrt(0.5)).double()(mean)
    distortion = -p.log_prob(x)
    torch.testing.assert_close(distortion, (x - mean) ** 2 + 0.5 * math.log(math.pi), rtol=0, atol=1e-6)
    np.testing.assert_allclose(distortion, -stats.norm.logpdf(x, mean, math.sqrt(0.5)), atol=1e-6)


# Tighter bounds, and a model with an exact answer


def test_the_importance_weighted_bound_is_the_log_of_an_unbiased_mean() -> None:
    x, mu, sigma = PICTURES[2], 0.8, 0.6
    trace = toy_trace(x, mu, sigma, samples=40_000)
    weight = trace.log_weight[:, 0].exp()
    assert trace.iwae_bound.item() == pytest.approx(math.log(np.mean(weight.numpy())), abs=1e-12)
    assert within_four_errors(weight, math.exp(evidence(x)))
    assert within_four_errors(trace.log_weight[:, 0], elbo(x, mu, sigma))  # one sample: the ELBO
    one = toy_trace(x, mu, sigma, samples=1)
    torch.testing.assert_close(one.iwae_bound, one.log_weight[0], rtol=0, atol=1e-12)


def test_the_importance_weighted_bound_rises_with_the_samples() -> None:
    x, mu, sigma = PICTURES[2], -1.0, 0.8
    log_w = toy_trace(x, mu, sigma, samples=16 * 4000).log_weight.reshape(16, 4000)
    bounds = {k: (torch.logsumexp(log_w.reshape(16 // k, k, -1), 1) - math.log(k)).mean(0) for k in (1, 4, 16)}
    # For the same samples more at once is never less, draw by draw; and the mean stays below the evidence.
    assert torch.all(bounds[4] >= bounds[1] - 1e-12)
    assert torch.all(bounds[16] >= bounds[4] - 1e-12)
    gaps = [evidence(x) - bounds[k].mean().item() for k in (1, 4, 16)]
    error = bounds[1].std().item() / math.sqrt(4000)
    assert gaps[0] > gaps[1] + 4 * error
    assert gaps[1] > gaps[2] > 0
    # Far enough out the gap is Var(w) / (2 K p²). The mean of m is 1, so m - 1 - log m has the gap as its mean, and
    # hardly any noise.
    log_joint = log_likelihood(x) + stats.norm.logpdf(GRID)
    variance = integral(np.exp(2 * (log_joint - evidence(x)) - stats.norm.logpdf(GRID, mu, sigma))) - 1
    m = (log_w - evidence(x)).exp().mean(0)
    assert (m - 1 - m.log()).mean().item() == pytest.approx(variance / (2 * 16), rel=0.1)


def test_the_linear_gaussian_model_knows_its_evidence() -> None:
    oracle = LinearGaussian()
    x = oracle.x[0]
    axis = np.linspace(-8, 8, 321)
    z = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)  # (321, 321, 2)
    log_joint = stats.norm.logpdf(x, z @ oracle.weights.T + oracle.offset, SIGMA).sum(-1) + stats.norm.logpdf(z).sum(
        -1
    )
    by_quadrature = math.log(trapezoid(trapezoid(np.exp(log_joint), axis), axis))
    assert oracle.evidence()[0] == pytest.approx(by_quadrature, abs=1e-9)

    # With the true posterior as q, every single sample's weight is the evidence.
    trace = oracle.model().infer(Batch(oracle.tensor()), StepNoise(7), samples=5)
    np.testing.assert_allclose(trace.log_weight.detach(), np.tile(oracle.evidence(), (5, 1)), atol=1e-6)


def test_a_diagonal_cloud_pays_for_a_tilted_posterior() -> None:
    weights = np.array([[1.2, 0.9], [0.4, 1.1], [1.0, -0.2]])
    precision = np.eye(2) + weights.T @ weights / SIGMA**2
    x, covariance = np.array([0.5, -1.0, 0.3]), np.linalg.inv(precision)
    mean = covariance @ weights.T @ x / SIGMA**2
    exact = stats.multivariate_normal(np.zeros(3), weights @ weights.T + SIGMA**2 * np.eye(3)).logpdf(x)
    # The best diagonal q has the true mean and the inverse of the precision's diagonal.
    deviation = 1 / np.sqrt(np.diag(precision))
    posterior = MultivariateNormal(torch.from_numpy(mean), torch.from_numpy(covariance))
    best = MultivariateNormal(torch.from_numpy(mean), torch.from_numpy(np.diag(deviation**2)))
    gap = kl_divergence(best, posterior).item()

    q = Normal(torch.from_numpy(mean).unsqueeze(0), torch.from_numpy(deviation).unsqueeze(0))
    z = draw(q, StepNoise(8), 40_000)
    p = Normal(z @ torch.from_numpy(weights).T, SIGMA)
    trace = Trace(Batch(torch.from_numpy(x).unsqueeze(0)), (Latent("z", z, q, STANDARD.expand((2,))),), p)
    assert gap > 0.1
    assert within_four_errors(trace.log_weight[:, 0], exact - gap)
    assert trace.iwae_bound.item() == pytest.approx(exact, abs=gap / 10)  # and many samples pay it back


class Silence:
    """No noise: z is the posterior's mean."""

    def normal(self, shape: Sequence[int]) -> Tensor:
        return torch.zeros(*shape)

    def uniform(self, shape: Sequence[int]) -> Tensor:
        raise AssertionError(f"no uniform noise is needed here, shape {shape}")


def test_at_the_mean_of_the_cloud_the_figure_is_no_bound() -> None:
    oracle = LinearGaussian()
    figure = oracle.model().infer(Batch(oracle.tensor()), Silence()).elbo.detach().numpy()
    _, variance = oracle.posterior()
    excess = np.trace(oracle.weights.T @ oracle.weights @ np.diag(variance)) / (2 * SIGMA**2)
    np.testing.assert_allclose(figure, oracle.evidence() + excess, atol=1e-6)
    assert excess > 0.5  # better than the model can be


# Weights on the terms


def test_beta_weighs_the_rate_and_below_one_there_is_no_bound() -> None:
    oracle = LinearGaussian()
    trace = oracle.model().infer(Batch(oracle.tensor()), StepNoise(9), samples=2000)
    for beta in (0.1, 1.0, 4.0):
        terms = NegativeELBO(Constant(beta), free_bits=0.0)(trace, step=0, total=1)
        torch.testing.assert_close(terms.loss, trace.distortion + beta * trace.rate, rtol=0, atol=1e-12)
        torch.testing.assert_close(terms.rate, trace.rate, rtol=0, atol=0)  # what is reported is not weighed
        # q is the true posterior, so the loss is -log p(x) + (beta - 1) rate in expectation.
        above = (-terms.loss.detach().numpy() - oracle.evidence()).mean()
        expected = (1 - beta) * trace.rate.mean().item()
        error = (trace.log_likelihood.mean(1).std() / math.sqrt(2000)).item()
        assert above == pytest.approx(expected, abs=4 * error)
    assert 0.9 * trace.rate.mean().item() > 1


def test_a_mean_over_pixels_is_a_hidden_beta() -> None:
    settings = Settings(latent_dim=3, hidden_dim=8)
    model = build_model(settings, (4, 5), seed=0).double()
    x = torch.rand(6, 4, 5, generator=torch.Generator().manual_seed(10), dtype=torch.float64)

    def gradient(loss: Tensor) -> Tensor:
        return torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(model.parameters()))])

    trace = model.infer(Batch(x), StepNoise(11))
    q = trace.latents[0].q
    bce = F.binary_cross_entropy(trace.p.mean[0], x)  # the mean over pixels and rows
    kl = -0.5 * (1 + 2 * q.stddev.log() - q.mean**2 - q.variance).sum(1).mean()
    careless = gradient(bce + kl)
    trace = model.infer(Batch(x), StepNoise(11))
    honest = gradient(NegativeELBO(Constant(20.0), free_bits=0.0)(trace, step=0, total=1).loss.mean())
    torch.testing.assert_close(20 * careless, honest, rtol=1e-9, atol=1e-12)


def test_evaluation_reports_the_plain_bound() -> None:
    x = torch.tensor(list(itertools.product((0.0, 1.0), repeat=4)))
    reports = []
    for beta in (1.0, 4.0):
        model = build_model(Settings(latent_dim=2, hidden_dim=8, beta=beta), (4,), seed=0)
        reports.append(evaluate(model, x, samples=10))
    assert reports[0] == reports[1]
    report = reports[0]
    assert report["elbo"] == pytest.approx(-report["distortion"] - report["rate"], abs=1e-5)
    assert report["rate"] > 0.01  # so that a beta of 4 would show


def test_free_bits_stop_the_pull_below_their_number() -> None:
    free = 0.3
    loc = torch.tensor([[0.1, 2.0, 0.5]], dtype=torch.float64, requires_grad=True)
    scale = torch.tensor([[0.9, 0.5, 0.4]], dtype=torch.float64, requires_grad=True)
    q = Normal(loc, scale)
    p = GreyBernoulli(torch.zeros(1, 1, 4, dtype=torch.float64))  # a decoder that ignores z
    latent = Latent("z", loc.unsqueeze(0), q, STANDARD.expand((3,)))
    trace = Trace(Batch(torch.ones(1, 4, dtype=torch.float64)), (latent,), p)
    terms = NegativeELBO(Constant(1.0), free_bits=free)(trace, step=0, total=1)

    each = [-0.5 * (1 + math.log(s**2) - m**2 - s**2) for m, s in zip((0.1, 2.0, 0.5), (0.9, 0.5, 0.4), strict=True)]
    assert each[0] < free < min(each[1:])
    assert terms.loss.item() == pytest.approx(4 * math.log(2) + sum(max(kl, free) for kl in each), abs=1e-9)
    assert terms.loss.item() >= -trace.elbo.item()  # so minus the loss is still a lower bound
    terms.loss.sum().backward()
    assert loc.grad is not None
    assert loc.grad[0, 0] == 0
    torch.testing.assert_close(loc.grad[0, 1:], loc.detach()[0, 1:])  # above it, the full pull μ


# What the numbers mean


def line_rate(a: float, v: float, weight: float = 2.0, noise: float = SIGMA) -> tuple[float, float, float]:
    """Mean rate, mean distortion and I(x; z) for z ~ N(0, 1), x | z ~ N(weight z, noise²), q = N(a x, v)."""
    data = weight**2 + noise**2
    rate = 0.5 * (a**2 * data + v - 1 - math.log(v))
    squares = (1 - weight * a) ** 2 * data + weight**2 * v
    distortion = 0.5 * math.log(2 * math.pi * noise**2) + squares / (2 * noise**2)
    return rate, distortion, 0.5 * math.log(1 + a**2 * data / v)


def test_rate_and_distortion_trade_along_beta_and_never_beat_the_entropy() -> None:
    entropy = 0.5 * math.log(2 * math.pi * math.e * (2.0**2 + SIGMA**2))
    points = []
    for beta in (0.25, 0.5, 1.0, 2.0, 4.0):

        def loss(u: Array, beta: float = beta) -> float:
            rate, distortion, _ = line_rate(u[0], math.exp(u[1]))
            return distortion + beta * rate

        u = minimize(loss, np.array([0.3, -1.0]), tol=1e-12).x
        points.append(line_rate(u[0], math.exp(u[1])))
    rates, distortions, information = (list(column) for column in zip(*points, strict=True))
    assert rates == sorted(rates, reverse=True)
    assert distortions == sorted(distortions)
    totals = [r + d for r, d in zip(rates, distortions, strict=True)]
    assert totals[2] == pytest.approx(entropy, abs=1e-8)  # beta = 1 pays exactly what the data are worth
    assert all(total > entropy + 1e-3 for total in totals[:2] + totals[3:])
    assert all(r >= i - 1e-8 for r, i in zip(rates, information, strict=True))


def test_the_mean_loss_of_a_perfect_model_is_the_entropy_of_the_data() -> None:
    oracle, random, n = LinearGaussian(), np.random.default_rng(12), 4000
    z = random.normal(size=(n, LATENT))
    x = torch.from_numpy(z @ oracle.weights.T + oracle.offset + SIGMA * random.normal(size=(n, SEEN)))
    entropy = stats.multivariate_normal(
        oracle.offset, oracle.weights @ oracle.weights.T + SIGMA**2 * np.eye(SEEN)
    ).entropy()
    assert within_four_errors(-oracle.model().infer(Batch(x), StepNoise(13)).elbo.detach(), entropy)
    assert not within_four_errors(-oracle.model(off=0.5).infer(Batch(x), StepNoise(13)).elbo.detach(), entropy)


def test_the_mean_rate_is_information_plus_misfit_of_the_aggregated_posterior() -> None:
    clouds = [(-1.0, 0.5), (0.4, 0.3), (1.5, 0.8)]
    log_q = np.stack([stats.norm.logpdf(GRID, mu, sigma) for mu, sigma in clouds])  # (3, grid)
    together = np.exp(log_q).mean(0)
    information = np.mean([integral(np.exp(q) * (q - np.log(together))) for q in log_q])
    misfit = integral(together * (np.log(together) - stats.norm.logpdf(GRID)))
    loc, scale = torch.tensor(clouds, dtype=torch.float64).unsqueeze(2).unbind(1)  # (3, 1) each
    latent = Latent("z", loc.unsqueeze(0), Normal(loc, scale), STANDARD.expand((1,)))
    assert latent.rate.mean().item() == pytest.approx(information + misfit, abs=1e-9)
    assert min(information, misfit) > 0.05

    # The library draws one z for each row; 1,000 copies of the three rows leave the information as it is.
    q = Normal(loc.repeat(1000, 1), scale.repeat(1000, 1))
    z = draw(q, StepNoise(14), 1)
    each = q.log_prob(z)[0, :, 0] - torch.logsumexp(Normal(loc.T, scale.T).log_prob(z[0]), 1) + math.log(3)
    error = each.std().item() / math.sqrt(3000)
    assert mutual_information(q) == pytest.approx(information, abs=4 * error)

    # The same with a line instead of three points, where every part has a formula.
    a, v = 0.3, 0.2
    rate, _, exact = line_rate(a, v)
    variance = a**2 * (2.0**2 + SIGMA**2) + v  # of the aggregated posterior, N(0, variance)
    assert rate == pytest.approx(exact + 0.5 * (variance - 1 - math.log(variance)), abs=1e-12)


@pytest.mark.parametrize("rows", [2, 8, 50])
def test_information_about_n_rows_is_at_most_log_n(rows: int) -> None:
    apart = torch.arange(rows, dtype=torch.float64).unsqueeze(1) * 100
    narrow = Normal(apart, torch.ones_like(apart))
    assert mutual_information(narrow) == pytest.approx(math.log(rows), abs=1e-9)
    rate = kl_divergence(narrow, STANDARD).mean().item()
    assert rate > 100 * math.log(rows)  # a rate is not information
    same = Normal(torch.zeros_like(apart), torch.ones_like(apart))
    assert mutual_information(same) == pytest.approx(0, abs=1e-9)
    loc = torch.randn(rows, 4, generator=torch.Generator().manual_seed(15), dtype=torch.float64)
    between = mutual_information(Normal(3 * loc, torch.full_like(loc, 0.5)))
    assert between is not None
    assert between <= math.log(rows) + 1e-9


def test_bits_per_dimension_of_black_and_white_pictures() -> None:
    model = build_model(Settings(latent_dim=2, hidden_dim=4), (10,), seed=0).requires_grad_(False)
    for parameter in model.parameters():
        parameter.zero_()  # now q is the prior and the decoder ignores z
    one_in_ten = torch.eye(10)
    assert evaluate(model, one_in_ten, samples=2)["bits_per_dim"] == pytest.approx(1, abs=1e-6)
    model.decoder.network.out.bias.fill_(logit(0.1))
    entropy = stats.entropy([0.1, 0.9], base=2)
    assert evaluate(model, one_in_ten, samples=2)["bits_per_dim"] == pytest.approx(entropy, abs=1e-6)


@pytest.mark.parametrize("byte", [0, 100, 255])
def test_a_density_costs_the_width_of_a_step_on_top(byte: int) -> None:
    density, width = stats.norm(0.4, 0.15), 1 / 256
    low = byte * width
    mass = math.log(density.cdf(low + width) - density.cdf(low))
    mean_log_density, _ = quad(lambda u: density.logpdf(low + u * width), 0, 1)
    assert mean_log_density + math.log(width) <= mass
    assert mean_log_density + math.log(width) == pytest.approx(mass, abs=0.01)
    # The same data in other units: the density changes by the logarithm of the unit, the mass does not.
    assert stats.norm.logpdf(byte, 255 * 0.4, 255 * 0.15) == pytest.approx(density.logpdf(byte / 255) - math.log(255))


# The page itself


def test_the_page_numbers_its_steps_and_names_every_test() -> None:
    page = (Path(__file__).parents[1] / "docs" / "mathematics.md").read_text(encoding="utf-8")
    steps = re.split(r"^### ", page, flags=re.MULTILINE)[1:]
    assert [step.split(".")[0] for step in steps] == [str(number) for number in range(1, len(steps) + 1)]
    assert all("tests/test_mathematics.py::test_" in step for step in steps)
    named = set(re.findall(r"tests/test_mathematics\.py::(test_\w+)", page))
    here = {name for name in globals() if name.startswith("test_")} - {
        test_the_page_numbers_its_steps_and_names_every_test.__name__
    }
    assert named == here
