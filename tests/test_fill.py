"""Filling in: the measure and the draws against exact conditionals, parts of pictures, and the verb."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from scipy.stats import multivariate_normal
from torch import nn
from torch.distributions import Distribution, Normal

from dreamgen import DreamGenerator, Settings, build_model
from dreamgen.cli import cli, main
from dreamgen.data import Batch, Dataset
from dreamgen.data.hiding import seen_after
from dreamgen.data.meaning import Meaning
from dreamgen.distributions import StepNoise
from dreamgen.errors import DataError, SettingsError
from dreamgen.evaluation.conditional import conditional_log_likelihood
from dreamgen.filling import fill_rows
from dreamgen.models import VAE
from dreamgen.objectives import build_objective
from dreamgen.training import MASKINGS, UPDATES
from dreamgen.training.fit import fit_model
from dreamgen.training.run import Run
from oracle import LATENT, SEEN, SIGMA, LinearGaussian

SHOWN = np.array([True, False, True, True, False])


class OneLatent(nn.Module):
    """The exact q(z|x_seen) of x | z ~ N(w z, s² I), z ~ N(0, 1), moved by `off` and widened by `wide`."""

    def __init__(self, w: torch.Tensor, scale: float, off: float = 0.0, wide: float = 1.0) -> None:
        super().__init__()
        self.w, self.s, self.off, self.wide = w, scale, off, wide

    def forward(self, batch: Batch) -> Distribution:
        mask = torch.ones_like(batch.x) if batch.mask is None else batch.mask.to(batch.x.dtype)
        x = torch.where(mask.bool(), batch.x, 0.0)
        precision = 1 + (mask * self.w.square()).sum(1, keepdim=True) / self.s**2
        loc = (x * self.w).sum(1, keepdim=True) / self.s**2 / precision
        return Normal(loc + self.off, self.wide * precision.rsqrt(), validate_args=False)


def one_latent(off: float = 0.0, wide: float = 1.0, rows: int = 16) -> tuple[VAE, npt.NDArray[np.float64]]:
    """A model whose conditionals are known, and rows drawn from it."""
    random = np.random.default_rng(1)
    w = random.normal(size=SEEN)
    settings = Settings(latent_dim=1, hidden_dim=[], likelihood={"kind": "gaussian", "scale": SIGMA})
    model = build_model(settings, (SEEN,), seed=0).double()
    with torch.no_grad():
        model.decoder.network.out.weight.copy_(torch.from_numpy(w)[:, None])
        model.decoder.network.out.bias.zero_()
    model.encoder = OneLatent(torch.from_numpy(w), SIGMA, off, wide)  # type: ignore[assignment]
    return model, random.normal(size=(rows, 1)) * w + SIGMA * random.normal(size=(rows, SEEN))


def exact(
    mean: npt.NDArray[np.float64], covariance: npt.NDArray[np.float64], x: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Of a Gaussian's missing elements given those seen: log density, means, covariance."""
    a, b = np.flatnonzero(SHOWN), np.flatnonzero(~SHOWN)
    gain = covariance[np.ix_(b, a)] @ np.linalg.inv(covariance[np.ix_(a, a)])
    means = mean[b] + (x[:, a] - mean[a]) @ gain.T
    left = covariance[np.ix_(b, b)] - gain @ covariance[np.ix_(a, b)]
    logs = np.array([multivariate_normal(m, left).logpdf(row) for m, row in zip(means, x[:, b], strict=True)])
    return logs, means, left


def one_latent_exact(model: VAE, x: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], ...]:
    w = model.decoder.network.out.weight.detach().numpy()[:, 0]
    return exact(np.zeros(SEEN), np.outer(w, w) + SIGMA**2 * np.eye(SEEN), x)


@pytest.mark.parametrize("samples", [1, 2, 1500])
def test_with_the_true_posteriors_the_measure_is_exact_with_any_number_of_samples(samples: int) -> None:
    model, x = one_latent()
    scores = conditional_log_likelihood(model, torch.from_numpy(x), torch.from_numpy(SHOWN), samples)
    logs, _, _ = one_latent_exact(model, x)
    np.testing.assert_allclose(scores.log_likelihood.numpy(), logs, atol=1e-9)
    np.testing.assert_allclose(scores.ratio.numpy(), logs, atol=1e-9)


