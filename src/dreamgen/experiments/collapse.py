"""Collapse: a decoder too strong for its latents, the cures, and a plain decoder beside it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from dreamgen.charts import Panel, save_bars, save_lines, save_rows
from dreamgen.config import Settings
from dreamgen.data import Dataset, as_float
from dreamgen.evaluation import binarise_rows
from dreamgen.experiments.runs import Observer, claim, identity_of, obtain
from dreamgen.files import make_folder
from dreamgen.generator import DreamGenerator

_SHOWN = 12
_FEW = 5  # latents, each of which has a whole nat free
_LOSSES = 30.0  # nats above the best that are drawn, so that near ones stay apart


def variants(settings: Settings, total: int) -> dict[str, Settings]:
    """What is compared, by name.

    Args:
        settings: of the run that collapses.
        total: its steps, of which annealing takes the first half.
    """
    annealed: dict[str, Any] = {"beta": {"kind": "linear", "steps": max(1, total // 2)}}
    bits: dict[str, Any] = {"free_bits": 0.25}
    return {
        "collapsing": settings,
        "annealed": settings.replace(**annealed),
        "free bits": settings.replace(**bits),
        "both": settings.replace(**annealed, **bits),
        "few latents": settings.replace(**annealed, latent_dim=_FEW, free_bits=1.0),
        "plain decoder": settings.replace(likelihood="bernoulli"),
    }


@dataclass(frozen=True)
class Collapse:
    """What was found.

    Attributes:
        rows: the table.
        models: by name.
        rates: rate of each unit on the test pictures, by name.
        x: the first test pictures, binarised, (n, H, W).
    """

    rows: list[dict[str, Any]]
    models: dict[str, DreamGenerator]
    rates: dict[str, list[float]]
    x: torch.Tensor


def collapse(
    dataset: Dataset,
    settings: Settings,
    folder: Path,
    *,
    rows: int,
    samples: int,
    seed: int,
    device: str,
    watch: Observer,
) -> Collapse:
    """Train every variant, and measure it on the first `rows` test pictures, drawn once as 0 or 1.

    Raises:
        SettingsError: the folder was begun with something else.
        Interrupted: the watch said so; finished models are kept.
    """
    claim(make_folder(folder), identity_of("collapse", dataset, settings, seed))
    x = binarise_rows(as_float(torch.from_numpy(dataset.part("test").x[:rows].copy())), seed)
    kept = len(dataset.train) - int(len(dataset.train) * settings.validation)
    total = int(settings.resolve(kept).epochs) * -(-kept // settings.batch_size)
    table, models, rates = [], {}, {}
    for name, one in variants(settings, total).items():
        place = folder / "runs" / name.replace(" ", "-")
        models[name], seconds = obtain(one, dataset, place, seed, watch, f"training: {name}", device)
        watch.step(f"measuring: {name}", 0, 1)
        report = models[name].evaluate(x, binarise=False, samples=samples, seed=seed)
        rates[name] = report["rate_per_unit"]
        kept_back = ("nll", "nll_stderr", "distortion", "rate", "active_units", "mutual_information")
        table.append({"run": name, **{key: report[key] for key in kept_back}, "seconds": seconds})
    return Collapse(table, models, rates, x[:_SHOWN])


def draw(found: Collapse, folder: Path, seed: int) -> dict[str, str]:
    """Draw the pictures; their places by name."""
    paths = {name: folder / f"{name}.png" for name in ("rate", "units", "pictures")}
    by_name = {name: model.history for name, model in found.models.items()}
    best = min(record["loss"] for history in by_name.values() for record in history)
    panels = [
        Panel(title, "epoch", up, {name: _column(history, key) for name, history in by_name.items()}, limits)
        for title, up, key, limits in (
            ("rate", "nats, of training pictures", "rate", None),
            ("active latents", "of held-out pictures", "active_units", None),
            ("loss", "nats, of training pictures", "loss", (best - 1, best + _LOSSES)),
        )
    ]
    save_lines(panels, paths["rate"])
    save_bars({name: np.array(rates) for name, rates in found.rates.items()}, paths["units"], "nats", "latents", 6)
    x = found.x.numpy()
    sheet = {"real": x}
    for name, model in found.models.items():
        sheet[f"{name}: again"] = model.reconstruct(x, seed=seed, sample=True)
        # Another seed: with the same noise for the pixels, a decoder without latents would draw the same again.
        sheet[f"{name}: dreams"] = model.dream(len(x), seed=seed + 1, sample=True)
    save_rows(sheet, paths["pictures"])
    return {name: str(path) for name, path in paths.items()}


def _column(history: list[dict[str, Any]], key: str) -> tuple[list[float], list[float]]:
    known = [(record["epoch"], record[key]) for record in history if record[key] is not None]
    return [epoch for epoch, _ in known], [value for _, value in known]
