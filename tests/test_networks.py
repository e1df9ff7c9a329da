"""One contract over every network, and what is particular to those of pictures."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from dreamgen import Batch, DreamGenerator, Settings, build_model
from dreamgen.data import Dataset
from dreamgen.data.columns import ColumnShape
from dreamgen.data.context import Context, Field
from dreamgen.data.meaning import Meaning
from dreamgen.distributions import StepNoise
from dreamgen.errors import SettingsError
from dreamgen.io import SavedModel, load_model, save_model
from dreamgen.models import VAE, start_at_mean
from dreamgen.nn import DECODERS, ENCODERS
from dreamgen.objectives import build_objective
from dreamgen.training.augment import AUGMENTATIONS
from dreamgen.training.by_hand import GradientsByHand
from dreamgen.training.optimizer import OPTIMIZERS
from dreamgen.training.private_rows import row_gradients

K, B, C = 2, 3, 2
TOLD = Context((Field("tilt", "number"), Field("smile", "flag")))
COLUMNS = (ColumnShape(levels=4), ColumnShape(), ColumnShape(levels=2))
SMALL: dict[str, dict[str, Any]] = {
    "mlp": {"hidden": [7]},
    "columns": {"hidden": [7]},
    "conv": {"channels": [4, 6, 8]},
    "residual": {"channels": [4, 6, 8]},
    "recurrent": {"units": 4, "embedding": 3},
}
MASKED = [name for name in ENCODERS if name not in ("absent", "columns", "recurrent")]
SYMBOLS = 5
PICTURES = ["conv", "residual"]

every_encoder = pytest.mark.parametrize("kind", [name for name in ENCODERS if name != "absent"])
every_decoder = pytest.mark.parametrize("kind", list(DECODERS))
of_pictures = pytest.mark.parametrize("kind", PICTURES)


def shape_for(kind: str) -> tuple[int, ...]:
    return {"columns": (len(COLUMNS),), "recurrent": (9,)}.get(kind, (9, 6, 3))


def encoder(kind: str, shape: tuple[int, ...], context_dim: int = C, **arguments: Any) -> Any:
    torch.manual_seed(0)
    given = {"event_shape": shape, "context_dim": context_dim, "hidden": [7], "columns": COLUMNS, "symbols": SYMBOLS}
    return ENCODERS.build({"kind": kind, **SMALL[kind], **arguments}, **given)


def decoder(kind: str, shape: tuple[int, ...], context_dim: int = C, more: tuple[int, ...] = ()) -> Any:
    torch.manual_seed(0)
    given = {"event_shape": shape, "context_dim": context_dim, "hidden": [7], "latent_dim": 5}
    return DECODERS.build({"kind": kind, **SMALL[kind]}, **given, parameters_shape=(*shape, *more))


def pictures(shape: tuple[int, ...], context_dim: int = C, n: int = B) -> Batch:
    noise = StepNoise("pictures")
    context = noise.normal((1, n, context_dim))[0] if context_dim else None
    return Batch(noise.uniform((1, n, *shape))[0], context=context)


@every_encoder
def test_an_encoder(kind: str) -> None:
    shape = shape_for(kind)
    network, batch = encoder(kind, shape), pictures(shape)
    if kind == "recurrent":
        batch = dataclasses.replace(batch, x=(SYMBOLS * batch.x).floor())
    features = network(batch)
    assert features.shape == (B, network.features)
    assert torch.equal(network(batch), features)
    alone = network(batch[torch.tensor([1])])
    torch.testing.assert_close(alone[0], features[1], msg="a row's features depend on the others")
    assert (network(dataclasses.replace(batch, context=-batch.context)) != features).any(1).all()  # type: ignore[operator]
    features.square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@every_decoder
def test_a_decoder(kind: str) -> None:
    shape = shape_for(kind)
    network, context, z = decoder(kind, shape), pictures(shape).context, StepNoise("z").normal((K, B, 5))
    assert context is not None
    parameters = network(z, context)
    assert parameters.shape == (K, B, *shape)
    assert torch.equal(network(z, context), parameters)
    torch.testing.assert_close(network(z[1:, 2:], context[2:])[0, 0], parameters[1, 2])
    assert (network(z, -context) != parameters).flatten(2).any(2).all()
    parameters.square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


sizes = st.tuples(st.integers(1, 19), st.integers(1, 19), st.sampled_from([None, 1, 3])).map(
    lambda drawn: tuple(n for n in drawn if n is not None)
)


@of_pictures
@settings(max_examples=25, deadline=None)
@given(shape=sizes, context_dim=st.sampled_from([0, 2]), more=st.sampled_from([(), (4,)]))
def test_any_size_and_no_pixel_is_lost(
    kind: str, shape: tuple[int, ...], context_dim: int, more: tuple[int, ...]
) -> None:
    batch = pictures(shape, context_dim)
    x = batch.x.requires_grad_()
    features = encoder(kind, shape, context_dim, activation="tanh")(batch)
    features.sum().backward()
    assert x.grad is not None
    assert (x.grad != 0).all(), "a pixel that no feature sees"
    network = decoder(kind, shape, context_dim, more)
    parameters = network(torch.zeros(K, B, 5), batch.context)
    assert parameters.shape == (K, B, *shape, *more)
    assert (network(StepNoise("z").normal((K, B, 5)), batch.context) != parameters).all(), (
        "a pixel that z never moves"
    )


@of_pictures
@pytest.mark.parametrize("shape", [(28, 28), (100, 76), (64, 64, 3), (45, 31, 1)])
def test_the_defaults_take_pictures_of_any_shape(kind: str, shape: tuple[int, ...]) -> None:
    model = build_model(Settings(encoder=kind, decoder=kind, latent_dim=4), Meaning(shape, TOLD), seed=0)
    with torch.no_grad():
        trace = model.infer(pictures(shape, n=2), StepNoise(0), samples=2)
    assert trace.p.mean.shape == (2, 2, *shape)
    assert trace.elbo.isfinite().all()


def test_the_missions_network_for_faces() -> None:
    """Encoder 64-128-256-512 and heads of 128; decoder dense 512, dense 256 x 4 x 4, transposed 256-128-64-3."""
    model = build_model(Settings(encoder="conv", decoder="conv", latent_dim=128), (64, 64, 3), seed=0)
    seen: list[tuple[int, ...]] = []
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    for module in model.modules():
        if isinstance(module, kinds):
            module.register_forward_hook(lambda _m, _x, out: seen.append(tuple(out.shape[1:])))
    with torch.no_grad():
        model.infer(pictures((64, 64, 3), 0, n=1), StepNoise(0))
    down = [(64, 32, 32), (128, 16, 16), (256, 8, 8), (512, 4, 4)]
    up = [(512,), (256 * 4 * 4,), (256, 8, 8), (128, 16, 16), (64, 32, 32), (3, 64, 64)]
    assert sorted(seen) == sorted([*down, (128,), (128,), *up])
    assert seen[:4] == down
    assert seen[-6:] == up


def test_a_convolutional_encoder_is_the_plain_one() -> None:
    network, batch = encoder("conv", (16, 8, 3), 0), pictures((16, 8, 3), 0)
    layers: list[nn.Module] = []
    for convolution in network.halvings:
        layers += [convolution, nn.ReLU()]
    plain = nn.Sequential(*layers)(batch.x.permute(0, 3, 1, 2).contiguous())
    torch.testing.assert_close(network(batch), plain.permute(0, 2, 3, 1).flatten(1))


@of_pictures
def test_convolutions_read_and_write_channels_last(kind: str) -> None:
    model = build_model(Settings(encoder=kind, decoder=kind, latent_dim=4), (16, 16, 3), seed=0)
    orders = []
    layers = [m for m in model.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    for layer in layers:
        layer.register_forward_hook(
            lambda m, read, out: orders.extend(
                t.is_contiguous(memory_format=torch.channels_last) for t in (read[0], out, m.weight)
            )
        )
    model.infer(pictures((16, 16, 3), 0), StepNoise(0))
    assert len(orders) == 3 * len(layers)
    assert all(orders)


@pytest.mark.parametrize("kind", MASKED)
def test_what_is_not_observed_is_not_read(kind: str) -> None:
    shape = shape_for(kind)
    batch = pictures(shape)
    mask = StepNoise("mask").uniform((1, B, *shape))[0] < 0.7
    network = encoder(kind, shape, mask=True)
    features = network(dataclasses.replace(batch, mask=mask))
    unread = torch.where(mask, batch.x, torch.nan)
    assert torch.equal(network(dataclasses.replace(batch, x=unread, mask=mask)), features)
    zeros = dataclasses.replace(batch, x=torch.where(mask, batch.x, 0.0))
    assert (network(zeros) != features).any(), "a hidden pixel looks like a black one"
    assert torch.equal(network(batch), network(dataclasses.replace(batch, mask=torch.ones_like(mask))))


def small_settings(kind: str, **values: Any) -> Settings:
    part = {"kind": kind, **SMALL[kind]}
    return Settings(**{"encoder": part, "decoder": part, "latent_dim": 3, "batch_size": 32, "epochs": 2, **values})


@every_decoder
def test_a_decoder_starts_at_the_mean(kind: str, digits: Dataset) -> None:
    model = build_model(small_settings(kind, encoder="mlp", likelihood="gaussian"), (8, 8), seed=0)
    x = torch.from_numpy(digits.train.x[:200].copy())
    network: Any = model.decoder.network
    without_bias = network(torch.zeros(1, 1, 3)) - network.output_bias.view(8, 8)
    start_at_mean(model, Batch(x))
    torch.testing.assert_close(network(torch.zeros(1, 1, 3)) - without_bias, x.mean(0)[None, None])


@of_pictures
def test_training_lowers_the_loss_and_a_saved_model_is_the_same(kind: str, digits: Dataset, tmp_path: Path) -> None:
    generator = DreamGenerator.from_settings(small_settings(kind, start="mean", epochs=6), random_state=0)
    generator.fit(digits.train.x[:300])
    losses = [record["distortion"] for record in generator.history]
    assert losses[-1] < losses[0]
    generator.save(tmp_path / "model")
    again = DreamGenerator.load(tmp_path / "model")
    np.testing.assert_array_equal(again.dream(5, seed=1), generator.dream(5, seed=1))
    np.testing.assert_array_equal(again.transform(digits.test.x), generator.transform(digits.test.x))


@of_pictures
def test_a_model_with_context_and_odd_sides_is_saved_whole(kind: str, tmp_path: Path) -> None:
    told = small_settings(kind, context=["tilt", "smile"], prior="conditional")
    model = build_model(told, Meaning((7, 5), TOLD), seed=4).eval()
    save_model(tmp_path, SavedModel(model, told, Meaning((7, 5), TOLD)))
    loaded, batch = load_model(tmp_path).model, pictures((7, 5))
    for name, value in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], value), name
    traces = [m.infer(batch, StepNoise(0)) for m in (model, loaded)]
    assert torch.equal(traces[0].elbo, traces[1].elbo)


@of_pictures
def test_the_same_seed_trains_the_same_weights(kind: str, digits: Dataset) -> None:
    states = []
    for _ in range(2):
        torch.rand(3)  # the global generator is not read
        generator = DreamGenerator.from_settings(small_settings(kind), random_state=7).fit(digits.train.x[:100])
        states.append(generator.saved_.model.state_dict())
    assert all(torch.equal(states[0][name], value) for name, value in states[1].items())


@of_pictures
def test_autograd_gives_the_gradients(kind: str) -> None:
    assert not GradientsByHand.fit(build_model(small_settings(kind), (8, 8), seed=0))


@of_pictures
def test_a_rows_own_gradient_is_autograds(kind: str) -> None:
    model = build_model(small_settings(kind), (5, 6, 3), seed=0)
    objective, batch = build_objective(Settings()), pictures((5, 6, 3), 0)
    draws = StepNoise("draws").normal((1, B, 3))
    found = row_gradients(model, dict(model.named_parameters()), objective, batch, [draws], 0, 1)

    class Given:
        def normal(self, shape: Any) -> Tensor:
            return draws[:, row : row + 1]

        uniform = normal

    for row in range(B):
        model.zero_grad()
        alone = batch[torch.tensor([row])]
        objective(model.infer(alone, Given(), 1), 0, 1).loss.sum().backward()
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(found[name][row], parameter.grad, rtol=1e-4, atol=1e-5, msg=name)


@of_pictures
def test_private_training_runs_and_batch_norm_is_refused(kind: str, digits: Dataset) -> None:
    pytest.importorskip("opacus")
    private = {"kind": "private", "noise": 1.0, "delta": 1e-3}
    settings_ = small_settings(kind, update=private, validation=0.0, epochs=1)
    generator = DreamGenerator.from_settings(settings_, random_state=0).fit(digits.train.x[:64])
    assert np.isfinite(generator.dream(2)).all()

    from dreamgen.training.private import _check_model

    model = build_model(small_settings(kind), (8, 8), seed=0)
    model.encoder.network.norm = nn.BatchNorm2d(4)  # type: ignore[union-attr]
    with pytest.raises(SettingsError, match=r"batch norm at encoder\.network\.norm"):
        _check_model(model)


@of_pictures
def test_bfloat16_gives_nearly_the_same(kind: str) -> None:
    model: VAE = build_model(Settings(encoder=kind, decoder=kind, latent_dim=4), (16, 16, 3), seed=0)
    batch = pictures((16, 16, 3), 0)
    exact = model.infer(batch, StepNoise(0)).elbo
    with torch.autocast("cpu", torch.bfloat16):
        trace = model.infer(batch, StepNoise(0))
    assert trace.elbo.dtype == torch.float32
    torch.testing.assert_close(trace.elbo, exact, rtol=0.01, atol=0.1)


@pytest.mark.parametrize(("kind", "part"), [("conv", "encoder"), ("residual", "decoder")])
def test_onnx_gives_the_same_figures(kind: str, part: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    from dreamgen.export import export_onnx

    generator = DreamGenerator.from_settings(small_settings(kind), "cpu")
    generator.saved_ = SavedModel(
        build_model(small_settings(kind), (7, 6, 3), seed=0), small_settings(kind), Meaning((7, 6, 3))
    )
    done = export_onnx(generator, tmp_path / "part.onnx", part)
    assert done.difference is not None
    assert done.difference <= 1e-5


@of_pictures
def test_a_page_says_that_it_cannot_run_it(kind: str, tmp_path: Path) -> None:
    from dreamgen.export import export_page

    generator = DreamGenerator.from_settings(small_settings(kind), "cpu")
    generator.saved_ = SavedModel(
        build_model(small_settings(kind), (7, 6), seed=0), small_settings(kind), Meaning((7, 6))
    )
    with pytest.raises(SettingsError, match=f"cannot run the decoder '{kind}'"):
        export_page(generator, tmp_path / "page.html")


@of_pictures
@pytest.mark.parametrize(
    ("shape", "arguments", "said"),
    [
        ((784,), {}, r"height, width.*\(784,\)"),
        ((2, 8, 8, 3), {}, r"\(2, 8, 8, 3\)"),
        ((8, 8), {"channels": []}, "1 to 16 widths"),
        ((8, 8), {"channels": [0]}, "widths from 1"),
        ((8, 8), {"channels": [4] * 17}, "1 to 16 widths"),
        ((8, 8), {"channels": 4}, "channels: expected"),
        ((8, 8), {"activation": "sillu"}, "did you mean 'silu'"),
        ((8, 8), {"chanels": [4]}, "'channels'"),
    ],
)
def test_what_does_not_fit_is_said(kind: str, shape: tuple[int, ...], arguments: dict[str, Any], said: str) -> None:
    for role in ("encoder", "decoder"):
        with pytest.raises(SettingsError, match=said):
            build_model(Settings(**{role: {"kind": kind, **arguments}}), shape, seed=0)


def test_a_gradient_in_another_order_of_memory_makes_the_same_step() -> None:
    steps = []
    for order in (torch.contiguous_format, torch.channels_last):
        weight = nn.Parameter(torch.arange(48.0).reshape(2, 3, 4, 2).to(memory_format=torch.channels_last))
        weight.grad = torch.linspace(-1, 1, 48).reshape(2, 3, 4, 2).to(memory_format=order)
        OPTIMIZERS.build("adam", parameters=[weight]).step(0.1)
        steps.append(weight.detach())
    assert torch.equal(*steps)


@pytest.mark.parametrize("channels", [(), (3,)])
def test_flipped_pictures_are_mirrored_or_as_they_were(channels: tuple[int, ...]) -> None:
    x = StepNoise("x").uniform((1, 200, 5, 4, *channels))[0]
    found = AUGMENTATIONS.build("flip")(x, StepNoise(1))
    mirrored = torch.from_numpy(np.stack([np.fliplr(picture) for picture in x.numpy()]))
    turned = (found == mirrored).flatten(1).all(1)
    assert torch.equal(found[~turned], x[~turned])
    assert 70 < turned.sum() < 130
    assert torch.equal(AUGMENTATIONS.build("flip")(x, StepNoise(1)), found)
    with pytest.raises(SettingsError, match=r"pictures, got examples of shape \(3,\)"):
        AUGMENTATIONS.build("flip")(torch.zeros(2, 3), StepNoise(0))


def test_a_residual_decoder_begins_without_a_checkerboard() -> None:
    network = decoder("residual", (16, 16, 3))
    doubled = network.last(torch.ones(1, SMALL["residual"]["channels"][-1], 8, 8))[0, :, 1:-1, 1:-1]
    torch.testing.assert_close(doubled, doubled[:, :1, :1].expand_as(doubled))
