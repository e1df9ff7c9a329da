"""Pictures of tables: columns of two of them side by side, their correlations, scores with a threshold.

Each returns a PNG's bytes, for `Report.figure`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from dreamgen.plots import new_figure
from dreamgen.reports.canvas import REAL, legend_below, name_of, png

Values = Sequence[float] | npt.NDArray[Any]

_BINS = 40
_BARS = 12  # categories of a panel that have a bar of their own
_DECIMALS = 4  # of grids that bins are laid on
_NAMED = 40  # columns up to which a matrix is named


def histograms(panels: Mapping[str, Mapping[str, Values]], columns: int = 3) -> bytes:
    """A panel for each column with the histogram of each set: the first filled, the others as lines.

    A panel reaches over the middle 99% of all that is finite; what lies beyond is counted at its ends.

    Args:
        panels: by the column's name the values of each set by its name: {"age": {"real": x, "synthetic": y}}.
        columns: panels side by side.
    """
    figure, axes = _panels(len(panels), columns)
    for axis, (title, binned) in zip(axes, binned_shares(panels).items(), strict=False):
        for number, (name, shares) in enumerate(binned.shares.items()):
            style = {"fill": True, "color": REAL} if number == 0 else {"lw": 1.6, "color": f"C{number}"}
            axis.stairs(shares, binned.edges, label=name_of(name), **style)
        axis.set(title=name_of(title), yticks=[])
        _plain_ticks(axis.xaxis)
    if len(panels):
        legend_below(figure, axes[0])
    return png(figure)


class Binned(NamedTuple):
    """A histogram as numbers: the edges of its bins, and by the set's name the share of its values in each."""

    edges: list[float]
    shares: dict[str, list[float]]


def binned_shares(panels: Mapping[str, Mapping[str, Values]]) -> dict[str, Binned]:
    """What `histograms` draws of these panels."""
    found = {}
    for title, sets in panels.items():
        finite = {name: _finite(values) for name, values in sets.items()}
        edges = _edges(np.concatenate(list(finite.values())))
        counts = {name: np.histogram(np.clip(x, edges[0], edges[-1]), edges)[0] for name, x in finite.items()}
        shares = {name: (count / max(len(finite[name]), 1)).tolist() for name, count in counts.items()}
        found[title] = Binned(edges.tolist(), shares)
    return found


def as_numbers(panels: Mapping[str, Mapping[str, Values]]) -> dict[str, dict[str, Any]]:
    """What `histograms` draws of these panels, for a report's JSON."""
    return {title: binned._asdict() for title, binned in binned_shares(panels).items()}


def bars(panels: Mapping[str, Mapping[str, Mapping[Any, float]]], columns: int = 3) -> bytes:
    """A panel for each column with the share of each category in each set, the first set's largest first.

    Columns of many categories come first, so that panels side by side are of like height.

    The categories beyond the first twelve share one bar.

    Args:
        panels: {"work": {"real": {"private": 0.7, ...}, "synthetic": {...}}}.
        columns: panels side by side.
    """
    lengths = {title: min(_categories(sets), _BARS + 1) for title, sets in panels.items()}
    panels = {title: panels[title] for title in sorted(panels, key=lambda title: -lengths[title])}
    columns = max(1, min(columns, len(panels)))
    rows = [lengths[title] for title in list(panels)[::columns]]  # the first of a row is its longest
    figure, axes = _panels(len(panels), columns, [1.1 + 0.24 * longest for longest in rows])
    for place, (axis, (title, sets)) in enumerate(zip(axes, panels.items(), strict=False)):
        longest = rows[place // columns]
        names, shares = _shares(sets)
        height = 0.8 / len(sets)
        for number, (name, values) in enumerate(shares.items()):
            places = np.arange(len(names)) + number * height
            axis.barh(places, values, height, color=REAL if number == 0 else f"C{number}", label=name_of(name))
        axis.set_yticks(np.arange(len(names)) + 0.4 - height / 2, names, fontsize="small")
        axis.set_ylim(longest - 0.1, -0.1 - height / 2)
        axis.set(title=name_of(title))
        axis.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g}%")
    if len(panels):
        legend_below(figure, axes[0])
    return png(figure)


def correlations(matrices: Mapping[str, npt.NDArray[Any]], names: Sequence[str]) -> bytes:
    """Matrices of correlations, (d, d) each, side by side on one scale from -1 to 1; what is not known is grey."""
    d = len(names)
    size = float(np.clip(0.22 * d, 2.2, 6.0))
    figure, axes = new_figure((size + 0.4) * len(matrices) + 1.6, size + 0.8, len(matrices))
    image = None
    for number, (axis, (title, matrix)) in enumerate(zip(axes, matrices.items(), strict=True)):
        axis.set_facecolor("0.8")
        image = axis.imshow(np.asarray(matrix, float), cmap="RdBu_r", vmin=-1, vmax=1)
        axis.set(title=name_of(title), xticks=[], yticks=[])
        if d <= _NAMED:
            shown = [name_of(name, 16) for name in names]
            axis.set_xticks(range(d), shown, rotation=90, fontsize=6)
            axis.set_yticks(range(d), shown if number == 0 else [""] * d, fontsize=6)
    figure.colorbar(image, ax=list(axes), shrink=0.8)
    return png(figure)


