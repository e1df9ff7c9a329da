"""Codes on a plane, with thumbnails of the examples, coloured by what is known of them, and a morph drawn in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamgen.plots import Pictures, as_pictures, new_figure, save_figure, scatter_codes

_INCHES, _DPI = 11.0, 120
_FRAME = 2.0  # points, around a picture


def save_projection(
    path: Path,
    points: Pictures,
    thumbnails: tuple[npt.NDArray[np.int64], npt.NDArray[Any]],
    *,
    labels: npt.NDArray[np.int64] | None = None,
    classes: Sequence[str] = (),
    colour: str = "",
    way: Pictures | None = None,
    frames: tuple[npt.NDArray[np.int64], npt.NDArray[Any]] | None = None,
    axes: tuple[str, str] = ("", ""),
    size: float = 0.5,
) -> None:
    """Draw codes as dots, some of the examples as pictures, and the way of a morph.

    Args:
        path: an image file.
        points: (n, 2).
        thumbnails: numbers of points, (k,), and their pictures, (k, *event).
        labels: of the points, (n,), to colour dots and frames by; None: all are grey.
        classes: names of the labels.
        colour: what the labels say, for the legend.
        way: the points of a morph in their order, (t, 2).
        frames: numbers of points of the way, and their pictures.
        axes: what the axes show.
        size: of a picture, in inches.
    """
    figure, (axis,) = new_figure(_INCHES, _INCHES)
    scatter_codes(axis, points, labels, classes)
    if legend := axis.get_legend():
        legend.set_title(colour)
        legend.set_zorder(5)
    colours = _colours(labels)
    rows, pictures = thumbnails
    for row, picture in zip(rows, as_pictures(pictures), strict=True):
        _put(axis, picture, points[row], size, colours[int(labels[row])] if labels is not None else "0.4", 2)
    if way is not None and len(way):
        axis.plot(*way.T, "-", color="black", lw=2.5, zorder=3)
        axis.plot(*way.T, "-", color="white", lw=1.0, zorder=3)
        steps, shown = frames if frames is not None else (np.empty(0, np.int64), np.empty((0, 2, 2)))
        for step, picture in zip(steps, as_pictures(shown) if len(steps) else shown, strict=True):
            _put(axis, picture, way[step], 1.25 * size, "black", 4)
    axis.set(xlabel=axes[0], ylabel=axes[1])
    save_figure(figure, path)


def _colours(labels: npt.NDArray[np.int64] | None) -> dict[int, Any]:
    """The colours that `scatter_codes` gives to labels."""
    from matplotlib import colormaps

    if labels is None:
        return {}
    kinds = np.unique(labels)
    chosen = colormaps["tab10" if len(kinds) <= 10 else "turbo"](np.linspace(0, 1, max(len(kinds), 2)))
    return {int(kind): colour for kind, colour in zip(kinds, chosen, strict=False)}


def _put(axis: Any, picture: Pictures, place: Pictures, size: float, colour: Any, above: int) -> None:
    """One picture at a place, `size` inches wide, in a frame."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    zoom = size * 72 / picture.shape[1]  # a picture of p pixels is p points wide
    image = OffsetImage(picture, zoom=zoom, cmap="gray", interpolation="antialiased")
    image.image.set_clim(0, 1)
    frame = {"edgecolor": colour, "lw": _FRAME}
    axis.add_artist(AnnotationBbox(image, tuple(place), pad=0.0, bboxprops=frame, zorder=above))
