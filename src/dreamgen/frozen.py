"""Networks that are only looked through: a saved model of this library, or VGG19 by a user's weights."""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dreamgen.data.batch import Batch
from dreamgen.errors import ModelFileError, SettingsError
from dreamgen.files import check_regular, reading
from dreamgen.io import load_model
from dreamgen.models import Classifier
from dreamgen.nn.vgg import VGG19, block_of
from dreamgen.objectives.features import FEATURES, Features
from dreamgen.tensors import parse_tensors
from dreamgen.zoo import find_model

_VGG_LAYERS = ("features.1", "features.6", "features.11")  # relu1_1, relu2_1, relu3_1, which the paper found best


@FEATURES.register("model")
def model_features(model: str = "mnist-sibling", layers: tuple[str, ...] = ()) -> Features:
    """What the network of a classifier sees, or the encoder of another model.

    Pictures of another size are brought to the one that it knows.

    Args:
        model: a folder, or the name of a model that ships.
        layers: names of modules below that network, as `halvings.0`; none: each of its convolutions, or of its linear
            layers where there are none.

    Raises:
        SettingsError: no such model or layer.
        ModelFileError: the model is damaged.
    """
    saved = load_model(find_model(model))
    network = saved.model.network if isinstance(saved.model, Classifier) else saved.model.encoder.network
    return Features(network, layers or _all_layers(network), lambda x: network(Batch(_brought(x, saved.event_shape))))


def _brought(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Pictures, (B, *event), at the size of others."""
    if x.shape[1:] == shape:
        return x
    if x.dim() not in (3, 4) or len(shape) < 2 or x.shape[3:] != shape[2:]:
        raise SettingsError(f"features: the network knows examples of shape {shape}, got {tuple(x.shape[1:])}")
    planes = x.unsqueeze(1) if x.dim() == 3 else x.movedim(-1, 1)
    # Smaller ones are means over areas; larger ones run from pixel to pixel.
    larger = {"mode": "bilinear", "align_corners": False} if shape[0] > x.shape[1] else {"mode": "area"}
    planes = F.interpolate(planes, shape[:2], **larger)
    return planes.movedim(1, -1).reshape(-1, *shape)


def _all_layers(network: nn.Module) -> list[str]:
    found = [[n for n, m in network.named_modules() if isinstance(m, kind)] for kind in (nn.Conv2d, nn.Linear)]
    return found[0] or found[1]


@FEATURES.register("vgg19")
def vgg_features(weights: str, layers: tuple[str, ...] = _VGG_LAYERS, size: int | None = None) -> Features:
    """VGG19's convolutions with a user's weights.

    Args:
        weights: a safetensors file with torchvision's names, `features.0.weight`; a classifier's are ignored.
        layers: as `features.1`, which is behind the first activation.
        size: pixels along the shorter side that pictures are brought to; None: as they are, or 32 where smaller.

    Raises:
        SettingsError: no such layer.
        ModelFileError: the file cannot be read, or its keys or shapes do not fit; the first one is named.
    """
    with torch.random.fork_rng(devices=[]):  # what it draws to begin with is written over
        network = VGG19(block_of(layers), size)
    network.load_state_dict(_weights_of(Path(weights), network.state_dict()))
    return Features(network, layers)


def _weights_of(path: Path, wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """The wanted tensors from a file that may hold more."""
    with reading(path):
        check_regular(path)
        found = parse_tensors(path.read_bytes(), str(path))
    for name, value in wanted.items():
        shape = tuple(found[name].shape) if name in found else None
        if shape != tuple(value.shape):
            has = "no such tensor" if shape is None else f"shape {shape}"
            raise ModelFileError(f"{path}: expected {name} of shape {tuple(value.shape)}, as VGG19 has it; got {has}")
    return {name: found[name] for name in wanted}
