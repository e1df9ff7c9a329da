"""Arrow types as texts, and back: what a schema file calls a column's dtype."""

import re
from typing import Any

from dreamgen.errors import SettingsError
from dreamgen.registry import shorten
from dreamgen.tables.extras import arrow

_TIMESTAMP = re.compile(r"timestamp\[(s|ms|us|ns)(?:, tz=([A-Za-z0-9_+:/-]+))?\]")
_DICTIONARY = re.compile(r"dictionary<values=([^<>]+), indices=([a-z0-9]+), ordered=([01])>")
_DECIMAL = re.compile(r"decimal(128|256)\((\d+), (-?\d+)\)")
_PLAIN = {"float": "float32", "halffloat": "float16", "date32[day]": "date32", "date64[ms]": "date64"}


def parse_type(text: str) -> Any:
    """The Arrow type that `str(type)` wrote; raises SettingsError."""
    try:
        return _parse(text)
    except (ValueError, AttributeError, TypeError, arrow().ArrowException) as error:
        raise SettingsError(f"dtype: expected an Arrow type such as int64 or string, got {shorten(text)}") from error


def _parse(text: str) -> Any:
    pa = arrow()
    if found := _TIMESTAMP.fullmatch(text):
        return pa.timestamp(found[1], tz=found[2])
    if found := _DICTIONARY.fullmatch(text):
        return pa.dictionary(parse_type(found[2]), parse_type(found[1]), ordered=found[3] == "1")
    if found := _DECIMAL.fullmatch(text):
        make = pa.decimal128 if found[1] == "128" else pa.decimal256
        return make(int(found[2]), int(found[3]))
    return pa.type_for_alias(_PLAIN.get(text, text))
