"""How verbs show where they stand, and stop when asked to."""

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from dreamgen.errors import Interrupted

if TYPE_CHECKING:
    from dreamgen.experiments.runs import Observer
    from dreamgen.training import Record


@contextlib.contextmanager
def counting(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr of how many of how many are done; silent where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, visible=False)
        yield lambda done, total: bar.update(task, completed=done, total=total, visible=True)


@contextlib.contextmanager
def progress() -> Iterator[Callable[["Record"], None]]:
    """A line of progress on stderr; silent where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda record: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        TextColumn("{task.fields[state]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", epoch=1, state="")
        active = ""

        def show(record: "Record") -> None:
            nonlocal active
            if record.active_units is not None:
                active = f", {record.active_units} latents active"
            state = (
                f"loss {record.loss:.2f} = distortion {record.distortion:.2f} + {record.beta:g} × rate "
                f"{record.rate:.2f}{active}, {record.rows_per_second:,.0f} rows/s"
            )
            bar.update(task, total=record.total, completed=record.step, epoch=record.epoch, state=state)

        yield show


@contextlib.contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """True after Ctrl-C or a polite kill, so that the step in hand is finished and saved; a second one is obeyed at
    once."""
    asked: list[int] = []

    def ask(number: int, _frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def watching() -> Iterator["Observer"]:
    """A watch with a bar on stderr, silent where that is no terminal; Ctrl-C saves and says how to go on."""
    from dreamgen.experiments.runs import Observer

    with stop_on_signal() as stop:
        try:
            if not sys.stderr.isatty():
                yield Observer(stop=stop)
                return
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
            with Progress(*columns, console=Console(stderr=True)) as bar:
                task = bar.add_task("reading")

                def tell(what: str, done: int, total: int) -> None:
                    bar.update(task, description=what, completed=done, total=total)

                yield Observer(tell, stop)
        except Interrupted as error:
            raise Interrupted(f"{error}; the same command goes on from there") from None
