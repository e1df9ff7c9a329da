"""Sheets of examples, maps, morphs and curves. Others draw what they are about: codes (`plots_codes.py`), experiments
(`plots_experiments.py`), reports (`reports/pictures.py`), molecules (`chemistry/drawing.py`).
"""

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from dreamgen.errors import DataError, OutputError
from dreamgen.files import make_folder, write_bytes

Pictures = npt.NDArray[np.floating[Any]]

_GAP = 2  # pixels between the pictures of a sheet
_SMALL = 64  # pictures narrower than this are enlarged on sheets
_PAPER = 255

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
"""What pictures are written as, by suffix."""


def as_pictures(x: npt.ArrayLike, shape: Sequence[int] | None = None) -> Pictures:
    """Examples, (n, ...), as pictures in [0, 1], (n, height, width[, channels]).

    Flat rows become squares where they can. Raises DataError where examples are not pictures.
    """
    x = np.asarray(x)
    event = tuple(x.shape[1:] if shape is None else shape)
    if len(event) == 1 and math.isqrt(event[0]) ** 2 == event[0]:
        event = (math.isqrt(event[0]),) * 2
    if len(event) == 3 and event[2] == 1:
        event = event[:2]
    if len(event) not in (2, 3) or (len(event) == 3 and event[2] != 3):
        raise DataError(
            "expected pictures, (height, width) or (height, width, 3), "
            f"got examples of shape {event}, which go into an .npz"
        )
    if x.size != len(x) * math.prod(event):
        raise DataError(f"expected examples of shape {event}, got {x.shape[1:]}")
    scaled = x / 255.0 if x.dtype == np.uint8 else x
    clipped: Pictures = np.clip(scaled.reshape(len(x), *event), 0, 1)
    return clipped


def sheet(pictures: Pictures, columns: int | None = None) -> Image.Image:
    """Pictures side by side, in rows; small ones are enlarged by a whole number, so their pixels stay sharp."""
    x = np.rint(as_pictures(pictures) * 255).astype(np.uint8)
    columns = columns or math.ceil(math.sqrt(len(x)))
    rows = math.ceil(len(x) / columns)
    times = max(1, round(_SMALL / x.shape[2]))
    x = x.repeat(times, 1).repeat(times, 2)
    height, width = x.shape[1] + _GAP, x.shape[2] + _GAP
    paper = np.full((rows * height + _GAP, columns * width + _GAP, *x.shape[3:]), _PAPER, np.uint8)
    for number, picture in enumerate(x):
        top, left = number // columns * height + _GAP, number % columns * width + _GAP
        paper[top : top + x.shape[1], left : left + x.shape[2]] = picture
    return Image.fromarray(paper)


def save_image(image: Image.Image, path: Path) -> None:
    """Write a picture as a whole; the suffix says the format. Raises OutputError."""
    buffer = io.BytesIO()
    if path.suffix.lower() not in FORMATS:
        raise OutputError(f"{path}: expected a picture's name, with {', '.join(FORMATS)}")
    try:
        image.save(buffer, format=FORMATS[path.suffix.lower()])
    except (OSError, ValueError) as error:  # some formats have a largest size
        raise OutputError(f"{path}: {image.width}x{image.height} pixels cannot be written so: {error}") from error
    make_folder(path.parent)
    write_bytes(path, buffer.getvalue())


def save_sheet(pictures: Pictures, path: Path, columns: int | None = None) -> None:
    """Write a sheet of pictures."""
    save_image(sheet(pictures, columns), path)


def reconstructions(originals: Pictures, again: Pictures) -> Image.Image:
    """Originals in the upper row, what came back of each below it, ten pairs across."""
    originals, again = as_pictures(originals), as_pictures(again)
    pairs = []
    for start in range(0, len(originals), 10):
        for block in (originals[start : start + 10], again[start : start + 10]):
            padding = np.ones((10 - len(block), *block.shape[1:]), block.dtype)
            pairs.append(np.concatenate([block, padding]))
    return sheet(np.concatenate(pairs), columns=10)


def new_figure(width: float, height: float, panels: int = 1, rows: int = 1) -> tuple[Any, Any]:
    """A figure in inches and its axes, (panels,), or (rows, panels) where there are several rows."""
    # A figure of its own, without pyplot: no global state, no window, and half the time to import.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, panels, squeeze=False)
    return figure, axes if rows > 1 else axes[0]


def save_figure(figure: Any, path: Path) -> None:
    """Write a figure; the suffix says the format."""
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=120, bbox_inches="tight", format="png", metadata={"Software": None})
    with Image.open(buffer) as image:
        save_image(image.convert("RGB"), path)


