"""The packages that only tables need, imported when a table is met."""

from typing import Any

from dreamgen.extras import needed


def _needed(name: str) -> Any:
    return needed(name, "tables", "table")


def arrow() -> Any:
    """The module pyarrow; raises SettingsError that says how to install it."""
    return _needed("pyarrow")


def compute() -> Any:
    """The module pyarrow.compute."""
    return _needed("pyarrow.compute")


def narwhals() -> Any:
    """The module narwhals."""
    return _needed("narwhals")
