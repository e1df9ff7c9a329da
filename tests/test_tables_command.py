"""`dreamgen schema`, in process."""

import json
from pathlib import Path

import pytest

from dreamgen.cli import main
from dreamgen.tables import read_schema


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as end:
        main(["schema", *arguments])
    out, err = capsys.readouterr()
    return int(end.value.code or 0), out, err


@pytest.fixture
def path(tmp_path: Path) -> Path:
    rows = [f"{i},{i * 7 % 50 / 4},{'abc'[i % 3]},{'' if i % 5 else 1},2024-01-{1 + i % 28:02d}" for i in range(200)]
    path = tmp_path / "t.csv"
    path.write_text("id,x,letter,flag,day\n" + "\n".join(rows) + "\n")
    return path


def test_the_schema_is_shown_and_written(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = path.parent / "new" / "schema.toml"
    code, text, _ = run(capsys, str(path), "--out", str(out))
    assert code == 0
    for expected in (
        "identifier",
        "0 to 12.25",
        "3 values: a, b, c",
        "2024-01-01 00:00:00",
        "80.0%",
        "column 'id': is taken for a key",
    ):
        assert expected in text
    schema = read_schema(out)
    assert {column.name: column.kind for column in schema} == {
        "id": "identifier",
        "x": "positive",
        "letter": "categorical",
        "flag": "constant",
        "day": "datetime",
    }
    _, text, _ = run(capsys, str(path), "--json", "--kind", "id=count")
    assert json.loads(text)["columns"][0]["kind"] == "count"


def test_what_is_asked_wrongly_is_one_line(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, str(path), "--kind", "id=conut") == (
        2,
        "",
        "dreamgen: kinds: unknown kind 'conut' of 'id': did you mean 'count'? valid: boolean, categorical, constant, "
        "count, datetime, identifier, ordinal, positive, real\n",
    )
    code, _, err = run(capsys, "nowhere.csv")
    assert code == 3
    assert err.startswith("dreamgen: nowhere.csv: cannot read")


def test_of_many_rare_categories_a_few_are_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["often"] * 3000 + ["also"] * 3000 + [f"once {i}" for i in range(40)]
    (tmp_path / "t.csv").write_text("\n".join(["word,n", *(f"{word},{i % 9}" for i, word in enumerate(words))]))
    _, text, _ = run(capsys, str(tmp_path / "t.csv"), "--json")
    word = next(column for column in json.loads(text)["columns"] if column["name"] == "word")
    assert len(word["rare"]) == len(word["rare_counts"]) == 5
    assert word["rare_in_all"] == 40