def save_map(
    grid: Pictures,
    path: Path,
    *,
    plane: Sequence[int],
    ticks: npt.NDArray[np.floating[Any]],
    codes: Pictures | None = None,
    labels: npt.NDArray[np.int64] | None = None,
    classes: Sequence[str] = (),
) -> None:
    """A decoded plane, (size, size, *event), and beside it the codes that real examples have there, by label."""
    size = len(grid)
    flat = as_pictures(grid.reshape(size * size, *grid.shape[2:]))
    rows = [np.concatenate(list(row), axis=1) for row in flat.reshape(size, size, *flat.shape[1:])]
    scatter = codes is not None and len(codes) > 0
    figure, axes = new_figure(15 if scatter else 8, 8, 2 if scatter else 1)
    axes[0].imshow(np.concatenate(rows), cmap="gray", vmin=0, vmax=1)
    shown = np.unique(np.linspace(0, size - 1, 7).round().astype(int))
    cell_h, cell_w = flat.shape[1], flat.shape[2]
    axes[0].set_xticks((shown + 0.5) * cell_w, [f"{ticks[i]:.2f}" for i in shown])
    axes[0].set_yticks((size - shown - 0.5) * cell_h, [f"{ticks[i]:.2f}" for i in shown])
    vertical = f"latent {plane[1]}" if len(plane) > 1 else ""
    for axis in axes:
        axis.set(xlabel=f"latent {plane[0]}", ylabel=vertical)
    axes[0].set_title("decoded")
    if codes is not None and scatter:
        scatter_codes(axes[1], codes[:, list(plane)], labels, classes)
        axes[1].set_title("posterior means of training examples")
    save_figure(figure, path)


def scatter_codes(axis: Any, points: Pictures, labels: npt.NDArray[np.int64] | None, classes: Sequence[str]) -> None:
    """Codes, (n, 1 or 2), as dots coloured by label, with a legend where the labels are few."""
    points = points.astype(np.float64)
    points = points if points.shape[1] > 1 else np.concatenate([points, np.zeros_like(points)], axis=1)
    if labels is None:
        axis.scatter(*points.T, s=6, c="0.4")
    else:
        for kind, colour in label_colours(labels).items():
            name = classes[kind].replace("$", r"\$") if 0 <= kind < len(classes) else str(kind)
            axis.scatter(*points[labels == kind].T, s=6, color=colour, label=name)
        if len(np.unique(labels)) <= 20:
            axis.legend(markerscale=2.5, fontsize="small")
    axis.set_aspect("equal")


def label_colours(labels: npt.NDArray[np.int64]) -> dict[int, Any]:
    """A colour for each label that there is."""
    from matplotlib import colormaps

    kinds = np.unique(labels)
    many = len(kinds)
    colours = colormaps["tab10"](np.arange(many)) if many <= 10 else colormaps["turbo"](np.linspace(0, 1, many))
    return {int(kind): colour for kind, colour in zip(kinds, colours, strict=False)}


def save_curve(history: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Loss by epoch, on training and validation rows, and its two parts."""
    figure, axes = new_figure(11, 4, 2)
    epochs = [record["epoch"] for record in history]
    axes[0].plot(epochs, [record["loss"] for record in history], "o-", ms=3, label="training")
    if any(record["validation"] is not None for record in history):
        axes[0].plot(epochs, [record["validation"] for record in history], "o-", ms=3, label="validation")
    axes[0].set(xlabel="epoch", ylabel="loss, nats per example")
    axes[0].legend()
    axes[1].plot(epochs, [record["distortion"] for record in history], "C2-", label="distortion")
    axes[1].set(xlabel="epoch", ylabel="distortion, nats")
    beside = axes[1].twinx()
    beside.plot(epochs, [record["rate"] for record in history], "C3-", label="rate")
    beside.set(ylabel="rate, nats")
    lines = [*axes[1].get_lines(), *beside.get_lines()]
    axes[1].legend(lines, [line.get_label() for line in lines], loc="center right")
    save_figure(figure, path)


def save_traversal(
    pictures: Pictures, path: Path, latents: Sequence[int], rates: Sequence[float], span: float
) -> None:
    """One row a latent, (latents, steps, *event), named with the rate it carries."""
    rows, steps = pictures.shape[:2]
    flat = as_pictures(pictures.reshape(rows * steps, *pictures.shape[2:]))
    image = np.asarray(sheet(flat, columns=steps))
    figure, axes = new_figure(2 + steps * 0.6, max(1.5, rows * 0.6))
    axes[0].imshow(image, cmap="gray", vmin=0, vmax=255)
    height = image.shape[0] / rows
    names = [f"latent {latent}: {rate:.2f} nats" for latent, rate in zip(latents, rates, strict=True)]
    axes[0].set_yticks([(row + 0.5) * height for row in range(rows)], names)
    width = image.shape[1] / steps
    axes[0].set_xticks([0.5 * width, (steps - 0.5) * width], [f"{-span:g}", f"{span:g}"])
    save_figure(figure, path)
