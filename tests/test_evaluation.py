"""Evaluation: chunks, padding, latents and memorisation against direct computation."""

import math

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from dreamgen import DreamGenerator, Settings, build_model
from dreamgen.data import Dataset
from dreamgen.evaluation import binarise_rows, evaluate, likelihood, score_rows
from dreamgen.evaluation.latents import active_units, mutual_information, rate_per_unit
from dreamgen.evaluation.report import one_sample_loss
from dreamgen.evaluation.samples import memorisation, nearest_distance

MODEL = build_model(Settings(latent_dim=3, hidden_dim=16), (5, 5), seed=0).eval()
X = (torch.rand(70, 5, 5, generator=torch.Generator().manual_seed(0)) > 0.5).float()


def test_chunks_of_samples_and_rows_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = score_rows(MODEL, X, samples=12)
    # The same draws in other pieces: blocks of rows are padded, samples are cut.
    monkeypatch.setattr(likelihood, "_ROWS", 16)
    other = score_rows(MODEL, X, samples=12)
    torch.testing.assert_close(other.log_likelihood, whole.log_likelihood, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(other.rate, whole.rate)


def test_the_bound_equals_its_definition_over_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    log_weights: list[torch.Tensor] = []
    explain = type(MODEL).explain

    def spy(*arguments: object) -> object:
        trace = explain(*arguments)  # type: ignore[arg-type]
        log_weights.append(trace.log_weight)
        return trace

    monkeypatch.setattr(type(MODEL), "explain", spy)
    monkeypatch.setattr(likelihood, "_DECODED", 4)
    row = X[:1]
    result = score_rows(MODEL, row, samples=10)
    every = torch.cat(log_weights)[:, 0].double()
    assert len(every) == 10
    expected = math.log(every.exp().mean().item())
    assert result.log_likelihood.item() == pytest.approx(expected, abs=1e-4)


def test_the_encoder_runs_once_for_each_row_and_not_for_each_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = []
    handle = MODEL.encoder.register_forward_hook(lambda _m, batch, _q: rows.append(len(batch[0])))
    score_rows(MODEL, X[:16], samples=1000)
    handle.remove()
    assert sum(rows) == 16


def test_progress_reaches_the_end() -> None:
    told: list[int] = []
    score_rows(MODEL, X, samples=3, progress=told.append)
    assert told[-1] == len(X)


def test_one_sample_loss_is_distortion_plus_rate() -> None:
    report = one_sample_loss(MODEL, X)
    assert report["test_loss"] == pytest.approx(report["test_distortion"] + report["test_rate"], rel=1e-6)


def test_binarisation_is_drawn_once_by_seed_and_row_with_the_right_odds() -> None:
    grey = torch.full((400, 5, 5), 0.3) + torch.rand(400, 5, 5, generator=torch.Generator().manual_seed(1)) * 1e-3
    binary = binarise_rows(grey, seed=4)
    assert set(binary.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(binary, binarise_rows(grey, seed=4))
    assert torch.equal(binary.flip(0), binarise_rows(grey.flip(0), seed=4))
    assert not torch.equal(binary, binarise_rows(grey, seed=5))
    error = math.sqrt(0.3 * 0.7 / binary.numel())
    assert binary.mean().item() == pytest.approx(0.3005, abs=4 * error)
    as_bytes = torch.tensor([[0, 255, 128]], dtype=torch.uint8)
    assert binarise_rows(as_bytes)[0, :2].tolist() == [0.0, 1.0]


def test_a_grey_score_has_no_nll_and_says_why(trained: DreamGenerator, digits: Dataset) -> None:
    grey = trained.evaluate(digits.test.x, samples=2)
    assert grey["nll"] is None
    assert grey["bits_per_dim"] is None
    assert "not a likelihood" in grey["nll_reason"]
    assert grey["score"] == "bce"
    binary = trained.evaluate(digits.test.x, samples=2, binarise=True)
    assert binary["score"] == "log-probability"
    assert binary["binarisation"] == "drawn once, seed 0"
    assert binary["bits_per_dim"] == pytest.approx(binary["nll"] / 64 / math.log(2))
    assert "nll_reason" not in binary


def test_the_standard_error_is_over_the_rows() -> None:
    report = evaluate(MODEL, X, samples=5)
    rows = -score_rows(MODEL, X, samples=5).log_likelihood.double().numpy()
    assert report["nll"] == pytest.approx(rows.mean())
    assert report["nll_stderr"] == pytest.approx(rows.std(ddof=1) / math.sqrt(len(rows)))
    assert evaluate(MODEL, X[:1], samples=5)["nll_stderr"] is None


def test_active_units_counts_means_that_move() -> None:
    loc = torch.randn(500, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 0.2, 0.05])
    assert active_units(Normal(loc, torch.ones_like(loc))) == 2


def test_rate_per_unit_is_the_mean_divergence() -> None:
    loc, scale = torch.randn(50, 2), torch.rand(50, 2) + 0.5
    expected = (0.5 * (loc**2 + scale**2 - 1) - scale.log()).mean(0)
    units = rate_per_unit(Normal(loc, scale), Normal(torch.zeros(2), torch.ones(2)))
    assert units is not None
    torch.testing.assert_close(units, expected)


def test_mutual_information_is_log_n_for_codes_far_apart_and_nothing_for_equal_ones() -> None:
    n = 300
    apart = Normal(torch.arange(n).float().unsqueeze(1) * 100, torch.ones(n, 1))
    assert mutual_information(apart) == pytest.approx(math.log(n), abs=1e-6)
    equal = Normal(torch.zeros(n, 2), torch.full((n, 2), 0.5))
    assert mutual_information(equal) == pytest.approx(0, abs=1e-9)


def test_mutual_information_of_two_groups_is_log_two() -> None:
    loc = torch.cat([torch.full((200, 1), -50.0), torch.full((200, 1), 50.0)])
    assert mutual_information(Normal(loc, torch.ones(400, 1))) == pytest.approx(math.log(2), abs=1e-6)


def test_mutual_information_of_a_gaussian_channel() -> None:
    # z = x + noise, both Gaussian: 0.5 log(1 + s²/σ²).
    loc = torch.randn(4000, 1, generator=torch.Generator().manual_seed(0)) * 2
    expected = 0.5 * math.log(1 + 4.0)
    assert mutual_information(Normal(loc, torch.ones_like(loc))) == pytest.approx(expected, abs=0.05)


def test_nearest_distance_against_brute_force() -> None:
    random = np.random.default_rng(0)
    x, references = random.random((7, 4, 4)), random.random((50, 4, 4))
    direct = np.sqrt(((x[:, None] - references[None]) ** 2).sum((2, 3))).min(1)
    found = nearest_distance(torch.from_numpy(x).float(), torch.from_numpy(references).float())
    np.testing.assert_allclose(found, direct, atol=1e-4)


def test_memorisation_is_one_for_copies_half_for_fresh_rows_and_nothing_for_far_ones() -> None:
    random = torch.Generator().manual_seed(0)
    train, test, fresh = (torch.rand(400, 6, generator=random) for _ in range(3))
    assert memorisation(train[:100], test, train) == 1.0
    assert memorisation(fresh, test, train) == pytest.approx(0.5, abs=0.06)
    assert memorisation(fresh + 10, test, train) == 0.0
    assert memorisation(test, test, train) == pytest.approx(0.5, abs=1e-6)
