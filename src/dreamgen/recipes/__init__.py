"""Recipes: named configurations of the same parts. A paper is a few lines here, not a class."""

from pathlib import Path

from dreamgen.config import Settings, read_toml
from dreamgen.data import NAMED_SETS, holds
from dreamgen.errors import SettingsError
from dreamgen.recipes.conditional import CONDITIONAL
from dreamgen.recipes.digits import DIGITS
from dreamgen.recipes.faces import FACES
from dreamgen.recipes.family import FAMILY
from dreamgen.recipes.lines import LINES
from dreamgen.recipes.readers import READERS
from dreamgen.recipes.recipe import Recipe
from dreamgen.recipes.shapes import SHAPES
from dreamgen.recipes.sharp import SHARP
from dreamgen.recipes.tables import TABLES
from dreamgen.registry import nearest

__all__ = ["RECIPES", "Recipe", "find_settings"]

RECIPES: dict[str, Recipe] = {
    **DIGITS,
    **FAMILY,
    **CONDITIONAL,
    **SHARP,
    **FACES,
    **SHAPES,
    **TABLES,
    **LINES,
    **READERS,
}

_USUAL = {"pictures": "default", "lines": "sequence", "molecules": "molecule"}


def find_settings(recipe: str | None, data: str = "") -> Settings:
    """Settings of a recipe by name, or of a TOML file.

    None: the recipe named like the named set; `molecule` or `sequence` for what holds such; or the default.

    Raises SettingsError, naming the nearest recipe, if there is none.
    """
    if recipe is None:
        recipe = data if data in RECIPES and data in NAMED_SETS else _USUAL[holds(data)]
    if recipe in RECIPES:
        return RECIPES[recipe].settings
    if recipe.endswith(".toml"):
        return read_toml(Path(recipe))
    raise SettingsError(f"unknown recipe {recipe!r}: {nearest(recipe, RECIPES)}, or a .toml file")
