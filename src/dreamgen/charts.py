"""Charts: lines, bars, histograms and named rows of pictures, for experiments that compare several things."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamgen.plots import Pictures, as_pictures, new_figure, save_figure, sheet

_REACH = 4.0  # widths of the first set

Values = Sequence[float] | npt.NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Panel:
    """Lines over a common axis.

    Attributes:
        title, across, up: its title and the names of its axes.
        lines: x and y of each, by name.
        limits: of the upward axis; None: what the lines need.
    """

    title: str
    across: str
    up: str
    lines: Mapping[str, tuple[Values, Values]]
    limits: tuple[float, float] | None = None


def save_lines(panels: Sequence[Panel], path: Path, mark: str = "o-") -> None:
    """Panels side by side; a name has one colour in all of them, and one legend."""
    figure, axes = new_figure(4.6 * len(panels), 3.6, len(panels))
    names = list(dict.fromkeys(name for panel in panels for name in panel.lines))
    for axis, panel in zip(axes, panels, strict=True):
        for name, (x, y) in panel.lines.items():
            axis.plot(x, y, mark, ms=3, color=f"C{names.index(name)}", label=name)
        axis.set(title=panel.title, xlabel=panel.across, ylabel=panel.up, ylim=panel.limits)
        axis.grid(alpha=0.3)
    handles = {line.get_label(): line for axis in axes for line in axis.get_lines()}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=min(len(names), 5))
    save_figure(figure, path)


def save_bars(groups: Mapping[str, Values], path: Path, up: str, across: str, columns: int = 5) -> None:
    """A panel of bars for each group, all on one scale, the largest bar first."""
    columns = min(columns, len(groups))
    rows = math.ceil(len(groups) / columns)
    figure, axes = new_figure(2.6 * columns + 0.6, 2.6 * rows, columns, rows=rows)
    top = 1.05 * max(float(np.max(values)) for values in groups.values())
    flat = np.asarray(axes).ravel()
    for axis in flat[len(groups) :]:
        axis.set_axis_off()
    for axis, (name, values) in zip(flat, groups.items(), strict=False):
        axis.bar(np.arange(len(values)), np.sort(values)[::-1], color="C0")
        axis.set(title=name, xlabel=across, ylim=(0, top), xticks=[])
    flat[0].set_ylabel(up)
    save_figure(figure, path)


def save_rows(rows: Mapping[str, Pictures], path: Path) -> None:
    """Rows of pictures of one length, each with its name to the left; rows named alike share it."""
    length = len(next(iter(rows.values())))
    image = np.asarray(sheet(np.concatenate([as_pictures(x) for x in rows.values()]), columns=length))
    scale = 7.0 / image.shape[1]
    figure, axes = new_figure(9.4, 0.3 + image.shape[0] * scale)
    axes[0].imshow(image, cmap="gray", vmin=0, vmax=255)
    height = image.shape[0] / len(rows)
    axes[0].set_yticks([(row + 0.5) * height for row in range(len(rows))], list(rows))
    axes[0].set_xticks([])
    axes[0].tick_params(length=0)
    axes[0].spines[:].set_visible(False)
    save_figure(figure, path)


def save_histograms(panels: Mapping[str, Mapping[str, Values]], path: Path, columns: int = 3) -> None:
    """A panel for each score with the histogram of each set; the first set is filled, as the one to compare with.

    A panel reaches four times the first set's width to either side at most; what lies beyond is counted at its ends.
    """
    rows = math.ceil(len(panels) / columns)
    figure, axes = new_figure(4.2 * columns, 2.7 * rows, columns, rows=rows)
    flat = np.asarray(axes).ravel()
    for axis in flat[len(panels) :]:
        axis.set_axis_off()
    for axis, (title, sets) in zip(flat, panels.items(), strict=False):
        everything = np.concatenate([np.asarray(values) for values in sets.values()])
        left, right = np.quantile(next(iter(sets.values())), [0.005, 0.995]).tolist()
        low, high = np.quantile(everything, [0.002, 0.998]).tolist()
        low, high = max(low, left - _REACH * (right - left)), min(high, right + _REACH * (right - left))
        edges, inside = np.linspace(low, high, 61), []
        for number, (name, values) in enumerate(sets.items()):
            style = {"color": "0.75"} if number == 0 else {"histtype": "step", "lw": 1.5, "color": f"C{number - 1}"}
            bars, _, _ = axis.hist(np.clip(values, low, high), edges, density=True, label=name, **style)
            inside.append(bars[1:-1].max())
        # A bar at an end, which counts all that lies beyond, may rise above the panel.
        axis.set(title=title, yticks=[], ylim=(0, 1.15 * max(inside)))
    handles, names = flat[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    save_figure(figure, path)


def save_profiles(profiles: Mapping[str, Mapping[str, Values]], path: Path, first: int, across: str, up: str) -> None:
    """A panel of bars beside each other for each title: numbers from place `first` on, by name."""
    figure, axes = new_figure(3.0 * len(profiles), 2.8, len(profiles))
    for axis, (title, bars) in zip(axes, profiles.items(), strict=True):
        width = 0.8 / len(bars)
        for number, (name, values) in enumerate(bars.items()):
            places = np.arange(len(values)) + first
            axis.bar(places + (number - (len(bars) - 1) / 2) * width, values, width, label=name)
        axis.set(title=title, xlabel=across, ylim=(-0.05, 1.1), xticks=np.arange(len(values)) + first)
    axes[0].set_ylabel(up)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    save_figure(figure, path)
