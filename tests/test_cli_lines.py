"""The command on lines and molecules: what is read, written and drawn, what is counted, and what is refused."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from commands import Run, ok
from dreamgen import DreamGenerator, MoleculeDreamer
from dreamgen.chemistry.properties import properties_of
from dreamgen.data import holds
from dreamgen.recipes import RECIPES, find_settings

SMALL = (
    *("-o", "likelihood.units=24", "-o", "encoder.units=16", "-o", "latent_dim=4", "-o", "batch_size=64"),
    *("-o", "mixture=2", "-o", "learning_rate=0.01"),
)


def lines_in(path: str) -> list[str]:
    return Path(path).read_text().removesuffix("\n").split("\n")


def rows_in(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def is_drawn(path: str) -> bool:
    with Image.open(path) as image:
        return len(np.unique(np.asarray(image.convert("L")))) > 10


@pytest.fixture(scope="session")
def words() -> list[str]:
    return [
        a + b + c for a in ("ba", "do", "mi", "ra") for b in ("la", "so", "ti", "nu", "ke") for c in ("x", "zz", "wo")
    ]


@pytest.fixture(scope="session")
def word_folder(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of made-up words, saved."""
    settings = RECIPES["sequence"].settings.replace(
        encoder={"kind": "recurrent", "units": 16},
        likelihood={"kind": "recurrent", "units": 24},
        latent_dim=4,
        batch_size=16,
        mixture=2,
        epochs=3,
    )
    folder = tmp_path_factory.mktemp("models") / "words"
    DreamGenerator.from_settings(settings, random_state=0).fit(words).save(folder)
    return folder


# Data and training


def test_the_recipe_follows_what_the_data_hold(tmp_path: Path) -> None:
    (tmp_path / "folder.smi").mkdir()
    kinds = dict.fromkeys(("a.smi", "A.CSV", "b.smi.gz", "zinc250k"), "molecules")
    kinds |= dict.fromkeys(("c.txt", "d.abc.gz"), "lines")
    kinds |= dict.fromkeys(("e.npy", "mnist", str(tmp_path / "folder.smi"), "nowhere", "a" * 5000), "pictures")
    recipes = {"molecules": "molecule", "lines": "sequence", "pictures": "default"}
    for name, held in kinds.items():
        assert holds(name) == held, name
        recipe = "mnist" if name == "mnist" else recipes[held]
        assert find_settings(None, name) == RECIPES[recipe].settings, name
    assert find_settings("molecule-smiles", "a.txt") == RECIPES["molecule-smiles"].settings


def test_training_on_molecules_says_what_comes_next(run: Run, molecules: list[str]) -> None:
    Path("drugs.smi").write_text("\n".join(molecules[:150]))
    code, out, err = run("train", "drugs.smi", *SMALL, "--epochs", 1, "--out", "RUN")
    assert (code, err) == (0, "")
    assert "next: dreamgen dream RUN -n 64 --out dreams.smi" in out
    card = ok(run("info", "RUN", "--json"))
    assert card["settings"]["language"] == "selfies"
    assert card["settings"]["properties"] == ["logP", "QED", "SA", "weight", "solubility"]
    Path("words.txt").write_text("\n".join(f"word {number}" for number in range(60)))
    code, out, _ = run("train", "words.txt", *SMALL, "--epochs", 1, "--out", "WORDS")
    assert (code, "--out dreams.txt" in out) == (0, True)


def test_what_is_no_molecule_is_named_or_left_out_and_counted(run: Run, molecules: list[str]) -> None:
    Path("drugs.smi").write_text("\n".join([molecules[0], "C1CC", *molecules[1:60]]))
    code, _, err = run("train", "drugs.smi", *SMALL, "--epochs", 1, "--out", "RUN")
    assert (code, "line 2: 'C1CC': no molecule (1 of 61 molecules are bad); --skip-bad" in err) == (3, True)
    assert not Path("RUN").exists()
    code, _, err = run("train", "drugs.smi", *SMALL, "--epochs", 1, "--out", "RUN", "--skip-bad")
    assert (code, "1 of 61 molecules left out: drugs.smi, line 2" in err) == (0, True)
    assert ok(run("info", "RUN", "--json"))["card"]["skipped_lines"] == 1


