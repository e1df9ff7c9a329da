"""Figures as bytes, and names from anywhere on them."""

import io
import warnings
from typing import Any

from PIL import Image

from dreamgen.reports.values import visible

REAL = "0.72"  # the colour of what was there; the others are compared with it
_LONGEST = 28  # characters of a name on a picture


def name_of(text: object, longest: int = _LONGEST) -> str:
    """A name as a picture can show it: one line, shortened, and no formula."""
    line = " ".join(visible(str(text)).split())
    line = line if len(line) <= longest else line[: longest - 1] + "…"
    # Dollars would begin a formula; a name that begins with an underscore would not be in the legend.
    return (" " if line.startswith("_") else "") + line.replace("$", r"\$")


def png(figure: Any) -> bytes:
    """A figure as PNG, the same bytes for the same figure."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A letter that the font lacks is drawn as a box, and the page beside the picture has it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        figure.savefig(buffer, dpi=120, bbox_inches="tight", format="png", metadata={"Software": None})
    small = io.BytesIO()
    with Image.open(buffer) as image:
        image.convert("RGB").save(small, format="PNG", optimize=True)
    return small.getvalue()


def legend_below(figure: Any, axis: Any) -> None:
    """One legend for all panels, from the names of one of them."""
    handles, names = axis.get_legend_handles_labels()
    if handles:
        figure.legend(handles, names, loc="outside lower center", ncols=min(len(names), 5))
