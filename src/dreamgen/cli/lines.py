"""What verbs write of a model of lines in the place of pictures: text, structures drawn, a table of properties."""

import csv
import io
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamgen.cli.output import ARRAYS, PICTURES, check_out, write_examples, write_out
from dreamgen.errors import DataError, SettingsError

if TYPE_CHECKING:
    from dreamgen.data.languages import Held
    from dreamgen.data.molecule_files import Written
    from dreamgen.generator import DreamGenerator
    from dreamgen.io import SavedModel

_TEXTS = {"molecules": (".smi", ".txt", ".csv", ".png"), "lines": (".txt", ".csv")}
_MOST_DRAWN = 1000
MOLECULES = (".smi", ".smiles", ".txt", ".csv")
"""Text files that hold molecules; each may also be gzipped."""

NONE = "no molecule"
"""Below the place of a structure that there is none of."""

Columns = Mapping[str, Sequence[Any]]


def column_of(held: "Held") -> str:
    """The name of a table's column of them."""
    return "smiles" if held == "molecules" else "line"


def usual_out(saved: "SavedModel", stem: str) -> str:
    """The file that a verb writes where none is asked for."""
    return stem + {"pictures": ".png", "lines": ".txt", "molecules": ".smi"}[saved.holds]


def place_for(out: Path | None, generator: "DreamGenerator", stem: str, n: int | None = None) -> Path:
    """Where a verb writes n examples, refused before any work is done; see `check_out` and `require_drawable`."""
    saved = generator.fitted()
    path = check_out(out, usual_out(saved, stem), shown_as(saved.holds))
    if n is not None and saved.holds != "pictures":
        require_drawable(path, n)
    return path


def shown_as(held: "Held") -> tuple[str, ...]:
    """The kinds of files that hold such examples."""
    return _TEXTS.get(held, ARRAYS + PICTURES)


def write_shown(
    path: Path, shown: Any, generator: "DreamGenerator", columns: int | None = None, legends: Sequence[str] = ()
) -> None:
    """Examples as a model shows them: (n, *event) numbers, or (n,) texts.

    Args:
        path: .npz, .npy or a picture for numbers; of texts .smi and .txt have one a line, .csv is a table with
            `properties_told`, .png shows structures.
        shown: the examples.
        generator: whose they are.
        columns: how many side by side in a picture.
        legends: a line below each structure.
    """
    if generator.fitted().holds == "pictures":
        write_examples(path, shown, columns)
        return
    lines = shown.tolist()
    more = properties_told(generator, lines) if path.suffix.lower() == ".csv" else {}
    write_texts(path, lines, generator.fitted().holds, more, columns, legends)


def write_texts(
    path: Path,
    texts: Sequence[str],
    held: "Held",
    more: Columns | None = None,
    columns: int | None = None,
    legends: Sequence[str] = (),
) -> None:
    """Lines or molecules, as the file's name asks; `more` are other columns of a table, by name."""
    if path.suffix.lower() == ".csv":
        write_table(path, {column_of(held): texts, **(more or {})})
    elif path.suffix.lower() == ".png":
        write_structures(path, texts, columns, legends)
    else:
        write_lines(path, texts)


def molecules_in(file: Path) -> "Written":
    """The molecules of a text file as they are written, whatever stands beside them; raises DataError."""
    from dreamgen.data.lines import kind
    from dreamgen.data.molecule_files import written

    if kind(file) in MOLECULES and not os.path.isfile(file):  # noqa: PTH113 - it answers for names that no file has
        raise DataError(f"{file}: no such file")
    if kind(file) not in MOLECULES:
        raise DataError(f"{file}: expected a file that ends in {' or '.join(MOLECULES)}")
    return written(file, skip_bad=True)


def write_lines(path: Path, lines: Sequence[str]) -> None:
    """A text file, one line each, in UTF-8."""
    write_out(path, "".join(f"{line}\n" for line in lines).encode())


def write_table(path: Path, columns: Columns) -> None:
    """A .csv; what is None or not a number has an empty cell."""
    buffer = io.StringIO()
    table = csv.writer(buffer, lineterminator="\n")
    table.writerow(columns)
    table.writerows([_cell(value) for value in row] for row in zip(*columns.values(), strict=True))
    write_out(path, buffer.getvalue().encode())


