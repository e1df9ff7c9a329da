"""Mixtures fitted to the codes that are kept with a model: what they are, and dreams from them."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from dreamgen import DreamGenerator, Settings, build_model
from dreamgen.cli import main
from dreamgen.data import Dataset
from dreamgen.data.context import Context, Field
from dreamgen.data.meaning import Meaning
from dreamgen.distributions import Delta, StepNoise
from dreamgen.dreaming import dream_codes
from dreamgen.errors import ModelFileError, SettingsError
from dreamgen.evaluation.aggregated import fit_codes, keep_codes, kept_posterior, scale_of_rate
from dreamgen.io import SavedModel, load_model, save_model


def told_model(context: Context | None, codes: dict[str, torch.Tensor]) -> SavedModel:
    settings = Settings(latent_dim=2, hidden_dim=4)
    meaning = Meaning((3,), context)
    return SavedModel(build_model(settings, meaning, seed=0), settings, meaning, codes=codes)


def test_a_mixture_of_one_is_the_moments_of_the_codes_with_their_noise() -> None:
    loc = StepNoise(0).normal((2000, 2)) @ torch.tensor([[1.0, 0.8], [0.0, 0.6]]) + 3
    scale = torch.tensor([0.5, 1.0]).expand_as(loc)
    mixture = fit_codes(keep_codes(Normal(loc, scale), None, None), {}, 1)(None)
    tril = mixture.scale_tril[0].detach()
    expected = np.cov(loc.double().T.numpy()) + np.diag([0.25, 1.0])
    np.testing.assert_allclose((tril @ tril.T).numpy(), expected, rtol=0.1)
    np.testing.assert_allclose(mixture.loc[0].detach().numpy(), loc.mean(0).numpy(), atol=0.1)


def test_it_explains_codes_of_new_rows_better_than_the_prior(trained: DreamGenerator, digits: Dataset) -> None:
    z = torch.from_numpy(trained.transform(digits.test.x))
    saved = trained.saved_
    with torch.no_grad():
        mixture = fit_codes(saved.codes, saved.card, 10)(None).log_prob(z).mean()
    assert mixture > Normal(0.0, 1.0).log_prob(z).sum(1).mean() + 0.2


def test_dreams_from_a_mixture_are_a_function_of_the_seed(trained: DreamGenerator) -> None:
    dreams = trained.dream(300, seed=3, mixture=10)
    np.testing.assert_array_equal(trained.dream(300, seed=3, mixture=10), dreams)
    np.testing.assert_array_equal(trained.dream(7, seed=3, mixture=10), dreams[:7])
    for other in (trained.dream(300, seed=4, mixture=10), trained.dream(300, seed=3)):
        assert not np.array_equal(other, dreams)


def test_a_saved_model_dreams_the_same(trained: DreamGenerator, model_folder: Path, tmp_path: Path) -> None:
    dreams = trained.dream(5, seed=1, mixture=3)
    np.testing.assert_array_equal(DreamGenerator.load(model_folder).dream(5, seed=1, mixture=3), dreams)
    out = tmp_path / "dreams.npz"
    for option, components in ((["--mixture", "3"], 3), (["--mixture"], 10)):
        with pytest.raises(SystemExit, match="0"):
            main(["dream", str(model_folder), "-n", "5", "--seed", "1", *option, "--out", str(out)])
        np.testing.assert_array_equal(np.load(out)["x"], trained.dream(5, seed=1, mixture=components))


def test_models_that_kept_no_scales_have_them_from_their_rates() -> None:
    scale = torch.tensor([0.1, 0.5, 0.99])
    loc = StepNoise(1).normal((4000, 3)) * torch.tensor([1.0, 0.8, 0.05])
    rate = kl_divergence(Normal(loc, scale), Normal(0.0, 1.0)).mean(0)
    np.testing.assert_allclose(scale_of_rate(rate, loc.square().mean(0)).numpy(), scale.numpy(), rtol=5e-3)
    codes, card = {"loc": loc.half()}, {"rate_per_unit": rate.tolist()}
    np.testing.assert_allclose(kept_posterior(codes, card).scale[0].numpy(), scale.numpy(), rtol=5e-3)
    point = keep_codes(Delta(loc), None, None)
    assert "scale" not in point
    assert kept_posterior(point, {"rate_per_unit": [0.0] * 3}).scale.abs().max() == 0
    assert DreamGenerator.load("mnist").dream(2, seed=0, mixture=10).shape == (2, 28, 28)


def test_a_conditional_model_has_a_mixture_for_each_class() -> None:
    context = Context((Field("label", "class", ("a", "b")), Field("tall", "flag")))
    kinds = torch.arange(400) % 4
    told = context.encode({"label": (kinds % 2).numpy(), "tall": (kinds // 2).numpy()}, 400)
    middles = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [-10.0, 0.0]])
    loc = middles[kinds] + 0.3 * StepNoise(2).normal((400, 2))
    saved = told_model(context, keep_codes(Normal(loc, torch.full_like(loc, 0.4)), told, None))
    asked = context.encode({"label": np.arange(600) % 2, "tall": 1}, 600)
    z = dream_codes(saved, 600, 1, asked, mixture=2)
    for label in (0, 1):
        mine = z[label::2]
        np.testing.assert_allclose(mine.mean(0).numpy(), middles[2 + label].numpy(), atol=0.15)
        np.testing.assert_allclose(mine.std(0).numpy(), math.hypot(0.3, 0.4), atol=0.1)
    np.testing.assert_array_equal(dream_codes(saved, 5, 1, asked[:5], mixture=2).numpy(), z[:5].numpy())
    with pytest.raises(SettingsError, match="told the same, got 0"):
        fit_codes(saved.codes, saved.card, 2, context.encode({"label": 0, "tall": 0.5}, 1)[0])


def test_what_too_few_rows_were_told_has_the_mixture_of_all_codes(monkeypatch: pytest.MonkeyPatch) -> None:
    context = Context((Field("tall", "flag"), Field("age", "number", (), 40.0, 10.0)))
    noise = StepNoise(3)
    told = context.encode({"tall": np.arange(400) % 2, "age": 40 + 10 * noise.normal((400,)).numpy()}, 400)
    told[:100] = told[0]  # a hundred of them were told the same
    loc = 5 + 0.5 * noise.normal((400, 2))
    loc[:100] -= 10
    saved = told_model(context, keep_codes(Normal(loc, torch.full_like(loc, 0.1)), told, None))
    fits = []
    monkeypatch.setattr("dreamgen.dreaming.codes.fit_codes", lambda *a, **k: fits.append(a) or fit_codes(*a, **k))
    asked = context.encode({"tall": 1, "age": np.linspace(20, 60, 500)}, 500)
    asked[0] = saved.codes["context"][0].float()
    z = dream_codes(saved, 500, 1, asked, mixture=2)
    assert len(fits) == 2  # one for those that were told the same, one for all others
    assert z[0].mean() == pytest.approx(-5, abs=3)
    np.testing.assert_array_equal(z[1:].numpy(), dream_codes(saved, 500, 1, None, mixture=2)[1:].numpy())
    np.testing.assert_allclose(z[1:].mean(0).numpy(), loc.mean(0).numpy(), atol=0.8)
    bare = told_model(context, {})
    with pytest.raises(SettingsError, match="no codes are kept"):
        dream_codes(bare, 3, 1, asked[:3], mixture=2)


def test_a_mixture_prior_is_drawn_for_each_row() -> None:
    settings = Settings(latent_dim=2, hidden_dim=4, prior={"kind": "mixture", "components": 3})
    saved = SavedModel(build_model(settings, (3,), seed=0), settings, Meaning((3,)))
    z = dream_codes(saved, 300, 0)
    assert z.shape == (300, 2)
    assert z.std(0).min() > 0.1


def test_what_cannot_be_fitted_is_said(trained: DreamGenerator) -> None:
    saved = trained.saved_
    with pytest.raises(SettingsError, match="no codes are kept"):
        fit_codes({}, {}, 10)
    with pytest.raises(SettingsError, match="1 component or more, got 0"):
        fit_codes(saved.codes, saved.card, 0)
    np.testing.assert_array_equal(trained.dream(2, seed=1, mixture=0), trained.dream(2, seed=1))
    few = {name: values[:45] for name, values in saved.codes.items()}
    assert len(fit_codes(few, saved.card, 10).logits) == 1  # so few bear one covariance


def test_scales_in_a_file_are_checked(trained: DreamGenerator, tmp_path: Path) -> None:
    loc = trained.saved_.codes["loc"]
    for scale in (-trained.saved_.codes["scale"], loc[:, :2].abs()):
        saved = replace(trained.saved_, codes={"loc": loc, "scale": scale.contiguous()})
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        save_model(folder, saved)
        with pytest.raises(ModelFileError, match="a scale of 0 or more"):
            load_model(folder)
