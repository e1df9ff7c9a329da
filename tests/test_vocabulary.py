"""Lines of text as tokens, and back."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreamgen.config import Part
from dreamgen.data.languages import LANGUAGES
from dreamgen.data.vocabulary import Vocabulary
from dreamgen.errors import DataError, SettingsError

DRUGS = ["CC(=O)Oc1ccccc1C(=O)O", "CN1C=NC2=C1C(=O)N(C(=O)N2C)C", "CC(C)Cc1ccc(cc1)[C@@H](C)C(=O)O", "ClCCBr"]
PIECES = {"kind": "characters", "pieces": 6}
KEKULE = {"kind": "smiles", "kekule": True}


def merged(text: str, pair: tuple[str, str]) -> list[str]:
    """The same as a merge, symbol by symbol."""
    tokens, place = [], 0
    while place < len(text):
        here = text[place : place + 2]
        tokens.append(here if tuple(here) == pair else text[place])
        place += len(tokens[-1])
    return tokens


def test_symbols_are_numbered_from_one_and_zero_ends_a_line() -> None:
    tokens, bad = Vocabulary.learn(["ba", "a"], "characters").encode(["ab", "b", ""])
    np.testing.assert_array_equal(tokens, [[1, 2, 0], [2, 0, 0], [0, 0, 0]])
    assert not bad


@given(st.lists(st.text("abc", max_size=12), min_size=1, max_size=20))
def test_lines_come_back_whatever_the_pieces(lines: list[str]) -> None:
    vocabulary = Vocabulary.learn(["abc" * 30, "aab" * 30, "aaaa" * 20] * 3, PIECES)
    assert vocabulary.pieces
    tokens, bad = vocabulary.encode(lines)
    assert not bad
    assert vocabulary.decode(tokens) == lines


@given(st.text("ab", max_size=15))
def test_the_commonest_pair_is_merged_from_the_left(line: str) -> None:
    vocabulary = Vocabulary.learn(["aa" * 60, "b"], {"kind": "characters", "pieces": 1})
    assert vocabulary.pieces == ((1, 1),)
    tokens, _ = vocabulary.encode([line])
    spelled = {1: "a", 2: "b", 3: "aa"}
    assert [spelled[token] for token in tokens[0].tolist() if token] == merged(line, ("a", "a"))


def test_rare_pairs_are_no_pieces() -> None:
    assert not Vocabulary.learn(["abab"] * 3, PIECES).pieces


def test_what_cannot_be_written_is_named_and_empty() -> None:
    vocabulary = Vocabulary.learn(["abc"], "characters")
    tokens, bad = vocabulary.encode(["ab", "ax", "abcabc"], width=4)
    assert bad == {1: "holds 'x', which the model has never seen", 2: "longer than 3 tokens"}
    np.testing.assert_array_equal(tokens[1:], 0)


@pytest.mark.parametrize("language", ["smiles", KEKULE, "selfies"])
def test_molecules_come_back_as_the_same_molecule(language: Part) -> None:
    from dreamgen.chemistry.smiles import canonical

    vocabulary = Vocabulary.learn(DRUGS, language)
    tokens, bad = vocabulary.encode(DRUGS)
    assert not bad
    assert vocabulary.decode(tokens) == [canonical(drug) for drug in DRUGS]


def test_smiles_are_cut_at_atoms_rings_and_bonds() -> None:
    assert LANGUAGES.build("smiles").split("C[C@@H](Br)Cc%12") == ["C", "[C@@H]", "(", "Br", ")", "C", "c", "%12"]


def test_kekules_rings_have_single_and_double_bonds_in_turn() -> None:
    spoken = LANGUAGES.build(KEKULE)
    assert "".join(spoken.split("c1ccc2[nH]ccc2c1")) == "C1=CC=C2NC=CC2=C1"
    with pytest.raises(DataError, match="no molecule"):
        spoken.split("c1cccc1")
    vocabulary = Vocabulary.learn(["c1ccccc1O", "CCN"], KEKULE)
    assert not {"c", "n", "o"} & set(vocabulary.symbols)
    assert Vocabulary.from_dict(json.loads(json.dumps(vocabulary.to_dict()))) == vocabulary
    assert vocabulary.encode(["c1cccc1"])[1] == {0: "no molecule"}


def test_what_selfies_cannot_say_is_named() -> None:
    with pytest.raises(DataError, match="SELFIES"):
        LANGUAGES.build("selfies").split("C1CC")


def test_any_tokens_of_selfies_are_a_molecule() -> None:
    from dreamgen.chemistry.smiles import canonical

    vocabulary = Vocabulary.learn(DRUGS, "selfies")
    tokens = np.random.default_rng(0).integers(1, vocabulary.size, (50, 12))
    for line in vocabulary.decode(tokens):
        assert not line or canonical(line) == line


def test_letters_that_do_not_print_are_letters() -> None:
    lines = ["a\tb\xa0c", "\u3000x\u200dy\xad"]
    again = Vocabulary.from_dict(json.loads(json.dumps(Vocabulary.learn(lines, "characters").to_dict())))
    assert again.decode(again.encode(lines, 9)[0]) == lines


def test_a_vocabulary_survives_json() -> None:
    vocabulary = Vocabulary.learn(["abab" * 20, "ba"] * 9, PIECES)
    assert Vocabulary.from_dict(vocabulary.to_dict()) == vocabulary


@pytest.mark.parametrize(
    "changed",
    [
        {"symbols": ["a", "a"]},
        {"symbols": []},
        {"symbols": [1]},
        {"pieces": [[1, 9]]},
        {"pieces": [[0, 1]]},
        {"pieces": [[1]]},
        {"language": "esperanto"},
        {"more": 1},
        {"symbols": ["a", ""]},
        {"symbols": ["a", "b\n"]},
        {"pieces": [[n, n] for n in range(2, 40)]},
    ],
)
def test_a_damaged_vocabulary_is_refused(changed: dict[str, object]) -> None:
    good = {"language": "characters", "symbols": ["a", "b"], "pieces": [[1, 2]]}
    assert Vocabulary.from_dict(good).size == 4
    with pytest.raises(SettingsError):
        Vocabulary.from_dict({**good, **changed})


def test_too_many_pieces_are_refused() -> None:
    with pytest.raises(SettingsError, match="pieces"):
        LANGUAGES.build({"kind": "smiles", "pieces": -1})
