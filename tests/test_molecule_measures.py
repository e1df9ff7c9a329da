"""The figures of dreamt molecules, against RDKit's own, SciPy, and cases whose answer is known."""

import math
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="needs RDKit")

from rdkit import DataStructs
from rdkit.Chem import rdFingerprintGenerator
from scipy.spatial.distance import cosine as cosine_distance

from dreamgen.chemistry.molecules import parse
from dreamgen.chemistry.properties import properties_of
from dreamgen.errors import DataError
from dreamgen.evaluation.molecules import (
    DESCRIPTORS,
    VALUES,
    Facts,
    cosine,
    facts_of,
    fragments,
    likeness,
    measure,
    property_histograms,
    scaffold,
)

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
CAFFEINE = "Cn1c(=O)c2c(ncn2C)n(C)c1=O"
IBUPROFEN = "CC(C)Cc1ccc(C(C)C(=O)O)cc1"
NAPROXEN = "COc1ccc2cc(C(C)C(=O)O)ccc2c1"
NICOTINE = "CN1CCCC1c1cccnc1"
DIAZEPAM = "CN1C(=O)CN=C(c2ccccc2)c2cc(Cl)ccc21"
TEST = [ASPIRIN, CAFFEINE, IBUPROFEN, NAPROXEN, NICOTINE, DIAZEPAM]
TRAIN = ["CC(=O)Nc1ccc(O)cc1", "O=C(O)c1ccccc1O", "O=C(O)Cc1ccccc1Nc1c(Cl)cccc1Cl", "c1ccc2ccccc2c1"]


def facts(smiles: Sequence[str]) -> list[Facts]:
    return [fact for fact in facts_of(smiles) if fact is not None]


def parts(smiles: str) -> tuple[tuple[str, ...], str | None]:
    mol = parse(smiles)
    assert mol is not None
    return fragments(mol), scaffold(mol)


# Counts


def test_the_cosine_of_counts_is_the_angles() -> None:
    assert cosine({"a": 1, "b": 2}, {"a": 2, "b": 1}) == pytest.approx(4 / 5)
    assert cosine({"a": 3}, {"a": 5}) == pytest.approx(1)
    assert cosine({"a": 3}, {"b": 5}) == 0
    assert math.isnan(cosine({}, {"a": 1}))
    a, b = np.random.default_rng(0).integers(1, 9, (2, 20)).tolist()
    assert cosine(dict(enumerate(a)), dict(enumerate(b))) == pytest.approx(1 - cosine_distance(a, b))  # type: ignore[arg-type]


def test_an_ether_breaks_at_both_its_bonds() -> None:
    assert Counter(parts("CCOc1ccccc1")[0]) == Counter(["[4*]CC", "[3*]O[3*]", "[16*]c1ccccc1"])
    assert parts("CCCC")[0] == ("CCCC",)


@pytest.mark.parametrize(
    ("smiles", "expected"),
    [(ASPIRIN, None), ("CCO", None), (NICOTINE, "c1cncc(C2CCCN2)c1"), (NAPROXEN, "c1ccc2ccccc2c1")],
)
def test_a_scaffold_has_two_rings_or_more_and_no_chains(smiles: str, expected: str | None) -> None:
    assert parts(smiles)[1] == expected


# Facts


def test_facts_are_those_of_properties_and_stand_in_order() -> None:
    found = facts_of([CAFFEINE, "no", ASPIRIN, CAFFEINE])
    assert [fact and fact.smiles for fact in found] == [CAFFEINE, None, ASPIRIN, CAFFEINE]
    values = np.array([fact.values for fact in found if fact is not None])
    np.testing.assert_array_equal(values, properties_of([CAFFEINE, ASPIRIN, CAFFEINE], VALUES))
    assert [fact.alert for fact in found if fact is not None] == [False, True, False]


