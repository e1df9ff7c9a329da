"""The packages that only tables need, imported when a table is met."""

from functools import cache
from importlib import import_module
from typing import Any

from dreamgen.errors import SettingsError


@cache
def _needed(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0]
        raise SettingsError(f"tables need {package}, which is not installed: pip install dreamgen[table]") from error


def arrow() -> Any:
    """The module pyarrow; raises SettingsError that says how to install it."""
    return _needed("pyarrow")


def compute() -> Any:
    """The module pyarrow.compute."""
    return _needed("pyarrow.compute")


def narwhals() -> Any:
    """The module narwhals."""
    return _needed("narwhals")
