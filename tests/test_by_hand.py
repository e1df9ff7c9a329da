"""The gradients that are written out, against autograd in float64."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamgen import Batch, DreamGenerator, Settings, build_model
from dreamgen.data import Dataset
from dreamgen.distributions import StepNoise
from dreamgen.distributions.bounded import bound_log_variance, bound_log_variance_slope
from dreamgen.models import VAE, start_at_mean
from dreamgen.objectives import NegativeELBO, build_objective
from dreamgen.training.by_hand import GradientsByHand

ROWS, SHAPE = 33, (3, 2)


def gradients(model: VAE) -> dict[str, torch.Tensor]:
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


@settings(max_examples=40, deadline=None)
@given(
    hidden=st.lists(st.integers(1, 7), max_size=3),
    activation=st.sampled_from(["relu", "tanh"]),
    beta=st.sampled_from([0.0, 0.3, 1.0, 4.0]),
    free_bits=st.sampled_from([0.0, 0.05]),
    spread=st.sampled_from([1.0, 60.0]),  # 60 drives log-variances out of the range where they are kept as they are
    seed=st.integers(0, 1000),
)
def test_they_are_autograds(
    hidden: list[int], activation: str, beta: float, free_bits: float, spread: float, seed: int
) -> None:
    part = {"kind": "mlp", "hidden": hidden, "activation": activation}
    asked = Settings(latent_dim=2, encoder=part, decoder=part, beta=beta, free_bits=free_bits)
    model = build_model(asked, SHAPE, seed=seed).double()
    with torch.no_grad():
        model.encoder.posterior.log_variance.weight.mul_(spread)  # type: ignore[union-attr, operator]
    objective = build_objective(asked)
    assert isinstance(objective, NegativeELBO)
    batch = Batch(torch.rand(ROWS, *SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64))

    terms = objective(model.infer(batch, StepNoise(seed), 1), 3, 10)
    terms.loss.mean().backward()
    expected = gradients(model)
    for parameter in model.parameters():
        parameter.grad = None
    shown, finite = GradientsByHand(model, torch.float64)(objective, batch, StepNoise(seed), 3, 10)

    assert finite
    found = gradients(model)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-9, atol=1e-12, msg=lambda text, n=name: f"{n}: {text}")
    for name in ("loss", "distortion", "rate"):
        torch.testing.assert_close(getattr(shown, name), getattr(terms, name)[::16].detach())


def test_bfloat16_gives_the_same_direction() -> None:
    model = build_model(Settings(latent_dim=4, hidden_dim=64), (28, 28), seed=0)
    objective, batch = build_objective(Settings()), Batch(torch.rand(64, 28, 28))
    found = {}
    for dtype in (torch.float32, torch.bfloat16):
        GradientsByHand(model, dtype)(objective, batch, StepNoise(0), 0, 1)  # type: ignore[arg-type]
        found[dtype] = torch.cat([g.flatten() for g in gradients(model).values()])
    assert torch.cosine_similarity(found[torch.float32], found[torch.bfloat16], dim=0) > 0.999
    assert found[torch.bfloat16].norm().item() == pytest.approx(found[torch.float32].norm().item(), rel=0.01)


@pytest.mark.parametrize("where", ["data", "encoder", "posterior", "decoder"])
@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_what_is_not_finite_shows_at_once(where: str, bad: float) -> None:
    model = build_model(Settings(latent_dim=2, hidden_dim=8), SHAPE, seed=0)
    x = torch.rand(ROWS, *SHAPE)
    places = {
        "data": x[20, 0],  # not one of the rows whose loss is shown
        "encoder": model.encoder.network.layers[0].weight[1],  # type: ignore[index, union-attr]
        "posterior": model.encoder.posterior.loc.bias,  # type: ignore[union-attr]
        "decoder": model.decoder.network.out.weight[1],  # type: ignore[index, union-attr]
    }
    with torch.no_grad():
        places[where][0] = bad  # type: ignore[index]
    _, finite = GradientsByHand(model, torch.float32)(
        build_objective(Settings()),  # type: ignore[arg-type]
        Batch(x),
        StepNoise(0),
        0,
        1,
    )
    assert not finite


@pytest.mark.parametrize(
    "other",
    [
        {"posterior": "point", "beta": 0.0},
        {"likelihood": "gaussian"},
        {"encoder": {"kind": "mlp", "activation": "silu"}},
        {"decoder": {"kind": "mlp", "activation": "gelu"}},
    ],
)
def test_other_parts_are_left_to_autograd(other: dict[str, object]) -> None:
    assert GradientsByHand.fit(build_model(Settings(), SHAPE))
    assert not GradientsByHand.fit(build_model(Settings.of(other), SHAPE))


@pytest.mark.parametrize("objective", ["iwae", {"kind": "elbo", "samples": 2}])
def test_other_objectives_are_left_to_autograd(objective: object) -> None:
    by_hand = GradientsByHand(build_model(Settings(), SHAPE), torch.float32)
    batch = Batch(torch.rand(2, *SHAPE))
    assert by_hand.serve(build_objective(Settings()), batch)
    assert not by_hand.serve(build_objective(Settings.of({"objective": objective})), batch)
    assert not by_hand.serve(build_objective(Settings()), Batch(batch.x, mask=batch.x > 0.5))


def test_a_whole_training_agrees_with_autograds(digits: Dataset) -> None:
    losses = {}
    for how in ("auto", "autograd"):
        generator = DreamGenerator(latent_dim=4, hidden_dim=32, epochs=3, gradients=how, random_state=0)
        losses[how] = generator.fit(digits.train.x).history[-1]["validation"]
    assert losses["auto"] == pytest.approx(losses["autograd"], abs=1e-3)


def test_the_slope_of_the_bounded_log_variance() -> None:
    raw = torch.linspace(-30, 30, 301, dtype=torch.float64, requires_grad=True)
    bound_log_variance(raw).sum().backward()
    torch.testing.assert_close(bound_log_variance_slope(raw.detach()), raw.grad)


@pytest.mark.parametrize("likelihood", ["bernoulli", {"kind": "gaussian", "scale": 0.3}])
def test_a_model_can_start_at_the_mean_of_the_data(likelihood: object) -> None:
    model = build_model(Settings.of({"likelihood": likelihood}), SHAPE, seed=0)
    mean = torch.tensor([[0.1, 0.5], [0.9, 0.3], [0.02, 0.7]])
    start_at_mean(model, Batch(mean.unsqueeze(0)))
    with torch.no_grad():
        for parameter in model.decoder.network.layers.parameters():  # type: ignore[union-attr]
            parameter.zero_()
        torch.testing.assert_close(model.decoder(torch.zeros(1, 1, 20)).mean[0, 0], mean)


def test_bfloat16_still_moves_pixels_that_are_nearly_right() -> None:
    # Next to 1 bfloat16 knows only every 256th: sigmoid(8) would be 1, and a white background would learn no further.
    model = build_model(Settings(latent_dim=2, hidden_dim=16), (28, 28), seed=0)
    start_at_mean(model, Batch(torch.full((1, 28, 28), 0.999)))
    objective, batch = build_objective(Settings()), Batch(torch.ones(32, 28, 28))
    norms = {}
    for dtype in (torch.float32, torch.bfloat16):
        GradientsByHand(model, dtype)(objective, batch, StepNoise(0), 0, 1)  # type: ignore[arg-type]
        norms[dtype] = gradients(model)["decoder.network.out.bias"].norm().item()
    assert norms[torch.bfloat16] == pytest.approx(norms[torch.float32], rel=0.02)


def test_frozen_weights_are_left_to_autograd() -> None:
    model = build_model(Settings(), SHAPE, seed=0)
    by_hand = GradientsByHand(model, torch.float32)
    model.decoder.requires_grad_(False)
    assert not by_hand.serve(build_objective(Settings()), Batch(torch.rand(2, *SHAPE)))
