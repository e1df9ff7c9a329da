"""A decoder as a web page: one file that dreams in any browser, alone and offline.

The page holds what `hand_over` lets leave: weights, shapes and figures. Its files are in `web/`; one pass fills their
@PLACES@. A Content-Security-Policy allows the page's own script and style, by their SHA-256, and nothing else.
"""

import copy
from pathlib import Path

import numpy as np
import torch
from torch import nn

from dreamgen.config import Part
from dreamgen.errors import DataError, SettingsError
from dreamgen.export.decoder import Exported
from dreamgen.export.parts import DecoderMean, largest, prior_codes, with_weights
from dreamgen.export.template import fill
from dreamgen.export.whitelist import divide, hand_over
from dreamgen.files import make_folder, write_bytes
from dreamgen.generator import DreamGenerator
from dreamgen.io import SavedModel
from dreamgen.nn import ACTIVATIONS, MLPDecoder
from dreamgen.plots import as_pictures
from dreamgen.tensors import is_finite

_MEANS = {"bernoulli": "sigmoid", "gaussian": "identity"}  # from the decoder's output to the mean of p(x|z)
_KNOWN = {  # what web/decoder.js computes
    "decoder": ("mlp",),
    "likelihood": tuple(_MEANS),
    "prior": ("normal",),
    "blur": ("none",),
}
_NAMED = (  # what the page holds of all that may leave
    "weights.",
    "event_shape",
    "unit_range",
    "origin.versions.",
    "card.active_units",
    "card.rate_per_unit",
    "card.test_loss",
    "card.evaluation.nll",
    *(f"settings.{n}" for n in ("latent_dim", "hidden_dim", *_KNOWN)),
)
_SPAN = 3.0  # how far the map reaches, in standard deviations of the prior
_ROUNDING = 1e-3  # what 16-bit weights may change in a picture: a quarter of a grey level
_TRIED = 256  # dreams by which that is measured


def export_page(
    generator: DreamGenerator,
    out: str | Path,
    title: str = "Dream Generator",
    seed: int = 0,
    from_prior: bool = False,
) -> Exported:
    """Write a page with dreams, a map of latent space and a slider for each latent.

    Weights are 16-bit floats where that changes none of 256 dreams by more than 0.001, else 32-bit ones.

    Args:
        generator: fitted or loaded; its examples are pictures, its decoder is an "mlp", its prior "normal".
        out: the file.
        title: of the page.
        seed: of the first dreams that it shows.
        from_prior: also where `generator` needs its codes to dream, which stay.

    Returns:
        What was written; `difference` is what rounding the weights changes in 256 dreams.

    Raises:
        SettingsError: the page cannot run this kind of model, or its decoder may not leave.
        OutputError: the file cannot be written.
    """
    path, handover = Path(out), hand_over(generator.fitted(), from_prior)
    saved = handover.saved
    layers, shape = _layers(saved), _picture_shape(saved)
    half, difference = _rounding(saved)
    tensors = [tensor.detach().numpy() for linear, _ in layers for tensor in (linear.weight, linear.bias)]
    alone = DreamGenerator.of(saved, "cpu")
    model = {
        "shape": shape,
        "latents": saved.settings.latent_dim,
        "layers": [(linear.in_features, linear.out_features, function) for linear, function in layers],
        "unitRange": saved.unit_range,
        "weights": "float16" if half else "float32",
        "order": alone.latent_order,
        "rates": saved.card.get("rate_per_unit"),
        "plane": alone.main_plane,
        "span": _SPAN,
        "seed": seed,
    }
    weights = b"".join(tensor.astype("<f2" if half else "<f4").tobytes() for tensor in tensors)
    content = fill(title, model, weights, saved.card)
    make_folder(path.parent)
    write_bytes(path, content)
    left = {name for name in handover.left if name.startswith(_NAMED)}
    return Exported(path, len(content), *divide(generator.fitted(), left), difference)


def _layers(saved: SavedModel) -> list[tuple[nn.Linear, str]]:
    """The decoder's layers, each with the function that follows it. Raises SettingsError for what has others."""
    kinds = {role: _kind(getattr(saved.settings, role)) for role in _KNOWN}
    for role, kind in kinds.items():
        if kind not in _KNOWN[role]:
            raise SettingsError(f"a page cannot run the {role} {kind!r}: it knows {' and '.join(_KNOWN[role])}")
    network, names = saved.model.decoder.network, {type(make()): name for name, make in ACTIVATIONS.items()}
    assert isinstance(network, MLPDecoder)
    linears = [layer for layer in network.layers if isinstance(layer, nn.Linear)]
    functions = [names[type(layer)] for layer in network.layers if not isinstance(layer, nn.Linear)]
    return list(zip([*linears, network.out], [*functions, _MEANS[kinds["likelihood"]]], strict=True))


def _kind(part: Part) -> str:
    return str(part["kind"] if isinstance(part, dict) else part)


def _picture_shape(saved: SavedModel) -> tuple[int, int, int]:
    """Height, width and channels (1 or 3) of what is shown; raises SettingsError where examples are no pictures."""
    try:
        height, width, *channels = as_pictures(np.zeros((1, *saved.event_shape), np.float32)).shape[1:]
    except DataError as error:
        shape = saved.event_shape
        raise SettingsError(f"a page shows pictures, and this model's examples have shape {shape}") from error
    return height, width, channels[0] if channels else 1


@torch.no_grad()
def _rounding(saved: SavedModel) -> tuple[bool, float]:
    """Whether 16 bits are enough for the weights, and what the page's rounding changes in a picture."""
    exact, z = DecoderMean(saved), prior_codes(saved, _TRIED)
    rounded = with_weights(copy.deepcopy(exact), torch.float16)
    changed = largest(rounded(z), exact(z))
    fits = changed <= _ROUNDING and all(map(is_finite, rounded.parameters()))  # 16 bits end at 65504
    return (True, changed) if fits else (False, 0.0)