def test_descriptors_of_aspirin_are_counted() -> None:
    (fact,) = facts([ASPIRIN])
    known = dict(zip(DESCRIPTORS, fact.descriptors, strict=True))
    counted = ("donors", "acceptors", "rings", "aromatic rings", "heteroatoms", "stereocentres", "charge")
    assert [known[name] for name in counted] == [1, 3, 1, 1, 4, 0, 0]
    assert known["polar surface"] == pytest.approx(63.6, abs=0.05)
    assert known["sp3 share of carbon"] == pytest.approx(1 / 9)


# Likeness


def test_a_set_against_itself_is_perfect() -> None:
    found = likeness(facts(TEST), facts(TEST))
    assert [found[name] for name in ("SNN", "Frag", "Scaf")] == pytest.approx([1, 1, 1])
    assert found["frechet"] == pytest.approx(0, abs=1e-9)
    assert found["wasserstein"] == dict.fromkeys(VALUES, 0)


def test_similarities_are_rdkits() -> None:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    ours, theirs = ([generator.GetFingerprint(parse(text)) for text in texts] for texts in (TRAIN, TEST))
    found = likeness(facts(TRAIN), facts(TEST))
    nearest = [max(DataStructs.BulkTanimotoSimilarity(one, theirs)) for one in ours]
    assert found["SNN"] == pytest.approx(np.mean(nearest))
    pairs = [DataStructs.BulkTanimotoSimilarity(one, ours) for one in ours]
    assert found["IntDiv1"] == pytest.approx(1 - np.mean(pairs))


def test_counts_of_parts_are_compared_with_their_numbers() -> None:
    # Propane twice and butane once, against one of each: the cosine of (2, 1) and (1, 1).
    found = likeness(facts(["CCC", "CCC", "CCCC"]), facts(["CCC", "CCCC"]))
    assert found["Frag"] == pytest.approx(3 / math.sqrt(5 * 2))
    assert math.isnan(found["Scaf"])
    assert found["filters"] == pytest.approx(np.mean([not fact.alert for fact in facts(["CCC", "CCC", "CCCC"])]))


def test_filters_is_the_share_without_alerts() -> None:
    assert likeness(facts([ASPIRIN, CAFFEINE, IBUPROFEN, CAFFEINE]), facts(TEST))["filters"] == 0.75


def test_a_shift_is_measured_in_deviations_of_the_test_set() -> None:
    test = facts(TEST)
    logp = np.array([fact.values[0] for fact in test])
    moved = [
        replace(
            fact,
            values=(fact.values[0] + 3 * logp.std(), *fact.values[1:]),
            descriptors=(fact.descriptors[0] + 3 * logp.std(), *fact.descriptors[1:]),
        )
        for fact in test
    ]
    found = likeness(moved, test)
    assert found["wasserstein"] == pytest.approx({"logP": 3, "QED": 0, "weight": 0, "SA": 0})
    assert found["frechet"] == pytest.approx(9)


def test_a_property_that_never_varies_stays_in_its_unit() -> None:
    found = likeness(facts(["CCCC", "CCCC"]), facts(["CCC", "CCC"]))
    assert found["wasserstein"]["weight"] == pytest.approx(14.027, abs=0.001)  # a CH2 more


# The whole


def test_what_was_written_is_counted_by_hand() -> None:
    dreams = [ASPIRIN, "OC(=O)c1ccccc1OC(C)=O", "C(", None, "", CAFFEINE, "Oc1ccc(NC(C)=O)cc1", "c1ccccc"]
    found = measure(dreams, TRAIN, TEST)
    assert found["dreams"]["valid"] == 4 / 8
    assert found["dreams"]["unique@1000"] == found["dreams"]["unique@10000"] == 3 / 4
    assert found["dreams"]["novel"] == pytest.approx(2 / 3)  # paracetamol was trained on, if written otherwise
    looked_at = {"dreams": 4, "train": 4, "test": 6}
    assert found["rows"] == {"dreams": 8, "valid": 4, "train": 4, "test": 6, "looked_at": looked_at}


def test_unique_is_among_the_first_valid_ones() -> None:
    chains = ["C" * (1 + k % 60) for k in range(1200)]
    found = measure(["(", *chains], TRAIN, TEST)["dreams"]
    assert (found["unique@1000"], found["unique@10000"]) == (60 / 1000, 60 / 1200)


