"""Pictures of any size on the command line: options, progress, and one brought to a model's shape."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dreamgen.errors import DataError, SettingsError
from dreamgen.registry import shorten

if TYPE_CHECKING:
    from dreamgen.data import Dataset
    from dreamgen.generator import DreamGenerator

F = TypeVar("F", bound=Callable[..., Any])

_DIGITS = 18  # of a row or a seed


def reading_options(verb: F) -> F:
    """--size and --skip-bad."""
    verb = click.option("--skip-bad", is_flag=True, help="Leave out pictures that cannot be read, and count them.")(
        verb
    )
    return click.option(
        "--size", type=click.IntRange(4, 2048), help="Bring pictures of a folder, or faces, to so many pixels a side."
    )(verb)


def load_pictures(data: str, size: int | None = None, skip_bad: bool = False) -> "Dataset":
    """A data set, with a bar while its pictures are decoded, and what is to be said of it on stderr."""
    from dreamgen.data import load_data

    with counting("examples read") as watch:
        dataset = load_data(data, size=size, skip_bad=skip_bad, watch=watch)
    for note in dataset.notes:
        click.echo(f"dreamgen: {dataset.name}: {note}", err=True)
    return dataset


def load_like(data: str, generator: "DreamGenerator") -> "Dataset":
    """A data set whose pictures are brought to the size that those of the training were brought to, if they were."""
    from dreamgen.data import NAMED_SETS, load_data

    size = _trained_size(generator)
    named = NAMED_SETS.get(data)
    sized = named.size is not None if named else os.path.isdir(data)  # noqa: PTH112 - any name is answered
    with counting("examples read") as watch:
        return load_data(data, size=size if sized else None, watch=watch)


def one_example(text: str, generator: "DreamGenerator") -> Any:
    """An example named on the command line, shape (*event).

    An image file, brought to the model's shape with a note; `DATA:ROW`, a row of a named set's test part or of a
    file; `dream:SEED`, a dream of the model.
    """
    from dreamgen.data import NAMED_SETS
    from dreamgen.data.framing import bring_to
    from dreamgen.data.images import IMAGE_SUFFIXES, read_image

    name, colon, row = text.rpartition(":")
    if Path(text).suffix.lower() in IMAGE_SUFFIXES:
        if not os.path.isfile(text):  # noqa: PTH113 - it answers for names that no file can have
            raise DataError(f"{text}: no such image")
        picture, note = bring_to(read_image(Path(text), upright=True), generator.fitted().event_shape)
        if note:
            click.echo(f"dreamgen: {text} {note}", err=True)
        return picture
    if not colon or not row.isdecimal() or len(row) > _DIGITS:
        raise SettingsError(f"{shorten(text)}: expected an image, DATA:ROW (mnist:7, faces.npz:0) or dream:SEED")
    if name == "dream":
        return generator.dream(1, seed=int(row))[0]
    if name not in NAMED_SETS and not os.path.exists(name):  # noqa: PTH110
        raise DataError(f"{name!r} is no data set and no file: expected one of {', '.join(NAMED_SETS)} or a path")
    dataset = load_like(name, generator)
    x = dataset.test.x if name in NAMED_SETS else dataset.part("all").x
    if int(row) >= len(x):
        raise DataError(f"{text}: expected a row from 0 to {len(x) - 1}")
    return x[int(row)]


def _trained_size(generator: "DreamGenerator") -> int | None:
    size = generator.fitted().origin.get("data", {}).get("size")
    return size if isinstance(size, int) else None


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
