"""Molecules dreamt, coded and varied: what goes in and out is molecules, and what is none is counted."""

from pathlib import Path

import numpy as np
import pytest

from dreamgen import DreamGenerator, MoleculeDreamer
from dreamgen.applications.molecules.examples import prepare
from dreamgen.chemistry.fingerprints import fingerprints, similarities
from dreamgen.chemistry.molecules import parse_all
from dreamgen.chemistry.properties import properties_of
from dreamgen.chemistry.smiles import canonical
from dreamgen.errors import DataError, SettingsError

ETHANOL, TOLUENE = "OCC", "c1(C)ccccc1"  # neither is written as RDKit would


# Training


def test_what_is_trained_on_is_canonical_and_there_once() -> None:
    ready = prepare([ETHANOL, TOLUENE, "CCO"], "selfies", {"logP": None, "mine": [1, 2, 3]})
    assert ready.smiles == ["CCO", "Cc1ccccc1"]
    assert list(ready.columns) == ["logP", "mine"]
    np.testing.assert_array_equal(ready.columns["mine"], [1, 2])  # the first of the equal ones
    np.testing.assert_array_equal(ready.columns["logP"], properties_of(ready.smiles, ["logP"])[:, 0])
    assert ready.left_out == {}


def test_bad_molecules_are_named_or_counted() -> None:
    bad = ["CCO", "C1CC", "CC.O", "C" * 130, "rubbish", "CCN"]
    with pytest.raises(DataError, match=r"molecule 2, 'C1CC': no molecule; 4 of 6 are bad, which skip_bad=True"):
        prepare(bad, "selfies")
    ready = prepare(bad, "selfies", skip_bad=True)
    assert ready.smiles == ["CCO", "CCN"]
    assert ready.left_out == {"no molecule": 2, "a mixture of 2 parts": 1, "longer than 120 characters": 1}
    with pytest.raises(DataError, match=r"molecule 1, 'C1CC': no molecule; 1 of 1 are bad$"):
        prepare(["C1CC"], "selfies", skip_bad=True)


def test_a_property_that_nobody_computes_needs_values() -> None:
    with pytest.raises(SettingsError, match=r"logp: expected its values.*did you mean 'logP'"):
        prepare(["CCO"], "selfies", ["logp"])
    with pytest.raises(DataError, match="mine: expected 1 numbers"):
        prepare(["CCO"], "selfies", {"mine": [1, 2]})


def test_the_properties_asked_for_are_read_off_the_codes(dreamer: MoleculeDreamer, molecules: list[str]) -> None:
    read, true = dreamer.read(molecules), properties_of(molecules, ["logP", "QED"])
    assert list(read) == ["logP", "QED"]
    for column, values in enumerate(read.values()):
        assert np.corrcoef(values, true[:, column])[0, 1] > 0.7
    assert dreamer.generator.properties == ["logP", "QED"]


# Dreams


def test_dreams_are_molecules_and_a_function_of_the_seed_and_their_number(dreamer: MoleculeDreamer) -> None:
    dreams = dreamer.dream(30, seed=1)
    assert dreams == [canonical(smiles) for smiles in dreams]
    assert dreamer.dream(10, seed=1) == dreams[:10]
    assert dreamer.dream(10, seed=2) != dreams[:10]
    assert dreamer.dream(30, seed=1, sample=True) != dreams


def test_unique_dreams_are_as_many_and_different(dreamer: MoleculeDreamer) -> None:
    plain = dreamer.dream(400, seed=1)
    assert len(set(plain)) < 400
    unique = dreamer.dream(400, seed=1, unique=True)
    assert len(set(unique)) == len(unique) == 400
    firsts = list(dict.fromkeys(plain))
    assert unique[: len(firsts)] == firsts  # those of the seed come first


def test_dreams_are_likely_to_have_what_is_given(dreamer: MoleculeDreamer) -> None:
    low, high = (
        properties_of(dreamer.dream(60, seed=3, given={"logP": value}), ["logP"]).mean() for value in (0.0, 3.0)
    )
    assert low < 1 < 2 < high


