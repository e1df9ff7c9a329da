"""Molecules in files: what loads, how equal ones are known, and what is refused with its line."""

import gzip
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("rdkit", reason="needs RDKit")

from dreamgen import extras
from dreamgen.chemistry.smiles import Standard, canonical
from dreamgen.data import Dataset, load_data, standardised
from dreamgen.data.molecules import read_molecules
from dreamgen.data.named import NAMED_SETS
from dreamgen.data.reading import Reading
from dreamgen.errors import DataError, SettingsError

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
CAFFEINE = "Cn1c(=O)c2c(ncn2C)n(C)c1=O"
IBUPROFEN = "CC(C)Cc1ccc(C(C)C(=O)O)cc1"
NAPROXEN = "COc1ccc2cc([C@H](C)C(=O)O)ccc2c1"
PARACETAMOL = "CC(=O)Nc1ccc(O)cc1"
DRUGS = [ASPIRIN, CAFFEINE, IBUPROFEN, NAPROXEN, PARACETAMOL]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "dreamgen" / "standard_smiles"


def write(path: Path, content: str | bytes) -> Path:
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def texts(dataset: Dataset) -> list[str]:
    return [str(text) for text in dataset.rows.x]


def alkanes(n: int) -> list[str]:
    return ["C" * length for length in range(1, n + 1)]


# One molecule


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("OCC", "CCO"),
        ("C(C)O", "CCO"),
        ("[CH3][CH2][OH]", "CCO"),
        ("C1=CC=CC=C1", "c1ccccc1"),
        ("OC(=O)C1=CC=CC=C1OC(C)=O", ASPIRIN),
        ("C[C@@H](C(=O)O)N", "C[C@H](N)C(=O)O"),
        ("N[C@@H](C)C(=O)O", "C[C@H](N)C(=O)O"),
        ("F\\C=C\\F", "F/C=C/F"),
        ("C1.C1", "CC"),
        ("[2H]O[2H]", "[2H]O[2H]"),
    ],
)
def test_one_molecule_has_one_text(written: str, expected: str) -> None:
    assert canonical(written) == expected
    assert Standard()(written) == expected
    assert Standard()(expected) == expected


@pytest.mark.parametrize("drug", DRUGS)
def test_texts_of_well_known_drugs_are_canonical_already(drug: str) -> None:
    assert Standard()(drug) == drug


def test_mirror_images_stay_two() -> None:
    assert canonical("C[C@H](N)C(=O)O") != canonical("C[C@@H](N)C(=O)O")
    assert canonical("F/C=C/F") != canonical("F/C=C\\F")


@pytest.mark.parametrize("text", ["C1CC", "X", "CC(", "c1cc", "C(C)(C)(C)(C)C", "CCO ethanol", "этанол", "C\0C"])
def test_what_is_no_molecule_is_none_and_silent(text: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert canonical(text) is None
    with pytest.raises(DataError, match=r"^no molecule$"):
        Standard()(text)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no atoms"),
        ("[Na+].[Cl-]", "a mixture of 2 parts"),
        (f"{ASPIRIN}.O.O", "a mixture of 3 parts"),
        ("*CC", "an atom that is not named (*)"),
        ("C" * 121, "longer than 120 characters"),
        ("C" * 1_000_000, "longer than 120 characters"),
    ],
)
def test_what_cannot_be_learnt_says_why(text: str, reason: str) -> None:
    with pytest.raises(DataError) as caught:
        Standard()(text)
    assert str(caught.value) == reason


def test_a_canonical_text_of_the_limit_passes_however_long_it_was_written() -> None:
    assert Standard(longest=3)("[CH3][CH2][OH]") == "CCO"
    with pytest.raises(DataError, match="longer than 2 characters"):
        Standard(longest=2)("OCC")
    with pytest.raises(SettingsError, match="longest: expected from 1 to 4000"):
        Standard(longest=4001)


