"""The properties of several sets of molecules side by side, for a report."""

from collections.abc import Mapping, Sequence

from dreamgen.chemistry.properties import properties_of
from dreamgen.evaluation.molecules.facts import VALUES
from dreamgen.reports.pictures import histograms


def property_histograms(
    sets: Mapping[str, Sequence[str | None]], names: Sequence[str] = VALUES, *, columns: int = 4, workers: int = 1
) -> bytes:
    """A PNG with a panel for each property: the first set filled, the others as lines.

    Args:
        sets: SMILES by the set's name, the one to compare with first: {"test": ..., "dreams": ...}; what is no
            molecule is left out.
        names: of `PROPERTIES`.
        columns: panels side by side.
        workers: processes.
    """
    values = {name: properties_of(smiles, names, workers=workers) for name, smiles in sets.items()}
    panels = {title: {name: table[:, k] for name, table in values.items()} for k, title in enumerate(names)}
    return histograms(panels, columns)
