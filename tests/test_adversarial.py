"""The adversarial update: a critic in a phase of its own, resumed to the byte and never saved with the model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dreamgen import RECIPES, Batch, DreamGenerator, Settings, build_model
from dreamgen.distributions import StepNoise
from dreamgen.errors import DivergedError, Interrupted, SettingsError
from dreamgen.nn.critic import Critic, hinge_loss
from dreamgen.training import UPDATES, Checkpoints, Run, train

SETTINGS = Settings(latent_dim=3, hidden_dim=16, epochs=2, batch_size=32, gradients="autograd")
VAE_GAN: dict[str, Any] = {"kind": "adversarial", "weight": 2.0, "pixels": 0.0, "features": 1.0, "channels": [4, 8]}
GAN = SETTINGS.replace(encoder="absent", posterior="absent", update={"kind": "adversarial", "channels": [4, 8]})


def bars(n: int = 160) -> torch.Tensor:
    """Pictures of 8 x 8 with a bright left or right half."""
    right = (torch.arange(n) % 2).view(n, 1, 1)
    across = torch.arange(8).view(1, 1, 8) >= 4
    return torch.where(across == (right == 1), 0.9, 0.1).expand(n, 8, 8).contiguous()


def new_run(settings: Settings) -> Run:
    return Run(build_model(settings, (8, 8), seed=0), settings, Batch(bars()), None, 0, "hash")


def weights(run: Run) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in run.model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("settings", [SETTINGS.replace(update=VAE_GAN), GAN], ids=["vae-gan", "gan"])
def test_a_stopped_run_goes_on_to_the_same_bytes(settings: Settings, tmp_path: Path) -> None:
    whole, part, again = new_run(settings), new_run(settings), new_run(settings)
    list(train(whole))
    with pytest.raises(Interrupted):
        list(train(part, Checkpoints(tmp_path), stop=lambda: part.step >= 4))
    assert Checkpoints(tmp_path).restore(again)
    list(train(again))
    assert same(weights(again), weights(whole))
    assert again.history == whole.history
    critics = [{k: v for k, v in run.update.state()[0].items() if k.startswith("critic.")} for run in (again, whole)]
    assert critics[0]
    assert same(*critics)


def test_without_weight_it_is_the_plain_update() -> None:
    silent = new_run(SETTINGS.replace(update={**VAE_GAN, "weight": 0.0, "pixels": 1.0, "features": 0.0}))
    plain, name = new_run(SETTINGS), "critic.out.parametrizations.weight.original"
    start = silent.update.state()[0][name].clone()
    list(train(silent))
    list(train(plain))
    assert same(weights(silent), weights(plain))
    assert not torch.equal(silent.update.state()[0][name], start)  # it learned all the same


def test_before_its_start_training_is_plain() -> None:
    late, plain = new_run(SETTINGS.replace(update={**VAE_GAN, "start": 0.5})), new_run(SETTINGS)
    seen = []
    for run in (late, plain):
        seen.append([weights(run) for _ in zip(range(1), train(run), strict=False)])
    assert same(*(first[0] for first in seen))  # after the first of two epochs
    list(train(late))
    list(train(plain))
    assert not same(weights(late), weights(plain))


def test_the_critic_is_not_saved_with_the_model(tmp_path: Path) -> None:
    generator = DreamGenerator.from_settings(SETTINGS.replace(update=VAE_GAN, validation=0.0), random_state=0)
    generator.fit(bars().numpy(), out=tmp_path / "run").save(tmp_path / "model")
    again = DreamGenerator.load(tmp_path / "model")
    plain = build_model(SETTINGS, (8, 8), seed=0)
    assert again.saved_.model.state_dict().keys() == plain.state_dict().keys()
    assert again.dream(3, seed=0).shape == (3, 8, 8)


def test_a_decoder_alone_learns_from_the_critic(tmp_path: Path) -> None:
    settings = GAN.replace(
        epochs=60,
        validation=0.0,
        learning_rate={"kind": "constant", "value": 5e-3},
        optimizer={"kind": "adam", "beta1": 0.5, "beta2": 0.99},
    )
    generator = DreamGenerator.from_settings(settings, random_state=0).fit(bars().numpy())
    dreams = generator.dream(200, seed=1)
    contrast = np.abs(dreams[:, :, :4].mean((1, 2)) - dreams[:, :, 4:].mean((1, 2)))
    assert contrast.mean() > 0.4  # of 0.8; 0.03 before training
    assert generator.history[-1]["active_units"] is None
    generator.save(tmp_path)
    again = DreamGenerator.load(tmp_path)
    np.testing.assert_array_equal(again.dream(4, seed=2), generator.dream(4, seed=2))
    with pytest.raises(SettingsError, match="no encoder"):
        again.transform(bars(4).numpy())
    with pytest.raises(SettingsError, match="no codes"):
        again.dream(4, mixture=2)


def test_what_is_not_read_cannot_be_held_out() -> None:
    with pytest.raises(SettingsError, match="validation 0"):
        DreamGenerator.from_settings(GAN, random_state=0).fit(bars().numpy())


def test_layers_of_the_critic_have_a_largest_singular_value_of_one() -> None:
    run = new_run(SETTINGS.replace(update=VAE_GAN, epochs=10))
    list(train(run))
    critic = Critic((8, 8), (4, 8))
    state = {k.removeprefix("critic."): v for k, v in run.update.state()[0].items() if k.startswith("critic.")}
    critic.load_state_dict(state)
    critic.eval()  # no further step of the power iteration
    for layer in (*critic.layers, critic.out):
        largest = np.linalg.svd(layer.weight.detach().flatten(1).numpy(), compute_uv=False)[0]
        assert largest == pytest.approx(1, abs=0.05)


def test_the_hinge_loss_by_hand() -> None:
    real, fake = torch.tensor([2.0, 0.5, -1.0]), torch.tensor([-3.0, 0.25, -0.5])
    assert hinge_loss(real, fake).item() == pytest.approx((0 + 0.5 + 2) / 3 + (0 + 1.25 + 0.5) / 3)


def test_a_critic_reads_colour_as_it_reads_grey() -> None:
    critic, x = Critic((8, 10, 3), (4,)), StepNoise(0).uniform((2, 8, 10, 3))
    judgement = critic(x)
    assert judgement.score.shape == (2,)
    assert judgement.features[0].shape == (2, 4, 4, 5)
    with pytest.raises(SettingsError, match="4 pixels or more"):
        Critic((3, 8))
    with pytest.raises(SettingsError, match="pictures"):
        Critic((64,))


def test_a_critic_that_sees_the_spread_of_each_batch() -> None:
    critic = Critic((8, 8), (4,), spread=True).eval()
    x = StepNoise(0).uniform((6, 8, 8))
    x[3:] = x[3]  # the second batch holds one picture over and over
    score, (features,) = critic(x, batches=2)
    h = features.detach().flatten(1).double().numpy()
    spread = np.repeat([np.linalg.norm(h[:3].std(0)), np.linalg.norm(h[3:].std(0))], 3)
    assert spread[3] < 1e-6 < spread[0]
    weight = critic.out.weight.detach().double().numpy()[0]
    expected = h @ weight[:-1] + spread * weight[-1] + critic.out.bias.item()
    np.testing.assert_allclose(score.detach().numpy(), expected, atol=1e-4)
    apart = torch.cat([critic(x[:3]).score, critic(x[3:]).score])
    torch.testing.assert_close(apart, score)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layer": 2}, "the critic has 2, got 2"),
        ({"weight": -1.0}, "0 or more"),
        ({"pace": 0.0}, "more than 0"),
        ({"start": 1.0}, "a share"),
        ({"channels": []}, "1 or more"),
    ],
)
def test_arguments_out_of_range(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        new_run(SETTINGS.replace(update={**VAE_GAN, **arguments}))


@pytest.mark.parametrize("objective", ["iwae", "tcvae", {"kind": "perceptual", "pixels": 0.0}])
def test_pixels_are_taken_off_the_plain_loss_alone(objective: str | dict[str, Any]) -> None:
    settings = SETTINGS.replace(objective=objective)
    with pytest.raises(SettingsError, match=r"pixels: expected 1 with the objective '\w+', got 0\.0"):
        new_run(settings.replace(update=VAE_GAN))
    new_run(settings.replace(update={**VAE_GAN, "pixels": 1.0}))


def test_what_a_decoder_alone_has_no_use_for_is_refused_before_training() -> None:
    with pytest.raises(SettingsError, match=r"start: expected 0, got 0\.5"):
        new_run(GAN.replace(update={"kind": "adversarial", "start": 0.5}))
    with pytest.raises(SettingsError, match="mixture: expected 0, got 10: without an encoder"):
        new_run(GAN.replace(mixture=10))


def test_the_last_weights_are_taken_where_the_objective_does_not_score_the_update() -> None:
    settings = SETTINGS.replace(update=VAE_GAN, epochs=3)
    x = bars()
    run = Run(build_model(settings, (8, 8), seed=0), settings, Batch(x[32:]), Batch(1 - x[:32]), 0, "hash")
    losses = iter([1.0, 2.0, 3.0])  # the first epoch is best by the objective
    run.validation_loss = lambda: next(losses)  # type: ignore[method-assign]
    last = {}
    for record in train(run):
        if record.epoch_done:
            last = weights(run)
    assert [record["validation"] for record in run.history] == [1.0, 2.0, 3.0]
    assert run.best.epoch == 0
    assert same(last, weights(run))
    with pytest.raises(SettingsError, match="patience: expected 0, got 2"):
        new_run(settings.replace(patience=2))


def test_a_critic_that_diverges_is_said() -> None:
    run = new_run(SETTINGS.replace(update=VAE_GAN))
    run.update.state()[0]["critic.out.bias"].fill_(torch.nan)
    with pytest.raises(DivergedError, match="critic is not finite"):
        list(train(run))


def test_features_pull_reconstructions_where_pixels_count_for_nothing() -> None:
    batch = Batch(bars(32))
    errors = []
    for features in (0.0, 1.0):
        settings = SETTINGS.replace(
            update={**VAE_GAN, "weight": 0.0, "features": features}, epochs=15, learning_rate=2e-2
        )
        run = new_run(settings)
        list(train(run))
        again = run.model.infer(batch, StepNoise(0), 1).p.mean[0]
        errors.append((again - batch.x).square().mean().item())
    assert errors[1] < 0.5 * errors[0]
    assert "adversarial" in UPDATES


def test_the_recipe_of_a_decoder_alone_fits_saves_and_dreams(tmp_path: Path) -> None:
    settings = RECIPES["gan"].settings.replace(latent_dim=3, hidden_dim=16, epochs=1, batch_size=32)
    generator = DreamGenerator.from_settings(settings, random_state=0).fit(bars(64).numpy())
    generator.save(tmp_path)
    np.testing.assert_array_equal(DreamGenerator.load(tmp_path).dream(3, seed=1), generator.dream(3, seed=1))
