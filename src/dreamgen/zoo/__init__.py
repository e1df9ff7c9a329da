"""Models that ship with the package, each a folder beside this file."""

import os
from pathlib import Path

from dreamgen.errors import SettingsError
from dreamgen.files import MANIFEST
from dreamgen.registry import nearest

_HERE = Path(__file__).parent


def shipped_models() -> list[str]:
    """Names of the models that ship."""
    return sorted(folder.name for folder in _HERE.iterdir() if (folder / MANIFEST).is_file())


def find_model(name_or_folder: str | Path) -> Path:
    """The folder of a model, given it or a shipped model's name; raises SettingsError if there is none."""
    folder, shipped = Path(name_or_folder), str(name_or_folder) in shipped_models()
    # os.path answers for names that no file can have, and for folders that cannot be looked into.
    if os.path.isfile(folder / MANIFEST) or (os.path.isdir(folder) and not shipped):  # noqa: PTH112, PTH113
        return folder
    if shipped:
        return _HERE / str(name_or_folder)
    raise SettingsError(
        f"no model folder and no shipped model is called {str(name_or_folder)!r}: "
        f"{nearest(str(name_or_folder), shipped_models())}, or a folder"
    )
