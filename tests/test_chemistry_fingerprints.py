"""Similarities of molecules against RDKit's own, and against counting by hand."""

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="needs RDKit")

from rdkit import DataStructs
from rdkit.Chem import rdFingerprintGenerator

from dreamgen.chemistry.fingerprints import fingerprints, internal_diversity, nearest_similarity, similarities
from dreamgen.chemistry.molecules import parse
from dreamgen.errors import DataError

DRUGS = [
    "CC(=O)Oc1ccccc1C(=O)O",
    "Cn1c(=O)c2c(ncn2C)n(C)c1=O",
    "CC(C)Cc1ccc(cc1)C(C)C(=O)O",
    "CC(=O)Nc1ccc(O)cc1",
    "OC(=O)c1ccccc1O",
]
MOLS = [mol for mol in map(parse, DRUGS) if mol is not None]
BY_HAND = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 1, 1], [0, 0, 0, 0]], np.uint8)


def test_similarities_are_rdkits() -> None:
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)
    theirs = [generator.GetFingerprint(mol) for mol in MOLS]
    expected = [DataStructs.BulkTanimotoSimilarity(one, theirs[:3]) for one in theirs]
    ours = similarities(fingerprints(MOLS), fingerprints(MOLS[:3]))
    assert ours.shape == (5, 3)
    np.testing.assert_allclose(ours, expected, rtol=1e-6)


def test_similarities_of_four_bits_are_counted() -> None:
    expected = [[1, 1 / 3, 1 / 2, 0], [1 / 3, 1, 1 / 2, 0], [1 / 2, 1 / 2, 1, 0], [0, 0, 0, 1]]
    np.testing.assert_allclose(similarities(BY_HAND, BY_HAND), expected, rtol=1e-6)


def test_the_nearest_is_the_largest_of_a_row() -> None:
    np.testing.assert_allclose(nearest_similarity(BY_HAND[:2], BY_HAND[2:]), [0.5, 0.5])
    assert nearest_similarity(fingerprints(MOLS), fingerprints(MOLS)).tolist() == [1.0] * 5
    assert nearest_similarity(BY_HAND[:0], BY_HAND).tolist() == []


def test_diversity_counts_every_ordered_pair_and_a_row_with_itself() -> None:
    assert internal_diversity(BY_HAND) == pytest.approx(1 - (4 + 2 * (1 / 3 + 1 / 2 + 1 / 2)) / 16)
    assert internal_diversity(np.repeat(BY_HAND[:1], 7, 0)) == 0
    assert np.isnan(internal_diversity(BY_HAND[:0]))


def test_many_rows_go_in_blocks() -> None:
    rows = np.random.default_rng(0).integers(0, 2, (2100, 4), dtype=np.uint8)
    whole = similarities(rows, rows)
    both = (rows[:, None] & rows[None]).sum(-1)
    either = (rows[:, None] | rows[None]).sum(-1)
    np.testing.assert_allclose(whole, np.where(either > 0, both / np.maximum(either, 1), 1), rtol=1e-6)
    assert internal_diversity(rows) == pytest.approx(1 - whole.mean())


def test_two_widths_and_nothing_to_compare_with_are_refused() -> None:
    with pytest.raises(DataError, match="one width, got 4 and 2048"):
        similarities(BY_HAND, fingerprints(MOLS))
    with pytest.raises(DataError, match="got none"):
        nearest_similarity(BY_HAND, BY_HAND[:0])
