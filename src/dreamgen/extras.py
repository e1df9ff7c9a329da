"""Packages that only some uses need, imported when they are met."""

from functools import cache
from importlib import import_module
from typing import Any

from dreamgen.errors import SettingsError


@cache
def needed(name: str, use: str, extra: str) -> Any:
    """A module of an optional package; raises SettingsError that says how to install it."""
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise SettingsError(f"{use} need {package}, which is not installed: pip install dreamgen[{extra}]") from error
