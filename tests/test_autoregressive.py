"""The autoregressive likelihood, against enumeration of every picture."""

import itertools

import numpy as np
import pytest
import torch

from dreamgen import DreamGenerator
from dreamgen.data import Dataset
from dreamgen.distributions import LIKELIHOODS, Autoregressive, RowNoise, StepNoise, draw
from dreamgen.errors import DataError, SettingsError
from dreamgen.nn.masked import MaskedNetwork

SHAPE, SIZE = (2, 3), 6
EVERY = torch.tensor(list(itertools.product((0.0, 1.0), repeat=SIZE))).reshape(-1, *SHAPE)


def likelihood(width: int = 7) -> torch.nn.Module:
    """One with random weights, large enough that neighbours matter."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        part = LIKELIHOODS.build({"kind": "autoregressive", "width": width}, event_shape=SHAPE)
        for parameter in part.parameters():
            torch.nn.init.normal_(parameter, std=0.8)
    return part.requires_grad_(False)


def given_z(rows: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, *SHAPE, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("width", [1, 3, 7, 40])
def test_the_probabilities_of_all_pictures_sum_to_one(width: int) -> None:
    part = likelihood(width)
    for z in given_z(3):
        log_p = part(z).log_prob(EVERY)
        assert log_p.shape == EVERY.shape
        assert log_p.sum((1, 2)).double().exp().sum().item() == pytest.approx(1, abs=1e-5)


def test_it_is_not_the_product_of_its_marginals() -> None:
    # Otherwise the sum above would say nothing about the network.
    log_p = likelihood()(given_z()[0]).log_prob(EVERY).sum((1, 2)).double()
    p, x = log_p.exp(), EVERY.flatten(1).double()
    marginal = (p[:, None] * x).sum(0)
    independent = torch.where(x == 1, marginal, 1 - marginal).prod(1)
    assert (p - independent).abs().sum() > 0.1


@pytest.mark.parametrize("width", [1, 4, 50])
def test_an_element_depends_on_those_before_it_and_on_all_of_them(width: int) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = MaskedNetwork(SIZE, width)
        jacobian = torch.autograd.functional.jacobian(network, torch.randn(SIZE))
    later = torch.ones(SIZE, SIZE).triu().bool()
    assert (jacobian[later] == 0).all()
    assert (jacobian[~later] != 0).all()


def test_one_element_at_a_time_gives_the_same_numbers() -> None:
    network = likelihood().network
    x = (torch.rand(5, SIZE, generator=torch.Generator().manual_seed(0)) > 0.5).float()
    whole = network(x)
    spoiled = x.clone()
    for i in range(SIZE):
        spoiled[:, i:] = torch.nan
        torch.testing.assert_close(network.one(spoiled, i), whole[:, i])
        spoiled[:, i] = x[:, i]


def test_draws_have_the_frequencies_of_their_probabilities() -> None:
    p, n = likelihood()(given_z()), 40_000
    x = draw(p, StepNoise(0), n)
    assert x.shape == (n, 1, *SHAPE)
    number = (x.flatten(1) * 2.0 ** torch.arange(SIZE - 1, -1, -1)).sum(1).long()
    seen = torch.bincount(number, minlength=2**SIZE).double() / n
    expected = p.log_prob(EVERY).sum((1, 2)).double().exp()
    error = (expected * (1 - expected) / n).sqrt()
    assert ((seen - expected).abs() < 5 * error + 1e-9).all()


def test_a_draw_depends_on_its_row_alone() -> None:
    z = given_z(4)
    together = draw(likelihood()(z), RowNoise("draw", range(4)), 1)[0]
    alone = draw(likelihood()(z[2:3]), RowNoise("draw", [2]), 1)[0]
    assert torch.equal(together[2], alone[0])


def test_samples_share_the_network_and_keep_their_own_logits() -> None:
    part, z = likelihood(), given_z(6).reshape(3, 2, *SHAPE)
    x = EVERY[[5, 40]]
    together = part(z).log_prob(x)
    assert together.shape == (3, 2, *SHAPE)
    torch.testing.assert_close(together[1, 0], part(z[1, 0]).log_prob(x[0]))


def test_mixed_precision_reaches_the_network_and_the_loss_stays_exact() -> None:
    part, h, x = likelihood(), given_z(8), EVERY[:8]
    exact = part(h).log_prob(x)
    mixed = part(h.bfloat16()).log_prob(x)
    assert exact.dtype == mixed.dtype == torch.float32
    assert not torch.equal(mixed, part(h.bfloat16().float()).log_prob(x))
    torch.testing.assert_close(mixed, exact, atol=0.05, rtol=0.05)


def test_it_has_no_mean_and_says_what_to_do() -> None:
    with pytest.raises(SettingsError, match="draw from it"):
        Autoregressive(given_z(), MaskedNetwork(SIZE, 2), 2).mean  # noqa: B018


def test_a_model_with_it_dreams_by_draws_and_is_evaluated(digits: Dataset) -> None:
    for binarise in ("none", "dynamic"):
        generator = DreamGenerator(2, 8, likelihood="autoregressive", binarise=binarise, epochs=1, random_state=0)
        generator.fit(digits.train.x)
        assert set(np.unique(generator.dream(3, seed=1, sample=True))) <= {0.0, 1.0}
        assert set(np.unique(generator.reconstruct(digits.test.x[:3], sample=True))) <= {0.0, 1.0}
        with pytest.raises(SettingsError, match="sample=True"):
            generator.dream(3)
        report = generator.evaluate(digits.test.x[:50], samples=2, train=digits.train.x)
        assert (report["nll"] is None) == (binarise == "none")
        assert 0 <= report["memorisation"] <= 1


def test_what_it_refuses() -> None:
    with pytest.raises(SettingsError, match="width"):
        LIKELIHOODS.build({"kind": "autoregressive", "width": 0}, event_shape=SHAPE)
    with pytest.raises(DataError):
        likelihood().check(-1, 1)
    assert not likelihood().is_likelihood(torch.tensor([0.5]))
