"""How well a model of lines gives back what it reads, and what its dreams and readings of molecules are worth."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamgen.cli.bars import counting
from dreamgen.cli.common import told_of
from dreamgen.cli.lines import NONE, counts_of, require_drawable, write_lines, write_structures, write_table
from dreamgen.cli.output import write_out
from dreamgen.errors import DataError, SettingsError
from dreamgen.registry import nearest

if TYPE_CHECKING:
    from dreamgen.data import Dataset, Examples
    from dreamgen.generator import DreamGenerator

_PAIRS = 5  # beside each other in a picture
_FEW = 1000  # molecules that one process describes


def readable_part(generator: "DreamGenerator", rows: "Examples", dataset: "Dataset") -> tuple["Examples", Any]:
    """The examples that a model can read, and which these are, (n,) bool; raises DataError where it can read none."""
    readable = generator.can_read(rows.x)
    if not readable.any():
        raise DataError(f"{dataset.name}: none of {len(rows)} lines can be written with the model's tokens")
    return rows[readable], readable


def reconstruct_lines(
    generator: "DreamGenerator",
    rows: "Examples",
    dataset: "Dataset",
    path: Path,
    seed: int,
    sample: bool,
    search: int | None,
) -> tuple[dict[str, Any], str]:
    """Write what comes back of lines; the figures, and the same for a person."""
    read, readable = readable_part(generator, rows, dataset)
    require_drawable(path, 2 * len(rows))
    told = told_of(generator, dataset, read)
    with counting("lines written") as watch:
        again_of = generator.reconstruct(read.x, given=told, seed=seed, sample=sample, search=search, watch=watch)
    found = iter(again_of.tolist())
    originals: list[str] = rows.x.tolist()
    again = [next(found) if good else None for good in readable]
    exact = [one == other for one, other in zip(originals, again, strict=True)]
    if path.suffix.lower() == ".csv":
        write_table(path, {"original": originals, "reconstruction": again, "exact": [int(one) for one in exact]})
    elif path.suffix.lower() == ".png":
        write_structures(path, *_pairs(originals, again))
    else:
        write_lines(path, [line or "" for line in again])
    share = sum(exact) / len(rows)  # of all, as is usual: what cannot be read is lost too
    result = {"n": len(rows), "unreadable": len(rows) - len(read), "skipped": len(dataset.skipped), "exact": share}
    valid = counts_of(generator, [line for line in again if line])
    if "molecules" in valid:
        result["none"] = len(read) - valid["molecules"]
    said = {"could not be read": result["unreadable"], "came back as no molecule": result.get("none", 0)}
    left = "".join(f"; {count:,} {what}" for what, count in said.items() if count)
    return result, f"{len(rows):,} reconstructions in {path}: {share:.1%} are exact{left}"


def _pairs(originals: Sequence[str], again: Sequence[str | None]) -> tuple[list[str | None], int, list[str]]:
    """Structures in rows, each row of originals above what came back of them, how many side by side, and legends."""
    from dreamgen.chemistry.molecules import parse

    shown: list[str | None] = []
    legends: list[str] = []
    across = min(_PAIRS, len(originals))
    for start in range(0, len(originals), across):
        blank = [None] * (across - len(originals[start : start + across]))
        shown += [*originals[start : start + across], *blank, *again[start : start + across], *blank]
        pairs = list(zip(originals[start : start + across], again[start : start + across], strict=True))
        said = ["exact" if a == b else "not read" if b is None else "" if parse(b) else NONE for a, b in pairs]
        legends += [f"{start + place}" for place in range(len(pairs))] + [""] * len(blank)
        legends += [*said, *[""] * len(blank)]
    return shown, across, legends


def exact_share(generator: "DreamGenerator", lines: Sequence[str], told: dict[str, Any], n: int) -> float:
    """The share of n lines that come back letter by letter, of which the model can read some."""
    with counting("lines written") as watch:
        again: list[str] = generator.reconstruct(list(lines), given=told, watch=watch).tolist()
    return sum(one == other for one, other in zip(again, lines, strict=True)) / n


def reading_errors(generator: "DreamGenerator", rows: "Examples", dataset: "Dataset") -> dict[str, float]:
    """The mean absolute error of each number that is read off codes of lines, where its true value is known."""
    import numpy as np

    from dreamgen.chemistry.properties import PROPERTIES, properties_of
    from dreamgen.workers import workers_for

    saved = generator.fitted()
    fields = saved.properties.fields if saved.properties else ()
    numbers = [field.name for field in fields if field.kind == "number"]
    known: dict[str, Any] = dict(dataset.attributes_of(rows))
    absent = [name for name in numbers if name not in known and name in PROPERTIES]
    if absent and saved.holds == "molecules":
        computed = properties_of(rows.x.tolist(), absent, workers=workers_for(len(rows), _FEW))
        known |= {name: computed[:, column] for column, name in enumerate(absent)}
    told = told_of(generator, dataset, rows)
    read = generator.read(rows.x, told) if numbers else {}
    return {name: float(np.abs(read[name] - known[name]).mean()) for name in numbers if name in known}


def number_of(generator: "DreamGenerator", rows: "Examples", dataset: "Dataset", name: str | None) -> tuple[Any, str]:
    """A number of each line, (n,), to colour by, and its name; None where there is none and none was asked for.

    Raises:
        SettingsError: neither an attribute of the set nor a property of molecules is called so.
    """
    from dreamgen.chemistry.properties import PROPERTIES, properties_of
    from dreamgen.workers import workers_for

    saved = generator.fitted()
    own = dataset.attributes_of(rows)
    computed = PROPERTIES if saved.holds == "molecules" else {}
    read = saved.properties.names if saved.properties else []
    name = name or next((one for one in read if one in own or one in computed), None)
    if name is None:
        return None, ""
    if name in own:
        return own[name], name
    if name not in computed:
        known = {*own, *computed}
        hint = nearest(name, known) if known else f"{dataset.name} has nothing to colour by"
        raise SettingsError(f"--colour {name}: {hint}")
    return properties_of(rows.x.tolist(), [name], workers=workers_for(len(rows), _FEW))[:, 0], name


def dream_figures(
    generator: "DreamGenerator",
    dreams: int,
    dataset: "Dataset",
    part: str,
    seed: int,
    watch: Callable[[int, int], None],
    picture: Path | None = None,
) -> dict[str, Any]:
    """The figures of dreamt molecules beside those of the training part: `evaluation.molecules.measure`.

    Dreams are picked as the model's settings say, which leaves out what is no molecule; so the share of molecules
    among dreams as they come stands beside. Whether they are new is asked of the molecules that the model was trained
    on alone, and real molecules stand beside them where they are others than those compared with. A picture has their
    properties, and those of as many molecules of the part.
    """
    from dreamgen.evaluation.molecules import measure, property_histograms
    from dreamgen.workers import workers_for

    test = dataset.part(part).x.tolist()  # all of it: likeness depends on how many there are
    written = generator.dream(dreams, seed=seed).tolist()
    train, workers = dataset.train.x.tolist(), workers_for(len(written), _FEW)
    if picture:
        write_out(picture, property_histograms({"test": test[:dreams], "dreams": written}, workers=workers))
    found = measure(written, train, test, seed=seed, canonical=True, workers=workers, watch=watch)
    few = generator.dream(min(dreams, _FEW), seed=seed, picked=1).tolist()
    found["picked"] = generator.fitted().settings.picked
    found["valid_as_they_come"] = counts_of(generator, few)["molecules"] / len(few)
    trained_on = generator.fitted().data.get("set_sha256")
    if trained_on != dataset.sha256:
        del found["dreams"]["novel"]
        why = f"the model was trained on others than {dataset.name}" if trained_on else "what it learned is not known"
        click.echo(f"dreamgen: novel is not told: {why}", err=True)
    if part in ("train", "all"):
        del found["train"]
    return found
