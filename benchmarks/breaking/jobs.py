"""What runs in the processes that are killed, starved and lied to. Each function is named in an order to `warm`."""

import os
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from breaking import flips, hostile
from breaking.models import small_generator, small_model, small_run
from dreamgen import cli, load_data
from dreamgen.io import load_model, save_model
from dreamgen.training import Checkpoints, train

CHECKPOINT_STEPS = (6, 12)  # the ends of the first two epochs: before the save that is cut off, and after it


def warm_up() -> None:
    """Import and read what every job needs, so that no job's own calls are those of an import."""
    with tempfile.TemporaryDirectory() as folder:
        small_model(Path(folder))
        load_model(Path(folder))


def fit(folder: str) -> None:
    """The real path of training: checkpoints as it goes, then a saved model; goes on where it was killed."""
    data = load_data("digits").train
    assert data.labels is not None
    generator = small_generator()
    generator.fit(data.x[:400], data.labels[:400], out=folder, resume=True).save(folder)


def save_over(source: str, folder: str) -> None:
    """Save the model in `source` over the one in `folder`, once let go."""
    saved = load_model(Path(source))
    _when_let_go(lambda: save_model(Path(folder), saved))


def save_checkpoint(folder: str) -> None:
    """Write the second checkpoint of a run, once let go."""
    run = small_run()
    steps = train(run)
    while run.step < CHECKPOINT_STEPS[1] or len(run.history) < 2:
        next(steps)
    _when_let_go(lambda: Checkpoints(Path(folder)).save(run))


def load(folder: str) -> None:
    """Load a model, once let go."""
    _when_let_go(lambda: load_model(Path(folder)))


def flip(folder: str, count: int, seed: int) -> dict[str, object]:
    """Change a model's files one after the other; see `flips`."""
    return flips.flip(Path(folder), count, seed)


def be_told(command: list[str], outside: str) -> dict[str, Any]:
    """Run the command on a file that means harm; see `hostile`."""
    return hostile.be_told(command, Path(outside))


def _when_let_go(work: Callable[[], Any]) -> None:
    """Stop this process, and go on to `work` as the command would run a verb: errors become a line and a code."""

    def verb(*_: Any, **__: Any) -> None:
        work()

    with mock.patch.object(cli.cli, "main", verb):
        os.kill(os.getpid(), signal.SIGSTOP)
        cli.main([])
