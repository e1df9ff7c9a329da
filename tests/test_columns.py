"""A likelihood for every column, against scipy and exact sums; what is not observed has no say."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Categorical, MixtureSameFamily, MultivariateNormal, Normal

from dreamgen import RECIPES, Batch, DreamGenerator, Settings, build_model
from dreamgen.data.columns import ColumnShape
from dreamgen.data.meaning import Meaning
from dreamgen.distributions import Columns, ColumnsLikelihood, GaussianMixture, StepNoise, draw
from dreamgen.distributions.fitting import fit_prior
from dreamgen.errors import SettingsError
from dreamgen.evaluation import encode_rows, score_rows
from dreamgen.models import start_at_mean
from dreamgen.training.masking import MASKINGS

COLUMNS = (
    ColumnShape(levels=3),
    ColumnShape(atoms=(0.0,)),
    ColumnShape(step=0.1),
    ColumnShape(levels=2),
    ColumnShape(levels=3),
    ColumnShape(step=0.5, atoms=(1.0, -1.0)),
    ColumnShape(floor=0.1),
)
CATEGORIES = [j for j, column in enumerate(COLUMNS) if column.levels]
families = pytest.mark.parametrize("family", ["logistic", "normal"])


def some_p(family: str = "logistic", seed: int = 0) -> Columns:
    likelihood = ColumnsLikelihood(COLUMNS, components=3, family=family).double()
    (width,) = likelihood.parameters_shape((len(COLUMNS),))
    p = likelihood(1.5 * StepNoise("p", seed).normal((1, 1, width)).double())
    assert isinstance(p, Columns)
    return p


def at(column: int, values: torch.Tensor) -> torch.Tensor:
    """Rows that are 0 but for one column, (n, d)."""
    x = torch.zeros(len(values), len(COLUMNS), dtype=torch.float64)
    x[:, column] = values
    return x


def prob(p: Columns, column: int, values: torch.Tensor) -> torch.Tensor:
    return p.log_prob(at(column, values))[0, :, column].exp()


@families
def test_every_column_sums_or_integrates_to_one(family: str) -> None:
    p = some_p(family)
    for j in CATEGORIES:
        codes = torch.arange(COLUMNS[j].levels).double()
        assert prob(p, j, codes).sum().item() == pytest.approx(1, abs=1e-9)
        torch.testing.assert_close(p.probs(j)[0, 0], prob(p, j, codes))
    grid = torch.linspace(-120, 120, 480_001).double() + 1e-5  # past the atom
    atom = prob(p, 1, torch.zeros(1).double()).item()
    assert 0 < atom < 1
    assert torch.trapezoid(prob(p, 1, grid), grid).item() + atom == pytest.approx(1, abs=1e-4)
    assert torch.trapezoid(prob(p, 6, grid), grid).item() == pytest.approx(1, abs=1e-4)
    for j in (2, 5):
        cells = COLUMNS[j].step * torch.arange(-1500, 1501).double()
        assert prob(p, j, cells).sum().item() == pytest.approx(1, abs=1e-6)


@families
@pytest.mark.parametrize("column", [0, 2, 3, 5])
def test_the_distribution_function_is_the_sum_of_the_cells(family: str, column: int) -> None:
    p, shape = some_p(family), COLUMNS[column]
    values = (torch.arange(shape.levels) if shape.levels else shape.step * torch.arange(-1500, 1501)).double()
    found = p.cdf(at(column, values))[0, :, column]
    torch.testing.assert_close(found, prob(p, column, values).cumsum(0), atol=1e-6, rtol=0)


@families
def test_a_mixture_is_scipys(family: str) -> None:
    likelihood = ColumnsLikelihood([ColumnShape(floor=0.125)], components=2, family=family).double()
    h = torch.tensor([0.3, -0.4, 1.0, -2.0, 0.5, -1.0]).double()
    weight = torch.softmax(h[:2], 0).numpy()
    scale = torch.nn.functional.softplus(h[4:]).numpy() + 0.125
    kind = {"logistic": stats.logistic, "normal": stats.norm}[family]
    x = np.linspace(-8, 8, 31)
    parts = [w * kind.pdf(x, loc, s) for w, loc, s in zip(weight, (1.0, -2.0), scale, strict=True)]
    found = likelihood(h.reshape(1, 1, -1)).log_prob(torch.from_numpy(x).unsqueeze(1))[0, :, 0]
    np.testing.assert_allclose(found.numpy(), np.log(sum(parts)), rtol=1e-9)
    below = [w * kind.cdf(x, loc, s) for w, loc, s in zip(weight, (1.0, -2.0), scale, strict=True)]
    cdf = likelihood(h.reshape(1, 1, -1)).cdf(torch.from_numpy(x).unsqueeze(1))[0, :, 0]
    np.testing.assert_allclose(cdf.numpy(), sum(below), rtol=1e-9, atol=1e-12)


@families
def test_a_cell_far_out_keeps_its_logarithm(family: str) -> None:
    likelihood = ColumnsLikelihood([ColumnShape(step=0.1)], components=1, family=family)
    p = likelihood(torch.zeros(1, 1, 3))
    kind = {"logistic": stats.logistic, "normal": stats.norm}[family]
    scale = math.log(2) + 0.02
    for x in (0.0, 3.0, 9.0, 40.0):
        exact = kind.logpdf(x, 0, scale) + math.log(0.1)
        assert p.log_prob(torch.full((1, 1), x)).item() == pytest.approx(exact, rel=0.02, abs=0.02)


@families
def test_draws_follow_the_distribution_function(family: str) -> None:
    p = some_p(family, seed=1)
    x = draw(p, StepNoise(1), 20_000)[:, 0, 0]
    assert x.shape == (20_000, len(COLUMNS))
    below = p.cdf_of_draws(torch.full((1, len(COLUMNS)), 0.26).double())[0, 0]
    share = (x <= 0.26).double().mean(0)
    torch.testing.assert_close(share, below, atol=0.015, rtol=0)
    for j in (2, 5):
        step = COLUMNS[j].step
        cell = p.cdf(torch.full((1, len(COLUMNS)), step).double())[0, 0, j]  # of what is rounded to the grid
        assert (x[:, j] < 1.5 * step).double().mean().item() == pytest.approx(cell.item(), abs=0.015)
    numbers = [j for j in range(len(COLUMNS)) if j not in CATEGORIES]
    deviation = x[:, numbers].std(0) / 20_000**0.5
    assert ((x[:, numbers].mean(0) - p.mean[0, 0, numbers]).abs() < 5 * deviation).all()
    assert (x[:, 1] == 0).double().mean().item() == pytest.approx(
        prob(p, 1, torch.zeros(1).double()).item(), abs=0.02
    )


def test_the_decoder_can_start_at_the_marginals() -> None:
    noise = StepNoise("start")
    x = torch.stack(
        [
            (3 * noise.uniform((1, 4000, 1))[0, :, 0] ** 2).floor(),
            torch.where(noise.uniform((1, 4000))[0] < 0.7, 0.0, noise.normal((1, 4000))[0] + 2),
        ],
        dim=1,
    )
    mask = noise.uniform((1, 4000, 2))[0] < 0.5
    columns = (ColumnShape(levels=3), ColumnShape(atoms=(0.0,)))
    settings = Settings(encoder="columns", likelihood="columns", latent_dim=2, hidden_dim=8)
    model = build_model(settings, Meaning((2,), columns=columns), seed=0)
    start_at_mean(model, Batch(torch.where(mask, x, 0.0), mask))
    with torch.no_grad():
        for parameter in model.decoder.network.layers.parameters():  # type: ignore[union-attr]
            parameter.zero_()
        p = model.decoder(torch.zeros(1, 1, 2))
    for level in range(3):
        expected = (x[mask[:, 0], 0] == level).float().mean().item()
        assert p.probs(0)[0, 0, level].item() == pytest.approx(expected, abs=0.01)
    assert p.log_prob(torch.zeros(1, 2))[0, 0, 1].exp().item() == pytest.approx(0.7, abs=0.03)
    grid = torch.linspace(-10, 10, 4001) + 1e-3
    rows = torch.stack([torch.zeros_like(grid), grid], dim=1)
    density = p.log_prob(rows)[0, :, 1].exp()
    assert torch.trapezoid(density * grid, grid).item() / 0.3 == pytest.approx(2, abs=0.15)


def test_what_was_not_observed_has_no_say() -> None:
    settings = Settings(encoder="columns", likelihood="columns", latent_dim=3, hidden_dim=16)
    model = build_model(settings, Meaning((len(COLUMNS),), columns=COLUMNS), seed=0).eval()
    mask = StepNoise("mask").uniform((1, 40, len(COLUMNS)))[0] < 0.6
    x = StepNoise("x").normal((1, 40, len(COLUMNS)))[0].round().clamp(0, 1)
    one = Batch(torch.where(mask, x, 0.0), mask)
    other = Batch(torch.where(mask, x, 1.0), mask)
    assert torch.equal(encode_rows(model, one).mean, encode_rows(model, other).mean)
    assert torch.equal(
        score_rows(model, one, samples=5).log_likelihood, score_rows(model, other, samples=5).log_likelihood
    )
    # Rows apart, in another order, with other neighbours: the same figures.
    some = torch.tensor([7, 3, 21])
    assert torch.equal(
        score_rows(model, one[some], samples=5).log_likelihood, score_rows(model, one, 5).log_likelihood[some]
    )


def test_random_masking_hides_what_it_says() -> None:
    masking = MASKINGS.build({"kind": "random", "whole": 0.25, "most": 0.8})
    observed = StepNoise("o").uniform((1, 20_000, 10))[0] < 0.9
    seen = masking(Batch(torch.zeros(20_000, 10), observed), StepNoise(0))
    assert seen is not None
    assert not (seen & ~observed).any()
    assert seen.sum() / observed.sum() == pytest.approx(1 - 0.75 * 0.4, abs=0.01)
    assert (seen == observed).all(1).float().mean() > 0.25


def test_a_gaussian_mixture_is_torchs() -> None:
    noise = StepNoise("mixture")
    logits, loc = noise.normal((4,)).double(), noise.normal((4, 3)).double()
    tril = noise.normal((4, 3, 3)).double().tril(-1) + torch.diag_embed(noise.uniform((4, 3)).double() + 0.2)
    ours = GaussianMixture(logits, loc, tril)
    theirs = MixtureSameFamily(Categorical(logits=logits), MultivariateNormal(loc, scale_tril=tril))
    z = noise.normal((5, 7, 3)).double()
    torch.testing.assert_close(ours.log_prob(z), theirs.log_prob(z))
    drawn = draw(ours.expand((1,)), StepNoise(3), 100_000)[:, 0]
    torch.testing.assert_close(drawn.mean(0), theirs.mean, atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.var(0), theirs.variance, atol=0.08, rtol=0.03)


def test_a_mixture_fitted_to_codes_explains_them() -> None:
    noise = StepNoise("codes")
    side = (noise.uniform((4000,)) < 0.3).float() * 6 - 3
    z = torch.stack([side + 0.4 * noise.normal((4000,)), noise.normal((4000,))], dim=1)
    z[:, 1] += 0.8 * z[:, 0]
    found = fit_prior(Normal(z, torch.full_like(z, 1e-3)), components=(1, 2), seed=0)
    assert found.tried[2] > found.tried[1] + 0.3 > found.tried[0]
    p = found.prior()
    assert p.log_prob(z).mean() > MultivariateNormal(z.mean(0), z.T.cov()).log_prob(z).mean() + 0.3
    drawn = draw(p.expand((1,)), StepNoise(1), 20_000)[:, 0]
    assert (drawn[:, 0] > 0).float().mean().item() == pytest.approx(0.3, abs=0.03)
    torch.testing.assert_close(drawn.T.cov(), z.T.cov(), atol=0.3, rtol=0.05)


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"likelihood": {"kind": "columns", "components": 0}}, "components: expected 1 to 100"),
        ({"likelihood": {"kind": "columns", "family": "cauchy"}}, "logistic"),
        ({"likelihood": {"kind": "columns", "floor": 0.0}}, "floor: expected more than 0"),
        ({"encoder": {"kind": "columns", "embedding": 0}}, "embedding: expected 1"),
        ({"prior": {"kind": "mixture", "components": 0}}, "components: expected 1"),
    ],
)
def test_what_does_not_go_is_refused(part: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        build_model(Settings.of(part), Meaning((len(COLUMNS),), columns=COLUMNS))


def test_pictures_have_no_columns() -> None:
    with pytest.raises(SettingsError, match="explains tables"):
        build_model(Settings(likelihood="columns"), (8, 8))
    with pytest.raises(SettingsError, match="explains tables"):
        DreamGenerator.from_settings(RECIPES["table"].settings).fit(np.zeros((9, 4, 4)))
    with pytest.raises(SettingsError, match="most"):
        MASKINGS.build({"kind": "random", "most": 1.5})
