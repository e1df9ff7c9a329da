"""Perceptual losses: features of frozen networks, VGG19 by a user's weights, and what the gradient may touch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from dreamgen import Batch, DreamGenerator, Settings, build_model
from dreamgen.data import Dataset
from dreamgen.distributions import StepNoise
from dreamgen.errors import ModelFileError, SettingsError
from dreamgen.frozen import vgg_features
from dreamgen.nn.vgg import VGG19, block_of
from dreamgen.objectives import FEATURES, Features, build_objective, feature_errors
from dreamgen.tensors import dump_tensors


def small_network() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(0)
        return nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 3))


@pytest.fixture(scope="module")
def first_block(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights file that holds VGG19's first block, and a classifier that nobody asks for."""
    path = tmp_path_factory.mktemp("vgg") / "vgg.safetensors"
    noise = StepNoise("vgg")
    shapes = {
        "features.0.weight": (64, 3, 3, 3),
        "features.0.bias": (64,),
        "features.2.weight": (64, 64, 3, 3),
        "features.2.bias": (64,),
        "classifier.0.bias": (7,),
    }
    path.write_bytes(dump_tensors({name: 0.1 * noise.normal(shape) for name, shape in shapes.items()}))
    return path


def test_errors_are_half_the_relative_square_of_each_layer() -> None:
    network = small_network()
    x, again = StepNoise(1).normal((2, 5, 6))
    found = feature_errors(Features(network, ["1", "2"]), x, again)
    first = [layer.detach().double().numpy() for layer in network[0].parameters()]
    last = [layer.detach().double().numpy() for layer in network[2].parameters()]
    inner = [np.tanh(side.double().numpy() @ first[0].T + first[1]) for side in (x, again)]
    outer = [side @ last[0].T + last[1] for side in inner]
    expected = sum(0.5 * np.square(a - b).sum(1) / np.square(a).sum(1) for a, b in (inner, outer))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5)
    assert feature_errors(Features(network, ["0"]), x, x).abs().max() == 0


def test_the_network_is_frozen_and_the_picture_gets_the_gradient() -> None:
    network = small_network()
    features = Features(network, ["2"])
    x, again = StepNoise(1).normal((2, 5, 6))
    again.requires_grad_()
    feature_errors(features, x, again).sum().backward()
    assert again.grad is not None
    assert (again.grad.abs().sum(1) > 0).all()
    assert all(p.grad is None and not p.requires_grad for p in network.parameters())
    assert not network.training


def test_an_unknown_layer_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match=r"no layer '7'.*0, 1, 2"):
        Features(small_network(), ["7"])
    with pytest.raises(SettingsError, match="expected one or more"):
        Features(small_network(), [])


