"""Text files as people have them: encodings, delimiters, ragged rows, gaps."""

import gzip
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from dreamgen.errors import DataError, SettingsError
from dreamgen.tables import Notes, infer_schema, read_batches, read_frame
from dreamgen.tables import text as text_module

ROWS = "город,дни\nПермь,3\nЁлкино,\n"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    ("encoding", "noted"),
    [("utf-8", False), ("utf-8-sig", False), ("utf-16", False), ("utf-16-le", False), ("cp1251", True)],
)
@pytest.mark.parametrize("packed", [False, True])
def test_encodings_are_found(tmp_path: Path, encoding: str, noted: bool, packed: bool) -> None:
    content = ROWS.encode(encoding)
    path = write(tmp_path / ("t.csv.gz" if packed else "t.csv"), gzip.compress(content) if packed else content)
    frame = read_frame(path)
    assert frame.table.to_pydict() == {"город": ["Пермь", "Ёлкино"], "дни": [3, None]}
    assert ("cp1251" in str(frame.notes)) is noted
    assert next(iter(read_batches(path))).equals(frame.table)


def test_a_given_encoding_is_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "a,b\né,1\n".encode("latin-1"))
    assert read_frame(path, encoding="latin-1").table.column("a").to_pylist() == ["é"]
    with pytest.raises(SettingsError, match="unknown encoding 'klingon'"):
        read_frame(path, encoding="klingon")
    with pytest.raises(DataError, match="is not ascii"):
        read_frame(path, encoding="ascii")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_delimiters_are_found(tmp_path: Path, delimiter: str) -> None:
    text = f'a{delimiter}"b, or; not"\n1{delimiter}x, y\n'.replace("x, y", '"x, y"')
    table = read_frame(write(tmp_path / "t.csv", text)).table
    assert table.to_pydict() == {"a": [1], "b, or; not": ["x, y"]}


def test_decimal_commas(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "a;b\n1,5;x\n2,25;y\n")
    frame = read_frame(path)
    assert frame.table.column("a").to_pylist() == [1.5, 2.25]
    assert "1,5" in str(frame.notes)
    assert read_frame(path, decimal_comma=False).table.column("a").to_pylist() == ["1,5", "2,25"]
    assert read_frame(write(tmp_path / "p.csv", "a;b\n1.5;x,1\n")).table.column("a").to_pylist() == [1.5]


def test_a_ragged_row_is_named_by_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", 'a,b\n1,"two\nlines"\n\n3,4\n5,6,7\n')
    with pytest.raises(DataError, match=r"t\.csv, line 6: expected 2 cells, as the header has, got 3"):
        read_frame(path)
    with pytest.raises(DataError, match="line 6"):
        list(read_batches(path))


def test_words_for_nothing_are_counted_in_texts_only(tmp_path: Path) -> None:
    frame = read_frame(write(tmp_path / "t.csv", 'a,b,c\n1,NA,NA\n,"",x\n"3",y,null\n'))
    assert frame.table.to_pydict() == {"a": [1, None, 3], "b": [None, None, "y"], "c": [None, "x", None]}
    assert frame.notes.lines == [
        "column 'b': 1 cell holds 'NA'; read as missing",
        "column 'c': 2 cells hold 'NA', 'null'; read as missing",
    ]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "_BLOCK", 256)


def test_types_that_show_late_are_found(tmp_path: Path, small_blocks: Any) -> None:
    lines = ["w,x,y,z", *["1,,2020-01-01,1"] * 300, "2,,2020-01-01,2", "1.5,7,2020-01-01 10:00:00,late"]
    path = write(tmp_path / "t.csv", "\n".join(lines))
    table = read_frame(path).table
    assert [str(kind) for kind in table.schema.types] == ["double", "int64", "timestamp[s]", "string"]
    assert table.column("z").to_pylist()[-2:] == ["2", "late"]
    assert pa.concat_tables(read_batches(path, rows=7)).equals(table.combine_chunks())


def test_a_schema_keeps_its_types(tmp_path: Path) -> None:
    fit = read_frame(write(tmp_path / "fit.csv", "zip,n\n" + "7,1\n01,2\nB9,3\n" * 30))
    schema = infer_schema(fit.table)
    new = write(tmp_path / "new.csv", "zip,n\n01,2.5\n7,3\n")
    assert read_frame(new, schema=schema).table.column("zip").to_pylist() == ["01", "7"]
    batch = next(iter(read_batches(new, schema=schema)))
    assert batch.column("zip").to_pylist() == ["01", "7"]
    assert batch.column("n").to_pylist() == [2.5, 3.0]
    bad = write(tmp_path / "bad.csv", 'zip,n\n"a\nb",1\n2,three\n')
    with pytest.raises(DataError, match=r"bad\.csv, line 4: column 'n': expected .* as in training, got .*three"):
        read_frame(bad, schema=schema)


def test_many_files_are_one_table(tmp_path: Path) -> None:
    write(tmp_path / "1.csv", "a,b\n1,x\n")
    write(tmp_path / "2.csv", "b,a\ny,2.5\n")
    table = read_frame(str(tmp_path / "*.csv")).table
    assert table.to_pydict() == {"a": [1.0, 2.5], "b": ["x", "y"]}
    assert pa.concat_tables(read_batches(str(tmp_path / "*.csv"))).equals(table)
    write(tmp_path / "3.csv", "a,c\n1,x\n")
    with pytest.raises(DataError, match=r"3\.csv has no column 'b', which .*1\.csv has"):
        read_frame(str(tmp_path / "*.csv"))
    with pytest.raises(DataError, match="no file has such a name"):
        read_frame(str(tmp_path / "*.parquet"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", "", "empty file"),
        ("t.csv", "a,b,a\n1,2,3\n", "'a' more than once"),
        ("t.csv.gz", "a,b\n1,2\n", "cannot read"),
        ("t.parquet", "a,b\n1,2\n", "not a readable Parquet file"),
        ("t.xlsx", "", r"expected .csv"),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = write(tmp_path / name, content)
    with pytest.raises(DataError, match=message):
        read_frame(path)
    with pytest.raises(DataError, match=message):
        list(read_batches(path))


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    frame = read_frame(write(tmp_path / "t.csv", "a,b\n"))
    assert frame.table.shape == (0, 2)
    with pytest.raises(DataError, match="expected a table with rows"):
        infer_schema(frame.table)


def test_notes_of_batches_add_up(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", "a,b\n" + "1,NA\n2,x\n" * 5)
    notes = Notes()
    assert sum(len(batch) for batch in read_batches(path, rows=3, notes=notes)) == 10
    assert notes.count("'b'", "missing") == 5


def test_digits_that_are_no_number_are_kept(tmp_path: Path) -> None:
    rows = ["zip,account,padded,n", "00501,123456789012345678901,07,1", "90210,123456789012345678902,107,2"]
    frame = read_frame(write(tmp_path / "t.csv", "\n".join([*rows, ",,,"])))
    assert frame.table.column("zip").to_pylist() == ["00501", "90210", None]
    assert frame.table.column("account").to_pylist()[0] == "123456789012345678901"
    assert frame.table.column("padded").to_pylist() == [7, 107, None]  # of several lengths: a number
    assert frame.table.column("n").to_pylist() == [1, 2, None]
    assert "column 'zip': holds codes such as 00501; read as text" in str(frame.notes)
    asked = read_frame(tmp_path / "t.csv", types={"zip": "int64"})
    assert asked.table.column("zip").to_pylist() == [501, 90210, None]
    assert "'zip'" not in str(asked.notes)