def test_the_largest_part_is_kept_where_that_is_asked_for() -> None:
    largest = Standard(largest_part=True)
    assert largest("[Na+].CC(=O)Oc1ccccc1C(=O)[O-]") == "CC(=O)Oc1ccccc1C(=O)[O-]"
    assert largest("CC.OO") == "CC"  # equals: the first by the alphabet
    assert largest("OO.CC") == "CC"
    assert largest("[H][H].O") == "O"  # heavy atoms count, and not characters
    assert largest("CCO") == "CCO"


# Files of SMILES


@pytest.mark.parametrize("name", ["drugs.smi", "drugs.smi.gz", "drugs.SMI", "drugs.smiles"])
@pytest.mark.parametrize("head", ["", "smiles\n", "SMILES name\r\n"])
def test_smiles_load_with_names_and_headers_left_out(tmp_path: Path, name: str, head: str) -> None:
    path = write(tmp_path / name, head + f"{ASPIRIN}\taspirin\r\n{CAFFEINE} caffeine, of tea\n\n{IBUPROFEN}\n")
    dataset = load_data(path)
    assert texts(dataset) == [ASPIRIN, CAFFEINE, IBUPROFEN]
    assert dataset.rows.x.dtype.kind == "U"
    assert (dataset.name, dataset.attribute_names, dataset.rows.attributes) == ("drugs", (), None)
    assert dataset.notes == ("1 blank lines left out",)


def test_equal_molecules_are_one_however_they_are_written(tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path / "a.smi", "OCC\nCCO\nC(O)C\nCC\n"))
    assert texts(dataset) == ["CCO", "CC"]
    assert dataset.notes == ("2 of 4 molecules left out, which repeat others",)


def test_spelling_does_not_move_a_molecule_across_the_split(tmp_path: Path) -> None:
    one = load_data(write(tmp_path / "a.smi", "\n".join(f"O{chain}" for chain in alkanes(100))))
    other = load_data(write(tmp_path / "b.smi", "\n".join(f"[CH3]{chain}[OH]" for chain in alkanes(100))))
    assert len(one.test) > 0
    shared = set(one.rows.x) & set(other.rows.x)
    assert len(shared) == 99
    assert set(one.test.x) & shared == set(other.test.x) & shared


BAD = f"{ASPIRIN}\n\nC1CC broken\n{CAFFEINE}\n[Na+].[Cl-]\n*C\n{'C' * 130}\n{IBUPROFEN}\n"


def test_bad_molecules_are_named_with_line_and_reason_and_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.smi", BAD)
    with pytest.raises(DataError) as caught:
        load_data(path)
    assert str(caught.value) == (
        f"{path}, line 3: 'C1CC': no molecule (4 of 7 molecules are bad); --skip-bad leaves such molecules out and "
        "counts them"
    )


def test_bad_molecules_are_left_out_counted_and_kept_account_of(tmp_path: Path) -> None:
    path = write(tmp_path / "a.smi", BAD)
    dataset = load_data(path, skip_bad=True)
    assert texts(dataset) == [ASPIRIN, CAFFEINE, IBUPROFEN]
    assert [text.removeprefix(f"{path}, ") for text in dataset.skipped] == [
        "line 3: 'C1CC': no molecule",
        "line 5: '[Na+].[Cl-]': a mixture of 2 parts",
        "line 6: '*C': an atom that is not named (*)",
        f"line 7: '{'C' * 75} ...: longer than 120 characters",
    ]
    assert dataset.notes[1] == f"4 of 7 molecules left out: {'; '.join(dataset.skipped[:3])}; ..."


def test_longest_and_largest_part_are_passed_on(tmp_path: Path) -> None:
    path = write(tmp_path / "a.smi", "CCCC\nCCO.Cl\n")
    assert texts(load_data(path, largest_part=True)) == ["CCCC", "CCO"]
    assert texts(load_data(path, largest_part=True, longest=3, skip_bad=True)) == ["CCO"]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", "expected text, got an empty file"),
        (b"\n\n", "expected lines of text, got 2 blank ones"),
        (b"smiles\n", "expected molecules below the header, got none"),
        (b"CC\nC\0C\n", "line 2: a NUL byte"),
        (b"CC\n\xff\n", "line 2: is not UTF-8"),
    ],
    ids=["empty", "blank", "header", "nul", "bytes"],
)
def test_files_without_molecules_are_refused(tmp_path: Path, content: bytes, text: str) -> None:
    for name in ("a.smi", "a.smi.gz"):
        with pytest.raises(DataError, match=text):
            load_data(write(tmp_path / name, content), skip_bad=True)


