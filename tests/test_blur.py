"""Codes blurred to a level, and the decoder that is told it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Normal, kl_divergence

from dreamgen import Batch, DreamGenerator, Settings, build_model
from dreamgen.data.context import Context
from dreamgen.data.meaning import Meaning
from dreamgen.data.vocabulary import Vocabulary
from dreamgen.distributions import Delta, StepNoise
from dreamgen.dreaming import dream_codes, dream_level
from dreamgen.errors import ModelFileError, SettingsError
from dreamgen.files import dump_json, parse_json
from dreamgen.io import model_files, model_of
from dreamgen.models.blur import Blur, blurred, sharpened

LINES = [f"{word} {number}" for number in range(30) for word in ("alpha", "beta", "gamma")]
SETTINGS = {
    "language": "characters",
    "encoder": {"kind": "recurrent", "units": 12},
    "likelihood": {"kind": "recurrent", "units": 12},
    "hidden_dim": [],
    "latent_dim": 3,
    "batch_size": 30,
    "epochs": 2,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def generator() -> DreamGenerator:
    return DreamGenerator(**SETTINGS, blur={"kind": "levels", "dream": 0.6}, mixture=2).fit(LINES)


def test_the_rate_falls_with_the_level_from_that_of_the_posterior_to_nothing() -> None:
    q, p = Normal(torch.randn(5, 4), torch.rand(5, 4) + 0.1), Normal(torch.zeros(4), torch.ones(4))
    levels = torch.linspace(0, 1, 11)
    rates = torch.stack([kl_divergence(blurred(q, level.expand(5, 1)), p).sum(1) for level in levels])
    torch.testing.assert_close(rates[0], kl_divergence(q, p).sum(1))
    torch.testing.assert_close(rates[-1], torch.zeros(5), atol=1e-6, rtol=0)
    assert (rates.diff(dim=0) < 0).all()


def test_a_blurred_code_is_the_code_and_noise() -> None:
    q, noise = Normal(torch.tensor([[1.5]]), torch.tensor([[0.3]])), StepNoise(0)
    z = q.loc + q.scale * noise.normal((100_000, 1, 1))
    both = 0.8 * z + 0.6 * noise.normal((100_000, 1, 1))
    found = blurred(q, torch.tensor([[0.6]]))
    assert found.loc.item() == pytest.approx(both.mean().item(), abs=0.01)
    assert found.scale.item() == pytest.approx(both.std().item(), abs=0.01)


@pytest.mark.parametrize(("share", "least"), [(0.0, 0.0), (0.3, 0.0), (1.0, 0.0), (0.3, 0.7)])
def test_a_share_of_the_rows_is_blurred_and_the_noise_is_even(share: float, least: float) -> None:
    levels = Blur(share, least=least).levels(50_000, StepNoise(0))
    assert levels.shape == (50_000, 1)
    assert (levels > 0).float().mean().item() == pytest.approx(share, abs=0.01)
    if share:
        above = levels[levels > 0].square()
        assert above.mean().item() == pytest.approx((1 + least**2) / 2, abs=0.01)
        assert least**2 <= above.min() < least**2 + 0.01
        assert 0.99 < above.max() <= 1


def test_training_blurs_and_evaluation_does_not() -> None:
    settings = Settings(latent_dim=3, hidden_dim=8, blur={"kind": "levels", "share": 1.0})
    model = build_model(settings, (2, 2), seed=0)
    batch = Batch(torch.rand(4, 2, 2))
    assert torch.equal(model.eval().infer(batch, StepNoise(0)).latents[0].q.mean, model.encoder(batch).mean)
    assert not torch.equal(model.train().infer(batch, StepNoise(0)).latents[0].q.mean, model.encoder(batch).mean)


def test_blurred_codes_have_a_decoder_of_their_own_which_is_told_the_level() -> None:
    model = build_model(Settings(latent_dim=3, hidden_dim=8, blur="levels"), (2, 2), seed=0)
    z = torch.randn(1, 4, 3)
    plain = model.decoder(z).mean
    torch.testing.assert_close(plain, model.decoder(z, level=torch.zeros(4, 1)).mean)
    half = model.decoder(z, level=torch.full((4, 1), 0.5)).mean
    for other in (plain, model.decoder(z, level=torch.full((4, 1), 0.7)).mean):
        assert not torch.allclose(half, other)


@pytest.mark.parametrize("context", ["none", "labels"])
def test_rows_of_a_batch_are_decoded_as_each_would_be_alone(context: str) -> None:
    settings = Settings(latent_dim=3, hidden_dim=8, blur="levels", context=context)
    fields = Context.of(context, np.arange(5), (), {}) if context == "labels" else None
    model = build_model(settings, Meaning((2, 2), fields), seed=0)
    z, level, x = torch.randn(2, 5, 3), torch.tensor([0.0, 0.9, 0.5, 0.0, 1.0])[:, None], torch.rand(5, 2, 2).round()
    told = None if fields is None else torch.eye(5)
    together = model.decoder(z, told, level)
    assert together.batch_shape == (2, 5, 2, 2)
    for row in range(5):
        only = slice(row, row + 1)
        alone = model.decoder(z[:, only], None if told is None else told[only], level[only])
        torch.testing.assert_close(together.mean[:, only], alone.mean)
        torch.testing.assert_close(together.log_prob(x)[:, only], alone.log_prob(x[only]))


def test_the_second_decoder_may_have_a_likelihood_of_its_own_and_learns_from_blurred_rows_alone() -> None:
    blur = {"kind": "levels", "share": 0.5, "likelihood": {"kind": "recurrent", "units": 5}}
    model = build_model(
        Settings(**{name: value for name, value in SETTINGS.items() if name != "random_state"}, blur=blur),
        Meaning((6,), vocabulary=Vocabulary("characters", tuple("abcdefgh"))),
        seed=0,
    ).train()
    writers = model.decoder.likelihood.writer, model.decoder.blurred.likelihood.writer
    assert [writer.units for writer in writers] == [12, 5]
    batch = Batch(torch.randint(0, 9, (4, 6)).float())
    for share, (learns, rests) in ((0.0, writers), (1.0, writers[::-1])):
        model.blur = Blur(share)
        model.zero_grad()
        model.infer(batch, StepNoise(0)).p.log_prob(batch.x).sum().backward()
        assert learns.out.weight.grad.abs().sum() > 0
        assert rests.out.weight.grad is None


def test_the_best_guess_of_a_sharp_code_has_the_least_error() -> None:
    noise, level = StepNoise(0), torch.tensor([[0.6]])
    z = noise.normal((50_000, 1, 1))
    seen = 0.8 * z + 0.6 * noise.normal((50_000, 1, 1))
    slope = (z * seen).mean() / seen.square().mean()
    torch.testing.assert_close(sharpened(seen, level), slope * seen, atol=0.02, rtol=0.02)
    assert (sharpened(seen, torch.ones(1, 1)) == 0).all()


def test_dreams_are_drawn_from_blurred_codes(generator: DreamGenerator) -> None:
    saved = generator.saved_
    assert dream_level(saved) == 0.6
    sharp = Normal(saved.codes["loc"].float(), saved.codes["scale"].float())
    z = dream_codes(saved, 4000, 0, mixture=1)
    expected = blurred(sharp, torch.tensor(0.6))
    torch.testing.assert_close(z.mean(0), expected.loc.mean(0), atol=0.25, rtol=0)
    spread = (expected.loc.var(0) + expected.scale.square().mean(0)).sqrt()
    torch.testing.assert_close(z.std(0), spread, atol=0.2, rtol=0)


def test_lines_from_blurred_codes_are_drawn(generator: DreamGenerator) -> None:
    drawn, likeliest = generator.dream(30, seed=1, sample=True), generator.dream(30, seed=1, sample=False)
    np.testing.assert_array_equal(generator.dream(30, seed=1), drawn)
    assert (drawn != likeliest).any()


def test_a_model_with_levels_is_saved_with_them(generator: DreamGenerator, tmp_path: Path) -> None:
    generator.save(tmp_path / "model")
    again = DreamGenerator.load(tmp_path / "model")
    np.testing.assert_array_equal(again.dream(9, seed=2), generator.dream(9, seed=2))


def test_pictures_may_be_dreamt_from_blurred_codes_too() -> None:
    x = (np.random.default_rng(0).random((60, 3, 3)) < 0.5).astype(np.float32)
    made = DreamGenerator(3, 16, blur="levels", mixture=2, batch_size=20, epochs=2, random_state=0).fit(x)
    dreams = made.dream(5, seed=1)
    assert dreams.shape == (5, 3, 3)
    assert np.isfinite(made.evaluate(x, train=x)["nll"])


@pytest.mark.parametrize(
    "changed",
    [
        {"settings": {"language": "smiles"}},
        {"settings": {"properties": ["logP"]}},
        {"vocabulary": None},
        {"event_shape": [1 << 20]},
        {"unit_range": True},
    ],
)
def test_a_file_that_contradicts_itself_is_refused(
    generator: DreamGenerator, changed: dict[str, object], tmp_path: Path
) -> None:
    files = model_files(generator.saved_)
    config = parse_json(files["config.json"], "config.json")
    for name, value in changed.items():
        if value is None:
            del config[name]
        else:
            config[name] = {**config[name], **value} if isinstance(value, dict) else value
    with pytest.raises(ModelFileError):
        model_of({**files, "config.json": dump_json(config)}, tmp_path)


def test_private_rows_have_no_language() -> None:
    with pytest.raises(SettingsError, match="private training, language"):
        DreamGenerator(**SETTINGS, update={"kind": "private", "epsilon": 8.0}).fit(LINES)


def test_a_language_wants_a_likelihood_that_writes() -> None:
    with pytest.raises(SettingsError, match="writes tokens"):
        DreamGenerator(**{**SETTINGS, "likelihood": "gaussian"}).fit(LINES)


def test_bad_levels_are_refused() -> None:
    for bad in ({"share": 1.5}, {"dream": -0.1}, {"least": 2}):
        with pytest.raises(SettingsError, match="expected 0 to 1"):
            build_model(Settings(blur={"kind": "levels", **bad}), (2, 2))
    with pytest.raises(SettingsError, match="least level"):
        Blur(dream=0.5, least=0.6)
    with pytest.raises(SettingsError, match="writes tokens"):
        DreamGenerator(**SETTINGS, blur={"kind": "levels", "likelihood": {"kind": "gaussian"}}).fit(LINES)
    with pytest.raises(SettingsError, match="normal posterior"):
        blurred(Delta(torch.zeros(2, 3)), torch.ones(2, 1))


def test_a_decoder_leaves_with_its_levels(tmp_path: Path) -> None:
    from dreamgen.export import export_decoder

    x = (np.random.default_rng(0).random((60, 3, 3)) < 0.5).astype(np.float32)
    made = DreamGenerator(3, 16, blur="levels", batch_size=20, epochs=2, random_state=0).fit(x)
    export_decoder(made, tmp_path / "decoder")
    again = DreamGenerator.load(tmp_path / "decoder")
    np.testing.assert_array_equal(again.dream(9, seed=2), made.dream(9, seed=2))