def test_with_wrong_posteriors_it_rises_to_the_exact_figure() -> None:
    model, x = one_latent(off=0.8, wide=1.5)
    logs, _, _ = one_latent_exact(model, x)
    mask = torch.from_numpy(SHOWN)
    found = [
        conditional_log_likelihood(model, torch.from_numpy(x), mask, samples).log_likelihood.numpy()
        for samples in (1, 4000)
    ]
    assert logs.mean() - found[0].mean() > 0.2
    assert abs(found[1].mean() - logs.mean()) < 0.03
    np.testing.assert_allclose(found[1], logs, atol=0.2)


def test_it_is_exact_for_a_library_model_too() -> None:
    oracle = LinearGaussian()
    model = oracle.model(off=0.2)
    with torch.no_grad():
        model.encoder.posterior.log_variance.bias += 1.0  # wide enough for rows of which less is seen
    scores = conditional_log_likelihood(model, oracle.tensor(), torch.from_numpy(SHOWN), 4000)
    covariance = oracle.weights @ oracle.weights.T + SIGMA**2 * np.eye(SEEN)
    logs, _, _ = exact(oracle.offset, covariance, oracle.x)
    assert model.encoder.posterior.loc.out_features == LATENT
    assert abs(scores.log_likelihood.numpy().mean() - logs.mean()) < 0.02


