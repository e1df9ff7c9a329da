"""From nothing to codes, from codes to examples, and which of several examples is the one to show."""

from dreamgen.dreaming.codes import (
    BLOCK,
    CodeSource,
    decode_rows,
    dream_codes,
    dream_context,
    dream_level,
)
from dreamgen.dreaming.picking import picked_dreams
from dreamgen.dreaming.real_or_dreamt import RealOrDreamt, read_again
from dreamgen.dreaming.searching import search_rows

__all__ = [
    "BLOCK",
    "CodeSource",
    "RealOrDreamt",
    "decode_rows",
    "dream_codes",
    "dream_context",
    "dream_level",
    "picked_dreams",
    "read_again",
    "search_rows",
]
