"""The example in one file and the library are the same model: one batch, one noise, one loss, one gradient."""

import importlib.util
import re
import runpy
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import dreamgen
from dreamgen import VAE, Batch, Settings, Trace, build_model, load_data
from dreamgen.data import Dataset
from dreamgen.distributions import StepNoise
from dreamgen.errors import DataError
from dreamgen.objectives import build_objective

PATH = Path(__file__).parents[1] / "examples" / "vae_in_one_file.py"
BATCH, SHAPE, HIDDEN, LATENT = 7, (28, 28), 32, 5


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("vae_in_one_file", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _own_random_numbers() -> Iterator[None]:
    """The example seeds torch's global generator; what runs after it shall not notice."""
    with torch.random.fork_rng(devices=[]):
        yield


class Fixed:
    """Noise that was drawn before."""

    def __init__(self, epsilon: Tensor) -> None:
        self.epsilon = epsilon  # (B, D)

    def normal(self, shape: Sequence[int]) -> Tensor:
        return self.epsilon.expand(*shape)

    def uniform(self, shape: Sequence[int]) -> Tensor:
        raise AssertionError(f"a Gaussian posterior asked for uniform noise of shape {shape}")


def pairs(mine: nn.Module, theirs: VAE) -> list[tuple[nn.Module, nn.Module]]:
    """The same layer in the example and in the library."""
    encoder, decoder = theirs.encoder, theirs.decoder
    return [
        (mine.fc1, encoder.network.layers[0]),
        (mine.fc_mu, encoder.posterior.loc),
        (mine.fc_logvar, encoder.posterior.log_variance),
        (mine.fc3, decoder.network.layers[0]),
        (mine.fc4, decoder.network.out),
    ]


def both(example: ModuleType, dtype: torch.dtype) -> tuple[Any, VAE, Tensor]:
    """The example and the library's model with the same weights, and grey pictures in [0, 1]."""
    theirs = build_model(Settings(hidden_dim=HIDDEN, latent_dim=LATENT), SHAPE, seed=1).to(dtype)
    mine = example.DreamGenerator(28 * 28, HIDDEN, LATENT).to(dtype)
    with torch.no_grad():
        for layer, other in pairs(mine, theirs):
            # Larger than a fresh layer's, so that clouds differ in size and pixels in probability.
            layer.load_state_dict({name: 2 * value for name, value in other.state_dict().items()})
            other.load_state_dict(layer.state_dict())
    assert len(list(mine.parameters())) == len(list(theirs.parameters())) == 10
    x = torch.rand(BATCH, *SHAPE, generator=torch.Generator().manual_seed(2), dtype=dtype)
    return mine, theirs, x


def trace_and_loss(model: VAE, x: Tensor, noise: Any) -> tuple[Trace, Tensor]:
    trace = model.infer(Batch(x), noise)
    return trace, build_objective(Settings())(trace, step=0, total=1).loss


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-12), (torch.float32, 1e-5)], ids=["double", "single"])
def test_the_loss_and_its_gradient_are_the_librarys(
    example: ModuleType, dtype: torch.dtype, rtol: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs, x = both(example, dtype)
    epsilon = torch.randn(BATCH, LATENT, generator=torch.Generator().manual_seed(3), dtype=dtype)
    monkeypatch.setattr(torch, "randn_like", lambda like: epsilon.expand_as(like))

    recon_x, mu, logvar = mine(x)
    loss = example.loss_function(recon_x, x, mu, logvar)
    trace, library = trace_and_loss(theirs, x, Fixed(epsilon))

    assert loss.dtype == library.dtype == trace.elbo.dtype == dtype
    assert library.shape == (BATCH,)
    torch.testing.assert_close(loss, library.sum(), rtol=rtol, atol=0)
    torch.testing.assert_close(loss, -trace.elbo.sum(), rtol=rtol, atol=0)

    loss.backward()
    library.sum().backward()
    for layer, other in pairs(mine, theirs):
        for name, parameter in layer.named_parameters():
            again = other.get_parameter(name).grad
            scale = parameter.grad.abs().max().item()
            torch.testing.assert_close(parameter.grad, again, rtol=0, atol=100 * rtol * scale)


def test_the_terms_are_the_librarys_too(example: ModuleType) -> None:
    mine, theirs, x = both(example, torch.float64)
    mu, logvar = mine.encode(x.flatten(1))
    epsilon = StepNoise(4).normal((1, BATCH, LATENT))  # the library's own noise, drawn once for each side
    recon_x = mine.decode(mu + (0.5 * logvar).exp() * epsilon[0])
    trace, library = trace_and_loss(theirs, x, StepNoise(4))

    # With μ = 0 and log σ² = 0 the second term vanishes, and what is left is the distortion.
    nothing = torch.zeros_like(mu)
    distortion = example.loss_function(recon_x, x, nothing, nothing)
    torch.testing.assert_close(distortion, trace.distortion.sum(), rtol=1e-12, atol=0)
    rate = example.loss_function(recon_x, x, mu, logvar) - distortion
    torch.testing.assert_close(rate, trace.rate.sum(), rtol=1e-9, atol=0)
    assert trace.rate.sum().item() > 1
    torch.testing.assert_close(distortion + rate, library.sum(), rtol=1e-12, atol=0)


def test_outside_training_the_example_takes_the_mean(example: ModuleType) -> None:
    mine, theirs, x = both(example, torch.float64)
    mine.eval()
    trace, library = trace_and_loss(theirs, x, Fixed(torch.zeros(BATCH, LATENT, dtype=torch.float64)))
    recon_x, mu, logvar = mine(x)
    torch.testing.assert_close(recon_x, trace.p.mean[0].flatten(1))
    torch.testing.assert_close(example.loss_function(recon_x, x, mu, logvar), library.sum(), rtol=1e-12, atol=0)


def test_a_pixel_that_is_surely_wrong_is_where_they_part(example: ModuleType) -> None:
    """From probabilities the cross-entropy is cut at 100 nats for a pixel; from logits it needs no cut."""
    mine, theirs, x = both(example, torch.float32)
    x = torch.ones_like(x)
    with torch.no_grad():
        for layer in (mine.fc4, theirs.decoder.network.out):
            layer.weight.zero_()
            layer.bias.fill_(-200.0)
    recon_x, mu, _ = mine(x)
    trace, _ = trace_and_loss(theirs, x, StepNoise(0))
    nothing = torch.zeros_like(mu)
    assert example.loss_function(recon_x, x, nothing, nothing).item() / x.numel() == pytest.approx(100)
    torch.testing.assert_close(trace.distortion / 784, torch.full((BATCH,), 200.0))


@pytest.fixture
def _digits_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> Dataset:
        if name != "digits":
            raise DataError(f"{name} is not at hand")
        return load_data(name)

    monkeypatch.setattr(dreamgen, "load_data", load)


@pytest.mark.usefixtures("_digits_only")
def test_it_runs_from_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(PATH), "1", "sheet.png"])
    runpy.run_path(str(PATH), run_name="__main__")
    printed = capsys.readouterr().out
    assert "mnist is not at hand" in printed
    assert re.findall(r"epoch (\d+): [\d.]+ nats", printed) == ["1"]
    assert [path.name for path in tmp_path.iterdir()] == ["sheet.png"]
    with Image.open("sheet.png") as sheet:
        assert sheet.size == (64, 64)  # eight digits of eight pixels, both ways
        low, high = sheet.getextrema()
    assert 0 <= low < high <= 255


@pytest.mark.usefixtures("_digits_only")
def test_it_learns(example: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example.main(8, str(tmp_path / "dreams.png"))
    losses = [float(number) for number in re.findall(r"([\d.]+) on the test set", capsys.readouterr().out)]
    assert len(losses) == 8
    # 64 pixels at probability 1/2 cost 64 log 2 = 44.4 nats; knowing each pixel's average costs less, and 8 epochs
    # get well below the first.
    assert losses[-1] < losses[0] - 3 < 44.4