# Codes


def test_most_molecules_come_back_and_others_keep_their_places(
    dreamer: MoleculeDreamer, molecules: list[str]
) -> None:
    again = dreamer.reconstruct([*molecules, "C1CC", "C[Si](C)C", "C" * 100, TOLUENE])
    assert np.mean([a == b for a, b in zip(again, molecules, strict=False)]) > 0.6
    assert again[-4:-1] == [None, None, None]
    assert again[-1] == again[molecules.index("Cc1ccccc1")]
    width = dreamer.generator.saved_.event_shape[0]
    assert dreamer.unread_.pop(f"longer than {width - 1} tokens") == 1
    assert dreamer.unread_.pop("no molecule") == 1
    ((reason, count),) = dreamer.unread_.items()
    assert (count, "Si" in reason) == (1, True)
    assert dreamer.reconstruct(["C1CC"]) == [None]


def test_codes_are_those_of_the_generator(dreamer: MoleculeDreamer, molecules: list[str]) -> None:
    z = dreamer.encode(["c1(C)ccccc1", *molecules[1:5]])
    assert z.shape == (5, 8)
    np.testing.assert_array_equal(z, dreamer.generator.transform(molecules[:5]))
    assert dreamer.decode(z) == dreamer.reconstruct(molecules[:5])
    for verb in (dreamer.encode, dreamer.read):
        with pytest.raises(DataError, match=r"molecule 2, 'C1CC': no molecule; 2 of 4 cannot be read"):
            verb([ETHANOL, "C1CC", TOLUENE, "rubbish"])


def test_a_morph_goes_from_one_to_the_other(dreamer: MoleculeDreamer, molecules: list[str]) -> None:
    a, b = molecules[3], molecules[200]
    film = dreamer.morph(a, b, 7)
    assert (film[0], film[-1]) == tuple(dreamer.reconstruct([a, b]))
    assert len(film) == 7
    assert all(smiles == canonical(smiles) for smiles in film)
    middle = (dreamer.encode([a]) + dreamer.encode([b])) / 2
    assert film[3] == dreamer.decode(middle)[0]


def test_neighbours_are_different_near_and_measured(dreamer: MoleculeDreamer, molecules: list[str]) -> None:
    start = molecules[50]
    found = dreamer.neighbours(start, 12, seed=4)
    assert found == dreamer.neighbours(start, 12, seed=4) != dreamer.neighbours(start, 12, seed=5)
    smiles = [one.smiles for one in found]
    assert len(set(smiles)) == len(smiles) == 12
    assert start not in smiles
    distances = [one.distance for one in found]
    assert distances == sorted(distances)
    assert distances[0] > 0
    bits = fingerprints(parse_all([start, *smiles]))
    np.testing.assert_array_equal([one.similarity for one in found], similarities(bits[:1], bits[1:])[0])


# Keeping


def test_a_saved_model_dreams_the_same(dreamer: MoleculeDreamer, molecule_folder: Path) -> None:
    again = MoleculeDreamer.load(molecule_folder)
    assert again.dream(8, seed=5) == dreamer.dream(8, seed=5)


def test_a_model_of_something_else_is_refused(trained: DreamGenerator, model_folder: Path) -> None:
    text = r"expected a model of molecules, such as dreamgen train zinc250k makes, got one of "
    with pytest.raises(SettingsError, match=text + r"examples of shape \(8, 8\)"):
        MoleculeDreamer(trained)
    with pytest.raises(SettingsError, match=text):
        MoleculeDreamer.load(model_folder)
    with pytest.raises(SettingsError, match=text + "the language 'characters'"):
        MoleculeDreamer(DreamGenerator(language="characters"))
    assert MoleculeDreamer().generator.properties == ["logP", "QED", "SA", "weight", "solubility"]


def test_different_molecules_are_asked_for_with_one_value_for_all(dreamer: MoleculeDreamer) -> None:
    with pytest.raises(SettingsError, match="expected one value for all"):
        dreamer.dream(2, given={"logP": [0.0, 3.0]}, unique=True)
