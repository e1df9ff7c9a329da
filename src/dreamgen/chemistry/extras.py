"""The packages that only molecules need, imported when a molecule is met."""

from typing import Any

from dreamgen.extras import needed


def rdkit(name: str) -> Any:
    """A module of RDKit, such as `rdkit("Chem.QED")`; raises SettingsError that says how to install it."""
    return needed(f"rdkit.{name}", "molecules", "molecules")


def selfies() -> Any:
    """The module selfies."""
    return needed("selfies", "molecules", "molecules")