def test_a_saved_model_is_looked_through_at_its_own_size(trained: DreamGenerator, model_folder: Path) -> None:
    features = FEATURES.build({"kind": "model", "model": str(model_folder)})
    assert features.layers == ["layers.0"]
    x = StepNoise(2).uniform((3, 8, 8))
    network = trained.saved_.model.encoder.network
    torch.testing.assert_close(features(x)[0], network.layers[0](x.flatten(1)))
    # With every pixel doubled along both sides it is the same picture.
    doubled = x.repeat_interleave(2, 1).repeat_interleave(2, 2)
    torch.testing.assert_close(features(doubled)[0], features(x)[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("flat", [(64,), (2, 8, 8, 3)])
def test_what_is_no_picture_is_not_looked_at(flat: tuple[int, ...], model_folder: Path) -> None:
    features = FEATURES.build({"kind": "model", "model": str(model_folder)})
    with pytest.raises(SettingsError, match=r"knows examples of shape \(8, 8\), got \("):
        features(torch.zeros(3, *flat))


def test_features_are_known_without_the_training() -> None:
    code = (
        "import sys; from dreamgen.config import Settings; from dreamgen.objectives import build_objective\n"
        "build_objective(Settings(objective='perceptual'))\n"
        "assert 'dreamgen.training' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_objective_adds_the_error_and_leaves_the_bound(model_folder: Path, digits: Dataset) -> None:
    settings = Settings(latent_dim=3, hidden_dim=16, beta=2.0)
    features = {"kind": "model", "model": str(model_folder)}
    model = build_model(settings, (8, 8), seed=0)
    batch = Batch(torch.from_numpy(digits.train.x[:6].copy()))
    trace = model.infer(batch, StepNoise(0), samples=2)
    plain = build_objective(settings)(trace, 0, 1)
    objective = {"kind": "perceptual", "features": features, "weight": 7.0, "pixels": 0.5}
    terms = build_objective(settings.replace(objective=objective))(trace, 0, 1)
    looked = FEATURES.build(features)
    error = torch.stack([feature_errors(looked, batch.x, mean) for mean in trace.p.mean]).mean(0)
    torch.testing.assert_close(terms.loss, 0.5 * plain.distortion + 2 * plain.rate + 7 * error)
    assert torch.equal(terms.distortion, plain.distortion)
    assert torch.equal(terms.rate, plain.rate)


def test_features_alone_train_a_model(model_folder: Path, digits: Dataset) -> None:
    features = {"kind": "model", "model": str(model_folder)}
    objective = {"kind": "perceptual", "features": features, "weight": 300.0, "pixels": 0.0}
    x = digits.train.x[:300]
    errors = []
    for epochs in (1, 20):
        generator = DreamGenerator(6, 32, objective=objective, batch_size=30, epochs=epochs, random_state=0).fit(x)
        again = torch.from_numpy(generator.reconstruct(x))
        errors.append(feature_errors(FEATURES.build(features), torch.from_numpy(x), again).mean().item())
    assert errors[1] < 0.6 * errors[0]


def test_vgg19_has_torchvisions_names_and_shapes() -> None:
    with torch.device("meta"):
        shapes = {name: tuple(value.shape) for name, value in VGG19().state_dict().items()}
    assert sum(np.prod(shape) for shape in shapes.values()) == 20_024_384  # of torchvision's vgg19().features
    assert shapes["features.0.weight"] == (64, 3, 3, 3)
    assert shapes["features.10.weight"] == (256, 128, 3, 3)
    assert shapes["features.34.weight"] == (512, 512, 3, 3)
    assert len(shapes) == 32
    assert [block_of([f"features.{n}"]) for n in (0, 4, 5, 18, 27, 36)] == [1, 1, 2, 3, 4, 5]


def test_vgg19_sees_pictures_as_imagenet_has_them(first_block: Path) -> None:
    features = vgg_features(str(first_block), ("features.1", "features.3"))
    grey = StepNoise(3).uniform((2, 32, 40))
    weights = {n: p.double() for n, p in features.network.named_parameters()}
    planes = (grey[:, None].double() - torch.tensor([0.485, 0.456, 0.406], dtype=torch.double).view(1, 3, 1, 1)) / (
        torch.tensor([0.229, 0.224, 0.225], dtype=torch.double).view(1, 3, 1, 1)
    )
    first = F.conv2d(planes, weights["features.0.weight"], weights["features.0.bias"], padding=1).relu()
    second = F.conv2d(first, weights["features.2.weight"], weights["features.2.bias"], padding=1).relu()
    for found, expected in zip(features(grey), (first, second), strict=True):
        torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=1e-4)
    colour = grey.unsqueeze(-1).expand(-1, -1, -1, 3)
    torch.testing.assert_close(features(colour)[0], features(grey)[0])
    assert features(grey[:, :8, :10])[0].shape == (2, 64, 32, 40)  # small ones are enlarged
    assert vgg_features(str(first_block), ("features.1",), size=16)(grey)[0].shape == (2, 64, 16, 20)


def test_weights_that_do_not_fit_are_one_clear_error(first_block: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ModelFileError, match=r"expected features\.5\.weight of shape \(128, 64, 3, 3\).*no such tensor"
    ):
        vgg_features(str(first_block), ("features.6",))
    other = tmp_path / "other.safetensors"
    other.write_bytes(dump_tensors({"features.0.weight": torch.zeros(64, 1, 3, 3)}))
    with pytest.raises(
        ModelFileError, match=r"features\.0\.weight of shape \(64, 3, 3, 3\).*got shape \(64, 1, 3, 3\)"
    ):
        vgg_features(str(other), ("features.1",))
    other.write_bytes(b"not tensors")
    with pytest.raises(ModelFileError, match="not a valid safetensors file"):
        vgg_features(str(other))
    with pytest.raises(ModelFileError, match="cannot read"):
        vgg_features(str(tmp_path / "nowhere.safetensors"))
    with pytest.raises(SettingsError, match=r"no layer 'features\.99'"):
        Features(VGG19(1), ["features.99"])
