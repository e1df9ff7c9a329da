"""The rate taken apart: exact values of Gaussians, a second formulation in float64, and what the objective weighs."""

import math

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import norm
from torch.distributions import Laplace, MultivariateNormal, Normal, kl_divergence

from dreamgen import Batch, Settings, build_model
from dreamgen.distributions import Delta, StepNoise
from dreamgen.distributions.pairs import joint_log_prob_pairs, log_prob_pairs
from dreamgen.errors import SettingsError
from dreamgen.models import Latent
from dreamgen.objectives import build_objective, take_apart
from dreamgen.training import Run, train

COVARIANCE = torch.tensor([[0.8, 0.5, 0.0], [0.5, 0.7, 0.1], [0.0, 0.1, 0.3]]).double()
SCALE = torch.tensor([0.5, 0.6, 0.9]).double()


def latent(rows: int, samples: int = 1, units: int = 3) -> Latent:
    noise = StepNoise("latent", rows)
    loc = noise.normal((1, rows, units))[0].double()
    scale = (0.5 * noise.normal((1, rows, units))[0].double()).exp()
    q = Normal(loc, scale, validate_args=False)
    z = loc + scale * noise.normal((samples, rows, units)).double()
    return Latent("z", z, q, Normal(torch.zeros(units).double(), 1.0))


def gaussians(rows: int) -> Latent:
    """Posterior means from a Gaussian, and one noise for all: then the aggregated posterior is a Gaussian too."""
    noise = StepNoise("gaussians")
    loc = noise.normal((1, rows, 3))[0].double() @ torch.linalg.cholesky(COVARIANCE).T + 0.4
    q = Normal(loc, SCALE.expand(rows, 3))
    return Latent("z", loc + SCALE * noise.normal((1, rows, 3)).double(), q, Normal(torch.zeros(3).double(), 1.0))


def exact() -> tuple[float, float, float]:
    """The three parts where means are N(0.4, COVARIANCE), in nats."""
    covariance = COVARIANCE + torch.diag(SCALE**2)
    aggregated = MultivariateNormal(torch.full((3,), 0.4).double(), covariance)
    units = Normal(torch.full((3,), 0.4).double(), covariance.diagonal().sqrt())
    told = 0.5 * (torch.logdet(covariance) - 2 * SCALE.log().sum())
    independent = MultivariateNormal(torch.full((3,), 0.4).double(), torch.diag(covariance.diagonal()))
    dimension_wise = kl_divergence(units, Normal(torch.zeros(3).double(), 1.0)).sum()
    return float(told), float(kl_divergence(aggregated, independent)), float(dimension_wise)


@pytest.mark.parametrize("rows", [None, 10**6])
def test_gaussian_means_have_the_exact_parts(rows: int | None) -> None:
    parts = take_apart(gaussians(1200), rows)
    found = [part.mean().item() for part in (parts.index_code, parts.total_correlation, parts.dimension_wise)]
    errors = [3 * part.std().item() / 1200**0.5 + 0.02 for part in vars(parts).values()]
    for value, expected, error in zip(found, exact(), errors, strict=True):
        assert abs(value - expected) < error < 0.15


def second(latent: Latent, rows: int, sampling: str) -> np.ndarray:
    """The three parts, (3, B), row by row and in the words of the paper, with scipy's densities."""
    z, loc, scale = (t.numpy() for t in (latent.z[0], latent.q.mean, latent.q.stddev))
    batch = len(z)
    found = np.zeros((3, batch))
    for i in range(batch):
        units = np.array([norm.logpdf(z[i], loc[j], scale[j]) for j in range(batch)])
        if sampling == "weighted":
            weights = np.full((1, batch), 1 / (rows * batch))
        else:
            m = batch - 1  # the paper's M; one row of the others, here each in turn, has the weight of its own
            weights = np.full((m, batch), 1 / m)
            weights[:, i] = 1 / rows
            weights[np.arange(m), np.delete(np.arange(batch), i)] = (rows - m) / (rows * m)
        weight = weights.mean(0)
        np.testing.assert_allclose(weights.sum(1), weights[0].sum())
        log_q = logsumexp(units.sum(1), b=weight)
        log_units = logsumexp(units, b=weight[:, None], axis=0).sum()
        log_prior = norm.logpdf(z[i]).sum()
        found[:, i] = units[i].sum() - log_q, log_q - log_units, log_units - log_prior
    return found