def write_structures(
    path: Path, smiles: Sequence[str | None], columns: int | None = None, legends: Sequence[str] = ()
) -> None:
    """Structures in a grid, as .png; raises DataError for more than a picture can hold."""
    from dreamgen.chemistry.drawing import draw_png

    require_drawable(path, len(smiles))
    picture = draw_png(smiles, legends, columns or math.ceil(math.sqrt(len(smiles))))
    write_out(path, picture)


def require_drawable(path: Path, n: int) -> None:
    """Raise DataError for a picture of more structures than it can hold."""
    if path.suffix.lower() == ".png" and n > _MOST_DRAWN:
        raise DataError(f"{path}: a picture holds {_MOST_DRAWN} structures, got {n}; a .smi or .csv any")


def properties_told(generator: "DreamGenerator", lines: Sequence[str]) -> Columns:
    """What is known of lines, by name, (n,): each property of the model computed, if it can be, and as it is read.

    NaN where a line is no molecule, or one that the model cannot read. A conditional model reads nothing here.
    """
    import numpy as np

    from dreamgen.chemistry.properties import PROPERTIES, properties_of

    saved = generator.fitted()
    names = saved.properties.names if saved.properties else []
    known = [name for name in names if name in PROPERTIES] if saved.holds == "molecules" else []
    computed = properties_of(lines, known)
    told: dict[str, Any] = {name: computed[:, column].tolist() for column, name in enumerate(known)}
    asked = names and not saved.context  # what a conditional model would be told of its dreams is not at hand
    readable = np.zeros(len(lines), bool)
    if asked and saved.vocabulary:
        readable = generator.can_read(list(lines)) & np.array(saved.vocabulary.valid(lines), bool)
    if readable.any():
        for name, values in generator.read(
            [line for line, good in zip(lines, readable, strict=True) if good]
        ).items():
            if values.ndim == 1:
                column = np.full(len(lines), np.nan)
                column[readable] = values
                told[f"{name}_read"] = column.tolist()
    return told


def legends_for(generator: "DreamGenerator", lines: Sequence[str], names: Sequence[str]) -> list[str]:
    """Below each structure the properties of some names, "logP 3.1", or that it is none."""
    import numpy as np

    from dreamgen.chemistry.molecules import parse

    told = properties_told(generator, lines)
    shown = {name: told.get(name) or told.get(f"{name}_read") for name in names}
    known = {name: values for name, values in shown.items() if values}
    legends = []
    for row, line in enumerate(lines):
        has = {name: values[row] for name, values in known.items()}
        said = [f"{name} {value:.3g}" if np.isfinite(value) else f"{name} not read" for name, value in has.items()]
        legends.append(", ".join(said) if parse(line) is not None else NONE)
    return legends


def counts_of(generator: "DreamGenerator", lines: Sequence[str]) -> dict[str, int]:
    """How many of some lines are different, and, of molecules, how many are valid."""
    if generator.fitted().holds != "molecules":
        return {"lines": len(lines), "different": len(set(lines))}
    from dreamgen.chemistry.smiles import canonical

    found = [smiles for smiles in map(canonical, lines) if smiles]
    return {"molecules": len(found), "different": len(set(found))}


def spoken(counts: Mapping[str, int]) -> str:
    """`counts_of` for a person: "1,000 molecules, 998 different"."""
    return ", ".join(f"{count:,} {what}" for what, count in counts.items())


def counted(generator: "DreamGenerator", shown: Any) -> tuple[dict[str, int], str]:
    """`counts_of` what a verb wrote, and the same to stand behind a sentence; nothing of pictures."""
    if generator.fitted().holds == "pictures":
        return {}, ""
    counts = counts_of(generator, shown.reshape(-1).tolist())
    return counts, f": {spoken(counts)}"


def require_pictures(generator: "DreamGenerator", verb: str) -> None:
    """Raise SettingsError for a verb that has no meaning for lines."""
    held = generator.fitted().holds
    if held != "pictures":
        raise SettingsError(f"{verb} is for models of pictures: this one is of {held}")


def _cell(value: Any) -> Any:
    """A number whole, so that it is read back as it was."""
    return "" if value is None or value != value else value
