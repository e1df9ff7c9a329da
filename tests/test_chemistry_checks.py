"""Checks of molecules: known alerts, shapes whose bonds are known, limits and their edges."""

import csv
import io
import json

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="needs RDKit")

from rdkit.Chem import rdForceFieldHelpers, rdMolTransforms

from dreamgen.chemistry.checks import Check, Limits, alerts_of, check_molecules, has_alert, passes
from dreamgen.chemistry.conformers import LARGEST, Conformer, shape_of
from dreamgen.chemistry.molecules import parse
from dreamgen.chemistry.properties import properties_of
from dreamgen.chemistry.smiles import Standard, canonical
from dreamgen.errors import DataError

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
CAFFEINE = "Cn1c(=O)c2c(ncn2C)n(C)c1=O"
IBUPROFEN = "CC(C)Cc1ccc(C(C)C(=O)O)cc1"
PARACETAMOL = "CC(=O)Nc1ccc(O)cc1"
RHODANINE = "O=C1C(=Cc2ccccc2)SC(=S)N1"


def shaped(smiles: str) -> Conformer:
    mol = parse(smiles)
    assert mol is not None
    found = shape_of(mol)
    assert found is not None
    return found


def bond(found: Conformer, a: int, b: int) -> float:
    return float(rdMolTransforms.GetBondLength(found.mol.GetConformer(), a, b))


# Shapes


@pytest.mark.parametrize(("smiles", "angstrom"), [("CC", 1.53), ("C=C", 1.34), ("C#C", 1.20), ("c1ccccc1", 1.39)])
def test_bonds_have_their_measured_length(smiles: str, angstrom: float) -> None:
    assert bond(shaped(smiles), 0, 1) == pytest.approx(angstrom, abs=0.03)


def test_benzene_is_flat() -> None:
    places = shaped("c1ccccc1").mol.GetConformer().GetPositions()
    assert np.linalg.svd(places - places.mean(0), compute_uv=False)[2] < 0.01


def test_the_energy_is_the_minimum_of_its_field() -> None:
    found = shaped(ASPIRIN)
    field = rdForceFieldHelpers.MMFFGetMoleculeForceField(
        found.mol, rdForceFieldHelpers.MMFFGetMoleculeProperties(found.mol)
    )
    assert (found.field, found.settled) == ("MMFF94", True)
    assert found.energy == pytest.approx(field.CalcEnergy())
    assert found.energy == pytest.approx(13 * (found.per_atom or 0))
    assert np.abs(field.CalcGrad()).max() < 0.1


def test_a_strained_ring_has_more_energy_than_its_free_isomer() -> None:
    strained, free = shaped("C1CC1"), shaped("C1CCCCC1")
    assert (strained.per_atom or 0) > (free.per_atom or 0) + 5


def test_the_same_molecule_has_the_same_shape() -> None:
    a, b = (shaped(CAFFEINE).mol.GetConformer().GetPositions() for _ in range(2))
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("smiles", "field"), [("C[Fe]", "UFF"), ("CB(O)O", "UFF"), ("*C", ""), ("[Cl-].[Na+]", "MMFF94")]
)
def test_what_one_field_lacks_another_has(smiles: str, field: str) -> None:
    found = shaped(smiles)
    assert found.field == field
    assert (found.energy is None) == (field == "")


@pytest.mark.parametrize("smiles", ["C1#CC1", "C" * (LARGEST + 1)])
def test_what_cannot_be_or_is_too_large_has_no_shape(smiles: str) -> None:
    mol = parse(smiles)
    assert mol is not None
    assert shape_of(mol) is None


# Alerts


@pytest.mark.parametrize(
    ("smiles", "alert"),
    [(RHODANINE, "PAINS_A: ene_rhod_A(235)"), (ASPIRIN, "Brenk: phenol_ester"), ("C[U]", "NIH: contains_metal")],
)
def test_known_alerts_are_found_by_name(smiles: str, alert: str) -> None:
    mol = parse(smiles)
    assert mol is not None
    assert alert in alerts_of(mol)
    assert has_alert(mol)


@pytest.mark.parametrize("smiles", [CAFFEINE, IBUPROFEN])
def test_drugs_without_alerts_have_none(smiles: str) -> None:
    mol = parse(smiles)
    assert mol is not None
    assert alerts_of(mol) == []
    assert not has_alert(mol)


# Rows


def test_rows_stand_in_order_with_the_same_numbers_as_properties() -> None:
    rows = check_molecules(["OC(=O)c1ccccc1OC(C)=O", "no", None, PARACETAMOL])
    assert [row["smiles"] for row in rows] == [ASPIRIN, "no", None, PARACETAMOL]
    assert [row["valid"] for row in rows] == [True, False, False, True]
    numbers = properties_of([ASPIRIN, PARACETAMOL], ["QED", "SA"])
    assert [[row["QED"], row["SA"]] for row in (rows[0], rows[3])] == numbers.tolist()
    assert (rows[0]["alerts"], rows[0]["alert"]) == (1, "Brenk: phenol_ester")
    assert set(rows[1].values()) == {"no", False, None}
    assert rows[3]["energy"] == pytest.approx(11 * (rows[3]["energy_per_atom"] or 0))


def test_rows_go_into_json_and_csv() -> None:
    rows = check_molecules([CAFFEINE, "no"])
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    file = io.StringIO()
    writer = csv.DictWriter(file, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    assert len(file.getvalue().splitlines()) == 3


def test_without_shapes_nothing_is_said_of_them() -> None:
    (row,) = check_molecules([CAFFEINE], conformer=False)
    assert (row["conformer"], row["energy"], row["force_field"]) == (None, None, None)
    assert not passes(row)
    assert passes(row, Limits(conformer=False))


def test_workers_change_nothing() -> None:
    smiles = [CAFFEINE, "no", ASPIRIN] * 8
    seen: list[tuple[int, int]] = []
    assert check_molecules(smiles, workers=2, watch=lambda *told: seen.append(told)) == check_molecules(smiles)
    assert seen[-1] == (24, 24)


def good() -> Check:
    (row,) = check_molecules([IBUPROFEN])
    return row


def test_a_candidate_keeps_to_every_limit() -> None:
    row = good()
    assert row["QED"] == pytest.approx(0.822, abs=0.001)
    assert passes(row)
    edge: Check = {**row, "QED": 0.5, "SA": 4.0}
    assert passes(edge)
    broken: list[Check] = [
        {**row, "QED": 0.4999},
        {**row, "SA": 4.0001},
        {**row, "alerts": 1},
        {**row, "conformer": False},
        {**row, "valid": False},
    ]
    assert [passes(each) for each in broken] == [False] * 5


def test_limits_can_be_given() -> None:
    assert not passes(good(), Limits(qed=0.83))
    assert not passes(good(), Limits(sa=1.0))
    (aspirin,) = check_molecules([ASPIRIN])
    assert [passes(aspirin, Limits(alerts=n)) for n in (0, 1)] == [False, True]


STRANGE = "Cc1ccc(N2C(=O)C3=C4C[C@H](C(C)C)OC[C@@H]4SC3=oC2=S)cc1"  # RDKit reads it, and writes what it cannot read


def test_what_cannot_be_read_again_is_no_molecule() -> None:
    assert parse(STRANGE) is not None
    assert canonical(STRANGE) is None
    with pytest.raises(DataError, match="no molecule that RDKit can read again"):
        Standard()(STRANGE)
    (row,) = check_molecules([STRANGE], conformer=False)
    assert not row["valid"]
    assert canonical("CCO\nCCN") is None  # two lines are no molecule
