"""The pictures of the experiments: several models side by side, and figures against a setting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamgen.plots import Pictures, as_pictures, new_figure, save_figure, scatter_codes, sheet


@dataclass(frozen=True)
class Plane:
    """A model with two latents, to be drawn.

    Attributes:
        title: above it.
        codes: posterior means, (n, 2).
        grid: a square of the plane, decoded: (size, size, *event), top row first.
        centre: of the square.
        span: how far it reaches from its centre.
    """

    title: str
    codes: Pictures
    grid: Pictures
    centre: tuple[float, float]
    span: float


def save_planes(planes: Sequence[Plane], path: Path, labels: npt.NDArray[np.int64], classes: Sequence[str]) -> None:
    """Codes by label above, the same square decoded below; a ring holds 95% of the standard normal prior."""
    figure, axes = new_figure(4.6 * len(planes), 9.6, len(planes), rows=2)
    angle = np.linspace(0, 2 * np.pi, 200)
    ring = np.sqrt(-2 * np.log(0.05)) * np.stack([np.cos(angle), np.sin(angle)])
    for column, plane in enumerate(planes):
        (x, y), span = plane.centre, plane.span
        square = (x - span, x + span, y - span, y + span)
        above, below = axes[:, column]
        scatter_codes(above, plane.codes, labels, classes)
        if above.get_legend() is not None and column:
            above.get_legend().remove()
        below.imshow(_mosaic(plane.grid), cmap="gray", vmin=0, vmax=1, extent=square)
        above.plot(*ring, "k--", lw=1.5)
        below.plot(*ring, "--", color="C1", lw=1.5)
        for axis in (above, below):
            axis.set(xlim=square[:2], ylim=square[2:], aspect="equal")
        above.set_title(plane.title)
    axes[0, 0].set_ylabel("codes of test rows, by label")
    axes[1, 0].set_ylabel("the same square, decoded")
    save_figure(figure, path)


def _mosaic(grid: Pictures) -> Pictures:
    """A grid of pictures, (rows, columns, *event), as one."""
    rows, columns = grid.shape[:2]
    flat = as_pictures(grid.reshape(rows * columns, *grid.shape[2:]))
    lines = [np.concatenate(list(line), axis=1) for line in flat.reshape(rows, columns, *flat.shape[1:])]
    mosaic: Pictures = np.concatenate(lines)
    return mosaic


def save_comparison(
    columns: Sequence[str], rows: Mapping[str, Sequence[tuple[Pictures, str]]], path: Path, across: int = 6
) -> None:
    """Sheets of pictures in a table.

    Args:
        columns: titles of the columns.
        rows: by title, for each column its pictures, (n, *event), and a line below them.
        path: where to.
        across: pictures in a line of a sheet.
    """
    depth = -(-len(next(iter(rows.values()))[0][0]) // across)
    height = len(rows) * (0.45 + 3.4 * depth / across) + 0.3
    figure, axes = new_figure(3.5 * len(columns), height, len(columns), rows=len(rows))
    axes = axes.reshape(len(rows), len(columns))
    for line, (name, cells) in zip(axes, rows.items(), strict=True):
        for axis, (pictures, caption) in zip(line, cells, strict=True):
            axis.imshow(np.asarray(sheet(pictures, across)), cmap="gray", vmin=0, vmax=255)
            axis.set(xticks=[], yticks=[], xlabel=caption)
            axis.spines[:].set_visible(False)
        line[0].set_ylabel(name)
    for axis, title in zip(axes[0], columns, strict=True):
        axis.set_title(title)
    save_figure(figure, path)


def save_distances(
    columns: Sequence[str], distances: Sequence[Mapping[str, Pictures]], test: Pictures, threshold: float, path: Path
) -> None:
    """How far pictures lie from the nearest training row, by source, with real test rows behind them in grey.

    Args:
        columns: a title for each model.
        distances: for each model, by source, (n,).
        test: of real test rows, (n,).
        threshold: what lies beyond it is a hole.
        path: where to.
    """
    figure, axes = new_figure(3.6 * len(columns), 3.2, len(columns))
    largest = max(float(np.quantile(d, 0.995)) for by_source in distances for d in (*by_source.values(), test))
    bins = np.linspace(0, largest, 60).tolist()
    for axis, title, by_source in zip(np.atleast_1d(axes), columns, distances, strict=True):
        axis.hist(test, bins, density=True, color="0.8", label="real test rows")
        for source, values in by_source.items():
            axis.hist(values, bins, density=True, histtype="step", lw=1.4, label=source)
        axis.axvline(threshold, color="k", ls="--", lw=1)
        axis.set(title=title, yticks=[], xlabel="distance to the nearest training row")
    handles, names = np.atleast_1d(axes)[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    save_figure(figure, path)


def save_rate_distortion(groups: Mapping[str, Sequence[tuple[str, float, float]]], path: Path) -> None:
    """Rate across and distortion up, in nats: one line for each swept setting, its points named by their values."""
    figure, axes = new_figure(7.5, 6)
    for name, points in groups.items():
        ordered = sorted(points, key=lambda point: point[1])
        axes[0].plot([p[1] for p in ordered], [p[2] for p in ordered], "o-", ms=4, label=name)
        for value, rate, distortion in ordered:
            axes[0].annotate(value, (rate, distortion), xytext=(4, 4), textcoords="offset points", fontsize=8)
    axes[0].set(xlabel="rate, nats", ylabel="distortion, nats")
    axes[0].legend()
    save_figure(figure, path)


def save_against(
    name: str, values: Sequence[str], columns: Mapping[str, Mapping[str, Sequence[float | None]]], path: Path
) -> None:
    """A panel for each figure, with its lines against the values of one setting, which stand evenly, as named."""
    figure, axes = new_figure(3.2 * len(columns), 3.2, len(columns))
    places = np.arange(len(values))
    for axis, (title, lines) in zip(axes, columns.items(), strict=True):
        for label, line in lines.items():
            known: list[Any] = [np.nan if value is None else value for value in line]
            axis.plot(places, known, "o-", ms=4, label=label)
        axis.set(title=title, xlabel=name)
        axis.set_xticks(places, values)
    if any(next(iter(columns.values()))):
        axes[0].legend(fontsize="small")
    save_figure(figure, path)
