"""What was measured already: one JSON file each, so that a run that was stopped goes on where it was."""

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Found = dict[str, Any]


class Cache:
    """Results by name in a folder; without a folder nothing is kept."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        if folder:
            folder.mkdir(parents=True, exist_ok=True)

    def get(self, name: str, measure: Callable[[], Found]) -> Found:
        """The result of that name, measured if it is not there, with its seconds."""
        file = self.folder / f"{re.sub('[^a-z0-9.]+', '-', name.lower())}.json" if self.folder else None
        if file and file.exists():
            found: Found = json.loads(file.read_text())
            return found
        started = time.perf_counter()
        found = measure()
        found["seconds"] = round(time.perf_counter() - started, 2)
        print(f"{name}: {found}", file=sys.stderr, flush=True)
        if file:
            part = file.with_suffix(".part")
            part.write_text(json.dumps(found))
            part.replace(file)
        return found
