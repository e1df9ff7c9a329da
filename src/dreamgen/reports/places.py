"""Pictures of where something is odd: in a series, in a picture. Each returns a PNG's bytes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamgen.plots import new_figure
from dreamgen.reports.canvas import name_of, png

Array = npt.NDArray[Any]
Span = tuple[Any, Any]

_FLAGGED, _TRUE = "C3", "C2"
_LINES = 6  # series that are drawn
_POINTS = 4000  # of a line: more than a picture has pixels


def series(
    times: Array,
    lines: Mapping[str, Array],
    flagged: Sequence[Span],
    true: Sequence[Span] = (),
    oddness: Array | None = None,
    threshold: float | None = None,
) -> bytes:
    """Series over time, the flagged windows shaded; below them the oddness with its threshold.

    Args:
        times: (n,) numbers or datetime64, in order.
        lines: (n,) each, by name; the first six are drawn, a panel each.
        flagged: first and last moment of each flagged window, of the kind of `times`.
        true: the same of windows that are known to be odd, in another colour.
        oddness: (n,) of each moment; NaN where there is none.
        threshold: beyond which a moment is flagged.
    """
    drawn = list(lines.items())[:_LINES]
    rows = len(drawn) + (oddness is not None)
    figure, axes = new_figure(9.5, 0.8 + 1.5 * rows, 1, rows=rows)
    flat = np.asarray(axes).ravel()
    for axis, (name, values) in zip(flat, drawn, strict=False):
        axis.plot(*_thinned(times, np.asarray(values, float)), color="0.25", lw=0.8)
        axis.set_ylabel(name_of(name, 20), fontsize="small")
    if oddness is not None:
        flat[-1].plot(*_thinned(times, np.asarray(oddness, float)), color="C0", lw=0.9)
        flat[-1].set_ylabel("oddness", fontsize="small")
        if threshold is not None:
            flat[-1].axhline(threshold, color=_FLAGGED, ls="--", lw=1)
    for axis in flat:
        _shade(axis, true, _TRUE, "known to be odd")
        _shade(axis, flagged, _FLAGGED, "flagged")
        axis.set_xlim(times[0], times[-1])
        if axis is not flat[-1]:
            axis.set_xticklabels([])
    handles, names = flat[0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, names, loc="outside lower center", ncols=2)
    return png(figure)


def _shade(axis: Any, spans: Sequence[Span], colour: str, name: str) -> None:
    for number, (first, last) in enumerate(spans):
        axis.axvspan(first, last, color=colour, alpha=0.25, lw=1.0, label=name if number == 0 else None)


def _thinned(times: Array, values: Array) -> tuple[Array, Array]:
    """Few enough points to draw, the lowest and the highest of each stretch among them, so no spike is lost."""
    stretch = len(values) // (_POINTS // 2)
    if stretch < 2:
        return times, values
    kept = []
    for start in range(0, len(values), stretch):
        part = values[start : start + stretch]
        # Gaps stay gaps: a stretch that is all missing is drawn as one missing point.
        known = np.flatnonzero(~np.isnan(part))
        ends = {int(known[np.argmin(part[known])]), int(known[np.argmax(part[known])])} if len(known) else {0}
        kept += sorted(start + end for end in ends)
    return times[kept], values[kept]


def heat_maps(
    pictures: Array,
    heats: Array,
    masks: Array | None = None,
    titles: Sequence[str] = (),
    top: float | None = None,
) -> bytes:
    """Pictures above, the same with their heat laid over them below: where each is odd.

    Args:
        pictures: (n, height, width) or (n, height, width, 3) in [0, 1].
        heats: (n, height, width), all on one scale.
        masks: (n, height, width) bool: what is known to be odd is outlined in both rows.
        titles: one above each.
        top: the heat that has the strongest colour; None: the largest.
    """
    n = len(pictures)
    height = 1.9 * pictures.shape[1] / pictures.shape[2]
    figure, axes = new_figure(1.9 * n + 0.9, 2 * height + 0.7, n, rows=2)
    low, high = float(np.median(heats)), float(heats.max()) if top is None else top
    image = None
    for number in range(n):
        above, below = axes[:, number]
        for axis in (above, below):
            axis.imshow(pictures[number], cmap="gray", vmin=0, vmax=1)
            if masks is not None and masks[number].any():
                axis.contour(masks[number], levels=[0.5], colors="#00c8ff", linewidths=1.0)
            axis.set(xticks=[], yticks=[])
        part = np.clip((heats[number] - low) / max(high - low, 1e-12), 0, 1)
        image = below.imshow(heats[number], cmap="inferno", vmin=low, vmax=high, alpha=0.15 + 0.75 * part)
        if titles:
            above.set_title(name_of(titles[number]), fontsize="small")
    axes[0, 0].set_ylabel("picture", fontsize="small")
    axes[1, 0].set_ylabel("where it is odd", fontsize="small")
    figure.colorbar(image, ax=list(axes[1]), shrink=0.8)
    return png(figure)
