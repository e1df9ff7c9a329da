"""Properties of well-known drugs, against published values and sums by hand."""

from collections.abc import Sequence

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="needs RDKit")

from dreamgen.chemistry.molecules import parse, parse_all, written
from dreamgen.chemistry.properties import PROPERTIES, properties_of
from dreamgen.errors import SettingsError
from dreamgen.workers import spread

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
CAFFEINE = "Cn1c(=O)c2c(ncn2C)n(C)c1=O"
IBUPROFEN = "CC(C)Cc1ccc(cc1)C(C)C(=O)O"
PARACETAMOL = "CC(=O)Nc1ccc(O)cc1"
DRUGS = [ASPIRIN, CAFFEINE, IBUPROFEN, PARACETAMOL]


def value(name: str, smiles: str) -> float:
    return float(properties_of([smiles], [name])[0, 0])


def doubled(items: Sequence[int]) -> list[int]:
    """At the top of a module, so that another process finds it."""
    return [2 * item for item in items]


# Molecules


@pytest.mark.parametrize(
    "text", [None, "", "c1ccccc", "C(C)(C)(C)(C)C", "c1cccc1", "CC(", "CCO )", "CCO ethanol", "C\x00C", "é", "[Xx]"]
)
def test_no_molecule_is_none_and_nothing_is_printed(text: str | None, capfd: pytest.CaptureFixture[str]) -> None:
    assert parse(text) is None
    assert capfd.readouterr() == ("", "")


def test_rdkits_own_log_speaks_again_after_a_quiet_call(capfd: pytest.CaptureFixture[str]) -> None:
    from rdkit import Chem

    parse("c1ccccc")
    Chem.MolFromSmiles("c1ccccc")
    assert "SMILES Parse Error" in capfd.readouterr().err


def test_two_ways_of_writing_have_one_canonical_form() -> None:
    ways = parse_all(["OC(=O)c1ccccc1OC(C)=O", ASPIRIN, "not one"])
    assert [mol and written(mol) for mol in ways] == [ASPIRIN, ASPIRIN, None]


# Properties


@pytest.mark.parametrize(
    ("smiles", "logp"),
    [("c1ccccc1", 1.6866), ("C", 0.6361), ("CCO", -0.0014), (ASPIRIN, 1.3101)],
)
def test_logp_is_the_sum_of_wildman_and_crippens_atoms(smiles: str, logp: float) -> None:
    assert value("logP", smiles) == pytest.approx(logp, abs=1e-4)


def test_logp_of_methane_is_written_out() -> None:
    assert value("logP", "C") == pytest.approx(0.1441 + 4 * 0.1230)  # C1 and four H1 of the paper's table 1


def test_qed_and_sa_of_aspirin_are_the_known_ones() -> None:
    assert value("QED", ASPIRIN) == pytest.approx(0.5501, abs=1e-4)
    assert value("SA", ASPIRIN) == pytest.approx(1.58, abs=0.005)
    assert value("weight", ASPIRIN) == pytest.approx(180.159, abs=0.01)


def test_solubility_is_delaneys_formula() -> None:
    by_hand = 0.16 - 0.63 * 1.6866 - 0.0062 * 78.114 - 0.74
    assert value("solubility", "c1ccccc1") == pytest.approx(by_hand, abs=1e-3)
    # Butanol has two rotatable bonds and nothing aromatic.
    logp, weight = value("logP", "CCCCO"), value("weight", "CCCCO")
    assert value("solubility", "CCCCO") == pytest.approx(0.16 - 0.63 * logp - 0.0062 * weight + 0.066 * 2)


@pytest.mark.parametrize(
    ("smiles", "measured"),
    [("c1ccccc1", -1.64), ("CCO", 1.10), (PARACETAMOL, -1.03), (CAFFEINE, -0.88), ("c1ccc2ccccc2c1", -3.6)],
)
def test_solubility_is_within_the_papers_error_of_measured_ones(smiles: str, measured: float) -> None:
    assert abs(value("solubility", smiles) - measured) < 2 * 0.97  # its standard error, in log10 mol/L