def test_nothing_but_bad_molecules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of 2 molecules can be learnt from, the first because: .*line 1: 'X'"):
        load_data(write(tmp_path / "a.smi", "X\nY1\n"), skip_bad=True)


def test_a_gz_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.smi.gz", "\n".join(DRUGS))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(DataError, match=r"a\.smi\.gz: cannot be read: Compressed file ended"):
        load_data(path)


# Tables


TABLE = f"name_of_none,Smiles,logp,active\n1,{ASPIRIN},1.31,0\n2,{CAFFEINE},-1.03,1\n"


@pytest.mark.parametrize("name", ["drugs.csv", "drugs.csv.gz"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_table_brings_its_numbers_as_attributes(tmp_path: Path, name: str, end: str, delimiter: str) -> None:
    content = TABLE.replace("name_of_none", "").replace("\n", end).replace(",", delimiter)
    dataset = load_data(write(tmp_path / name, content))
    assert texts(dataset) == [ASPIRIN, CAFFEINE]
    assert dataset.attribute_names == ("logp", "active")
    assert dataset.rows.attributes is not None
    assert dataset.rows.attributes.dtype == np.float32
    assert np.array_equal(dataset.rows.attributes, np.float32([[1.31, 0], [-1.03, 1]]))
    assert (dataset.name, dataset.notes) == ("drugs", ())


def test_cells_with_quotes_and_ends_of_lines_are_read_as_the_publishers_of_zinc_write_them(tmp_path: Path) -> None:
    content = f'smiles,logP\n"{ASPIRIN}\n",1.31\n"X\n",2\n{CAFFEINE},-1\n'
    path = write(tmp_path / "a.csv", content)
    with pytest.raises(DataError, match=r"a\.csv, line 4: 'X': no molecule"):
        load_data(path)
    assert texts(load_data(path, skip_bad=True)) == [ASPIRIN, CAFFEINE]


def test_a_table_of_smiles_alone_has_no_attributes(tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path / "a.csv", f"smiles\n{ASPIRIN}\n\n{CAFFEINE}\n"))
    assert (texts(dataset), dataset.rows.attributes) == ([ASPIRIN, CAFFEINE], None)


def test_equal_molecules_keep_the_properties_of_the_first_and_a_difference_is_told(tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path / "a.csv", "smiles,y\nOCC,1\nCC,5\nCCO,1\nC(C)O,3\n"))
    assert texts(dataset) == ["CCO", "CC"]
    assert dataset.attributes_of(dataset.rows)["y"].tolist() == [1, 5]
    assert dataset.notes == (
        "2 of 4 molecules left out, which repeat others",
        "1 of these have other properties than the first, whose are kept",
    )


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("high", "'high'"),
        ("", "nothing"),
        ("nan", "'nan'"),
        ("-inf", "'-inf'"),
        ("1e39", "'1e39'"),
        ("1_0", "'1_0'"),
        ("1.5 mg", "'1.5 mg'"),
    ],
)
def test_a_property_that_is_no_number_is_named_with_line_and_column(tmp_path: Path, cell: str, said: str) -> None:
    path = write(tmp_path / "a.csv", f"smiles,id,dose\n{ASPIRIN},7,1\n{CAFFEINE},8,{cell}\n{IBUPROFEN},9,3\n")
    with pytest.raises(DataError) as caught:
        load_data(path)
    assert f"{path}, line 3: column 'dose': expected a number, got {said} (1 of 3 " in str(caught.value)
    dataset = load_data(path, skip_bad=True)
    assert texts(dataset) == [ASPIRIN, IBUPROFEN]
    assert dataset.attributes_of(dataset.rows)["dose"].tolist() == [1, 3]


