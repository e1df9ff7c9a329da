"""Train once for each value of a setting, and measure every model in the same way.

FOLDER/runs/NAME=VALUE/           a model
FOLDER/runs/NAME=VALUE/row.json   its figures; a run that has them is not repeated

See docs/experiments/sweep.md.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from dreamgen.config import Settings
from dreamgen.data import Dataset
from dreamgen.data.context import Context
from dreamgen.data.meaning import Meaning
from dreamgen.errors import DataError, DivergedError, ModelFileError
from dreamgen.evaluation.sharpness import edge_energy
from dreamgen.experiments.grid import Point
from dreamgen.experiments.runs import Observer, claim, identity_of, obtain
from dreamgen.files import dump_json, make_folder, parse_json, write_bytes
from dreamgen.generator import DreamGenerator
from dreamgen.models import build_model
from dreamgen.objectives import build_objective
from dreamgen.recipes import find_settings
from dreamgen.training import UPDATES
from dreamgen.training.checkpoint import locked
from dreamgen.training.update import check_learning_rate

ROW = "row.json"
FIGURES = ("nll", "nll_stderr", "elbo", "rate", "distortion", "active_units", "mutual_information")
_DREAMS = 1000  # pictures whose sharpness is measured

Row = dict[str, Any]


def base_settings(recipe: str | None, data: str) -> Settings:
    """The recipe; without one, that of the data on binarised pixels, so that there is a likelihood to compare."""
    settings = find_settings(recipe, data)
    return settings.replace(binarise="dynamic") if recipe is None else settings


def sweep(
    dataset: Dataset,
    base: Settings,
    points: Sequence[Point],
    folder: Path,
    *,
    samples: int = 100,
    seed: int = 0,
    device: str = "auto",
    watch: Observer | None = None,
    on_rows: Callable[[list[Row]], None] = lambda rows: None,
) -> list[Row]:
    """Train and measure each point, or take up what the folder has of it.

    Args:
        dataset: with a test part, or the training part is measured.
        base: what the points have in common.
        points: the runs, in order.
        folder: of the sweep.
        samples: K, importance samples for each row.
        seed: of every training and measure.
        device: to train on.
        watch: told where it stands.
        on_rows: told the rows so far after each run.

    Returns:
        A row for each point: what varies, nats per example, units, sharpness, seconds, and `reason` where a figure is
        missing. A run that diverges is a row without figures.

    Raises:
        SettingsError: a point that cannot be built, before anything is trained; or the folder holds another sweep.
        Interrupted: the watch said so; the same call goes on from there.
    """
    watch = watch or Observer()
    for point in points:
        _check(point.settings, dataset)
    rows = []
    with locked(make_folder(folder)):
        claim(folder, identity_of("sweep", dataset, base, seed, samples=samples))
        for number, point in enumerate(points, 1):
            what = f"{point.label} ({number} of {len(points)})"
            row = _row(point, dataset, folder / "runs" / point.name, samples, seed, device, watch, what)
            rows.append({"run": point.label, **point.values, **row})
            on_rows(rows)
    return rows


def _check(settings: Settings, dataset: Dataset) -> None:
    """Build the point's parts without memory: a mistake in the last is found before the first is trained."""
    if dataset.rows.are_lines:
        raise DataError(f"{dataset.name} holds lines of text: expected pictures, or other numbers")
    train = dataset.train
    known = train.labels, dataset.classes, dataset.attributes_of(train)
    context, properties = (
        Context.of(getattr(settings, name), *known, setting=name) for name in ("context", "properties")
    )
    with torch.device("meta"):
        shape = dataset.rows.x.shape[1:]
        model = build_model(settings, Meaning(shape, context, properties))
        UPDATES.build(
            settings.update,
            model=model,
            settings=settings,
            event_shape=shape,
            rows=len(dataset.train),
            steps=1,
            seed=0,
        )
    build_objective(settings)
    check_learning_rate(settings)


def _row(
    point: Point, dataset: Dataset, folder: Path, samples: int, seed: int, device: str, watch: Observer, what: str
) -> Row:
    path = folder / ROW
    if path.is_file():
        found = parse_json(path.read_bytes(), str(path))
        if not isinstance(found, dict):
            raise ModelFileError(f"{path}: expected the figures of a run")
        return found
    row: Row
    try:
        model, seconds = obtain(point.settings, dataset, folder, seed, watch, what, device)
        row = {**measure(model, dataset, samples, seed, watch, what), "seconds": seconds}
    except DivergedError as error:
        row = dict.fromkeys((*FIGURES, "sharpness_dreams", "sharpness_reconstructions", "seconds"))
        row |= {"reason": str(error)}
    write_bytes(make_folder(folder) / ROW, dump_json(row))
    return row


def measure(model: DreamGenerator, dataset: Dataset, samples: int, seed: int, watch: Observer, what: str) -> Row:
    """The figures of one model on the test part, or on the training part where there is none.

    `sharpness_dreams` and `sharpness_reconstructions` are edge energies relative to the real rows'; 1 is as sharp.
    """
    part = dataset.test if len(dataset.test) else dataset.train
    x, saved = part.x, model.fitted()
    told = dataset.given(part, saved.context) if saved.context else None

    def progress(done: int) -> None:
        watch.step(f"{what}, likelihood", done, len(x))

    report = model.evaluate(x, given=told, samples=samples, seed=seed, progress=progress)
    row = {name: report[name] for name in FIGURES}
    row |= {"sharpness_dreams": None, "sharpness_reconstructions": None, "reason": report.get("nll_reason")}
    if x.ndim > 2:
        real = edge_energy(torch.from_numpy(x[:_DREAMS].copy()))
        drawn = not saved.model.decoder.likelihood.has_mean
        few = dataset.given(part[:_DREAMS], saved.context) if saved.context else None
        for name, pictures in (
            ("dreams", model.dream(_DREAMS, seed=seed, sample=drawn)),
            ("reconstructions", model.reconstruct(x[:_DREAMS], given=few, seed=seed, sample=drawn)),
        ):
            # Flat pictures have no edges to be compared with.
            row[f"sharpness_{name}"] = edge_energy(torch.from_numpy(pictures)) / real if real else None
    for name, value in row.items():
        if isinstance(value, float) and not math.isfinite(value):
            row |= {name: None, "reason": f"{name} is {value}"}
    return row
