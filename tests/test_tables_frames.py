"""Frames of every kind go in, and the same kind comes back."""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from dreamgen.errors import DataError, OutputError
from dreamgen.tables import Notes, TableWriter, infer_schema, read_batches, read_frame, some, some_rows, write_table


def pandas_frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "a": [1.5, np.nan, 3.0],
            "b": pd.array([1, None, 3], dtype="Int64"),
            "c": pd.Categorical(["x", "y", None], categories=["z", "y", "x"], ordered=True),
            "d": pd.array(["s", None, "t"], dtype="string"),
            "e": pd.to_datetime(["2020-01-01", "2020-06-01", None]).tz_localize("Europe/Berlin"),
            "f": [True, False, True],
            "g": np.array([1, 2, 3], np.int16),
            "h": pd.array([True, None, False], dtype="boolean"),
            5: np.array([1, 2, 3], np.float32),
        },
        index=pd.Index(["k", "l", "m"], name="key"),
    )


def test_pandas_comes_back() -> None:
    frame = pandas_frame()
    read = read_frame(frame)
    assert read.table.column_names[-1] == "5"
    pd.testing.assert_frame_equal(read.like(read.table), frame)
    pd.testing.assert_frame_equal(read.like(read.table.take([2, 0]), rows=[2, 0]), frame.iloc[[2, 0]])
    longer = read.like(pa.concat_tables([read.table, read.table]))
    assert list(longer.index) == list(range(6))
    assert longer.dtypes.tolist() == frame.dtypes.tolist()
    more = read.like(read.table.append_column("score", pa.array([0.1, 0.2, 0.3])))
    assert more["score"].tolist() == [0.1, 0.2, 0.3]
    assert more.index.name == "key"


def test_pandas_whole_numbers_with_gaps_become_nullable() -> None:
    read = read_frame(pandas_frame())
    gaps = read.table.set_column(6, "g", pa.array([1, None, 3], pa.int16()))
    assert str(read.like(gaps)["g"].dtype) == "Int64"


def test_polars_comes_back() -> None:
    frame = pl.DataFrame(
        {
            "a": [1.5, None, float("nan")],
            "b": pl.Series(["x", "y", None], dtype=pl.Enum(["y", "x"])),
            "c": pl.Series(["x", "y", None], dtype=pl.Categorical),
            "d": pl.Series([1, 2, None], dtype=pl.UInt8),
            "e": [datetime(2020, 1, 1, tzinfo=UTC), None, datetime(2021, 1, 1, tzinfo=UTC)],
            "f": ["s", None, "t"],
        }
    )
    read = read_frame(frame)
    assert read.like(read.table).equals(frame)
    assert read.like(read.table).schema == frame.schema
    with pytest.raises(DataError, match="collect"):
        read_frame(frame.lazy())


def test_arrow_numpy_and_mappings_come_back() -> None:
    table = pa.table({"a": pa.array(["x", "y"]).dictionary_encode(), "b": pa.array([1, None], pa.int8())})
    assert read_frame(table).like(table).equals(table)
    array = np.array([[1.0, np.nan], [3.0, 4.0]], np.float32)
    back = read_frame(array).like(read_frame(array).table)
    np.testing.assert_array_equal(back, array)
    assert back.dtype == array.dtype
    things = np.array([[1, "x"], [None, "y"]], object)
    assert read_frame(things).like(read_frame(things).table).tolist()[1][1] == "y"
    mapping = {"a": np.array([1, 2]), "b": ["x", "y"]}
    same = read_frame(mapping).like(read_frame(mapping).table)
    assert same["a"].dtype == np.int64
    assert list(same["b"]) == ["x", "y"]


def test_what_is_no_table_is_refused() -> None:
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(DataError, match="'a' more than once"):
        read_frame(twice)
    with pytest.raises(DataError, match="'a' more than once"):
        read_frame(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]))
    with pytest.raises(DataError, match="shape"):
        read_frame(np.zeros(3))
    with pytest.raises(DataError, match="got int"):
        read_frame(3)
    with pytest.raises(DataError, match="did you mean 'alpha'"):
        read_frame({"alpha": [1.0], "beta": [2.0]}, columns=["alpa"])


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.parquet"])
def test_files_come_back(tmp_path: Path, name: str) -> None:
    table = pa.table({"a": [1.5, None, 2.0], "b": [1, 2, 3], "c": ["x", "y, z", None]})
    assert len(write_table(tmp_path / name, table)) == 0
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert read_frame(tmp_path / name).table.equals(table)
    assert pa.concat_tables(read_batches(str(tmp_path / "t.*"), rows=2)).equals(table)


