"""FactorVAE: the discriminator learns the total correlation, moves the codes, and is resumed to the byte."""

from pathlib import Path

import numpy as np
import pytest
import torch

from dreamgen import Batch, DreamGenerator, Settings, build_model
from dreamgen.distributions import StepNoise
from dreamgen.errors import DivergedError, Interrupted, SettingsError
from dreamgen.objectives import build_objective
from dreamgen.training import Checkpoints, Factor, Run, train

SMALL = {"kind": "factor", "gamma": 5.0, "hidden": [16, 16], "learning_rate": 1e-3}
SETTINGS = Settings(latent_dim=3, hidden_dim=16, epochs=3, batch_size=32, update=SMALL)


def new_run(settings: Settings = SETTINGS, seed: int = 0) -> Run:
    x = torch.from_numpy(np.random.default_rng(9).random((200, 4, 4), dtype=np.float32))
    return Run(build_model(settings, (4, 4), seed=seed), settings, Batch(x[20:]), Batch(x[:20]), seed, "hash")


def weights(run: Run) -> dict[str, torch.Tensor]:
    assert isinstance(run.update, Factor)
    critic = {f"discriminator.{name}": value for name, value in run.update.discriminator.state_dict().items()}
    return {name: value.clone() for name, value in (run.model.state_dict() | critic).items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_discriminator_learns_the_total_correlation_of_gaussians() -> None:
    """Its mean logit, where correlated normal codes have an exact answer, and none where they are independent."""
    for correlation in (0.0, 0.8):
        learnt = Factor(build_model(SETTINGS, (4, 4), seed=0), SETTINGS.replace(latent_dim=2), seed=0, **_KNOBS)
        turn = torch.tensor([[1.0, correlation], [0.0, (1 - correlation**2) ** 0.5]])
        for step in range(500):
            noise = StepNoise("codes", step)
            learnt._codes = noise.normal((1, 256, 2))[0] @ turn
            learnt._teach(noise, step)
        codes = StepNoise("test").normal((1, 20_000, 2))[0] @ turn
        found = learnt.discriminator(codes).mean().item()
        assert found == pytest.approx(-0.5 * np.log(1 - correlation**2), abs=0.06)


_KNOBS = {"hidden": (32, 32), "learning_rate": 3e-3}


def correlated_pictures(rows: int) -> torch.Tensor:
    """Pictures of two strips whose brightnesses go together."""
    noise = StepNoise("pictures")
    both = noise.normal((1, rows, 2))[0] @ torch.tensor([[1.0, 0.9], [0.0, 0.44]])
    pixels = both.sigmoid()[:, :, None].expand(-1, 2, 8)
    return (noise.uniform((1, rows, 2, 8))[0] < pixels).float()


def test_a_heavy_gamma_makes_units_independent() -> None:
    correlations = {}
    for gamma in (0.01, 20.0):
        update = {**SMALL, "gamma": gamma, "hidden": [64, 64]}
        settings = Settings(
            latent_dim=2, hidden_dim=64, update=update, batch_size=100, epochs=25, validation=0.0, beta=0.2
        )
        x = correlated_pictures(1200)
        model = DreamGenerator.from_settings(settings, "cpu", 1).fit(x.numpy())
        q = model.encode(x.numpy())
        z = q.mean + q.stddev * StepNoise(0).normal(q.mean.shape)
        ranks = z.argsort(0).argsort(0).double()
        correlations[gamma] = abs(np.corrcoef(ranks.T.numpy())[0, 1])
    assert correlations[20.0] < 0.5 * correlations[0.01]


def test_the_phases_leave_each_other_alone() -> None:
    """The model's gradient is that of loss + gamma x logit, and the discriminator's none of it."""
    run = new_run()
    update = run.update
    assert isinstance(update, Factor)
    batch, noise = run.prepare(run.data[:8], run.noise(0)), StepNoise(0)
    terms = update._terms(run.model, run.objective, batch, noise, 0, 1)
    terms.loss.mean().backward()
    assert all(p.grad is None for p in update.discriminator.parameters())
    found = run.model.encoder.posterior.loc.weight.grad
    run.model.zero_grad()
    trace = run.model.infer(batch, StepNoise(0))
    correlation = update.discriminator(trace.latents[0].z)[0, :, 0]
    (build_objective(SETTINGS)(trace, 0, 1).loss + 5 * correlation).mean().backward()
    torch.testing.assert_close(run.model.encoder.posterior.loc.weight.grad, found)
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    critic = {name: value.clone() for name, value in update.discriminator.state_dict().items()}
    update._teach(noise, 0)
    assert same(before, run.model.state_dict())
    assert not same(critic, update.discriminator.state_dict())


@pytest.mark.parametrize("stop_at", [1, 9])
def test_a_stopped_run_goes_on_to_the_same_bytes(stop_at: int, tmp_path: Path) -> None:
    settings = SETTINGS.replace(average=0.9, precision="bfloat16")
    whole = new_run(settings)
    list(train(whole))
    part = new_run(settings)
    with pytest.raises(Interrupted):
        list(train(part, Checkpoints(tmp_path), stop=lambda: part.step >= stop_at))
    again = new_run(settings)
    assert Checkpoints(tmp_path).restore(again)
    assert same(weights(again), weights(part))
    list(train(again, Checkpoints(tmp_path)))
    assert same(weights(again), weights(whole))
    assert again.history == whole.history


def test_the_discriminator_is_a_function_of_the_seed_and_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    one, same_, other = new_run(seed=3), new_run(seed=3), new_run(seed=4)
    assert torch.equal(torch.get_rng_state(), before)
    critics = [{k: v for k, v in weights(run).items() if k.startswith("disc")} for run in (one, same_, other)]
    assert same(critics[0], critics[1])
    assert not same(critics[0], critics[2])


def test_a_saved_model_is_bare(tmp_path: Path) -> None:
    x = np.random.default_rng(0).random((64, 4, 4), dtype=np.float32)
    DreamGenerator.from_settings(SETTINGS, "cpu", 0).fit(x).save(tmp_path)
    again = DreamGenerator.load(tmp_path)
    assert not [name for name in again.saved_.model.state_dict() if "discriminator" in name]
    assert {name for name, _ in again.saved_.model.named_children()} == {"encoder", "prior", "decoder"}


def test_a_discriminator_that_breaks_is_said() -> None:
    run = new_run()
    assert isinstance(run.update, Factor)
    with torch.no_grad():
        next(iter(run.update.discriminator.parameters())).fill_(3e38)
    with pytest.raises(DivergedError):
        list(train(run))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"update": {**SMALL, "gamma": 0.0}}, "gamma: expected more than 0, got 0"),
        ({"update": {**SMALL, "learning_rate": -1.0}}, "learning_rate: expected more than 0"),
        ({"update": {**SMALL, "hidden": [0]}}, "widths from 1"),
        ({"posterior": "point", "beta": 0.0}, "a posterior with a density"),
        ({"patience": 1}, "patience: expected 0, got 1"),
    ],
)
def test_what_makes_no_sense_is_refused(changes: dict[str, object], text: str) -> None:
    with pytest.raises(SettingsError, match=text):
        list(train(new_run(SETTINGS.replace(**changes))))