def test_a_column_of_nothing_but_texts_goes_alone_and_not_with_all_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"smiles,name,y\n{ASPIRIN},aspirin,1\n{CAFFEINE},caffeine,2\n")
    with pytest.raises(DataError, match=r"line 2: column 'name': expected a number, got 'aspirin' \(2 of 2"):
        load_data(path)
    dataset = load_data(path, skip_bad=True)
    assert dataset.attribute_names == ("y",)
    assert dataset.attributes_of(dataset.rows)["y"].tolist() == [1, 2]
    assert dataset.notes == ("column 'name' left out: it holds no numbers",)
    only = write(tmp_path / "b.csv", f"smiles,name\n{ASPIRIN},aspirin\n")
    assert load_data(only, skip_bad=True).rows.attributes is None


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("a,b,c\n1,2,3\n", "expected a column called smiles, got a, b, c; dreamgen synthesize takes other tables"),
        ("\n\n", "expected a column called smiles, got none"),
        ("smiles,a,a\nCC,1,2\n", "expected columns of different names, got a more than once"),
        ("smiles,SMILES\nCC,CC\n", "expected columns of different names, got smiles more than once"),
        ("smiles,a\n", "expected molecules below the header, got none"),
        ("smiles,a\nCC,1\nCCC\n", r"line 3: expected 2 cells, as the header has, got 1 \(1 of 2"),
        ("smiles,a\nCC,1\nCCC,1,2\n", r"line 3: expected 2 cells, as the header has, got 3 \(1 of 2"),
        ("smiles,a\nCC,1\n,2\n", r"line 3: no atoms \(1 of 2"),
        ('smiles,a\nCC,1\n"CCC,2\nC,3\n', "line 3: not a row of a table: unexpected end of data"),
        ("smiles,a\nCC\0,1\n", "line 2: a NUL byte"),
    ],
    ids=["none", "blank", "twice", "two", "header", "short", "long", "empty", "quote", "nul"],
)
def test_bad_tables_are_refused_with_their_line(tmp_path: Path, content: str, text: str) -> None:
    with pytest.raises(DataError, match=text):
        load_data(write(tmp_path / "a.csv", content))


# Many, and what is kept of them


