"""Errors that other libraries shipped, each held off by a number.

Wrong signs, mixed reductions, a bound reported with reweighted terms, swapped axes, samples that are not drawn,
shuffled evaluation, dropped last batches, random scores: each ran for years somewhere without a failing test.
"""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Bernoulli, Normal, kl_divergence

from dreamgen import Batch, DreamGenerator, Settings, build_model
from dreamgen.data import Dataset
from dreamgen.data.context import Context, Field
from dreamgen.data.meaning import Meaning
from dreamgen.distributions import Delta, GreyBernoulli, Noise, RowNoise, StepNoise, row_keys
from dreamgen.errors import DataError, SettingsError
from dreamgen.evaluation import binarise_rows, score_rows
from dreamgen.models import Latent, Trace
from dreamgen.objectives import build_objective
from dreamgen.training import Run, train


def trace_of(log_weights: list[float]) -> Trace:
    """A trace of one row whose importance weights are given."""
    weights = torch.tensor(log_weights).view(-1, 1)

    class Fixed(Normal):
        def log_prob(self, value: torch.Tensor) -> torch.Tensor:
            return weights.unsqueeze(-1)

    p = Fixed(torch.zeros(1), torch.ones(1), validate_args=False)
    same = Normal(torch.zeros(1, 1), torch.ones(1, 1))
    return Trace(Batch(torch.zeros(1, 1)), (Latent("z", torch.zeros(len(weights), 1, 1), same, same),), p)


def test_the_iwae_loss_is_the_bound_itself() -> None:
    # Weights e and 1: log((e + 1) / 2) = 0.62 nats, not the self-normalised average 0.73.
    objective = build_objective(Settings(objective={"kind": "iwae", "samples": 2}))
    loss = objective(trace_of([1.0, 0.0]), 0, 1).loss.item()
    assert -loss == pytest.approx(math.log((math.e + 1) / 2), abs=1e-6)
    assert -loss == pytest.approx(0.6201, abs=1e-4)


def test_the_importance_bound_averages_over_samples_and_not_over_rows() -> None:
    model = build_model(Settings(latent_dim=2, hidden_dim=8), (3, 3), seed=0)
    x = torch.rand(5, 3, 3).round()
    trace = model.infer(Batch(x), StepNoise(1), samples=7)
    expected = torch.log(trace.log_weight.double().exp().mean(0))
    assert trace.iwae_bound.shape == (5,)
    torch.testing.assert_close(trace.iwae_bound.double(), expected, atol=1e-5, rtol=1e-5)


def test_elbo_goes_up_and_loss_goes_down(digits: Dataset) -> None:
    generator = DreamGenerator(latent_dim=3, hidden_dim=32, batch_size=64, epochs=6, random_state=0)
    x = digits.train.x[:600]
    generator.fit(x)
    assert generator.history[-1]["loss"] < generator.history[0]["loss"]
    before = build_model(generator.saved_.settings, (8, 8), seed=0)
    after = generator.saved_.model
    data = generator.prepare(x)
    assert score_rows(after, data).elbo.mean() > score_rows(before, data).elbo.mean()


def test_a_likelihood_has_the_sign_of_a_log_probability() -> None:
    model = build_model(Settings(latent_dim=2, hidden_dim=8), (4, 4), seed=0)
    x = torch.rand(3, 4, 4).round()
    assert (score_rows(model, x, samples=20).log_likelihood < 0).all()  # of binary data: at most log 1


def test_sums_over_the_event_and_means_over_the_batch() -> None:
    # Twice the pixels, twice the distortion; twice the rows, the same loss.
    settings = Settings(latent_dim=2, hidden_dim=8)
    model, objective = build_model(settings, (3, 3), seed=0), build_objective(settings)
    x = torch.rand(4, 3, 3)
    trace = model.infer(Batch(x), StepNoise(0))
    terms = objective(trace, 0, 1)
    pixels = -Bernoulli(probs=trace.p.mean[0], validate_args=False).log_prob(x)
    torch.testing.assert_close(terms.distortion, pixels.sum((1, 2)))
    q = model.encoder(Batch(x))
    torch.testing.assert_close(terms.rate, kl_divergence(q, Normal(0.0, 1.0)).sum(1))
    twice = objective(model.infer(Batch(torch.cat([x, x])), StepNoise(0)), 0, 1)
    assert twice.rate.mean().item() == pytest.approx(terms.rate.mean().item(), rel=1e-6)


@pytest.mark.parametrize("samples", [1, 3])
def test_as_many_samples_are_drawn_as_asked(samples: int) -> None:
    model = build_model(Settings(latent_dim=2, hidden_dim=8), (3, 3), seed=0)
    trace = model.infer(Batch(torch.rand(4, 3, 3)), StepNoise(0), samples)
    assert trace.log_weight.shape == (samples, 4)
    assert len({tuple(z.flatten().tolist()) for z in trace.latents[0].z}) == samples