def test_what_the_language_cannot_write_is_named_or_left_out_and_counted(run: Run, molecules: list[str]) -> None:
    odd = "O=I(=O)c1ccccc1"  # five bonds of iodine are none of SELFIES
    Path("drugs.smi").write_text("\n".join([*molecules[:70], odd]))
    code, out, err = run("train", "drugs.smi", *SMALL, "--epochs", 1, "--out", "RUN")
    said = f"line 71 of drugs, '{odd}': cannot be written in SELFIES"
    assert (code, out) == (3, "")
    assert f"{said} (1 of 71 lines are bad); --skip-bad leaves such lines out and counts them" in err
    code, _, err = run("train", "drugs.smi", *SMALL, "--epochs", 1, "--out", "RUN", "--skip-bad")
    assert (code, f"1 of 71 lines left out: {said}" in err) == (0, True)
    card = ok(run("info", "RUN", "--json"))["card"]
    assert card["skipped_lines"] == 1


def test_longest_and_the_largest_part_are_asked_for(run: Run) -> None:
    Path("salts.smi").write_text("CCN.Cl\nCCCCCCCCCCCCCCCC\nCCO\n")
    assert run("data", "check", "salts.smi")[0] == 3
    found = ok(run("data", "check", "salts.smi", "--largest-part", "--longest", 10, "--skip-bad", "--json"))
    assert (found["train"], found["characters"], "range" in found) == (2, [3, 3], False)
    assert found["skipped"] == ["salts.smi, line 2: 'CCCCCCCCCCCCCCCC': longer than 10 characters"]
    code, _, err = run("data", "check", "digits", "--longest", 10)
    assert (code, "--longest and --largest-part are for molecules" in err) == (3, True)
    for option in (["--longest", 10], ["--largest-part"], ["--size", 64]):
        Path("words.txt").write_text("one\ntwo\n")
        assert run("data", "check", "words.txt", *option)[0] == (3 if option[0] != "--longest" else 0)


def test_lines_are_shown_as_lines(run: Run, molecules: list[str]) -> None:
    Path("drugs.smi").write_text("\n".join(molecules[:9]))
    code, out, _ = run("data", "show", "drugs.smi", "-n", 3)
    assert (code, out.split()) == (0, molecules[:3])
    assert ok(run("data", "show", "drugs.smi", "-n", 3, "--json"))["lines"] == molecules[:3]
    ok(run("data", "show", "drugs.smi", "--out", "d.png", "--json"))
    assert is_drawn("d.png")
    ok(run("data", "show", "drugs.smi", "-n", 2, "--out", "d.csv", "--json"))
    assert rows_in("d.csv") == [{"smiles": smiles} for smiles in molecules[:2]]


# Dreams


def test_dreams_are_written_as_text_table_and_structures(
    run: Run, molecule_folder: Path, dreamer: MoleculeDreamer
) -> None:
    result = ok(run("dream", molecule_folder, "-n", 30, "--seed", 3, "--json"))
    dreams = lines_in("dreams.smi")
    assert dreams == dreamer.dream(30, seed=3)
    assert (result["out"], result["molecules"], result["different"]) == ("dreams.smi", 30, len(set(dreams)))
    ok(run("dream", molecule_folder, "-n", 30, "--seed", 3, "--out", "d.csv", "--json"))
    rows = rows_in("d.csv")
    assert [row["smiles"] for row in rows] == dreams
    true = properties_of(dreams, ["logP"])[:, 0]
    np.testing.assert_allclose([float(row["logP"]) for row in rows], true, rtol=1e-5)
    first = next(row for row in rows if row["logP_read"])
    assert float(first["logP_read"]) == pytest.approx(dreamer.read([first["smiles"]])["logP"][0], rel=1e-4)
    ok(run("dream", molecule_folder, "-n", 9, "--given", "logP=3", "--out", "d.png", "--json"))
    assert is_drawn("d.png")
    code, _, err = run("dream", molecule_folder, "-n", 1001, "--out", "e.png")
    assert (code, "a picture holds 1000 structures, got 1001" in err, Path("e.png").exists()) == (3, True, False)


def test_dreams_of_what_is_given(run: Run, molecule_folder: Path) -> None:
    means = []
    for value in (0, 3):
        ok(
            run(
                "dream",
                molecule_folder,
                "-n",
                60,
                "--seed",
                1,
                "--given",
                f"logP={value}",
                "--out",
                "d.smi",
                "--json",
            )
        )
        means.append(properties_of(lines_in("d.smi"), ["logP"]).mean())
    assert means[0] < 1 < 2 < means[1]
    assert "expected a number" in run("dream", molecule_folder, "--given", "logP=high")[2]