@pytest.mark.parametrize("sampling", ["weighted", "stratified"])
@pytest.mark.parametrize("rows", [7, 60, 50_000])
def test_the_parts_are_those_of_a_second_formulation(rows: int, sampling: str) -> None:
    few = latent(7)
    parts = take_apart(few, rows, sampling)  # type: ignore[arg-type]
    found = np.stack([parts.index_code, parts.total_correlation, parts.dimension_wise])
    np.testing.assert_allclose(found, second(few, rows, sampling), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.sum(0), -few.log_ratio[0], atol=1e-9)


def test_stratified_is_unbiased_and_weighted_is_too_small() -> None:
    """The density of the aggregated posterior at the sample of one row, over batches drawn with that row in them."""
    whole = latent(40)
    z = whole.z[:, :1]
    densities = log_prob_pairs(whole.q, z).sum(0)[0].exp()
    true, batch = densities.mean().item(), 5
    others = [
        torch.randperm(39, generator=torch.Generator().manual_seed(seed))[: batch - 1] + 1 for seed in range(800)
    ]
    stratified, weighted = [], []
    for rows in others:
        taken = torch.cat([torch.zeros(1, dtype=torch.int64), rows])
        q = Normal(whole.q.mean[taken], whole.q.stddev[taken])
        part = Latent("z", whole.z[:, taken], q, whole.p)
        for found, sampling in ((stratified, "stratified"), (weighted, "weighted")):
            parts = take_apart(part, 40, sampling)  # type: ignore[arg-type]
            own = q.log_prob(part.z).sum(-1)[0, 0]
            found.append((own - parts.index_code[0]).exp().item())
    assert np.mean(stratified) == pytest.approx(true, abs=4 * np.std(stratified) / math.sqrt(800))
    assert np.mean(weighted) < 0.5 * true


def test_independent_means_have_no_total_correlation_and_copies_have_much() -> None:
    noise = StepNoise("copies")
    one = noise.normal((1, 900, 1))[0].double()
    apart = torch.cat([one, noise.normal((1, 900, 1))[0].double()], 1)
    for loc, low, high in ((apart, -0.05, 0.06), (one.expand(-1, 2), 0.9, 3.0)):
        q = Normal(loc, torch.full_like(loc, 0.3))
        z = loc + 0.3 * noise.normal((1, 900, 2)).double()
        found = take_apart(Latent("z", z, q, Normal(torch.zeros(2).double(), 1.0))).total_correlation.mean().item()
        assert low < found < high


