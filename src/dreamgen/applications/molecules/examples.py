"""Molecules and their properties as a model is trained on them: canonical, each once, nothing missing."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dreamgen.chemistry.properties import PROPERTIES, properties_of
from dreamgen.chemistry.smiles import LONGEST, Standard, standardise
from dreamgen.config import Part
from dreamgen.data.vocabulary import cut_lines
from dreamgen.errors import DataError, SettingsError
from dreamgen.inputs import column_of, lines_of
from dreamgen.registry import nearest, shorten
from dreamgen.workers import workers_for

Columns = Mapping[str, npt.ArrayLike | None]

_FEW = 2000  # molecules whose properties one process computes


@dataclass(frozen=True)
class Examples:
    """What a model of molecules is trained on.

    Attributes:
        smiles: canonical, different.
        columns: their properties by name, each (n,).
        left_out: how many were left out for each reason; repeated molecules are not counted.
    """

    smiles: list[str]
    columns: dict[str, npt.NDArray[np.float64]]
    left_out: dict[str, int]


def prepare(
    smiles: Sequence[str],
    language: Part,
    columns: Columns | Sequence[str] = (),
    *,
    skip_bad: bool = False,
    workers: int | None = None,
) -> Examples:
    """Molecules with their properties.

    Args:
        smiles: n of them in any notation of SMILES.
        language: that they are to be written in.
        columns: names of properties, which are computed; or by name n numbers, or None for what is to be computed.
        skip_bad: leave out what is no molecule, longer than 120 characters, a mixture, or cannot be written.
        workers: processes; None: as many as are worth it.

    Raises:
        DataError: a bad molecule, the first named; a property that is no n finite numbers.
        SettingsError: a property that is to be computed and is not known.
    """
    given = lines_of(smiles)
    known: Columns = columns if isinstance(columns, Mapping) else dict.fromkeys(columns)
    absent = [name for name, values in known.items() if values is None]
    for name in absent:
        if name not in PROPERTIES:
            raise SettingsError(f"{name}: expected its values, since it is none that is computed: {_near(name)}")
    own = {name: column_of(values, name, len(given)) for name, values in known.items() if values is not None}
    done = standardise(given, Standard(LONGEST))
    bad = {place: reason for place, (_, reason) in enumerate(done) if reason}
    bad |= _unwritten({place: text for place, (text, _) in enumerate(done) if text}, language)
    if bad and (not skip_bad or len(bad) == len(given)):
        first = min(bad)
        raise DataError(
            f"molecule {first + 1}, {shorten(given[first])}: {bad[first]}; {len(bad)} of {len(given)} are bad"
            + ("" if skip_bad else ", which skip_bad=True leaves out")
        )
    firsts: dict[str, int] = {}
    for place, (text, _) in enumerate(done):
        if place not in bad:
            firsts.setdefault(text, place)
    texts, rows = list(firsts), list(firsts.values())
    many = workers_for(len(texts), _FEW) if workers is None else workers
    computed = properties_of(texts, absent, workers=many) if absent else np.empty((len(texts), 0))
    found = {name: computed[:, k] for k, name in enumerate(absent)}
    found |= {name: np.asarray(values, np.float64)[rows] for name, values in own.items()}
    return Examples(texts, {name: found[name] for name in known}, dict(Counter(bad.values()).most_common()))


def _unwritten(texts: Mapping[int, str], language: Part) -> dict[int, str]:
    """Why some canonical SMILES cannot be written in a language, by their places."""
    cut = cut_lines(list(texts.values()), language)
    return {place: part for place, part in zip(texts, cut, strict=True) if isinstance(part, str)}


def _near(name: str) -> str:
    return nearest(name, PROPERTIES)