def test_strange_arrays_and_columns() -> None:
    with pytest.raises(DataError, match="Complex data not supported"):
        read_frame(np.ones((2, 2), complex))
    assert read_frame({"a": np.array([b"x", b"y"])}).table.column("a").to_pylist() == ["x", "y"]
    assert read_frame(np.ones((2, 1), np.longdouble)).table.column("0").type == pa.float64()
    frame = pd.DataFrame({"a": pd.Series([0.0, 0.0, 1.0], dtype="Sparse[float]"), "b": [1, "x", None]})
    read = read_frame(frame)
    assert read.like(read.table).dtypes["a"] == frame.dtypes["a"]
    assert read.notes.lines == ["column 'b': holds values of several kinds; all are read as text"]
    views = pa.table({"a": pa.array(["x", "y", "x"], pa.string_view())})
    assert infer_schema(views)["a"].categories == ()
    assert infer_schema(views)["a"].rare == ("x", "y")


def write_all(path: Path, tables: Iterable[pa.Table]) -> None:
    with TableWriter(path) as writer:
        for table in tables:
            writer.write(table)


def interrupted() -> Iterator[pa.Table]:
    yield pa.table({"a": [2]})
    raise KeyboardInterrupt


def test_a_writer_wants_the_same_columns_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(path, pa.table({"a": [1]}))
    for rows in ([], [pa.table({"a": [1.0]}), pa.table({"b": [1.0]})]):
        with pytest.raises(OutputError):
            write_all(path, rows)
    with pytest.raises(KeyboardInterrupt):
        write_all(path, interrupted())
    assert [p.name for p in tmp_path.iterdir()] == ["t.parquet"]
    assert read_frame(path).table.column("a").to_pylist() == [1]
    write_all(path, [pa.table({"a": [1.5]}), pa.table({"a": [None]})])
    assert read_frame(path).table.column("a").to_pylist() == [1.5, None]
    with pytest.raises(OutputError, match=r"ends in \.parquet, \.csv or \.tsv"):
        write_table(tmp_path / "t.xlsx", pa.table({"a": [1]}))


def test_formulas_are_neutralised(tmp_path: Path) -> None:
    table = pa.table({"a": ["=1+1", "-3.5", "@x", "+4", "safe", "\tx", None, "-a"]})
    notes = write_table(tmp_path / "t.csv", table)
    assert notes.count("'a'", "formula") == 4
    cells = read_frame(tmp_path / "t.csv").table.column("a").to_pylist()
    assert cells == ["'=1+1", "-3.5", "'@x", "+4", "safe", "'\tx", None, "'-a"]
    named = pa.table({"=a": pa.array(["=x", "=x", "y"]).dictionary_encode(), "-5": [1, 2, 3]})
    assert len(write_table(tmp_path / "n.csv", named)) == 2
    assert (tmp_path / "n.csv").read_text().splitlines()[:2] == ['"\'=a","-5"', '"\'=x",1']


def test_tables_are_imported_without_arrow_and_say_what_to_install() -> None:
    code = (
        "import sys\n"
        "import numpy as np\n"
        "from dreamgen.errors import SettingsError\n"
        "from dreamgen.tables import read_frame\n"
        "assert not {'pyarrow', 'pandas', 'polars', 'narwhals'} & set(sys.modules)\n"
        "sys.modules['pyarrow'] = None\n"
        "for source in (np.zeros((2, 2)), {'a': [1.0]}, 't.csv'):\n"
        "    try: read_frame(source)\n"
        "    except SettingsError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = "tables need pyarrow, which is not installed: pip install dreamgen[table]"
    assert done.stdout.splitlines() == [expected] * 3


def test_some_rows_are_drawn_evenly_in_one_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, held = tmp_path / "t.parquet", []
    write_table(path, pa.table({"a": range(40_000)}))
    least, notes = some._least, Notes()

    def watched(tables: list[pa.Table], keys: list[np.ndarray], most: int) -> tuple[list[pa.Table], list[np.ndarray]]:
        held.append(sum(map(len, tables)))
        return least(tables, keys, most)

    monkeypatch.setattr(some, "_BATCH", 1000)
    monkeypatch.setattr(some, "_least", watched)
    drawn = some_rows(str(path), 2000, 0, notes).column("a").to_numpy()
    assert len(drawn) == len(np.unique(drawn)) == 2000
    assert (np.diff(drawn) > 0).all()
    assert np.abs(np.histogram(drawn, 10, (0, 40_000))[0] - 200).max() < 4 * 200**0.5
    assert 2000 < max(held) <= 5000
    assert notes.lines == [f"38,000 rows of {path} are not learned from: 2,000 are enough"]
    assert not np.array_equal(drawn, some_rows(str(path), 2000, 1).column("a").to_numpy())
    assert some_rows(str(path), 50_000, 0).equals(read_frame(path).table)
    assert some_rows(str(path), 40_000, 0).num_rows == 40_000
    write_table(path, pa.table({"a": pa.array([], pa.int64())}))
    with pytest.raises(DataError, match=rf"^{path}: expected a table with rows, got none$"):
        some_rows(str(path), 10, 0)
