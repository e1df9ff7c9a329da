"""Values that come from anywhere, as JSON can hold them and as a page may show them."""

import datetime
import html
import math
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

_LONG = 10_000  # whole numbers from here on have their thousands set apart
_KEPT = "\n\t"  # the control characters that a page may obey
# What turns the direction of reading, and what is not seen at all.
_HIDDEN = frozenset("\u061c\u200b\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2060\u2066\u2067\u2068\u2069\ufeff")


def plain(value: Any) -> Any:
    """A value as JSON can hold it: numpy's numbers and arrays become Python's, what is not known its text."""
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()  # half a character cannot be written
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [plain(item) for item in value]
    return plain(str(value))


def is_number(value: Any) -> bool:
    """Whether a value is shown as a number, and so stands to the right of its column."""
    return isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_)


def shown(value: Any) -> str:
    """A value for a person: four digits of a fraction, a dash for what does not exist."""
    value = plain(value)
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1e4 or abs(value) >= 1e15 else f"{value:,.0f}"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= _LONG else str(value)  # 2024 may be a year
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {shown(item)}" for name, item in value.items())
    return visible(str(value))


def visible(text: str) -> str:
    """Text whose control characters are spelt out: what turns the direction of reading must not be obeyed."""
    return "".join(f"\\u{ord(letter):04x}" if _is_hidden(letter) else letter for letter in text)


def _is_hidden(letter: str) -> bool:
    return letter in _HIDDEN or (unicodedata.category(letter) in ("Cc", "Cs") and letter not in _KEPT)


def escaped(value: Any) -> str:
    """A value as the text or the quoted attribute of a page."""
    return html.escape(shown(value), quote=True)
