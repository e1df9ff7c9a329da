"""Parts by name: how a settings file says `{kind = "mlp", activation = "tanh"}` without naming a class.

A file can only pick from what the library registered itself, so loading a model never imports or calls
anything that the file names (no class paths). A part's saved configuration is its constructor's keyword
arguments.
"""

import difflib
import inspect
import numbers
import sys
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any, Generic, TypeVar

from dreamgen.errors import SettingsError

Spec = str | float | int | Mapping[str, Any]
"""How a part is written down: its name, or a table with `kind` and arguments, or a bare number."""

_BITS = 8192  # of a whole number; nothing that is counted needs more


def nearest(word: str, choices: Iterable[str]) -> str:
    """Finish an error message: the nearest valid name, then all of them."""
    choices = sorted(choices)
    close = difflib.get_close_matches(str(word), choices, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}valid: {', '.join(choices)}"


def _fits(value: Any, annotation: Any) -> bool:
    """Whether a value read from TOML or JSON fits an annotation built of plain types, unions and tuples."""
    if annotation is Any or annotation is inspect.Parameter.empty:
        return True
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, option) for option in typing.get_args(annotation))
    if origin is typing.Literal:
        return value in typing.get_args(annotation)
    if origin in (tuple, list):
        item = typing.get_args(annotation)[0]
        return isinstance(value, list | tuple) and all(_fits(v, item) for v in value)
    if origin is not None:
        return isinstance(value, origin)
    if annotation is float:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and abs(value) <= sys.float_info.max  # false for NaN, and for a whole number that is no float
    if annotation is int:
        # Python does not even write out numbers of thousands of digits.
        return isinstance(value, int) and not isinstance(value, bool) and value.bit_length() < _BITS
    return isinstance(value, annotation) if isinstance(annotation, type) else value is annotation


def plain(value: Any) -> Any:
    """A value as TOML and JSON know it: numpy's numbers and tuples become Python's numbers and lists."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, numbers.Number) and hasattr(value, "item"):
        return value.item()
    return value


def shorten(value: Any) -> str:
    """A value for an error message, not longer than a line."""
    try:
        text = repr(value)
    except ValueError:  # Python does not write out numbers of thousands of digits
        text = "a number of thousands of digits"
    return text if len(text) < 80 else text[:76] + " ..."


def type_name(annotation: Any) -> str:
    """An annotation as a person would write it."""
    if typing.get_origin(annotation) is typing.Literal:
        return "one of " + ", ".join(map(repr, typing.get_args(annotation)))
    return annotation.__name__ if isinstance(annotation, type) else str(annotation).replace("typing.", "")


def check_type(name: str, value: Any, annotation: Any) -> None:
    """Raise SettingsError unless `value` fits `annotation`."""
    if not _fits(value, annotation):
        raise SettingsError(f"{name}: expected {type_name(annotation)}, got {shorten(value)}")


T = TypeVar("T")
C = TypeVar("C", bound=Callable[..., Any])


class Registry(Generic[T]):
    """The parts of one role (encoders, priors, ...), by name.

    Args:
        role: what the parts are, for error messages and listings.
        number: the part that a bare number stands for, as (name, argument): `beta = 4` is a constant schedule.
        home: the module that registers the parts, where that is one which the role's own cannot import; it is
            imported once a part is looked for.
    """

    def __init__(self, role: str, number: tuple[str, str] | None = None, home: str | None = None) -> None:
        self.role = role
        self._number = number
        self._home = home
        self._parts: dict[str, Callable[..., T]] = {}

    def register(self, name: str) -> Callable[[C], C]:
        """Decorate a class or function so that settings can name it."""

        def add(part: C) -> C:
            self._parts[name] = part
            return part

        return add

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._all()))

    def __getitem__(self, name: str) -> Callable[..., T]:
        parts = self._all()
        if name not in parts:
            raise SettingsError(f"unknown {self.role} {name!r}: {nearest(name, parts)}")
        return parts[name]

    def _all(self) -> dict[str, Callable[..., T]]:
        if self._home:
            import_module(self._home)
        return self._parts

    def normalise(self, spec: Spec) -> dict[str, Any]:
        """A spec in its long form, `{"kind": ..., **arguments}`; raises SettingsError if it has none."""
        if isinstance(spec, str):
            spec = {"kind": spec}
        elif isinstance(spec, int | float) and not isinstance(spec, bool) and self._number:
            kind, argument = self._number
            spec = {"kind": kind, argument: float(spec)}
        if not isinstance(spec, Mapping) or not isinstance(spec.get("kind"), str):
            raise SettingsError(f"{self.role}: expected a name or a table with 'kind', got {spec!r}")
        return dict(spec)

    def build(self, spec: Spec, **given: Any) -> T:
        """Make the part that `spec` describes.

        Args:
            spec: the part's name, or `{"kind": name, **arguments}`.
            given: what the surroundings know (shapes, sizes); each goes to the part if it asks for it and
                the spec does not set it.

        Raises:
            SettingsError: unknown part or argument (the nearest valid name is said), or a wrong type.
        """
        arguments = self.normalise(spec)
        kind = arguments.pop("kind")
        part = self[kind]
        parameters = inspect.signature(part).parameters
        types_ = typing.get_type_hints(getattr(part, "__init__") if isinstance(part, type) else part)  # noqa: B009
        own = [p for p in parameters if p not in given or p in _OVERRIDABLE]
        for name, value in arguments.items():
            if name not in own:
                raise SettingsError(f"{self.role} {kind!r} has no argument {name!r}: {nearest(name, own)}")
            check_type(f"{self.role} {kind!r}, {name}", value, types_.get(name, Any))
        arguments |= {k: v for k, v in given.items() if k in parameters and k not in arguments}
        for name, parameter in parameters.items():
            if parameter.default is parameter.empty and parameter.kind is parameter.POSITIONAL_OR_KEYWORD:
                self._need(kind, name, arguments)
        return part(**arguments)

    def _need(self, kind: str, name: str, arguments: Mapping[str, Any]) -> None:
        if name not in arguments:
            raise SettingsError(f"{self.role} {kind!r} needs the argument {name!r}")


_OVERRIDABLE = ("hidden",)
"""What the surroundings offer but a part's own settings may replace."""