def test_what_is_measured_is_a_distribution() -> None:
    """The estimates of all completions sum to one in expectation, however wrong the encoder is."""
    model = build_model(Settings(latent_dim=2, hidden_dim=8, encoder={"kind": "mlp", "mask": True}), (5,), seed=3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 2  # far from a model that says the same of everything
        # The last element only tells the rows' noise apart: nothing reads it, and it says nothing.
        model.encoder.network.layers[0].weight[:, 4] = 0
        model.decoder.network.out.weight[4] = 0
        model.decoder.network.out.bias[4] = 0
    n, mask = 2500, torch.tensor([True, True, False, False, True])
    rows = torch.tensor([[1.0, 0, a, b, 0] for a in (0, 1) for b in (0, 1)], dtype=torch.float64).repeat(n, 1)
    rows[:, 4] = torch.arange(n).repeat_interleave(4) / n
    scores = conditional_log_likelihood(model.double(), rows, mask, samples=2)
    sums, ratios = (values.exp().reshape(n, 4).sum(1).numpy() for values in (scores.log_likelihood, scores.ratio))
    error = sums.std() / np.sqrt(n)
    assert error < 0.04
    assert abs(sums.mean() - 1) < 4 * error
    assert np.minimum(ratios, 10).mean() > 1.5  # why the ratio alone is not reported


def test_a_row_scores_the_same_alone_and_in_company() -> None:
    model, x = one_latent(off=0.3)
    rows, mask = torch.from_numpy(x), torch.from_numpy(SHOWN)
    together = conditional_log_likelihood(model, rows, mask, 50)
    alone = conditional_log_likelihood(model, rows[5:6], mask, 50)
    assert torch.equal(alone.log_likelihood, together.log_likelihood[5:6])
    again = conditional_log_likelihood(model, rows, mask, 50, seed=1)
    assert not torch.equal(again.log_likelihood, together.log_likelihood)


def test_the_mean_that_is_filled_in_is_the_exact_conditional_mean() -> None:
    model, x = one_latent(off=0.3, wide=1.5)
    _, means, _ = one_latent_exact(model, x)
    parts = Batch(torch.from_numpy(x), torch.from_numpy(SHOWN).expand(x.shape))
    filled = fill_rows(model, parts, samples=4000)[0].numpy()
    np.testing.assert_allclose(filled[:, ~SHOWN], means, atol=0.06)
    np.testing.assert_array_equal(filled[:, SHOWN], x[:, SHOWN].astype(np.float32))


def test_draws_have_the_exact_conditional_distribution() -> None:
    model, x = one_latent(off=0.3, wide=1.5, rows=400)
    _, means, covariance = one_latent_exact(model, x)
    parts = Batch(torch.from_numpy(x), torch.from_numpy(SHOWN).expand(x.shape))
    drawn = fill_rows(model, parts, 5, sample=True, samples=60)[..., ~SHOWN].double().numpy()
    whitened = ((drawn - means) @ np.linalg.inv(np.linalg.cholesky(covariance)).T).reshape(2000, 2)
    assert np.abs(whitened.mean(0)).max() < 4 / np.sqrt(2000)
    np.testing.assert_allclose(np.cov(whitened.T), np.eye(2), atol=0.13)


def test_what_is_hidden_is_not_read_and_the_company_does_not_matter(trained: DreamGenerator, digits: Dataset) -> None:
    x = digits.test.x[:30]
    seen = seen_after("left", (8, 8), 30).numpy()
    filled = trained.fill(x, seen, 3, seed=4)
    assert filled.shape == (3, 30, 8, 8)
    assert len(np.unique(filled[:, 0, :, :4], axis=0)) == 3
    np.testing.assert_array_equal(filled[:, seen], np.stack([x[seen]] * 3))
    garbage = np.where(seen, x, np.nan)
    np.testing.assert_array_equal(trained.fill(garbage, seen, 3, seed=4), filled)
    np.testing.assert_array_equal(trained.fill(garbage, None, 3, seed=4), filled)
    np.testing.assert_array_equal(trained.fill(x[7:8], seen[7], 2, seed=4), filled[:2, 7:8])
    np.testing.assert_array_equal(trained.fill(x, np.ones((8, 8), bool)), x)


def test_filling_in_is_better_than_the_mean_picture(trained: DreamGenerator, digits: Dataset) -> None:
    x = digits.test.x
    seen = seen_after("pixels:0.3", (8, 8), len(x), seed=1).numpy()
    mean = digits.train.x.mean(0)
    error = np.square(trained.fill(x, seen) - x)[~seen].mean()
    assert error < 0.75 * np.square(mean - x)[~seen].mean()


def test_bad_parts_are_refused(trained: DreamGenerator) -> None:
    x = np.zeros((3, 8, 8), np.float32)
    for mask in (np.ones((3, 8, 8)), np.ones((2, 8, 8), bool), np.ones(3, bool)):
        with pytest.raises(DataError, match="mask: expected bool"):
            trained.fill(x, mask)
    with pytest.raises(SettingsError, match="m and samples"):
        trained.fill(x, m=0)
    with pytest.raises(DataError, match=r"values in \[0, 1\]"):
        trained.fill(x + 2)
    with pytest.raises(DataError, match="mask: expected bool"):
        conditional_log_likelihood(trained.fitted().model, torch.zeros(3, 8, 8), torch.ones(8, 8))
    with pytest.raises(SettingsError, match="samples: expected 1"):
        conditional_log_likelihood(trained.fitted().model, torch.zeros(3, 8, 8), torch.ones(8, 8).bool(), 0)


def test_pixels_that_know_each_other_cannot_be_filled_in() -> None:
    settings = Settings(latent_dim=2, hidden_dim=4, likelihood={"kind": "autoregressive", "width": 4})
    model = build_model(settings, (3, 3), seed=0)
    with pytest.raises(SettingsError, match="independent"):
        fill_rows(model, Batch(torch.zeros(1, 3, 3), torch.ones(1, 3, 3).bool()))


def test_an_autoencoder_fills_in_but_has_no_likelihood(digits: Dataset) -> None:
    generator = DreamGenerator(2, 8, 0.0, posterior="point", batch_size=256, epochs=1, random_state=0)
    generator.fit(digits.train.x)
    seen = seen_after("top", (8, 8), 1).numpy()
    assert generator.fill(digits.test.x[:1], seen).shape == (1, 8, 8)
    with pytest.raises(DataError, match="point"):
        conditional_log_likelihood(generator.fitted().model, torch.zeros(1, 8, 8), torch.from_numpy(seen))


def test_parts_by_name() -> None:
    def hidden(part: str, shape: tuple[int, ...] = (4, 6)) -> npt.NDArray[np.bool_]:
        return ~seen_after(part, shape, 2).numpy()

    y, x = np.mgrid[:4, :6]
    for part, where in {
        "left": x < 3,
        "right": x >= 3,
        "top": y < 2,
        "bottom": y >= 2,
        "quadrant:1": (x < 3) & (y < 2),
        "quadrant:2": (x >= 3) & (y < 2),
        "quadrant:34": y >= 2,
        "quadrant:124": ~((x < 3) & (y >= 2)),
    }.items():
        np.testing.assert_array_equal(hidden(part), np.stack([where] * 2))
    colour = hidden("left", (4, 6, 3))
    assert colour.shape == (2, 4, 6, 3)
    assert (colour == colour[..., :1]).all()
    pixels = hidden("pixels:0.3", (100, 100))
    assert abs(pixels.mean() - 0.3) < 0.02
    assert not np.array_equal(pixels[0], pixels[1])
    for bad in ("middle", "quadrant:5", "quadrant:", "quadrant:1234", "left:2", "pixels:0", "pixels:x", "pixels:nan"):
        with pytest.raises(SettingsError, match="hide: expected"):
            hidden(bad)
    with pytest.raises(DataError, match="height, width"):
        hidden("left", (5,))


def test_pieces_show_what_they_say() -> None:
    batch = Batch(torch.zeros(4000, 8, 8))
    shown = MASKINGS.build({"kind": "pieces", "whole": 0.5})(batch, StepNoise(0))
    assert shown is not None
    whole = shown.flatten(1).all(1)
    assert abs(whole.float().mean() - 0.5) < 0.08  # all pixels may be drawn, and a rectangle may be empty
    corners = torch.stack([shown[:, :4, :4], shown[:, :4, 4:], shown[:, 4:, :4], shown[:, 4:, 4:]], 1).flatten(2)
    even = (corners.all(2) | ~corners.any(2)).all(1) & ~whole
    counts = corners.all(2)[even].sum(1).bincount(minlength=4)
    # One to three quadrants alike often in an eighth of the rows, and as many halves, which are two quadrants.
    expected = torch.tensor([4000 / 24, 4000 / 24 + 4000 / 8, 4000 / 24])
    assert (torch.abs(counts[1:4] - expected) < 5 * expected.sqrt()).all()
    for corner in range(4):
        assert abs(corners.all(2)[even, corner].float().mean() - 0.5) < 0.08
    first = [set(map(tuple, corners.all(2)[even & (corners.all(2).sum(1) == n)].tolist())) for n in (1, 2, 3)]
    assert [len(kinds) for kinds in first] == [4, 6, 4]


def test_pieces_never_show_what_was_not_observed_and_channels_go_together() -> None:
    observed = torch.rand(50, 6, 6, 3, generator=torch.Generator().manual_seed(0)) < 0.7
    masking = MASKINGS.build({"kind": "pieces", "whole": 0.0})
    shown = masking(Batch(torch.zeros(50, 6, 6, 3), observed), StepNoise(1))
    free = masking(Batch(torch.zeros(50, 6, 6, 3)), StepNoise(1))
    assert shown is not None
    assert free is not None
    assert not (shown & ~observed).any()
    assert torch.equal(free, free[..., :1].expand_as(free))
    assert torch.equal(shown, free & observed)
    with pytest.raises(SettingsError, match="expected pictures"):
        masking(Batch(torch.zeros(5, 9)), StepNoise(0))
    with pytest.raises(SettingsError, match="a share from 0 to 1"):
        MASKINGS.build({"kind": "pieces", "whole": 1.5})


def test_training_sees_the_pieces_alone(digits: Dataset) -> None:
    def loss(whole: float) -> float:
        encoder, masking = {"kind": "mlp", "mask": True}, {"kind": "pieces", "whole": whole}
        generator = DreamGenerator(2, 8, encoder=encoder, masking=masking, batch_size=64, epochs=1, random_state=0)
        return float(generator.fit(digits.train.x).history[0]["distortion"])

    # Half of a picture is seen on average where none is whole.
    assert 0.35 < loss(0.0) / loss(1.0) < 0.65


def test_posterior_matching_finds_the_posterior_of_a_part() -> None:
    """Of a linear Gaussian model with one latent, from wrong q(z|x_seen) and with the decoder held still."""
    model, x = one_latent(rows=3000)
    w = model.decoder.network.out.weight.detach()[:, 0]
    settings = Settings(
        latent_dim=1, hidden_dim=[], encoder={"kind": "mlp", "mask": True}, posterior="gaussian", batch_size=500,
        likelihood={"kind": "gaussian", "scale": SIGMA}, update="posterior-matching", learning_rate=0.05, epochs=40,
    )  # fmt: skip
    learner = build_model(settings, (SEEN,), seed=0).double()
    update = UPDATES.build(settings.update, model=learner, settings=settings)
    with torch.no_grad():
        learner.decoder.network.out.weight.copy_(w[:, None])
        learner.decoder.network.out.bias.zero_()
    learner.decoder.requires_grad_(False)
    shown = torch.from_numpy(SHOWN)
    rows = torch.from_numpy(x)
    for step in range(240):
        noise = StepNoise(0, step)
        batch = rows[step % 6 * 500 :][:500]
        update(learner, build_objective(settings), Batch(batch, shown.expand(batch.shape)), noise, step, 240)
    exact_q = model.encoder(Batch(rows, shown.expand(rows.shape)))
    q = learner.encoder(Batch(rows, shown.expand(rows.shape)))
    assert torch.abs(q.mean - exact_q.mean).mean() < 0.1 * exact_q.stddev.mean()
    torch.testing.assert_close(q.stddev, exact_q.stddev, rtol=0.1, atol=0.0)


def test_posterior_matching_needs_data_without_gaps(digits: Dataset) -> None:
    settings = Settings(update="posterior-matching", hidden_dim=4, epochs=1)
    rows = Batch(torch.zeros(300, 8, 8), torch.ones(300, 8, 8, dtype=torch.bool))
    with pytest.raises(SettingsError, match="data without gaps"):
        fit_model(settings, rows, None, Meaning((8, 8)), seed=0, device=torch.device("cpu"))
    with pytest.raises(SettingsError, match="a density"):
        DreamGenerator(2, 4, 0.0, posterior="point", update="posterior-matching", epochs=1).fit(digits.train.x)
    with pytest.raises(SettingsError, match="weight: expected more than 0"):
        DreamGenerator(2, 4, update={"kind": "posterior-matching", "weight": 0.0}).fit(digits.train.x)


def test_the_verb(model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: str) -> int:
        with pytest.raises(SystemExit) as end:
            main(["fill", str(model_folder), *arguments])
        return int(end.value.code or 0)

    path = tmp_path / "filled.png"
    assert run("digits", "--hide", "quadrant:2", "-n", "4", "-m", "2", "--out", str(path), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["n"], told["m"], told["hidden"]) == (4, 2, 0.25)
    with Image.open(path) as image:
        assert image.width > image.height * 0.5
    arrays = tmp_path / "filled.npz"
    assert run("digits:3", "--hide", "left", "-m", "1", "--sample", "--out", str(arrays)) == 0
    capsys.readouterr()
    with np.load(arrays) as held:
        assert held["filled"].shape == (1, 1, 8, 8)
        np.testing.assert_array_equal(held["filled"][0][held["seen"]], held["x"][held["seen"]])
        assert set(np.unique(held["filled"][0][~held["seen"]])) <= {0, 1}
    assert run("digits", "--hide", "middle", "--out", str(path)) == 2
    assert "hide: expected left, right" in capsys.readouterr().err
    assert "fill" in cli.list_commands(None)  # type: ignore[arg-type]


def test_posterior_matching_is_scored_by_the_bound_of_whole_examples(digits: Dataset) -> None:
    def scored(**more: Any) -> float | None:
        settings = Settings(hidden_dim=8, latent_dim=2, epochs=1, encoder={"kind": "mlp", "mask": True}, **more)
        rows = Batch(torch.from_numpy(digits.train.x[:200]))
        run = Run(build_model(settings, (8, 8), seed=0), settings, rows, rows[:50], 0)
        assert run.update.scored_by_objective == (settings.update == "plain")
        return run.validation_loss()

    hidden = {"masking": {"kind": "random", "whole": 0.0, "most": 0.9}}
    whole, part = scored(), scored(**hidden)
    assert whole is not None
    assert part is not None
    # The mask is drawn all the same, so the noise of the codes differs a little.
    assert scored(update="posterior-matching", **hidden) == pytest.approx(whole, rel=0.02)
    assert part < 0.9 * whole
