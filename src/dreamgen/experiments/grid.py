"""Lists of values, `latent_dim=2,4,8`, and the settings they make around a base."""

import hashlib
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dreamgen.config import Settings, apply_overrides
from dreamgen.errors import SettingsError

_PLAIN = re.compile(r"[\w.=,+\[\] -]{1,80}")
_STRANGE = re.compile(r"[^\w.=,+-]+")
_OPEN, _CLOSE = "[{(", "]})"


@dataclass(frozen=True)
class Point:
    """One run of a sweep.

    Attributes:
        values: the swept settings and their values, as written.
        name: a folder's name; `base` where nothing differs from the base, so that it is trained once.
        settings: everything.
    """

    values: Mapping[str, str]
    name: str
    settings: Settings

    @property
    def label(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.values.items())


def split_values(text: str) -> list[str]:
    """The values between commas; commas within brackets or quotes belong to a value.

    >>> split_values('20, [512, 256], {kind = "linear", steps = 10}')
    ['20', '[512, 256]', '{kind = "linear", steps = 10}']
    """
    values, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        depth += 0 if quote else (letter in _OPEN) - (letter in _CLOSE)
        if letter == "," and not quote and not depth:
            values.append("")
        else:
            values[-1] += letter
    return [value.strip() for value in values]


def read_axes(base: Settings, assignments: Sequence[str]) -> tuple[Settings, dict[str, list[str]]]:
    """The base and the swept values by setting, out of `name=v1,v2,...` texts; a single value changes the base.

    Raises:
        SettingsError: not of that form, a setting twice, an empty value, an invalid base, or nothing to sweep.
    """
    fixed, axes = [], {}
    for assignment in assignments:
        name, equals, text = (part.strip() for part in assignment.partition("="))
        values = split_values(text)
        if not equals or not all(values):
            raise SettingsError(f"-o {assignment}: expected name=value,value,...")
        if name in axes or len(set(values)) < len(values):
            raise SettingsError(f"-o {assignment}: {name} is given the same value or its values twice")
        if len(values) == 1:
            fixed.append(assignment)
        else:
            axes[name] = values
    if not axes:
        raise SettingsError("nothing to sweep: expected -o NAME=VALUE,VALUE,... with two values or more")
    return apply_overrides(base, fixed), axes


def points(base: Settings, axes: Mapping[str, Sequence[str]], cross: bool = False) -> list[Point]:
    """Each setting varied alone around the base, or with `cross` every combination; raises SettingsError."""
    if cross:
        combinations = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    else:
        combinations = [{name: value} for name, values in axes.items() for value in values]
    return [_point(base, values) for values in combinations]


def _point(base: Settings, values: Mapping[str, str]) -> Point:
    assignments = {name: f"{name}={value}" for name, value in values.items()}
    moved = [assignment for assignment in assignments.values() if apply_overrides(base, [assignment]) != base]
    name = ",".join(moved) or "base"
    if not _PLAIN.fullmatch(name):  # tables and long lists: readable as far as it goes, and unmistakable
        digest = hashlib.blake2b(name.encode(), digest_size=4).hexdigest()
        name = f"{_STRANGE.sub('_', name)[:60]}-{digest}"
    return Point(values, name, apply_overrides(base, list(assignments.values())))
