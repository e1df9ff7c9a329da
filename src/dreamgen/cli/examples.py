"""Examples on the command line: how they are read, with a bar, and brought to what a model was trained on."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamgen.cli.bars import counting
from dreamgen.errors import DataError, SettingsError
from dreamgen.registry import shorten

if TYPE_CHECKING:
    from dreamgen.data import Dataset
    from dreamgen.data.reading import Reading
    from dreamgen.generator import DreamGenerator

_DIGITS = 18  # of a row or a seed


def reading_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """--size, --skip-bad, --longest and --largest-part, which the verb gets as `reading`."""

    @wraps(verb)
    def told(*, size: int | None, skip_bad: bool, longest: int | None, largest_part: bool, **others: Any) -> Any:
        from dreamgen.data.reading import Reading

        reading = Reading(size=size, skip_bad=skip_bad, longest=longest, largest_part=largest_part)
        return verb(reading=reading, **others)

    options = (
        click.option(
            "--size",
            type=click.IntRange(4, 2048),
            help="Bring pictures of a folder, or faces, to so many pixels a side.",
        ),
        click.option(
            "--skip-bad", is_flag=True, help="Leave out pictures, lines or molecules that are bad, and count them."
        ),
        click.option(
            "--longest",
            type=click.IntRange(1),
            help="Characters that a line or a molecule may have; by default any of a line, 120 of a molecule.",
        ),
        click.option(
            "--largest-part",
            is_flag=True,
            help="Of a mixture, such as a salt, keep the molecule of most heavy atoms.",
        ),
    )
    for option in reversed(options):
        told = option(told)
    return told


def read_data(data: str, reading: "Reading") -> "Dataset":
    """A data set, with a bar while its examples are read, and what is to be said of it on stderr."""
    from dreamgen.data import load_as

    with counting("examples read") as watch:
        dataset = load_as(data, replace(reading, watch=watch))
    say_notes(dataset)
    return dataset


def say_notes(dataset: "Dataset", start: int = 0) -> None:
    """What is to be said of a data set, from one of its notes on, a line each on stderr."""
    for note in dataset.notes[start:]:
        click.echo(f"dreamgen: {dataset.name}: {note}", err=True)


def load_like(data: str, generator: "DreamGenerator", skip_bad: bool | None = None) -> "Dataset":
    """A data set for a model, brought to what it was trained on.

    Pictures get the size that those of the training were brought to, molecules the properties that the model is told.
    With `skip_bad`, lines and molecules that are bad are left out, which is said on stderr; None: where the model is
    of lines.
    """
    from dreamgen.data import NAMED_SETS, holds, load_as
    from dreamgen.data.described import describe
    from dreamgen.data.molecules import read_molecules
    from dreamgen.data.reading import Reading

    size = _trained_size(generator)
    named = NAMED_SETS.get(data)
    sized = named.size is not None if named else os.path.isdir(data)  # noqa: PTH112 - any name is answered
    saved = generator.fitted()
    skip_bad = saved.vocabulary is not None if skip_bad is None else skip_bad
    lines = saved.vocabulary is not None and holds(data) != "pictures"
    with counting("examples read") as watch:
        reading = _trained_reading(generator, skip_bad, watch)
        if saved.holds == "molecules" and holds(data) == "lines":
            dataset = read_molecules(Path(data), reading)
        elif lines and named is None:
            dataset = load_as(data, reading)
        else:
            dataset = load_as(data, Reading(size if sized else None, skip_bad and lines, watch))
    if skip_bad and lines:
        say_notes(dataset)
    if dataset.rows.are_lines != (saved.vocabulary is not None):
        expected = saved.vocabulary.holds if saved.vocabulary else "numbers"
        raise DataError(f"{data} holds {holds(data)}: expected {expected}, which the model was trained on")
    if saved.context is None:
        return dataset
    with counting("molecules described") as watch:  # for what a conditional model is told
        return describe(dataset, saved.settings.replace(properties="none"), watch)


def one_example(text: str, generator: "DreamGenerator") -> Any:
    """An example named on the command line, shape (*event).

    An image file, brought to the model's shape with a note; `DATA:ROW`, a row of a named set's test part or of a
    file; `dream:SEED`, a dream of the model. For a model of lines anything else is a line, or a molecule's SMILES.
    """
    from dreamgen.data import NAMED_SETS
    from dreamgen.data.framing import bring_to
    from dreamgen.data.images import IMAGE_SUFFIXES, read_image

    name, colon, row = text.rpartition(":")
    known = name == "dream" or name in NAMED_SETS or os.path.exists(name)  # noqa: PTH110 - any name is answered
    vocabulary = generator.fitted().vocabulary
    if vocabulary and not (row.isdecimal() and len(row) <= _DIGITS and known):
        return _written(text, vocabulary.holds)
    if Path(text).suffix.lower() in IMAGE_SUFFIXES:
        if not os.path.isfile(text):  # noqa: PTH113 - it answers for names that no file can have
            raise DataError(f"{text}: no such image")
        picture, note = bring_to(read_image(Path(text)), generator.fitted().event_shape)
        if note:
            click.echo(f"dreamgen: {text} {note}", err=True)
        return picture
    if not colon or not row.isdecimal() or len(row) > _DIGITS:
        raise SettingsError(f"{shorten(text)}: expected an image, DATA:ROW (mnist:7, faces.npz:0) or dream:SEED")
    if name == "dream":
        dreamt = generator.dream(1, seed=int(row))[0]
        return _written(str(dreamt), vocabulary.holds) if vocabulary else dreamt
    if not known:
        raise DataError(f"{name!r} is no data set and no file: expected one of {', '.join(NAMED_SETS)} or a path")
    dataset = load_like(name, generator)
    x = dataset.test.x if name in NAMED_SETS else dataset.part("all").x
    if int(row) >= len(x):
        raise DataError(f"{text}: expected a row from 0 to {len(x) - 1}")
    return x[int(row)]


def _written(text: str, held: str) -> str:
    """A line as it is, or a molecule as its canonical SMILES; raises DataError."""
    if held != "molecules":
        return text
    from dreamgen.chemistry.smiles import canonical

    if (smiles := canonical(text)) is None:
        raise DataError(f"{shorten(text)} is no molecule: expected SMILES, DATA:ROW (drugs.smi:0) or dream:SEED")
    return smiles


def _trained_reading(generator: "DreamGenerator", skip_bad: bool, watch: Any) -> "Reading":
    """How molecules are read: as those of the training were."""
    from dreamgen.data.reading import Reading

    data = generator.fitted().data
    longest = data.get("longest")
    return Reading(
        skip_bad=skip_bad,
        longest=longest if isinstance(longest, int) else None,
        largest_part=data.get("largest_part") is True,
        watch=watch,
    )


def _trained_size(generator: "DreamGenerator") -> int | None:
    size = generator.fitted().data.get("size")
    return size if isinstance(size, int) else None
