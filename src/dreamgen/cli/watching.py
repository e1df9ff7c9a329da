"""How the experiments' verbs show where they stand, and stop when asked to."""

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from dreamgen.cli.train import stop_on_signal
from dreamgen.errors import Interrupted

if TYPE_CHECKING:
    from dreamgen.experiments.runs import Watch


@contextlib.contextmanager
def watching() -> Iterator["Watch"]:
    """A watch with a bar on stderr, silent where that is no terminal; Ctrl-C saves and says how to go on."""
    from dreamgen.experiments.runs import Watch

    with stop_on_signal() as stop:
        try:
            if not sys.stderr.isatty():
                yield Watch(stop=stop)
                return
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
            with Progress(*columns, console=Console(stderr=True)) as bar:
                task = bar.add_task("reading")

                def tell(what: str, done: int, total: int) -> None:
                    bar.update(task, description=what, completed=done, total=total)

                yield Watch(tell, stop)
        except Interrupted as error:
            raise Interrupted(f"{error}; the same command goes on from there") from None