def test_a_ring_beyond_six_atoms_is_penalised() -> None:
    plain = {n: value("logP", f"C1{'C' * (n - 1)}1") - value("SA", f"C1{'C' * (n - 1)}1") for n in (6, 9)}
    assert value("penalised_logP", "C1CCCCC1") == pytest.approx(plain[6])
    assert value("penalised_logP", "C1CCCCCCCC1") == pytest.approx(plain[9] - 3)
    assert value("largest_ring", "C1CCCCCCCC1") == 9
    assert (value("rings", CAFFEINE), value("rings", "CCO"), value("largest_ring", "CCO")) == (2, 0, 0)


@pytest.mark.parametrize("smiles", [*DRUGS, "C1CCCCCCC1"])
def test_the_normalised_form_standardises_each_term(smiles: str) -> None:
    logp, sa, ring = (value(name, smiles) for name in ("logP", "SA", "largest_ring"))
    terms = (logp - 2.45709) / 1.43432, (3.05258 - sa) / 0.833521, (0.0485697 - max(ring - 6, 0)) / 0.286021
    assert value("penalised_logP_normalised", smiles) == pytest.approx(sum(terms), abs=1e-3)


@pytest.mark.parametrize(
    ("smiles", "published"),
    [
        ("COc1ccc(-c2cc(-c3ccccc3)cc(-c3ccc(Br)cc3)[o+]2)cc1", 4.52),
        ("COc1ccc(-c2cc(-c3ccccc3)cc(-c3ccc(I)cc3)[o+]2)cc1", 4.30),
        ("FC(F)(F)c1cccc(Nc2scc(-c3ccc(Cl)cc3)[n+]2CCc2ccccc2)c1", 4.23),
    ],
)
def test_the_three_best_of_zinc_have_their_published_values(smiles: str, published: float) -> None:
    """The row "ZINC" of table 2 in Jin et al. 2018, https://arxiv.org/abs/1802.04364."""
    assert value("penalised_logP_normalised", smiles) == pytest.approx(published, abs=0.005)


@pytest.mark.parametrize("smiles", ["[H][H]", "[H+]", "*", "[Na+].[Cl-]", "[U]", "C" * 300, "[13CH4]"])
def test_odd_molecules_have_every_property(smiles: str) -> None:
    assert np.isfinite(properties_of([smiles], list(PROPERTIES))).all()


def test_rows_stand_in_order_and_what_is_no_molecule_has_nan() -> None:
    table = properties_of([ASPIRIN, "no", None, CAFFEINE], ["weight", "rings"])
    assert table.dtype == np.float64
    assert np.isnan(table[1:3]).all()
    assert table[[0, 3]].tolist() == [[value("weight", ASPIRIN), 1], [value("weight", CAFFEINE), 2]]
    assert properties_of([], ["QED"]).shape == (0, 1)


def test_an_unknown_property_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="unknown property 'LogP', did you mean 'logP'"):
        properties_of(DRUGS, ["LogP"])


# Processes


def test_the_number_of_workers_changes_nothing_but_the_time() -> None:
    smiles = [*DRUGS, "no"] * 30
    seen: list[tuple[int, int]] = []
    alone = properties_of(smiles, list(PROPERTIES))
    by_two = properties_of(smiles, list(PROPERTIES), workers=2, watch=lambda *told: seen.append(told))
    np.testing.assert_array_equal(alone, by_two)
    assert seen == [(100, 150), (150, 150)]


def test_pieces_cover_every_item_once() -> None:
    seen: list[tuple[int, int]] = []
    assert spread(doubled, range(7), piece=3, watch=lambda *told: seen.append(told)) == [0, 2, 4, 6, 8, 10, 12]
    assert seen == [(3, 7), (6, 7), (7, 7)]
    assert spread(doubled, []) == []


def test_no_worker_is_refused() -> None:
    with pytest.raises(SettingsError, match="workers: expected 1 or more, got 0"):
        spread(doubled, [1], workers=0)