def test_the_rate_is_not_clamped_away() -> None:
    settings = Settings(latent_dim=2, hidden_dim=8)
    trace = build_model(settings, (3, 3), seed=0).infer(Batch(torch.rand(4, 3, 3)), StepNoise(0))
    terms = build_objective(settings)(trace, 0, 1)
    assert (terms.loss - terms.distortion).min() > 0
    torch.testing.assert_close(terms.loss, terms.distortion + terms.rate)


def test_beta_is_the_same_in_training_and_validation() -> None:
    settings = Settings(latent_dim=2, hidden_dim=8, beta=4.0, epochs=1, batch_size=8)
    model = build_model(settings, (3, 3), seed=0)
    run = Run(model, settings, Batch(torch.rand(16, 3, 3)), Batch(torch.rand(8, 3, 3)), seed=0)
    noise = StepNoise(run.seed, "validation", 0)
    assert run.validation is not None
    trace = model.infer(run.prepare(run.validation, noise), noise)
    assert run.validation_loss() == pytest.approx((trace.distortion + 4 * trace.rate).mean().item(), rel=1e-6)


def test_free_bits_cost_nothing_up_to_their_number_and_everything_above() -> None:
    settings = Settings(latent_dim=3, hidden_dim=8, free_bits=0.5)
    trace = build_model(settings, (3, 3), seed=0).infer(Batch(torch.rand(4, 3, 3)), StepNoise(0))
    terms = build_objective(settings)(trace, 0, 1)
    units = trace.latents[0].rate_per_unit
    assert units is not None
    torch.testing.assert_close(terms.loss, terms.distortion + torch.where(units > 0.5, units, 0.5).sum(1))
    torch.testing.assert_close(terms.rate, units.sum(1))  # what is reported is not clamped


def test_a_score_is_the_same_twice_and_does_not_depend_on_order_or_company(trained: DreamGenerator) -> None:
    x = np.random.default_rng(0).random((300, 8, 8), dtype=np.float32)
    scores = trained.score_samples(x)
    np.testing.assert_array_equal(scores, trained.score_samples(x))
    np.testing.assert_allclose(trained.score_samples(x[::-1])[::-1], scores, atol=1e-4)
    np.testing.assert_allclose(trained.score_samples(x[7:8]), scores[7:8], atol=1e-4)
    order = np.random.default_rng(1).permutation(len(x))
    np.testing.assert_allclose(trained.score_samples(x[order]), scores[order], atol=1e-4)


def test_a_model_is_not_changed_by_being_looked_at(trained: DreamGenerator) -> None:
    before = {k: v.clone() for k, v in trained.saved_.model.state_dict().items()}
    torch.manual_seed(5)
    state = torch.get_rng_state()
    x = np.random.default_rng(0).random((20, 8, 8))
    trained.transform(x), trained.score_samples(x), trained.dream(3), trained.evaluate(trained.prepare(x), samples=2)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) for k, v in trained.saved_.model.state_dict().items())
    assert not trained.saved_.model.training


