"""Trainings of an experiment: each in a folder of its own, finished ones are not repeated, killed ones go on.

FOLDER/experiment.json     what the folder was begun with; anything else is refused
FOLDER/runs/NAME           a run, and once it is finished an ordinary model folder
"""

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamgen.config import Settings
from dreamgen.data import Dataset
from dreamgen.errors import Interrupted, SettingsError
from dreamgen.files import MANIFEST, dump_json, parse_json, write_bytes
from dreamgen.generator import DreamGenerator

IDENTITY = "experiment.json"


@dataclass(frozen=True)
class Observer:
    """How an experiment says where it stands, and asks whether to stop.

    Attributes:
        tell: told what is being done, how much of it is done, and how much there is.
        stop: asked often; once it is true, the experiment saves what it has and raises Interrupted.
    """

    tell: Callable[[str, int, int], None] = lambda what, done, total: None
    stop: Callable[[], bool] = lambda: False

    def step(self, what: str, done: int, total: int) -> None:
        """Tell, then ask; raises Interrupted."""
        self.tell(what, done, total)
        if self.stop():
            raise Interrupted(f"stopped at {what}")


def claim(folder: Path, identity: Mapping[str, Any]) -> None:
    """Write down what a folder's runs have in common, or check that it is the same.

    Args:
        folder: of the experiment; it exists.
        identity: names and plain values.

    Raises:
        SettingsError: the folder was begun with something else; the first name that differs is said.
    """
    path = folder / IDENTITY
    if not path.is_file():
        write_bytes(path, dump_json(identity))
        return
    found = parse_json(path.read_bytes(), str(path))
    found = found if isinstance(found, dict) else {}
    for name in sorted({*identity, *found}):
        if found.get(name) != identity.get(name):
            raise SettingsError(
                f"{folder} was begun with other settings: {name} = {found.get(name)!r}, now {identity.get(name)!r}; "
                "choose another folder"
            )


def identity_of(experiment: str, dataset: Dataset, settings: Settings, seed: int, **more: Any) -> dict[str, Any]:
    """What decides every figure of an experiment, flat."""
    facts = {"experiment": experiment, "data": dataset.name, "data_sha256": dataset.sha256, "seed": seed}
    return {**facts, **more, **settings.to_dict()}


def obtain(
    settings: Settings, dataset: Dataset, folder: Path, seed: int, watch: Observer, what: str, device: str = "auto"
) -> tuple[DreamGenerator, float | None]:
    """The model that a folder holds, or that is trained into it now.

    Returns:
        The model, and the seconds that its training took; None where it was not trained from start to end now.

    Raises:
        Interrupted: the watch said so; the same call goes on from there.
        DivergedError: as `DreamGenerator.fit`.
    """
    if (folder / MANIFEST).is_file():
        return DreamGenerator.load(folder, device), None
    checkpoints = folder / "checkpoints"
    fresh, started = not checkpoints.exists(), time.perf_counter()
    generator = DreamGenerator.from_settings(settings, device, seed)
    generator.fit_set(
        dataset,
        out=folder,
        resume=True,
        stop=watch.stop,
        on_record=lambda record: watch.tell(what, record.step, record.total),
    )
    seconds = time.perf_counter() - started
    generator.save(folder)
    shutil.rmtree(checkpoints)  # a finished model needs none
    return generator, seconds if fresh else None
