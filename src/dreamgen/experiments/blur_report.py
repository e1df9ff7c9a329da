"""What `blur` found, for a person and as pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from dreamgen.charts import Panel, save_lines, save_profiles, save_rows
from dreamgen.experiments.blur import Blur
from dreamgen.experiments.losses import loss_gradients
from dreamgen.experiments.stroke import FIRST, LAST
from dreamgen.experiments.tables import as_text

_TITLES = {
    "stroke": "The stroke at pixel 14 or 15, decoded where it is at 14; nats, or squared error",
    "neighbours": "Correlation of neighbouring pixels' deviations",
    "sharpness": "Sharpness; 1 is that of real pictures",
    "gradients": "Derivatives of the loss of a pixel that should be 1",
    "edges": "Where the gradient with respect to the decoder's output lies",
}
_SHOWN = 12


def tables(found: Blur) -> dict[str, list[dict[str, Any]]]:
    """Every table by name."""
    stroke = [one.row for one in found.stroke.values()]
    return {"stroke": stroke, **{name: getattr(found, name) for name in list(_TITLES)[1:]}}


def text(found: Blur) -> str:
    """The tables under their titles."""
    return "\n\n".join(f"{_TITLES[name]}\n{as_text(rows)}" for name, rows in tables(found).items())


def draw(found: Blur, folder: Path, seed: int) -> dict[str, str]:
    """Draw the pictures; their places by name."""
    paths = {name: folder / f"{name}.png" for name in ("stroke", "pictures", "gradients")}
    profiles = {}
    for name, one in found.stroke.items():
        shown = one.decoded[:, FIRST : LAST + 1]
        profiles[name] = {"stroke at 14, decoded": shown[0], "stroke at 15, decoded": shown[1]}
    save_profiles(profiles, paths["stroke"], FIRST, "pixel", "decoded")
    x = found.x[:_SHOWN]
    rows = {"real": x}
    for name, model in found.models.items():
        rows[f"{name}: again"] = model.reconstruct(x)
    for name, model in found.models.items():
        rows[f"{name}: dreams"] = model.dream(len(x), seed=seed)
    rows["BCE: dreams, drawn"] = found.models["BCE"].dream(len(x), seed=seed, sample=True)
    save_rows(rows, paths["pictures"])
    _draw_gradients(paths["gradients"])
    return {name: str(path) for name, path in paths.items()}


def _draw_gradients(path: Path) -> None:
    logits = np.linspace(-7, 7, 141)
    outputs = 1 / (1 + np.exp(-logits))
    found = {name: values.numpy() for name, values in loss_gradients(torch.from_numpy(outputs), 1.0).items()}
    names = ("cross-entropy", "squared error")
    by_output = {name: (outputs, found[f"{name}, by output"]) for name in names}
    by_logit = {name: (logits, found[f"{name}, by logit"]) for name in names}
    panels = [
        Panel("a pixel that should be 1", "output", "derivative of the loss", by_output, (-10, 0.5)),
        Panel("the same, through a sigmoid", "logit", "derivative of the loss", by_logit, (-1.1, 0.1)),
    ]
    save_lines(panels, path, mark="-")