def test_a_conditional_model_is_told_what_is_computed(run: Run, molecules: list[str]) -> None:
    Path("drugs.smi").write_text("\n".join(molecules[:100]))
    ok(run("train", "drugs.smi", *SMALL, "--epochs", 1, "-o", 'context=["logP"]', "--out", "RUN", "--json"))
    ok(run("dream", "RUN", "-n", 3, "--given", "logP=1", "--out", "d.csv", "--json"))
    assert "logP" in rows_in("d.csv")[0]
    assert ok(run("reconstruct", "RUN", "drugs.smi", "--json"))["n"] == 100
    report = ok(run("evaluate", "RUN", "drugs.smi", "--samples", 1, "--dreams", 0, "--json"))
    assert report["mean_absolute_error"]["logP"] > 0
    assert "logP is not given" in run("morph", "RUN", "CCO", "CCN")[2]
    assert ok(run("morph", "RUN", molecules[0], molecules[1], "--given", "logP=1", "--json"))["steps"] == 11


def test_words_are_dreamt_as_lines(run: Run, word_folder: Path) -> None:
    assert ok(run("dream", word_folder, "-n", 5, "--seed", 1, "--json"))["out"] == "dreams.txt"
    assert len(lines_in("dreams.txt")) == 5
    code, _, err = run("dream", word_folder, "--out", "d.png")
    assert (code, "expected a name that ends in .txt or .csv" in err) == (2, True)
    ok(run("dream", word_folder, "-n", 2, "--seed", 1, "--out", "d.csv", "--json"))
    assert [row["line"] for row in rows_in("d.csv")] == lines_in("dreams.txt")[:2]


# There and back


def test_picked_dreams_and_searched_lines_are_asked_for_on_the_command_line(
    run: Run, molecule_folder: Path, dreamer: MoleculeDreamer, molecules: list[str]
) -> None:
    result = ok(run("dream", molecule_folder, "-n", 12, "--seed", 3, "--picked", 4, "--json"))
    assert result["picked"] == 4
    assert lines_in("dreams.smi") == dreamer.dream(12, seed=3, picked=4)
    Path("drugs.smi").write_text("\n".join(molecules[:60]))
    search = ("reconstruct", molecule_folder, "drugs.smi", "--json", "--search")
    shares = [ok(run(*search, width))["exact"] for width in (1, 16)]
    assert shares[0] < shares[1]
    assert lines_in("reconstructions.smi") == dreamer.reconstruct(molecules[:60], search=16)


def test_a_text_file_of_molecules_is_read_as_such_by_their_model(run: Run, molecule_folder: Path) -> None:
    Path("raw.txt").write_text("OCC\nC(C)N\n")
    Path("same.smi").write_text("CCO\nCCN\n")
    for file in ("raw.txt", "same.smi"):
        ok(run("reconstruct", molecule_folder, file, "--out", f"{file}.out.csv", "--json"))
    assert [row["original"] for row in rows_in("raw.txt.out.csv")] == ["CCO", "CCN"]
    assert rows_in("raw.txt.out.csv") == rows_in("same.smi.out.csv")


def test_reconstructions_are_counted_and_keep_their_places(
    run: Run, molecule_folder: Path, dreamer: MoleculeDreamer, molecules: list[str]
) -> None:
    given = [*molecules[:40], "C[Si](C)C", *molecules[40:60]]
    Path("drugs.smi").write_text("\n".join(["C1CC", *given]))
    expected = dreamer.reconstruct(given)
    exact = np.mean([a == b for a, b in zip(given, expected, strict=True)])  # what cannot be read is lost too
    asked = ("reconstruct", molecule_folder, "drugs.smi")
    code, out, err = run(*asked, "--json")
    result = json.loads(out)
    assert (code, "1 of 62 molecules left out: drugs.smi, line 1" in err) == (0, True)
    assert (result["split"], result["n"], result["unreadable"], result["skipped"]) == ("all", 61, 1, 1)
    assert result["exact"] == pytest.approx(exact)
    assert lines_in("reconstructions.smi") == [line or "" for line in expected]
    _, out, _ = run(*asked, "--out", "r.csv")
    assert f"{exact:.1%} are exact; 1 could not be read" in out
    rows = rows_in("r.csv")
    assert [row["original"] for row in rows] == given
    assert [row["reconstruction"] for row in rows] == [line or "" for line in expected]
    assert sum(int(row["exact"]) for row in rows) == round(exact * 61)
    assert run(*asked, "--out", "r.png", "-n", 12)[0] == 0
    assert is_drawn("r.png")