def test_training_rows_stand_beside_as_the_same_figures() -> None:
    found = measure(TRAIN, TRAIN, TEST)
    assert {name: found["dreams"][name] for name in found["train"]} == found["train"]
    assert found["dreams"]["novel"] == 0
    assert found["train"] == likeness(facts(TRAIN), facts(TEST))


def test_canonical_rows_need_not_be_made_so() -> None:
    assert measure(TEST, TRAIN, TEST, canonical=True) == measure(TEST, TRAIN, TEST)
    backwards = ["Oc1ccc(NC(C)=O)cc1", *TRAIN[1:]]
    assert measure(TRAIN, backwards, TEST)["dreams"]["novel"] == 0
    assert measure(TRAIN, backwards, TEST, canonical=True)["dreams"]["novel"] == 0.25


def test_large_sets_are_sampled_by_the_seed() -> None:
    chains = [f"{'C' * k}N{'C' * j}c1ccc2ccccc2c1" for k in range(1, 9) for j in range(1, 9)]
    a, b, c = (measure(chains, chains[::2], chains[1::2], seed=seed, sample=20) for seed in (0, 0, 1))
    assert a == b
    assert a["dreams"]["wasserstein"] != c["dreams"]["wasserstein"]
    assert set(a["rows"]["looked_at"].values()) == {20}
    assert a["dreams"]["valid"] == 1


def test_workers_change_nothing() -> None:
    chains = [f"{'C' * k}N{'C' * j}c1ccc2ccccc2c1" for k in range(1, 12) for j in range(1, 12)]
    seen: list[tuple[int, int]] = []
    assert measure(chains, TRAIN, TEST, workers=2, watch=lambda *told: seen.append(told)) == measure(
        chains, TRAIN, TEST
    )
    assert seen[-1][0] == seen[-1][1]


def test_as_many_training_rows_as_valid_dreams_are_looked_at() -> None:
    found = measure([ASPIRIN, CAFFEINE, "("], TRAIN, TEST)["rows"]["looked_at"]
    assert found == {"dreams": 2, "train": 2, "test": 6}


def test_a_model_that_writes_no_molecule_has_no_likeness() -> None:
    found = measure(["(", None], TRAIN, TEST)["dreams"]
    assert found.pop("valid") == 0
    assert np.isnan(list(found.pop("wasserstein").values())).all()
    assert np.isnan(list(found.values())).all()


def test_a_single_valid_dream_has_no_frechet_distance() -> None:
    found = measure([ASPIRIN, "("], TRAIN, TEST)["dreams"]
    assert math.isnan(found["frechet"])
    assert found["SNN"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("dreams", "train", "test", "says"),
    [
        ([], TRAIN, TEST, "expected dreams, got none"),
        (TEST, ["("], TEST, "got 0 and 6"),
        (TEST, TRAIN, [ASPIRIN, "("], "got 4 and 1"),
    ],
)
def test_too_little_to_measure_is_said(dreams: list[str], train: list[str], test: list[str], says: str) -> None:
    with pytest.raises(DataError, match=says):
        measure(dreams, train, test)


def test_fcd_is_there_where_its_package_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fcd", None)
    assert "FCD" not in measure(TEST, TRAIN, TEST)["dreams"]
    package = ModuleType("fcd")
    package.get_fcd = lambda a, b: len(a) + len(b) / 10  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "fcd", package)
    found = measure(TEST, TRAIN, TEST)
    assert (found["dreams"]["FCD"], found["train"]["FCD"]) == pytest.approx((6.6, 4.6))


# Pictures


def test_histograms_leave_out_what_is_no_molecule() -> None:
    picture = property_histograms({"test": TEST, "dreams": [*TRAIN, "(", None]})
    assert picture.startswith(b"\x89PNG")
    assert picture == property_histograms({"test": TEST, "dreams": TRAIN})
    assert picture != property_histograms({"test": TEST, "dreams": TRAIN[:2]})
