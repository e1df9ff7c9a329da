"""Blur: the stroke's mean, neighbouring pixels, and cross-entropy beside squared error, trained otherwise equally."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dreamgen.config import Settings
from dreamgen.data import Dataset, as_float
from dreamgen.devices import device_of
from dreamgen.distributions import RowNoise, draw, row_keys
from dreamgen.evaluation import binarise_rows
from dreamgen.evaluation.report import one_sample_loss
from dreamgen.evaluation.sharpness import Pictures, edge_strength, laplacian_variance, neighbour_correlation
from dreamgen.experiments.losses import loss_gradients, loss_of
from dreamgen.experiments.runs import Observer, claim, identity_of, obtain
from dreamgen.experiments.stroke import CASES, Stroke, gaussian, learn
from dreamgen.files import make_folder
from dreamgen.generator import DreamGenerator

Row = dict[str, str | float | None]

LOSSES: dict[str, Any] = {"BCE": "bernoulli", "MSE": gaussian(0.5**0.5), "MSE, σ = 0.2": gaussian(0.2)}
"""Likelihoods by the name of their loss. Squared error plus rate is a Gaussian of scale 0.71."""

_OUTPUTS = (0.01, 0.1, 0.5, 0.9, 0.99)
_EDGE = 0.2  # a pixel belongs to an edge if it is grey: from 0.2 to 0.8


@dataclass(frozen=True)
class Blur:
    """What was found; each list is a table.

    Attributes:
        stroke: the toy, by case.
        neighbours: correlation of neighbouring pixels.
        sharpness: of pictures, beside real ones.
        gradients: of the losses for a pixel that should be 1.
        edges: where the trained models' gradients lie.
        models: by loss.
        x: the real pictures, (n, H, W).
    """

    stroke: dict[str, Stroke]
    neighbours: list[Row]
    sharpness: list[Row]
    gradients: list[Row]
    edges: list[Row]
    models: dict[str, DreamGenerator]
    x: Pictures


def blur(
    dataset: Dataset, settings: Settings, folder: Path, *, rows: int, seed: int, device: str, watch: Observer
) -> Blur:
    """Train with each loss, and measure on the first `rows` test pictures; finished models are not trained again.

    Raises:
        SettingsError: the folder was begun with something else.
        Interrupted: the watch said so.
    """
    claim(make_folder(folder), identity_of("blur", dataset, settings, seed))
    models = {}
    for name, likelihood in LOSSES.items():
        place = folder / "runs" / name.lower().replace(", σ = ", "-")
        one = settings.replace(likelihood=likelihood)
        models[name], _ = obtain(one, dataset, place, seed, watch, f"training with {name}", device)
    toy = {}
    for number, name in enumerate(CASES):
        watch.step(f"stroke: {name}", number, len(CASES))
        toy[name] = learn(name, seed)
    watch.step("measuring", 0, 1)
    bytes_ = dataset.part("test").x[:rows]
    x = as_float(torch.from_numpy(bytes_.copy())).numpy()
    return Blur(
        toy,
        neighbours(models["BCE"], x, seed),
        [row for name, model in models.items() for row in _sharpness(name, model, x, seed)],
        gradients(_OUTPUTS),
        [_edges(name, model, x, seed) for name, model in models.items()],
        models,
        x,
    )


@torch.no_grad()
def _explained(model: DreamGenerator, x: Pictures, seed: int) -> tuple[Pictures, Pictures]:
    """Of codes drawn from q(z|x): the decoder's mean, and a draw from p(x|z); both (n, H, W)."""
    p = model.decode(_codes(model, x, seed).numpy())
    noise = RowNoise(f"blur, draws {seed}", range(len(x)), p.mean.device)
    return p.mean.cpu().numpy(), draw(p, noise, 1)[0].cpu().numpy()


def _codes(model: DreamGenerator, x: Pictures, seed: int) -> Tensor:
    """One code for each picture, drawn from q(z|x), (n, D)."""
    return draw(model.encode(x), RowNoise(f"blur, codes {seed}", row_keys(torch.from_numpy(x))), 1)[0]


def neighbours(model: DreamGenerator, x: Pictures, seed: int) -> list[Row]:
    """Correlation of neighbouring pixels, of real and dreamt pictures, around their mean and given the code."""
    drawn = binarise_rows(torch.from_numpy(x), seed).numpy()
    means, draws = (model.dream(len(x), seed=seed, sample=sample) for sample in (False, True))
    given, again = _explained(model, x, seed)
    cases = {
        "real, grey": (x, given),
        "real, drawn as 0 or 1": (drawn, given),
        "dreams, means of p(x|z)": (means, None),
        "dreams, draws from p(x|z)": (draws, None),
        "reconstructions, draws from p(x|z)": (again, given),
    }
    return [
        {
            "pictures": name,
            "around their mean": neighbour_correlation(pictures, pictures.mean(0)),
            "given the code": None if known is None else neighbour_correlation(pictures, known),
        }
        for name, (pictures, known) in cases.items()
    ]


def _sharpness(name: str, model: DreamGenerator, x: Pictures, seed: int) -> list[Row]:
    loss = one_sample_loss(model.saved_.model, model.prepare(x), seed)
    kinds = {
        "reconstructions": model.reconstruct(x),
        "dreams": model.dream(len(x), seed=seed),
        "dreams, drawn": model.dream(len(x), seed=seed, sample=True),
    }
    edges, laplacian = edge_strength(x), laplacian_variance(x)
    return [
        {
            "loss": name,
            "pictures": kind,
            "edge strength / real": edge_strength(pictures) / edges,
            "Laplacian variance / real": laplacian_variance(pictures) / laplacian,
            "squared error": float(np.square(pictures - x).sum((1, 2)).mean()) if kind == "reconstructions" else None,
            "rate": loss["test_rate"] if kind == "reconstructions" else None,
        }
        for kind, pictures in kinds.items()
    ]


def gradients(outputs: Sequence[float]) -> list[Row]:
    """The losses' derivatives for a pixel that should be 1."""
    found = loss_gradients(torch.tensor(outputs), 1.0)
    return [
        {"output": output, **{name: values[i].item() for name, values in found.items()}}
        for i, output in enumerate(outputs)
    ]


def _edges(name: str, model: DreamGenerator, x: Pictures, seed: int) -> Row:
    """Where the gradient with respect to the decoder's output lies, on real pictures through a trained model."""
    seen, decoder = model.prepare(x), model.saved_.model.decoder
    device = device_of(decoder)
    with torch.no_grad():
        h: Tensor = decoder.network(_codes(model, x, seed).to(device), None)
    h.requires_grad_()
    (slope,) = torch.autograd.grad(loss_of(decoder.likelihood(h), seen.to(device)).sum(), h)
    size = slope.abs().cpu().numpy()
    edge = (x > _EDGE) & (x < 1 - _EDGE)
    return {
        "loss": name,
        "pixels on edges": float(edge.mean()),
        "gradient on edges": float(size[edge].sum() / size.sum()),
        "mean on edges": float(size[edge].mean()),
        "mean elsewhere": float(size[~edge].mean()),
    }