def test_a_morph_takes_smiles_rows_and_dreams(
    run: Run, molecule_folder: Path, dreamer: MoleculeDreamer, molecules: list[str]
) -> None:
    Path("drugs.smi").write_text("\n".join(molecules[:30]))
    result = ok(run("morph", molecule_folder, "c1(C)ccccc1", "drugs.smi:20", "-n", 5, "--json"))
    film = dreamer.morph("Cc1ccccc1", molecules[20], 5)
    assert lines_in("morph.smi") == film
    assert result["different"] == len(set(film))
    ok(run("morph", molecule_folder, "dream:1", "dream:2", "--out", "m.png", "--json"))
    assert is_drawn("m.png")
    assert "'C1CC' is no molecule: expected SMILES, DATA:ROW" in run("morph", molecule_folder, "C1CC", "CCO")[2]
    assert "expected a row from 0 to 29" in run("morph", molecule_folder, "drugs.smi:30", "CCO")[2]


def test_codes_go_out_and_come_back(run: Run, molecule_folder: Path, dreamer: MoleculeDreamer) -> None:
    Path("drugs.smi").write_text("CCc1ccccc1\nCOc1ccccc1\n")
    ok(run("encode", molecule_folder, "drugs.smi", "--json"))
    z = np.load("codes.npz")["loc"]
    np.testing.assert_array_equal(z, dreamer.encode(["CCc1ccccc1", "COc1ccccc1"]))
    ok(run("decode", molecule_folder, "codes.npz", "--json"))
    assert lines_in("decoded.smi") == dreamer.decode(z)
    Path("odd.smi").write_text("CCc1ccccc1\nC[Si](C)C\n")
    code, _, err = run("encode", molecule_folder, "odd.smi")
    assert (code, "line 2: holds '[Si" in err) == (3, True)
    result = ok(run("encode", molecule_folder, "odd.smi", "--skip-bad", "--json"))
    assert (result["n"], result["left_out"]) == (1, 1)
    assert np.load("codes.npz")["lines"].tolist() == ["CCc1ccccc1"]


def test_worlds_are_drawn_or_written(run: Run, molecule_folder: Path, word_folder: Path) -> None:
    ok(run("map", molecule_folder, "--size", 4, "--out", "map.png", "--json"))
    ok(run("traverse", molecule_folder, "--latents", "0,1", "-n", 3, "--out", "t.png", "--json"))
    assert is_drawn("map.png")
    assert is_drawn("t.png")
    assert ok(run("map", word_folder, "--json"))["size"] == 8
    assert len(lines_in("map.txt")) == 64


def test_codes_on_a_plane_are_coloured_by_a_property(run: Run, molecule_folder: Path, molecules: list[str]) -> None:
    Path("drugs.smi").write_text("\n".join([*molecules[:30], "C[Si](C)C"]))
    asked = ("project", molecule_folder, "drugs.smi", "--split", "all")
    result = ok(run(*asked, "--morph", "dream:1", "CCO", "--json"))
    assert (result["n"], result["colour"]) == (30, "logP")
    assert is_drawn("projection.png")
    assert ok(run(*asked, "--colour", "weight", "--out", "w.png", "--json"))["colour"] == "weight"
    assert "did you mean 'weight'" in run(*asked, "--colour", "wight")[2]


def test_neighbours_are_printed_or_written(run: Run, molecule_folder: Path, dreamer: MoleculeDreamer) -> None:
    expected = dreamer.neighbours("CCc1ccccc1", 4)
    code, out, _ = run("neighbours", molecule_folder, "c1(CC)ccccc1", "-n", 4)
    assert code == 0
    assert [line.split()[-1] for line in out.splitlines()] == ["CCc1ccccc1", *(one.smiles for one in expected)]
    ok(run("neighbours", molecule_folder, "CCc1ccccc1", "-n", 4, "--out", "n.csv", "--json"))
    found = [(row["smiles"], float(row["similarity"])) for row in rows_in("n.csv")]
    assert found == [(one.smiles, pytest.approx(one.similarity, abs=1e-5)) for one in expected]


# What it is worth


def test_the_evaluation_says_what_comes_back_what_is_read_and_what_dreams_are_worth(
    run: Run, molecule_folder: Path, dreamer: MoleculeDreamer, molecules: list[str]
) -> None:
    Path("drugs.smi").write_text("\n".join([*molecules[:200], "C[Si](C)C"]))
    report = ok(
        run(
            *("evaluate", molecule_folder, "drugs.smi", "--samples", 2, "--dreams", 50, "--split", "all", "--json"),
            *("--picture", "p.png"),
        )
    )
    assert Path("p.png").read_bytes().startswith(b"\x89PNG")
    assert (report["rows"], report["unreadable"]) == (200, 1)
    again = dreamer.reconstruct(molecules[:200])
    assert report["exact"] == pytest.approx(sum(a == b for a, b in zip(again, molecules, strict=False)) / 201)
    assert report["molecules"]["valid_as_they_come"] == 1  # in SELFIES
    error = np.abs(dreamer.read(molecules[:200])["logP"] - properties_of(molecules[:200], ["logP"])[:, 0]).mean()
    assert report["mean_absolute_error"]["logP"] == pytest.approx(error)
    assert list(report["mean_absolute_error"]) == ["logP", "QED"]
    assert report["molecules"]["dreams"]["valid"] == 1
    assert report["molecules"]["rows"]["dreams"] == 50
    assert report["memorisation"] is None
    assert {"rate", "active_units", "collapse"} <= report.keys()