def scores(sets: Mapping[str, Values], threshold: float | None = None, across: str = "score") -> bytes:
    """Histograms of scores by set, the first filled, with the threshold beyond which a row is flagged."""
    figure, axes = new_figure(7, 3.2)
    finite = {name: _finite(values) for name, values in sets.items()}
    everything = np.concatenate(list(finite.values()))
    edges = _edges(everything if threshold is None else np.append(everything, threshold), 60, (0.001, 0.995))
    if threshold is not None and threshold > edges[-1]:
        edges = np.linspace(edges[0], threshold * 1.05, 61)
    for number, (name, values) in enumerate(finite.items()):
        style = {"color": REAL} if number == 0 else {"histtype": "step", "lw": 1.6, "color": f"C{number}"}
        weights = np.full(len(values), 1 / max(len(values), 1))
        axes[0].hist(np.clip(values, edges[0], edges[-1]), edges, weights=weights, label=name_of(name), **style)
    if threshold is not None:
        axes[0].axvline(threshold, color="C3", ls="--", lw=1.4, label="threshold")
    axes[0].set(xlabel=name_of(across), ylabel="share of rows")
    legend_below(figure, axes[0])
    return png(figure)


def _panels(count: int, columns: int, heights: Sequence[float] = ()) -> tuple[Any, Any]:
    columns = max(1, min(columns, count))
    rows = max(1, math.ceil(count / columns))
    heights = heights or [2.3] * rows
    figure, axes = new_figure(max(3.4 * columns, 4.0), sum(heights) + 0.3, columns, rows=rows)
    np.asarray(axes).flat[0].get_gridspec().set_height_ratios(heights)
    flat = np.asarray(axes).ravel()
    for axis in flat[count:]:
        axis.set_axis_off()
    return figure, flat


def _plain_ticks(axis: Any) -> None:
    """Few numbers along an axis, each written out as far as it takes, so that none lies on another."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(4))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _written(value, axis.get_majorticklocs())))


def _written(value: float, all_: npt.NDArray[Any]) -> str:
    """A tick's number: with the digits that tell ticks apart, thousands and millions short."""
    step = float(np.diff(all_).min()) if len(all_) > 1 else abs(value)
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if step >= unit / 2:
            return f"{value / unit:g}{letter}" if value else "0"
    return f"{round(value, max(0, 2 - math.floor(math.log10(step)))) if step > 0 else value:.10g}"


def _finite(values: Values) -> npt.NDArray[np.float64]:
    x = np.asarray(values, np.float64).ravel()
    finite: npt.NDArray[np.float64] = x[np.isfinite(x)]
    return finite


def _edges(
    x: npt.NDArray[np.float64], bins: int = _BINS, within: tuple[float, float] = (0.005, 0.995)
) -> npt.NDArray[np.float64]:
    """Bins over the middle of the values; of numbers on a grid, whole or decimal, each bin has equally many."""
    if not len(x):
        return np.linspace(0, 1, bins + 1)
    low, high = np.quantile(x, within).tolist()
    if low == high:
        low, high = float(x.min()), float(x.max())
    for decimals in range(_DECIMALS + 1):
        if np.allclose(x, np.round(x, decimals), rtol=0, atol=10.0 ** -(decimals + 6)):
            width = math.ceil((round((high - low) * 10**decimals) + 1) / bins)
            if width >= 10 and decimals:  # a grid that fine makes no comb
                break
            first, last = round(low * 10**decimals), round(high * 10**decimals)
            return np.arange(first - 0.5, last + 0.5 + width, width) / 10.0**decimals
    return np.linspace(low, high if high > low else low + 1, bins + 1)


def _categories(sets: Mapping[str, Mapping[Any, float]]) -> int:
    return len({name for shares in sets.values() for name in shares})


def _shares(sets: Mapping[str, Mapping[Any, float]]) -> tuple[list[str], dict[str, list[float]]]:
    """The names of the bars and their lengths in each set."""
    everything = list(dict.fromkeys(name for shares in sets.values() for name in shares))
    largest = sorted(everything, key=lambda name: -max(shares.get(name, 0) for shares in sets.values()))
    own, rest = largest[:_BARS], largest[_BARS:]
    lengths = {
        label: [shares.get(name, 0.0) for name in own] + ([sum(shares.get(n, 0.0) for n in rest)] if rest else [])
        for label, shares in sets.items()
    }
    names = [name_of(name, 20) for name in own] + (
        [f"{len(rest)} {'other' if len(rest) == 1 else 'others'}"] if rest else []
    )
    return names, lengths