@pytest.mark.parametrize("rows", [1, 5, 33])
def test_the_last_shorter_batch_counts(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    settings = Settings(latent_dim=2, hidden_dim=4, epochs=1, batch_size=16, validation=0.0)
    x = torch.arange(rows, dtype=torch.float32).div(100).view(rows, 1, 1).expand(rows, 2, 2)
    run = Run(build_model(settings, (2, 2), seed=0), settings, Batch(x), None, seed=0)
    prepare = run.prepare

    def spy(batch: Batch, noise: Noise) -> Batch:
        seen.extend(batch.x[:, 0, 0].tolist())
        return prepare(batch, noise)

    monkeypatch.setattr(run, "prepare", spy)
    list(train(run))
    assert sorted(seen) == pytest.approx([row / 100 for row in range(rows)])
    assert run.history[0]["step"] == math.ceil(rows / 16)


def test_evaluation_is_not_shuffled(trained: DreamGenerator, digits: Dataset) -> None:
    codes = trained.transform(digits.test.x)
    for row in (0, 5, 50):
        np.testing.assert_allclose(trained.transform(digits.test.x[row : row + 1])[0], codes[row], atol=1e-5)


def test_the_mean_is_not_a_sample(trained: DreamGenerator, digits: Dataset) -> None:
    q = trained.encode(digits.test.x)
    np.testing.assert_array_equal(trained.transform(digits.test.x), q.mean.numpy())
    assert q.stddev.min() > 0


def test_row_noise_is_a_function_of_seed_and_row_alone() -> None:
    x = torch.rand(4, 3)
    keys = row_keys(x)
    together = RowNoise(0, keys).normal((5, 4, 2))
    alone = RowNoise(0, keys[2:3]).normal((5, 1, 2))
    torch.testing.assert_close(together[:, 2:3], alone, rtol=0, atol=0)
    assert not torch.equal(together, RowNoise(1, keys).normal((5, 4, 2)))
    assert len(set(keys)) == 4
    assert row_keys(x.flip(0)) == keys[::-1]


def test_masked_elements_count_nothing() -> None:
    model = build_model(Settings(latent_dim=2, hidden_dim=8), (4,), seed=0)
    x, mask = torch.rand(3, 4), torch.tensor([[1, 1, 0, 0]] * 3, dtype=torch.bool)
    other = torch.where(mask, x, torch.rand(3, 4))
    first = model.infer(Batch(x, mask=mask), StepNoise(0))
    second = model.infer(Batch(other, mask=mask), StepNoise(0))
    torch.testing.assert_close(first.elbo, second.elbo)
    pixels = -first.p.log_prob(x)[0]
    torch.testing.assert_close(first.distortion, pixels[:, :2].sum(1))


def test_context_reaches_encoder_and_decoder() -> None:
    three = Context((Field("label", "class", ("a", "b", "c")),))
    model = build_model(Settings(latent_dim=2, hidden_dim=8), Meaning((4,), three), seed=0)
    x, one, two = torch.rand(2, 4), torch.eye(3)[:2], torch.eye(3)[1:]
    first = model.infer(Batch(x, context=one), StepNoise(0))
    second = model.infer(Batch(x, context=two), StepNoise(0))
    assert not torch.equal(first.latents[0].q.mean, second.latents[0].q.mean)
    z = torch.zeros(5, 2, 2)
    assert not torch.equal(model.decoder(z, one).mean, model.decoder(z, two).mean)


def test_a_point_is_given_no_bound() -> None:
    for changes in ({"objective": "iwae"}, {"free_bits": 0.5}):
        settings = Settings(latent_dim=2, hidden_dim=8, posterior="point").replace(**changes)
        trace = build_model(settings, (3, 3), seed=0).infer(Batch(torch.rand(4, 3, 3)), StepNoise(0))
        with pytest.raises(SettingsError, match="expected a posterior"):
            build_objective(settings)(trace, 0, 1)


def test_a_density_has_no_bits(digits: Dataset) -> None:
    generator = DreamGenerator(latent_dim=2, hidden_dim=8, likelihood="gaussian", epochs=1, random_state=0)
    report = generator.fit(digits.train.x).evaluate(digits.test.x, samples=2)
    assert report["score"] == "log-density"
    assert report["nll"] is not None
    assert report["bits_per_dim"] is None


def test_what_is_not_observed_may_be_nan() -> None:
    model = build_model(Settings(latent_dim=2, hidden_dim=8), (4,), seed=0)
    mask = torch.tensor([[True, True, False, True]] * 3)
    x = torch.where(mask, torch.rand(3, 4), torch.nan)
    assert torch.isfinite(model.infer(Batch(x, mask=mask), StepNoise(0)).elbo).all()


@pytest.mark.parametrize("scale", [1e-4, 0.3, 1000.0])
def test_a_fixed_scale_is_the_scale(scale: float) -> None:
    likelihood = build_model(
        Settings(likelihood={"kind": "gaussian", "scale": scale}), (1,), seed=0
    ).decoder.likelihood
    assert likelihood(torch.zeros(1)).stddev.item() == pytest.approx(scale, rel=1e-5)


def test_gradients_of_each_example_and_of_the_data() -> None:
    # Private training needs the first (torch.func), explanations the second.
    logits, x = torch.randn(5, 3), torch.rand(5, 3)

    def loss(logit: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        return -GreyBernoulli(logit).log_prob(value).sum()

    each = torch.func.vmap(torch.func.grad(loss, argnums=(0, 1)))(logits, x)
    torch.testing.assert_close(each[0], torch.sigmoid(logits) - x)
    torch.testing.assert_close(each[1], -logits)


def test_the_distributions_handed_out_are_torchs_own_kind(trained: DreamGenerator) -> None:
    p = trained.decode(np.zeros((2, 6)))
    assert p.expand((3, 2, 8, 8)).mean.shape == (3, 2, 8, 8)
    assert Delta(torch.zeros(2)).expand((4, 2)).sample((5,)).shape == (5, 4, 2)


def test_a_prior_that_depends_on_samples_gives_a_rate_for_each_row() -> None:
    q = Normal(torch.zeros(4, 2), torch.ones(4, 2))
    p = Normal(torch.tensor([0.0, 1.0, 2.0]).view(3, 1, 1).expand(3, 4, 2), torch.ones(3, 4, 2))
    rate = Latent("z", torch.zeros(3, 4, 2), q, p).rate
    torch.testing.assert_close(rate, torch.full((4,), (0 + 1 + 4) / 3))  # two units of m²/2 each


def test_only_values_between_0_and_1_are_binarised(digits: Dataset) -> None:
    x = digits.train.x * 3 - 1
    with pytest.raises(DataError, match="values in"):
        DreamGenerator(binarise="dynamic", likelihood="gaussian", epochs=1).fit(x)
    with pytest.raises(DataError, match="values in"):
        binarise_rows(torch.from_numpy(x))
