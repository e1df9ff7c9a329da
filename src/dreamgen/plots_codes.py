"""Codes on a plane, with thumbnails of the examples, coloured by what is known of them, and a morph drawn in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamgen.plots import Pictures, as_pictures, label_colours, new_figure, save_figure, scatter_codes

_INCHES = 11.0
_FRAME = 2.0  # points, around a picture
_LARGER = 1.25  # pictures on the way, than the others
_ROOM = 1.5  # between their middles, so that the way is seen between them


def save_projection(
    path: Path,
    points: Pictures,
    thumbnails: tuple[npt.NDArray[np.int64], npt.NDArray[Any]],
    *,
    labels: npt.NDArray[np.int64] | None = None,
    classes: Sequence[str] = (),
    colour: str = "",
    way: Pictures | None = None,
    frames: npt.NDArray[Any] | None = None,
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
        frames: their pictures, (t, *event), of which as many are drawn as there is room for.
        axes: what the axes show.
        size: of a picture, in inches.
    """
    figure, (axis,) = new_figure(_INCHES, _INCHES)
    scatter_codes(axis, points, labels, classes)
    if legend := axis.get_legend():
        legend.set_title(colour)
        legend.set_zorder(5)
    axis.set(xlabel=axes[0], ylabel=axes[1])
    colours = {} if labels is None else label_colours(labels)
    rows, pictures = thumbnails
    for row, picture in zip(rows, as_pictures(pictures) if len(rows) else (), strict=True):
        _put(axis, picture, points[row], size, colours[int(labels[row])] if labels is not None else "0.4", 2)
    if way is not None and len(way):
        axis.plot(*way.T, "-", color="crimson", lw=3, zorder=3)
        axis.plot(*way.T, "-", color="white", lw=1.0, zorder=3)
        figure.draw_without_rendering()  # lays out the axes, which then know where a point lies
        shown = as_pictures(frames) if frames is not None else ()
        for step in _apart(axis, way, _LARGER * size) if frames is not None else ():
            _put(axis, shown[step], way[step], _LARGER * size, "crimson", 4)
    save_figure(figure, path)


def save_values(
    path: Path,
    points: Pictures,
    values: npt.NDArray[np.floating[Any]] | None,
    *,
    colour: str = "",
    way: Pictures | None = None,
    axes: tuple[str, str] = ("", ""),
) -> None:
    """Draw codes, (n, 2), as dots coloured by a number of each, (n,), with a bar that tells the colours.

    Args:
        path: an image file.
        points: the dots.
        values: None: all are grey. Colours span the middle 98%, so that a few far numbers do not take them all.
        colour: what the numbers say.
        way: the points of a morph in their order, (t, 2).
        axes: what the axes show.
    """
    figure, (axis,) = new_figure(_INCHES, _INCHES)
    if values is None:
        scatter_codes(axis, points, None, ())
    else:
        low, high = np.percentile(values, (1, 99))
        dots = axis.scatter(*points.T, s=8, c=values, cmap="viridis", vmin=low, vmax=high)
        figure.colorbar(dots, ax=axis, shrink=0.7, label=colour)
        axis.set_aspect("equal")
    axis.set(xlabel=axes[0], ylabel=axes[1])
    if way is not None and len(way):
        axis.plot(*way.T, "-", color="crimson", lw=3, zorder=3)
        axis.plot(*way.T, "-", color="white", lw=1.0, zorder=3)
    save_figure(figure, path)


def _apart(axis: Any, way: Pictures, size: float) -> list[int]:
    """Numbers of points of a way whose pictures do not cover one another, its two ends always among them."""
    inches = axis.transData.transform(way) / axis.figure.dpi
    chosen = [0]
    for place in range(1, len(way) - 1):
        if min(np.abs(inches[place] - inches[other]).max() for other in (chosen[-1], len(way) - 1)) > _ROOM * size:
            chosen.append(place)
    return [*chosen, len(way) - 1]


def _put(axis: Any, picture: Pictures, place: Pictures, size: float, colour: Any, above: int) -> None:
    """One picture at a place, `size` inches wide, in a frame."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    zoom = size * 72 / picture.shape[1]  # a picture of p pixels is p points wide
    image = OffsetImage(picture, zoom=zoom, cmap="gray", interpolation="antialiased")
    image.image.set_clim(0, 1)
    frame = {"edgecolor": colour, "lw": _FRAME}
    axis.add_artist(AnnotationBbox(image, tuple(place), pad=0.0, bboxprops=frame, zorder=above))
