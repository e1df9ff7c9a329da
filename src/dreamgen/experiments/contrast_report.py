"""What `contrast` found, as tables and pictures."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from dreamgen.data import Dataset
from dreamgen.experiments.codes import SOURCES
from dreamgen.experiments.contrast import Contrast, Measured
from dreamgen.experiments.holes import BASE_RATE, Share
from dreamgen.experiments.tables import as_markdown, as_text
from dreamgen.files import dump_json, write_bytes
from dreamgen.plots_experiments import Plane, save_comparison, save_distances, save_planes
from dreamgen.walks import plane_grid

_SHOWN = 18  # pictures of each kind on a sheet
_CELLS = 20  # along each side of a decoded square
_DOTS = 4000  # codes on a map

_TITLES = {
    "prior": "N(0, I)",
    "fitted": "fitted Gaussian",
    "midpoints": "half way",
    "reconstructions": "reconstructions",
}

Table = tuple[str, list[dict[str, Any]]]


def report(found: Contrast) -> dict[str, Any]:
    """Every figure, ready for JSON."""
    return {
        "settings": found.base.to_dict(),
        "base_rate": BASE_RATE,
        "thresholds": {view: holes.threshold for view, holes in found.measures.items()},
        "overlays": {view: share.to_dict() for view, share in found.overlays.items()},
        "models": [
            {
                "model": model.name,
                **model.figures,
                "holes": {
                    view: {source: share.to_dict() for source, share in shares.items()}
                    for view, shares in model.holes.items()
                },
                "median_distance": {
                    view: {source: d.median().item() for source, d in by_source.items()}
                    for view, by_source in model.distances.items()
                },
            }
            for model in _models(found)
        ],
    }


def _models(found: Contrast) -> Iterator[Measured]:
    for models in found.models.values():
        yield from models


def tables(found: Contrast) -> list[Table]:
    """Titles and rows: the codes, and the holes in each view, in per cent."""
    codes = [{"model": model.name, **model.figures} for model in _models(found)]
    all_tables: list[Table] = [("Codes of test rows; losses in nats per example, one sample each", codes)]
    for view, holes in found.measures.items():
        title = (
            f"Holes, {view}: % farther than {holes.threshold:.2f} from every training row. "
            f"Real test rows {BASE_RATE:.0%}, two of them laid over each other {_percent(found.overlays[view])}"
        )
        rows = [
            {
                "model": model.name,
                "latents": model.figures["latents"],
                **{source: _percent(model.holes[view][source]) for source in SOURCES},
            }
            for model in _models(found)
        ]
        all_tables.append((title, rows))
    return all_tables


def _percent(share: Share) -> str:
    return f"{100 * share.value:.1f} ± {100 * share.stderr:.1f}"


def text(found: Contrast) -> str:
    """The tables for a person."""
    return _join(found, as_text)


def _join(found: Contrast, form: Callable[[list[dict[str, Any]]], str]) -> str:
    return "\n\n".join(f"{title}\n\n{form(rows)}" for title, rows in tables(found))


def write(found: Contrast, dataset: Dataset, folder: Path, seed: int) -> dict[str, str]:
    """Write the figures (JSON, Markdown) and the pictures into a folder; where each is, by name."""
    write_bytes(folder / "contrast.json", dump_json(report(found)))
    write_bytes(folder / "table.md", _join(found, as_markdown).encode())
    pictures = {"map": folder / "map.webp"}
    _draw_map(found.models[2], dataset, pictures["map"], seed)
    for latents, models in found.models.items():
        dreams = pictures[f"dreams-{latents}"] = folder / f"dreams-{latents}.webp"
        rows = {_TITLES[source]: [_cell(model, source) for model in models] for source in SOURCES}
        save_comparison([model.name for model in models], rows, dreams)
        distances = pictures[f"distances-{latents}"] = folder / f"distances-{latents}.webp"
        save_distances(
            {
                model.name: {
                    view: {s: d.numpy() for s, d in sources.items()} for view, sources in model.distances.items()
                }
                for model in models
            },
            {view: (holes.test_distances.numpy(), holes.threshold) for view, holes in found.measures.items()},
            distances,
        )
    return {name: str(path) for name, path in pictures.items()}


def _cell(model: Measured, source: str) -> tuple[Any, str]:
    holes = {view: _percent(shares[source]) for view, shares in model.holes.items()}
    return model.pictures[source][:_SHOWN].numpy(), f"holes: {holes['grey']} % grey, {holes['shape']} % shape"


def _draw_map(models: list[Measured], dataset: Dataset, path: Path, seed: int) -> None:
    assert dataset.test.labels is not None
    planes = []
    for model in models:
        codes = torch.from_numpy(model.generator.transform(dataset.test.x[:_DOTS]))
        # The middle 98%, so that a single far code does not shrink the rest to a dot.
        ends = torch.quantile(codes, torch.tensor([0.01, 0.99]), dim=0)
        centre, span = ends.mean(0), (ends[1] - ends[0]).max().item() * 0.55
        z = plane_grid(torch.zeros(2), (0, 1), _CELLS, span=1.0) * span + centre
        grid = model.generator.inverse_transform(z.numpy()).reshape(_CELLS, _CELLS, *dataset.test.x.shape[1:])
        planes.append(Plane(model.name, codes.numpy(), grid, (centre[0].item(), centre[1].item()), span))
    save_planes(planes, path, dataset.test.labels[:_DOTS], dataset.classes)
