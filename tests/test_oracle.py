"""Bounds against an exact answer: a linear-Gaussian model whose evidence is known."""

import numpy as np
import pytest
import torch

from dreamgen import Batch, Settings, build_model
from dreamgen.distributions import StepNoise
from dreamgen.evaluation import score_rows
from dreamgen.objectives import build_objective
from oracle import LinearGaussian

ORACLE = LinearGaussian()


def test_at_the_true_posterior_every_bound_is_the_evidence() -> None:
    trace = ORACLE.model().infer(Batch(ORACLE.tensor()), StepNoise(0), samples=7)
    # Every single weight is p(x): the strongest form of the claim.
    np.testing.assert_allclose(trace.log_weight.detach().numpy(), np.tile(ORACLE.evidence(), (7, 1)), atol=1e-5)
    np.testing.assert_allclose(trace.iwae_bound.detach().numpy(), ORACLE.evidence(), atol=1e-5)


def test_the_elbo_is_the_evidence_at_the_true_posterior_in_expectation() -> None:
    scores = score_rows(ORACLE.model(), ORACLE.tensor(), samples=4000)
    error = scores.elbo.numpy() - ORACLE.evidence()
    assert abs(error.mean()) < 0.02
    assert np.abs(error).max() < 0.2


def test_bounds_rise_with_the_samples_towards_the_evidence() -> None:
    model, evidence = ORACLE.model(off=0.5), ORACLE.evidence().mean()
    bounds, errors = [], []
    for samples in (1, 5, 50, 500):
        draws = [score_rows(model, ORACLE.tensor(), samples, seed).log_likelihood.mean().item() for seed in range(20)]
        bounds.append(np.mean(draws))
        errors.append(np.std(draws) / np.sqrt(20))
    for low, high, error in zip(bounds, bounds[1:], errors, strict=False):
        assert high > low + 3 * error / 2
    assert bounds[-1] <= evidence + 3 * errors[-1]
    assert evidence - bounds[-1] < 0.02 < evidence - bounds[0]


def test_the_gap_of_the_elbo_is_the_divergence_from_the_true_posterior() -> None:
    # Moving the mean by d in every direction costs d²/(2 σ_j²) nats in each.
    off = 0.3
    _, variance = ORACLE.posterior()
    scores = score_rows(ORACLE.model(off), ORACLE.tensor(), samples=4000)
    gap = (ORACLE.evidence() - scores.elbo.numpy()).mean()
    assert gap == pytest.approx((off**2 / (2 * variance)).sum(), abs=0.03)


@pytest.mark.parametrize("objective", ["elbo", {"kind": "iwae", "samples": 3}])
@pytest.mark.parametrize("likelihood", ["bernoulli", {"kind": "gaussian", "scale": 0.3, "learned": True}])
def test_gradients_of_the_whole_loss_agree_with_finite_differences(objective: object, likelihood: object) -> None:
    settings = Settings(
        latent_dim=2,
        hidden_dim=3,
        objective=objective,  # type: ignore[arg-type]
        likelihood=likelihood,  # type: ignore[arg-type]
        encoder={"kind": "mlp", "activation": "tanh"},
        decoder={"kind": "mlp", "activation": "tanh"},
    )
    model = build_model(settings, (4,), seed=1).double()
    x = torch.from_numpy(np.random.default_rng(0).random((5, 4)))
    loss_of = build_objective(settings)

    class Fixed:
        def normal(self, shape: tuple[int, ...]) -> torch.Tensor:
            return torch.from_numpy(np.random.default_rng(1).normal(size=shape))

        uniform = normal

    def loss() -> torch.Tensor:
        return loss_of(model.infer(Batch(x), Fixed(), loss_of.samples), 0, 1).loss.mean()

    loss().backward()
    step = 1e-6
    for name, parameter in model.named_parameters():
        flat, gradient = parameter.data.view(-1), parameter.grad.view(-1)  # type: ignore[union-attr]
        for index in range(flat.numel()):
            kept = flat[index].item()
            flat[index] = kept + step
            up = loss().item()
            flat[index] = kept - step
            down = loss().item()
            flat[index] = kept
            assert gradient[index].item() == pytest.approx((up - down) / (2 * step), rel=1e-5, abs=1e-7), name
