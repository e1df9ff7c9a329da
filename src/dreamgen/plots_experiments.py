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
    figure, axes = new_figure(4.0 * len(planes), 8.4, len(planes), rows=2)
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
    sheets = {name: [(np.asarray(sheet(x, across)), below) for x, below in cells] for name, cells in rows.items()}
    width = max(3.4, 0.45 * across)
    heights = [width * cells[0][0].shape[0] / cells[0][0].shape[1] for cells in sheets.values()]
    captions = any(below for cells in sheets.values() for _, below in cells)
    height = sum(heights) + len(rows) * (0.35 if captions else 0.08) + 0.4
    figure, axes = new_figure(width * len(columns) + 0.6, height, len(columns), rows=len(rows))
    axes = axes.reshape(len(rows), len(columns))
    for line, (name, cells) in zip(axes, sheets.items(), strict=True):
        for axis, (image, below) in zip(line, cells, strict=True):
            axis.imshow(image, cmap="gray", vmin=0, vmax=255)
            axis.set(xticks=[], yticks=[], xlabel=below)
            axis.spines[:].set_visible(False)
        # Across, so that long names of values stay whole.
        line[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for axis, title in zip(axes[0], columns, strict=True):
        axis.set_title(title)
    save_figure(figure, path)


def save_distances(
    models: Mapping[str, Mapping[str, Mapping[str, Pictures]]],
    tests: Mapping[str, tuple[Pictures, float]],
    path: Path,
) -> None:
    """How far pictures lie from the nearest training row: a column for each model, a line for each view.

    Args:
        models: distances, (n,), by model, view and source.
        tests: for each view those of real test rows, (n,), drawn in grey, and the threshold of a hole.
        path: where to.
    """
    figure, axes = new_figure(3.6 * len(models), 2.6 * len(tests) + 0.4, len(models), rows=len(tests))
    for line, (view, (test, threshold)) in zip(axes.reshape(len(tests), -1), tests.items(), strict=True):
        found = [d for by_view in models.values() for d in by_view[view].values()]
        bins = np.linspace(0, max(float(np.quantile(d, 0.995)) for d in [*found, test]), 60).tolist()
        for axis, (name, by_view) in zip(line, models.items(), strict=True):
            density = axis.hist(test, bins, density=True, color="0.8", label="real test rows")[0]
            for source, distances in by_view[view].items():
                axis.hist(distances, bins, density=True, histtype="step", lw=1.4, label=source)
            axis.axvline(threshold, color="k", ls="--", lw=1, label="holes lie beyond")
            # Pictures that are all alike make a spike, which may leave the panel.
            axis.set(title=name, yticks=[], xlabel=f"distance to the nearest training row, {view}")
            axis.set_ylim(0, 2 * density.max())
    handles, names = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    save_figure(figure, path)


def save_rate_distortion(groups: Mapping[str, Sequence[tuple[str, float, float]]], path: Path) -> None:
    """Rate across and distortion up, in nats: a line for each swept setting, its points named by their values.

    The rate's axis is logarithmic above 1 nat and even below, so that a rate of 0 has its place.
    """
    from matplotlib.ticker import SymmetricalLogLocator

    figure, axes = new_figure(7.5, 6)
    for number, (name, points) in enumerate(groups.items()):
        colour, below = f"C{number}", number % 2  # two settings often meet in one point: their names part
        axes[0].plot([p[1] for p in points], [p[2] for p in points], "o-", ms=4, color=colour, label=name)
        for value, rate, distortion in points:
            axes[0].annotate(
                value,
                (rate, distortion),
                xytext=(-5, -11) if below else (5, 5),
                ha="right" if below else "left",
                textcoords="offset points",
                fontsize=8,
                color=colour,
            )
    axes[0].set_xscale("symlog", linthresh=1)
    axes[0].xaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=1, subs=(1, 2, 5)))
    axes[0].xaxis.set_major_formatter("{x:g}")
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