def test_workers_and_the_cache_give_what_one_process_gives(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.smi", "\n".join([*alkanes(60), "X", *(f"O{chain}" for chain in alkanes(60)), "C.C"]))
    plain = load_data(path, skip_bad=True)
    assert not own_cache.exists()  # few are not kept
    monkeypatch.setattr(standardised, "FEW", 10)
    monkeypatch.setattr(standardised, "PIECE", 50)
    monkeypatch.setattr(standardised, "workers_for", lambda n, few: 2)
    told: list[tuple[int, int]] = []
    worked = load_data(path, skip_bad=True, watch=lambda done, total: told.append((done, total)))
    assert told == [(50, 122), (100, 122), (122, 122)]
    assert len(list(own_cache.glob("*.npz"))) == 1
    monkeypatch.setattr(standardised, "_work", None)
    kept = load_data(path, skip_bad=True)
    for other in (worked, kept):
        assert (texts(other), other.skipped, other.notes) == (texts(plain), plain.skipped, plain.notes)
    with pytest.raises(DataError, match=r"line 61: 'X': no molecule \(2 of 122"):
        load_data(path)


@pytest.mark.parametrize("damage", ["cut", "garbage", "other"])
def test_a_damaged_cache_is_made_again(
    tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    monkeypatch.setattr(standardised, "FEW", 10)
    monkeypatch.setattr(standardised, "workers_for", lambda n, few: 1)
    path = write(tmp_path / "a.smi", "\n".join(alkanes(30)))
    first = load_data(path)
    (place,) = own_cache.glob("*.npz")
    content = place.read_bytes()
    if damage == "other":
        np.savez(place, smiles=np.array([b"C"]), bad=np.zeros(0, np.int64), reasons=np.zeros(0, "S1"))
    else:
        place.write_bytes(content[: len(content) // 2] if damage == "cut" else b"garbage")
    assert texts(load_data(path)) == texts(first)
    assert place.read_bytes() == content


def test_other_options_are_other_answers(tmp_path: Path, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standardised, "FEW", 10)
    monkeypatch.setattr(standardised, "workers_for", lambda n, few: 1)
    path = write(tmp_path / "a.smi", "\n".join(alkanes(30)))
    assert len(load_data(path).rows) == 30
    assert len(load_data(path, longest=20, skip_bad=True).rows) == 20
    assert len(list(own_cache.glob("*.npz"))) == 2


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standardised, "FEW", 10)
    monkeypatch.setattr(standardised, "workers_for", lambda n, few: 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(write(tmp_path / "file", "not a folder")))
    assert len(load_data(write(tmp_path / "a.smi", "\n".join(alkanes(30)))).rows) == 30


def test_without_rdkit_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    extras.needed.cache_clear()
    monkeypatch.setattr(extras, "import_module", absent)
    with pytest.raises(SettingsError, match=r"molecules need rdkit.*dreamgen\[molecules\]"):
        read_molecules(write(tmp_path / "a.smi", "CC\n"), Reading())
    assert texts(load_data(write(tmp_path / "a.txt", "CC\n"))) == ["CC"]


# Named sets


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "data" / "molecules").mkdir(parents=True)
    monkeypatch.setenv("DREAMGEN_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "molecules"


def test_zinc_has_its_publishers_parts_compared_as_molecules(data: Path) -> None:
    write(data / "zinc250k.smi.gz", "\n".join([*DRUGS, "OCC", "CC", "X"]))
    write(data / "zinc_jtnn_valid.smi.gz", f"C(C)O\n{ASPIRIN}\n")
    write(data / "zinc_jtnn_test.smi.gz", f"OC(=O)C1=CC=CC=C1OC(C)=O\n{CAFFEINE}\n")
    dataset = load_data("zinc250k")
    assert list(dataset.train.x) == [IBUPROFEN, NAPROXEN, PARACETAMOL, "CC"]
    assert list(dataset.validation.x) == ["CCO"]  # aspirin is of the test part
    assert list(dataset.test.x) == [ASPIRIN, CAFFEINE]
    assert dataset.official_split
    assert len(dataset.skipped) == 1
    assert dataset.notes[0].startswith("zinc250k.smi.gz: 1 of 8 molecules left out: ")


def test_a_named_set_leaves_out_what_is_bad_and_keeps_its_properties(data: Path) -> None:
    write(data / "moleculenet_hiv.csv.gz", f"smiles,hiv_active\n{ASPIRIN},0\nCC.O,1\n{CAFFEINE},1\n")
    dataset = load_data("moleculenet_hiv")
    assert (dataset.name, dataset.attribute_names) == ("moleculenet_hiv", ("hiv_active",))
    assert texts(dataset) == [ASPIRIN, CAFFEINE]
    assert dataset.attributes_of(dataset.rows)["hiv_active"].tolist() == [0, 1]
    assert len(dataset.skipped) == 1
    assert len(load_data("moleculenet_hiv", largest_part=True).rows) == 3
    with pytest.raises(DataError, match="moleculenet_hiv has molecules: --size is for faces"):
        load_data("moleculenet_hiv", size=64)


def test_a_set_that_is_not_at_hand_says_so(data: Path) -> None:
    with pytest.raises(DataError, match="zinc250k is not at hand"):
        load_data("zinc250k")
    assert all(known.mirror is None for known in NAMED_SETS.values() if known.holds == "molecules")


def test_a_table_of_dreams_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("smiles,logP,logP_read\nCCO,0.1,0.2\nCC(,,\nCCN,0.3,\n")
    dataset = load_data(path, skip_bad=True)
    assert dataset.attribute_names == ("logP",)
    assert sorted(dataset.rows.x.tolist()) == ["CCN", "CCO"]
    assert "line 3: 'CC(': no molecule" in " ".join(dataset.skipped)
