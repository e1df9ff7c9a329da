"""A user's molecules: a file of SMILES, or a table with a column of them, as a data set of canonical SMILES."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dreamgen.chemistry.smiles import LONGEST, Standard
from dreamgen.data.dataset import Dataset
from dreamgen.data.lines import repeat_notes, split_texts, stem
from dreamgen.data.molecule_files import Written, written
from dreamgen.data.reading import USUAL, Reading, leave_out
from dreamgen.data.standardised import standardised
from dreamgen.registry import shorten


@dataclass(frozen=True)
class Molecules:
    """Different molecules that a model can learn from.

    Attributes:
        smiles: canonical, each once, in the order of the file.
        names: of their properties.
        values: (n, A) properties, of the first of equal molecules; None: there are none.
        notes: what is to be said.
        skipped: what is wrong with each that was left out.
    """

    smiles: list[str]
    names: tuple[str, ...]
    values: npt.NDArray[np.float32] | None
    notes: tuple[str, ...]
    skipped: tuple[str, ...]


def read_molecules(path: Path, reading: Reading = USUAL) -> Dataset:
    """The molecules of a .smi or of a .csv with a column `smiles`, as canonical isomeric SMILES, (n,) texts.

    Equal molecules are one, however they are written; a tenth, chosen by their texts, is the test part. The other
    columns of a table are attributes.

    Raises:
        DataError: not a whole file of the kind, a molecule that RDKit does not know, a mixture, one longer than
            `reading.longest` characters (120), or a property that is no number; the first is named with its line.
        SettingsError: RDKit is not installed.
    """
    found = find_molecules(path, reading)
    return split_texts(
        stem(path),
        found.smiles,
        found.values,
        source=str(path),
        attribute_names=found.names,
        notes=found.notes,
        skipped=found.skipped,
    )


def find_molecules(path: Path, reading: Reading = USUAL) -> Molecules:
    """The different molecules of a file, not split yet; raises as `read_molecules`."""
    rows = written(path, reading.skip_bad)
    standard = Standard(LONGEST if reading.longest is None else reading.longest, reading.largest_part)
    done = standardised(rows.texts, standard, reading.watch)
    # What is no molecule is told before what it lacks; a row that was not read at all has no text.
    none = {row: reason for row, reason in done.bad.items() if rows.texts[row] or row not in rows.bad}
    bad = {row: _complaint(path, rows, row, reason, row in none) for row, reason in {**rows.bad, **none}.items()}
    notes = leave_out(bad, len(rows.texts), reading, "molecules")
    good = [row for row in range(len(rows.texts)) if row not in bad]
    firsts: dict[str, int] = {}
    firsts_of = [firsts.setdefault(done.smiles[row], row) for row in good]
    values = None if rows.values is None else rows.values[list(firsts.values())]
    return Molecules(
        list(firsts),
        rows.names,
        values,
        (
            *rows.notes,
            *notes,
            *repeat_notes(len(good) - len(firsts), len(good), "molecules"),
            *_unequal_notes(rows, good, firsts_of),
        ),
        tuple(bad[row] for row in sorted(bad)),
    )


def _unequal_notes(rows: Written, good: list[int], firsts: list[int]) -> tuple[str, ...]:
    """What is to be said of molecules whose properties are not those of the first that equals them."""
    if rows.values is None:
        return ()
    unequal = int((rows.values[good] != rows.values[firsts]).any(1).sum())
    return (f"{unequal} of these have other properties than the first, whose are kept",) if unequal else ()


def _complaint(path: Path, rows: Written, row: int, reason: str, none: bool) -> str:
    """What is wrong with a row: "drugs.smi, line 3: 'C1CC': no molecule", where it is of what is written there."""
    text = rows.texts[row]
    said = f"{shorten(text)}: " if text and none else ""
    return f"{path}, line {rows.lines[row]}: {said}{reason}"