def test_words_have_no_figures_of_molecules(run: Run, word_folder: Path, words: list[str]) -> None:
    Path("words.txt").write_text("\n".join([*words, "quite another"]))
    report = ok(run("evaluate", word_folder, "words.txt", "--samples", 2, "--split", "all", "--json"))
    assert (report["rows"], report["unreadable"]) == (len(words), 1)
    assert {"molecules", "mean_absolute_error"}.isdisjoint(report)
    assert "dreamt molecules" in run("evaluate", word_folder, "words.txt", "--picture", "p.png")[2]
    assert 0 <= report["exact"] <= 1


def test_checks_are_a_row_each_and_candidates_are_counted(run: Run) -> None:
    aspirin, nitro = "CC(=O)Oc1ccccc1C(=O)O", "O=[N+]([O-])c1ccccc1"
    Path("drugs.smi").write_text(f"{aspirin}\nC1CC\n{nitro}\nCCOC(=O)c1ccccc1\n{aspirin}\n")
    result = ok(run("check", "drugs.smi", "--no-conformer", "--json"))
    assert (result["n"], result["valid"]) == (5, 4)
    assert result["molecules_per_hour"] == pytest.approx(5 / result["seconds"] * 3600)
    rows = rows_in("checked.csv")
    assert [row["line"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert [row["valid"] for row in rows] == ["1", "0", "1", "1", "1"]
    assert (rows[1]["QED"], rows[1]["written"], rows[0]["energy"]) == ("", "C1CC", "")
    assert int(rows[2]["alerts"]) > 0
    assert [row["candidate"] for row in rows] == ["0", "0", "0", "1", "0"]  # aspirin and nitrobenzene have alerts
    assert ok(run("check", "drugs.smi", "--no-conformer", "--alerts", 9, "--qed", 0, "--json"))["candidates"] == 4
    Path("one.smi").write_text("CCOC(=O)c1ccccc1\n")
    assert ok(run("check", "one.smi", "--out", "one.csv", "--json"))["candidates"] == 1
    (row,) = rows_in("one.csv")
    assert (row["conformer"], row["force_field"]) == ("1", "MMFF94")
    assert float(row["energy"]) > 0
    assert "nowhere.smi: no such file" in run("check", "nowhere.smi")[2]


# What lines cannot do


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("fill", "MODEL", "drugs.smi"), "fill is for models of pictures: this one is of molecules"),
        (("edit", "MODEL", "dream:1", "--more", "logP=1"), "edit is for models of pictures"),
        (("compare", "MODEL"), "compare is for models of pictures"),
        (("export", "MODEL", "--html"), "export is for models of pictures"),
        (("export", "MODEL", "--onnx"), "export is for models of pictures"),
        (("export", "MODEL", "--decoder-only"), "export is for models of pictures"),
        (("dream", "MODEL", "--styles"), "expected a model that is told the class"),
        (("dream", "MODEL", "--out", "d.npz"), "expected a name that ends in .smi or .txt or .csv or .png"),
        (("attributes", "MODEL", "drugs.smi"), "has no attributes and no labels"),
        (("reconstruct", "MODEL", "digits"), "digits holds pictures: expected molecules"),
        (("reconstruct", "MODEL", "words.txt"), "words.txt, line 1: 'hello': no molecule"),
        (("reconstruct", "mnist", "drugs.smi"), "drugs.smi holds molecules: expected numbers"),
        (("neighbours", "mnist", "CCO"), "expected a model of molecules"),
        (("train", "drugs.smi", "-o", "likelihood=bernoulli"), "likelihood"),
        (("train", "drugs.smi", "--recipe", "mnist"), "expected"),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_what_makes_no_sense_is_one_line(
    arguments: tuple[str, ...], text: str, run: Run, molecule_folder: Path
) -> None:
    Path("drugs.smi").write_text("CCO\nCCN\n")
    Path("words.txt").write_text("hello\n")
    code, out, err = run(*(str(molecule_folder) if argument == "MODEL" else argument for argument in arguments))
    assert code in (2, 3), err
    assert text in err
    assert (out, len(err.strip().splitlines())) == ("", 1)
