"""What a chemist asks of a proposed molecule before looking at it, as a row for each.

Structural alerts are the three catalogs that RDKit brings: PAINS, which react with many assays (2010,
https://doi.org/10.1021/jm901137j); Brenk, which are toxic, unstable or hard to keep (2008,
https://doi.org/10.1002/cmdc.200700139); NIH, which are reactive or hide in screens (2009,
https://doi.org/10.1021/jm901070c). An alert is a reason to look, no verdict: many drugs have one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypedDict

from dreamgen.chemistry.conformers import shape_of
from dreamgen.chemistry.extras import rdkit
from dreamgen.chemistry.molecules import parse
from dreamgen.chemistry.properties import qed, sa
from dreamgen.chemistry.smiles import canonical
from dreamgen.workers import Watch, spread

if TYPE_CHECKING:
    from rdkit.Chem import Mol

CATALOGS = ("PAINS", "BRENK", "NIH")
"""The catalogs of structural alerts, in the order in which they are asked."""

_PIECE = 20  # molecules in a task: a shape takes a tenth of a second


class Check(TypedDict):
    """The row of one molecule; None is what was not asked or does not exist.

    Keys:
        smiles: canonical where it is a molecule, else as it was written.
        valid: whether it passes RDKit's sanitisation; where not, all that follows is None.
        QED, SA: drug-likeness, 0 to 1; synthetic accessibility, 1 (easy) to 10.
        alerts, alert: how many structural alerts, and the first as "catalog: name", "" without any.
        conformer: whether a shape was found, which is not tried for huge ones; None if none was asked.
        energy, energy_per_atom: of the minimised shape, kcal/mol, the second for each heavy atom.
        force_field: "MMFF94" or "UFF".
        settled: whether the minimiser came to rest; where not, the energy is still above the minimum.
    """

    smiles: str | None
    valid: bool
    QED: float | None
    SA: float | None
    alerts: int | None
    alert: str | None
    conformer: bool | None
    energy: float | None
    energy_per_atom: float | None
    force_field: str | None
    settled: bool | None


@dataclass(frozen=True)
class Limits:
    """What a candidate must keep to.

    Attributes:
        qed: at least.
        sa: at most; its paper draws the line to what is hard to make near 6.
        alerts: at most.
        conformer: whether a shape must have been found.
    """

    qed: float = 0.5
    sa: float = 4.0
    alerts: int = 0
    conformer: bool = True


def check_molecules(
    smiles: Sequence[str | None], *, conformer: bool = True, workers: int = 1, watch: Watch | None = None
) -> list[Check]:
    """A row of checks for each SMILES, in order.

    Args:
        smiles: as a model wrote them; None where it wrote nothing.
        conformer: whether to look for a three-dimensional shape, which takes most of the time.
        workers: processes; the rows do not depend on it.
        watch: called now and then with how many are done and how many there are.
    """
    return spread(partial(_checks, conformer=conformer), smiles, workers=workers, watch=watch, piece=_PIECE)


def passes(row: Check, limits: Limits | None = None) -> bool:
    """Whether a molecule is a candidate: valid and within every limit. A shape that was not asked is not found."""
    limits = limits or Limits()
    if not row["valid"] or row["QED"] is None or row["SA"] is None or row["alerts"] is None:
        return False
    good = row["QED"] >= limits.qed and row["SA"] <= limits.sa and row["alerts"] <= limits.alerts
    return good and (row["conformer"] is True or not limits.conformer)


def alerts_of(mol: "Mol") -> list[str]:
    """The structural alerts that a molecule has, as "catalog: name"."""
    return [f"{entry.GetProp('FilterSet')}: {entry.GetDescription()}" for entry in _catalog().GetMatches(mol)]


def has_alert(mol: "Mol") -> bool:
    """Whether there is any, which is found sooner than all are."""
    return bool(_catalog().HasMatch(mol))


@cache
def _catalog() -> Any:
    catalogs = rdkit("Chem.FilterCatalog")
    settings = catalogs.FilterCatalogParams()
    for name in CATALOGS:
        settings.AddCatalog(getattr(catalogs.FilterCatalogParams.FilterCatalogs, name))
    return catalogs.FilterCatalog(settings)


def _checks(smiles: Sequence[str | None], conformer: bool) -> list[Check]:
    return [_check(text, conformer) for text in smiles]


def _check(text: str | None, conformer: bool) -> Check:
    smiles = None if text is None else canonical(text)
    mol = parse(smiles)
    if mol is None:
        return Check(
            smiles=text,
            valid=False,
            QED=None,
            SA=None,
            alerts=None,
            alert=None,
            conformer=None,
            energy=None,
            energy_per_atom=None,
            force_field=None,
            settled=None,
        )
    alerts = alerts_of(mol)
    shape = shape_of(mol) if conformer else None
    return Check(
        smiles=smiles,
        valid=True,
        QED=qed(mol),
        SA=sa(mol),
        alerts=len(alerts),
        alert=alerts[0] if alerts else "",
        conformer=shape is not None if conformer else None,
        energy=shape.energy if shape else None,
        energy_per_atom=shape.per_atom if shape else None,
        force_field=shape.field if shape else None,
        settled=shape.settled if shape else None,
    )