def test_pairs_are_the_densities_of_torch_for_any_kind() -> None:
    few = latent(6, samples=2)
    for q in (few.q, Laplace(few.q.mean, few.q.stddev)):
        pairs = log_prob_pairs(q, few.z)
        assert pairs.shape == (3, 12, 6)
        expected = q.log_prob(few.z.unsqueeze(2))  # (K, B, B, D)
        torch.testing.assert_close(pairs, expected.permute(3, 0, 1, 2).flatten(1, 2), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("scale", [1e-3, 1e-4])
def test_narrow_posteriors_keep_their_digits_in_float32(scale: float) -> None:
    loc = 3 + StepNoise("narrow").normal((1, 200, 3))[0]
    q = Normal(loc, torch.full_like(loc, scale))
    z = loc + scale * StepNoise("draws").normal((1, 200, 3))
    found = log_prob_pairs(q, z)
    assert found.dtype == torch.float32
    wide = Normal(loc.double(), torch.full_like(loc, scale).double())
    expected = wide.log_prob(z.double().unsqueeze(2)).permute(3, 0, 1, 2).flatten(1, 2)  # of the same numbers
    torch.testing.assert_close(found.double(), expected, rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(joint_log_prob_pairs(q, z[0]), expected.sum(0), rtol=1e-6, atol=1e-5)
    prior = Normal(torch.zeros(3), 1.0)
    single, double = (
        take_apart(Latent("z", to(z), r, prior)) for to, r in ((torch.Tensor.float, q), (torch.Tensor.double, wide))
    )
    for name, part in vars(single).items():
        np.testing.assert_allclose(part, vars(double)[name], atol=1e-4, err_msg=name)


def test_gradients_are_right_in_float64() -> None:
    few = latent(4)

    def loss(loc: torch.Tensor, log_scale: torch.Tensor) -> torch.Tensor:
        q = Normal(loc, log_scale.exp(), validate_args=False)
        z = loc + log_scale.exp() * few.z
        return take_apart(Latent("z", z, q, few.p), 30).total_correlation

    inputs = (few.q.mean.clone().requires_grad_(), few.q.stddev.log().clone().requires_grad_())
    assert torch.autograd.gradcheck(loss, inputs)


def terms_of(objective: dict[str, object] | str, beta: float, **settings: object) -> tuple[torch.Tensor, ...]:
    chosen = Settings(latent_dim=3, hidden_dim=8, objective=objective, beta=beta, **settings)  # type: ignore[arg-type]
    batch = Batch(torch.rand(9, 4, 4, generator=torch.Generator().manual_seed(0)))
    trace = build_model(chosen, (4, 4), seed=0).infer(batch, StepNoise(0))
    terms = build_objective(chosen, 100)(trace, 0, 1)
    return terms.loss, terms.distortion, terms.rate, take_apart(trace.latents[0], 100).total_correlation


def test_the_loss_is_the_plain_one_and_more_of_the_total_correlation() -> None:
    plain = terms_of("elbo", 1.0)[0]
    loss, distortion, rate, correlation = terms_of("tcvae", 1.0)
    torch.testing.assert_close(loss, plain)
    torch.testing.assert_close(terms_of("tcvae", 6.0)[0], plain + 5 * correlation)
    rest = {"kind": "tcvae", "rest": 3.0}
    torch.testing.assert_close(terms_of(rest, 6.0)[0], distortion + 3 * rate + 3 * correlation)


def test_a_run_tells_the_objective_how_many_rows_there_are() -> None:
    settings = Settings(objective="tcvae", latent_dim=2, hidden_dim=4, epochs=1)
    run = Run(build_model(settings, (4, 4), seed=0), settings, Batch(torch.full((30, 4, 4), 0.5)), None, 0)
    assert run.objective.rows == 30  # type: ignore[attr-defined]
    assert run.objective.couples_rows


def test_the_private_update_refuses_it() -> None:
    update = {"kind": "private", "epsilon": 5.0, "delta": 1e-3}
    settings = Settings(objective="tcvae", update=update, latent_dim=2, hidden_dim=4, epochs=1, batch_size=10)
    settings = settings.replace(validation=0.0)
    run = Run(build_model(settings, (4, 4), seed=0), settings, Batch(torch.full((30, 4, 4), 0.5)), None, 0)
    with pytest.raises(SettingsError, match="a sum over rows"):
        next(train(run))


def test_what_has_no_total_correlation_is_refused() -> None:
    few = latent(4)
    with pytest.raises(SettingsError, match="got a point"):
        take_apart(Latent("z", few.z, Delta(few.q.mean), few.p))
    joint = MultivariateNormal(torch.zeros(3).double(), torch.eye(3).double())
    with pytest.raises(SettingsError, match="units are independent"):
        take_apart(Latent("z", few.z, few.q, joint))
    with pytest.raises(SettingsError, match="free_bits = 0"):
        build_objective(Settings(objective="tcvae", free_bits=0.1))


@pytest.mark.parametrize("sampling", ["weighted", "stratified"])
def test_one_row_alone_has_no_total_correlation(sampling: str) -> None:
    one = latent(1)
    parts = take_apart(one, 50, sampling)  # type: ignore[arg-type]
    assert parts.total_correlation.item() == pytest.approx(0, abs=1e-12)
    assert parts.index_code.item() == pytest.approx(0, abs=1e-12)
    rate = (one.q.log_prob(one.z) - one.p.log_prob(one.z)).sum()
    assert parts.dimension_wise.item() == pytest.approx(rate.item())
