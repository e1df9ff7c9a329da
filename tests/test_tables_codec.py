"""Schema and codec of tables: what is encoded comes back, and what is not says so."""

import contextlib
import json
import os
import re
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dreamgen.errors import DataError, ModelFileError, SettingsError
from dreamgen.tables import Codec, Notes, Schema, fit_codec, infer_schema, read_frame, read_schema
from dreamgen.tables.cells import Value
from dreamgen.tables.check import differs
from dreamgen.tables.restore import check_restorable
from dreamgen.tables.schema import Column

DATA = Path(os.environ.get("DREAMGEN_DATA", "nowhere"))
TABLES = sorted(
    [*DATA.glob("tabular/*.csv.gz"), *DATA.glob("timeseries/[bc]*.csv.gz"), *DATA.glob("timeseries/*Traffic*.csv.gz")]
)


def assert_comes_back(table: pa.Table, schema: Schema, back: pa.Table) -> None:
    """Equal, but for float32 in numbers without a grid, and for which of the rare categories it is."""
    for name in table.column_names:
        column, before, after = schema[name], table.column(name), back.column(name)
        assert before.type == after.type, name
        assert before.null_count == after.null_count or column.kind == "constant", name
        if before.combine_chunks() == after.combine_chunks():
            continue
        first, second = before.to_pandas(), after.to_pandas()
        differ = (first != second) & ~first.isna()
        if column.levels:
            assert set(first[differ]) <= set(column.rare), name
        elif column.kind != "constant":
            assert column.low is not None
            assert column.high is not None
            assert np.abs(first - second).max() <= 1e-6 * (column.high - column.low), name


@pytest.mark.skipif(not TABLES, reason="no tables in DREAMGEN_DATA")
@pytest.mark.parametrize("transform", ["auto", "normal"])
def test_every_table_comes_back(transform: str) -> None:
    for path in TABLES:
        table = read_frame(path).table
        schema = infer_schema(table)
        codec = Codec.from_dict(fit_codec(table, schema, transform).to_dict())
        x, mask = codec.encode(table)
        assert np.isfinite(x).all()
        assert x.dtype == np.float32
        assert_comes_back(table, schema, codec.decode(x, mask, source=table))


def mixed(n: int = 400, seed: int = 0) -> pa.Table:
    rng = np.random.default_rng(seed)
    gains = np.where(rng.random(n) < 0.8, 0.0, np.round(rng.lognormal(8, 1, n)))
    place = rng.choice(["north", "south", "east"], n, p=[0.6, 0.3, 0.1])
    place[:3] = ["atoll", "reef", "reef"]
    return pa.table(
        {
            "id": pa.array(np.arange(n) + 7),
            "height": pa.array(rng.normal(170, 9, n), mask=rng.random(n) < 0.1),
            "gain": gains,
            "grade": rng.integers(1, 6, n),
            "member": rng.random(n) < 0.3,
            "place": place.tolist(),
            "year": pa.array(np.full(n, 2020)),
            "when": pa.array(rng.integers(0, 10**6, n) * 60, pa.int64()).cast(pa.timestamp("s", tz="UTC")),
        }
    )


def test_kinds_are_found() -> None:
    table = mixed()
    schema = infer_schema(table)
    assert {c.name: c.kind for c in schema} == {
        "id": "identifier",
        "height": "positive",
        "gain": "count",
        "grade": "ordinal",
        "member": "boolean",
        "place": "categorical",
        "year": "constant",
        "when": "datetime",
    }
    assert schema["gain"].spikes == (0.0,)
    assert schema["place"].categories == ("east", "north", "south")
    assert schema["place"].rare == ("reef", "atoll")
    assert schema["when"].step == 60
    assert "column 'id'" in str(schema.notes)


def test_a_mixed_table_comes_back_and_its_keys_are_made_anew() -> None:
    table = mixed()
    schema = infer_schema(table)
    codec = fit_codec(table, schema)
    x, mask = codec.encode(table)
    assert (mask.all(0) == [False, True, True, True, True, True]).all()
    assert_comes_back(table, schema, codec.decode(x, mask, source=table))
    anew = codec.decode(x, mask)
    assert anew.column("id").to_pylist() == list(range(1, table.num_rows + 1))
    assert set(anew.column("year").to_pylist()) == {2020}
    place = codec.names.index("place")
    assert codec.shapes[place].levels == 4
    noisy = codec.decode(np.tile(x[:1], (3000, 1)), noise=1)
    drawn = noisy.column("place").to_pandas().value_counts(normalize=True)
    assert drawn["reef"] == pytest.approx(2 / 3, abs=0.03)


def test_normal_scores_are_normal() -> None:
    rng = np.random.default_rng(1)
    table = pa.table({"a": rng.lognormal(0, 2, 5000), "b": rng.random(5000) ** 3})
    x, _ = fit_codec(table, infer_schema(table), "normal").encode(table)
    for column in x.T:
        assert stats.kstest(column, "norm").pvalue > 0.5


def test_what_lies_below_all_that_was_seen_stays_below() -> None:
    values = np.random.default_rng(2).lognormal(3, 1.5, 500)
    table = pa.table({"a": values})
    codec = fit_codec(table, infer_schema(table))
    new = np.array([-1000.0, -10.0, 0.0, values.min(), values.max(), 1e6])
    x, _ = codec.encode(pa.table({"a": new}))
    assert (np.diff(x[:, 0]) > 0).all()
    np.testing.assert_allclose(codec.natural(x)[:, 0], new, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(codec.decode(x).column("a").to_numpy()[:3], values.min())


def test_missing_and_changed_columns_are_errors() -> None:
    table = mixed()
    schema = infer_schema(table)
    with pytest.raises(DataError, match="no column 'height': did you mean 'hight'"):
        schema.check(table.rename_columns(["hight" if n == "height" else n for n in table.column_names]))
    texts = table.set_column(1, "height", pa.array(["tall"] * len(table)))
    with pytest.raises(DataError, match=r"column 'height': expected numbers \(double\).*got text"):
        schema.check(texts)
    with pytest.raises(DataError, match="'height'"):
        fit_codec(table, schema).encode(texts)


def test_what_is_new_is_counted() -> None:
    table = mixed()
    schema = infer_schema(table)
    codec = fit_codec(table, schema)
    new = table.set_column(5, "place", pa.array(["moon", "moon", "north", None] + ["south"] * (len(table) - 4)))
    new = new.set_column(1, "height", pa.array([np.inf, 300.0] + [170.0] * (len(table) - 2)))
    new = new.append_column("extra", pa.array([1] * len(table)))
    notes = str(codec.check(new))
    assert "column 'place': 2 cells hold 'moon', never seen in training; kept as they are, missing to" in notes
    assert "column 'height': 1 cell is infinite" in notes
    assert "column 'extra': was not there in training; ignored" in notes
    assert codec.check(new).count("height", "above") == 1
    _, mask = codec.encode(new)
    place = codec.names.index("place")
    assert mask[:4, place].tolist() == [False, False, True, False]
    assert codec.unseen(new)[:4, place].tolist() == [True, True, False, False]


def test_a_schema_is_a_file(tmp_path: Path) -> None:
    schema = infer_schema(mixed())
    path = tmp_path / "schema.toml"
    path.write_text(schema.to_toml())
    assert read_schema(path) == schema
    assert '[columns.height]\nkind = "positive"' in schema.to_toml()
    assert '[columns.place]\nkind = "categorical"\ndtype = "string"\ncategories = ["east", "north", "south"]' in (
        schema.to_toml()
    )
    # Facts are found again, so that what is shared has no exact extremes even then.
    again = fit_codec(mixed(), read_schema(path))
    assert again.schema["height"].summary == schema["height"].summary
    assert again.schema["place"].summary == schema["place"].summary
    assert again.shareable().to_dict() == fit_codec(mixed(), schema).shareable().to_dict()


def test_what_is_shared_names_no_rare_category_and_no_extreme() -> None:
    table = mixed(2000)
    for transform in ("auto", "normal"):
        codec = fit_codec(table, infer_schema(table), transform).shareable()
        text = str(codec.to_dict())
        heights = table.column("height").drop_null().to_numpy()
        for secret in ("reef", "atoll", repr(heights.min()), repr(heights.max()), "summary"):
            assert secret not in text
        x, mask = codec.encode(table)
        back = codec.decode(x, mask).column("height").drop_null().to_numpy()
        inside = np.abs(heights - 170) < 15
        assert np.abs(back - heights)[inside].max() < 0.1


@pytest.mark.parametrize("n", [30, 100, 250, 5000])
def test_a_shared_quantile_map_is_not_the_column(n: int) -> None:
    values = np.random.default_rng(0).lognormal(3, 1, n)
    table = pa.table({"x": values})
    codec = fit_codec(table, infer_schema(table), "normal")
    for one in (codec, Codec.from_dict(codec.to_dict())):
        shared = one.shareable()
        entry = shared.to_dict()["codings"][0]
        assert "rows" not in entry
        held = [float(f"{value:.3g}") for value in values]
        if entry["transform"]["kind"] == "knots":
            natural = np.array(entry["transform"]["natural"])
            ranks = np.searchsorted(np.sort(values), natural)
            assert np.diff([0, *ranks, n]).min() >= 15  # rounding moves a knot by a few rows
            assert (np.diff(natural) > 0).all()
        else:
            assert n == 30
            assert not {float(f"{entry['transform'][name]:.3g}") for name in ("loc", "scale")} & set(held)
        grid = np.linspace(*np.quantile(values, [0.1, 0.9]), 50)[:, None]
        x = np.stack([c.transform.forward(grid[:, 0]) for c in shared.codings if c.transform], 1)
        assert shared.natural(x) == pytest.approx(grid, rel=1e-9)
        if n >= 100:  # and it is near the map that the model was trained with
            assert np.abs(x - one.codings[0].transform.forward(grid)).max() < 0.5  # type: ignore[union-attr]


def test_a_kind_changed_by_hand_leaves_no_extreme_and_no_value_behind() -> None:
    values = np.random.default_rng(0).integers(0, 12, 3000)
    values[:2] = [17, 18]
    table = pa.table({"a": values, "b": np.random.default_rng(1).normal(size=3000)})
    schema = infer_schema(table)
    assert schema["a"].kind == "ordinal"
    for kind in ("count", "real", "identifier"):
        shared = fit_codec(table, schema.replace("a", kind=kind)).shareable().schema["a"]
        assert not shared.categories
        assert not shared.rare
        assert (shared.high or 0) < 17
    # Where the quantiles are not known, no bound leaves.
    codec = fit_codec(table, infer_schema(table))
    values = codec.to_dict()
    del values["schema"]["columns"][1]["inner"]
    shared = Codec.from_dict(values).shareable().schema["b"]
    assert (shared.low, shared.high) == (None, None)


def test_a_shared_logarithm_is_rounded() -> None:
    table = pa.table({"x": np.random.default_rng(0).lognormal(3, 1, 500)})
    entry = fit_codec(table, infer_schema(table)).shareable().to_dict()["codings"][0]["transform"]
    assert entry["kind"] == "log"
    for name in ("shift", "loc", "scale"):
        assert entry[name] == pytest.approx(float(f"{entry[name]:.4g}"), rel=1e-12)


@pytest.mark.parametrize(("holders", "kept"), [(1, False), (4, False), (5, True), (300, True)])
@pytest.mark.parametrize("value", ["HIV positive", 417.5, True, np.datetime64("2024-02-29", "s")])
def test_what_few_rows_hold_beside_gaps_is_no_constant_to_share(holders: int, kept: bool, value: object) -> None:
    rows = pa.array([value] * holders + [None] * (300 - holders))
    words = rows.dictionary_encode() if isinstance(value, str) else rows
    table = pa.table({"told": rows, "words": words, "y": np.random.default_rng(0).normal(size=300)})
    codec = fit_codec(table, infer_schema(table))
    for one in (codec, Codec.from_dict(codec.to_dict())):
        assert [c.value is not None for c in one.shareable().schema if c.kind == "constant"] == [kept, kept]
        assert one.shareable().decode(np.zeros((2, 1))).column("told").null_count == (0 if kept else 2)


def test_a_constant_by_decree_is_not_the_first_of_many_texts() -> None:
    table = pa.table({"who": [f"person {i}" for i in range(300)], "y": np.arange(300) * 0.5})
    schema = infer_schema(table, {"who": "constant"})
    assert schema["who"].value is not None
    assert fit_codec(table, schema).shareable().schema["who"].value is None


def test_ordinal_columns_as_numbers_keep_what_lies_beyond() -> None:
    table = mixed()
    schema = infer_schema(table)
    codec = fit_codec(table, schema, ordinal="numbers")
    codec = Codec.from_dict(codec.to_dict())
    grade = codec.names.index("grade")
    assert codec.shapes[grade].levels == 0
    values = table.column("grade").to_numpy()
    assert codec.shapes[grade].step == pytest.approx(1 / values.std())
    beyond = table.set_column(table.column_names.index("grade"), "grade", pa.array(np.full(len(table), 40)))
    x, mask = codec.encode(beyond)
    assert mask[:, grade].all()
    assert x[0, grade] == pytest.approx((40 - values.mean()) / values.std(), rel=1e-6)
    assert codec.check(beyond).count("'grade'", "above") == len(table)
    assert codec.schema.check(beyond).count("'grade'", "never seen") == len(table)
    assert_comes_back(table, schema, codec.decode(*codec.encode(table), source=table))


def test_a_column_of_almost_only_numbers_is_noted() -> None:
    table = pa.table({"a": ["1", "2.5", "?", "3"] * 50 + ["4"] * 100})
    assert "column 'a': 50 cells such as '?' are no numbers" in str(infer_schema(table).notes)


def test_a_kind_changed_in_the_file_takes_its_categories_from_the_table(tmp_path: Path) -> None:
    table = pa.table({"a": np.arange(300) % 30, "b": np.arange(300) % 7 * 1.5})
    path = tmp_path / "schema.toml"
    path.write_text('[columns.a]\nkind = "categorical"\ndtype = "int64"\n[columns.b]\nkind = "real"\n')
    with pytest.raises(SettingsError, match="column 'a': expected categories"):
        read_schema(path)
    assert read_schema(path, table)["a"].categories == tuple(range(30))
    for old, new, message in (
        ("kind", "knid", "unknown entry 'knid': did you mean 'kind'"),
        ("real", "reel", "unknown kind 'reel': did you mean 'real'"),
        ("columns.b", "colunms.b", "unknown entry 'colunms': did you mean 'columns'"),
    ):
        path.write_text('[columns.b]\nkind = "real"\n[columns.a]\nkind="constant"\n'.replace(old, new, 1))
        with pytest.raises(SettingsError, match=message):
            read_schema(path)


@pytest.mark.parametrize(
    ("columns", "kinds"),
    [
        ({"a": [1.5]}, ["constant"]),
        ({"a": pa.array([None, None], pa.float64())}, ["constant"]),
        ({"a": [np.nan, np.nan]}, ["constant"]),
        ({"a": [np.inf, -np.inf]}, ["constant"]),
        ({"a": ["x", "y"]}, ["categorical"]),
        ({"a": [3, 3, 3], "b": [0, 1, 0]}, ["constant", "boolean"]),
        ({"a": [[1], [2]], "b": [1.5, 2.5]}, ["identifier", "positive"]),
    ],
)
def test_small_and_strange_tables(columns: dict[str, object], kinds: list[str]) -> None:
    table = pa.table(columns)
    schema = infer_schema(table)
    assert [column.kind for column in schema] == kinds
    codec = Codec.from_dict(fit_codec(table, schema).to_dict())
    x, mask = codec.encode(table)
    back = codec.decode(x, mask, source=table)
    assert back.column_names == table.column_names
    assert back.num_rows == table.num_rows
    assert codec.decode(x, mask).num_rows == table.num_rows


def test_five_thousand_columns() -> None:
    values = np.random.default_rng(0).normal(size=(40, 5000))
    table = read_frame(values).table
    codec = fit_codec(table, infer_schema(table))
    x, _ = codec.encode(table)
    np.testing.assert_allclose(x, (values - values.mean(0)) / values.std(0), rtol=1e-4, atol=1e-5)


numbers_of_all_sizes = st.lists(
    st.one_of(st.none(), st.floats(-1e6, 1e6, width=32), st.integers(-5, 5).map(float)), min_size=2, max_size=60
)


@settings(max_examples=60, deadline=None)
@given(numbers_of_all_sizes, st.sampled_from(["auto", "normal", "affine"]), st.sampled_from([0, 2, None]))
def test_any_numbers_come_back(values: list[float | None], transform: str, decimals: int | None) -> None:
    given = [v if v is None or decimals is None else round(v, decimals) for v in values]
    table = pa.table({"a": pa.array(given, pa.float64())})
    schema = infer_schema(table)
    codec = Codec.from_dict(fit_codec(table, schema, transform).to_dict())
    back = codec.decode(*codec.encode(table)) if codec.names else None
    if back is not None:
        assert_comes_back(table, schema, back)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=3), st.sampled_from("xyz")), min_size=2, max_size=60))
def test_any_texts_come_back(values: list[str | None]) -> None:
    for kind in (pa.string(), pa.dictionary(pa.int32(), pa.string())):
        table = pa.table({"a": pa.array(values, pa.string()).cast(kind)})
        schema = infer_schema(table)
        codec = Codec.from_dict(fit_codec(table, schema).to_dict())
        if codec.names:
            assert_comes_back(table, schema, codec.decode(*codec.encode(table)))
        assert Schema.from_dict(schema.to_dict()) == schema


def places(value: object, way: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """The way to each entry of nested dictionaries and lists."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [one for key in keys for one in [(*way, key), *places(value[key], (*way, key))]]


SAVED = json.dumps(fit_codec(mixed(100), infer_schema(mixed(100)), "normal").to_dict())
STRANGE = [
    None,
    True,
    -1,
    2**70,
    1e308,
    "",
    "int64",
    "categorical",
    "decimal128(99, 2)",
    "timestamp[s, tz=Mars]",
    [],
    {},
]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_codec_is_refused_or_works(data: st.DataObject) -> None:
    values = json.loads(SAVED)
    *way, last = data.draw(st.sampled_from(places(values)))
    part = values
    for key in way:
        part = part[key]
    part[last] = data.draw(st.sampled_from(STRANGE))
    try:
        codec = Codec.from_dict(values)
    except ModelFileError:
        return
    with contextlib.suppress(DataError):  # a changed kind or dtype no longer fits the table
        codec.decode(*codec.encode(mixed(100)), noise=1)
    assert codec.decode(np.zeros((1, len(codec.names)))).num_rows == 1
    codec.shareable().to_dict()


def test_a_constant_that_changed_is_counted_and_named() -> None:
    table = pa.table({"a": [1.5, 2.5, 3.5] * 4, "site": ["A {1}"] * 12, "on": [True] * 12, "k": [7] * 12})
    schema = infer_schema(table)
    assert {c.name for c in schema if c.kind == "constant"} == {"site", "on", "k"}
    assert len(schema.check(table)) == 0
    new = table.set_column(1, "site", pa.array(["A {1}"] * 10 + ["B", None]))
    new = new.set_column(2, "on", pa.array([False] * 2 + [True] * 10)).set_column(3, "k", pa.array([7, 8, 9] * 4))
    assert schema.check(new).lines == [
        "column 'site': 1 cell holds 'B', all held 'A {1}' in training; kept as it is",
        "column 'on': 2 cells hold False, all held True in training; kept as they are",
        "column 'k': 8 cells hold 8, 9, all held 7 in training; kept as they are",
    ]


def test_one_of_a_thing_is_told_of_one() -> None:
    notes = Notes()
    for count in (1, 2):
        subject = f"column {count}"
        notes.add(subject, "{n} cells lie below 0, the least in training", count)
        notes.add(subject, "{n} values of few rows, 69 in all, are one level", count)
        notes.add(subject, "{n} rows of the training break it", count)
        notes.add(subject, "{n} rows broke one and were drawn anew", count)
    assert notes.lines == [
        "column 1: 1 cell lies below 0, the least in training",
        "column 1: 1 value of few rows, 69 in all, is one level",
        "column 1: 1 row of the training breaks it",
        "column 1: 1 row broke one and was drawn anew",
        "column 2: 2 cells lie below 0, the least in training",
        "column 2: 2 values of few rows, 69 in all, are one level",
        "column 2: 2 rows of the training break it",
        "column 2: 2 rows broke one and were drawn anew",
    ]


@pytest.mark.parametrize("kind", [pa.timestamp("us"), pa.timestamp("ns", "UTC"), pa.timestamp("s"), pa.date32()])
def test_a_constant_point_in_time_is_itself(kind: pa.DataType) -> None:
    same = pa.array(np.array(["2024-01-31"] * 30 + ["NaT"], "datetime64[us]")).cast(kind)
    table = pa.table({"a": np.arange(31.0), "day": same})
    schema = infer_schema(table)
    assert schema["day"].kind == "constant"
    assert not differs(schema["day"], table).any()
    later = pa.array(np.array(["2024-02-01"], "datetime64[us]")).cast(kind)
    assert differs(schema["day"], pa.table({"a": [1.0], "day": later})).all()
    assert differs(schema["day"], pa.table({"a": [1.0], "day": ["soon"]})).all()


@pytest.mark.parametrize(
    ("name", "values", "kind"),
    [
        ("revenue", np.random.default_rng(0).integers(10**4, 10**8, 300), "count"),
        ("customer_id", np.random.default_rng(0).integers(10**4, 10**8, 300), "identifier"),
        ("n", np.random.default_rng(0).permutation(500)[:300], "identifier"),
        ("n", [*range(300), None], "count"),
        ("customer_id", [*range(300), None], "identifier"),
        ("n", range(1, 301), "identifier"),
    ],
)
def test_whole_numbers_are_a_key_by_name_or_where_chance_would_hardly_tell_them_apart(
    name: str, values: list[int | None], kind: str
) -> None:
    assert infer_schema(pa.table({name: pa.array(list(values), pa.int64())}))[name].kind == kind


def test_bounds_are_said_as_people_write_them() -> None:
    table = pa.table(
        {"day": pa.array(np.arange(19_000, 19_040)).cast(pa.int32()).cast(pa.date32()), "a": np.arange(40) * 1e5}
    )
    beyond = pa.table({"day": pa.array([0], pa.int32()).cast(pa.date32()), "a": [1e7]})
    notes = str(infer_schema(table, {"a": "positive"}).check(beyond))
    assert "lies below 2022-01-08, the least" in notes
    assert "lies above 3,900,000, the greatest" in notes


def test_an_order_may_name_categories_that_no_row_holds() -> None:
    sizes = pd.Categorical(["low", "high", "mid", "low"] * 8, ["low", "mid", "high", "top"], ordered=True)
    frame = read_frame(pd.DataFrame({"size": sizes, "x": np.arange(32) / 7}))
    schema = infer_schema(frame.table)
    assert schema["size"].categories == ("low", "mid", "high")
    back = fit_codec(frame.table, schema)
    again = frame.new(back.decode(back.encode(frame.table)[0]))["size"]
    assert list(again) == list(sizes)


def test_decimals_of_whole_values_come_back() -> None:
    kind = pa.decimal128(5, 2)
    values = [Decimal(v) for v in (1, 2, 3, 4, 5, 7)] * 10
    table = pa.table({"a": pa.array(values, kind), "k": pa.array([Decimal(5)] * 60, kind), "x": np.arange(60) / 7})
    codec = fit_codec(table, infer_schema(table))
    assert codec.decode(codec.encode(table)[0]).select(["a", "k"]).equals(table.select(["a", "k"]))


def test_whole_numbers_that_all_differ_are_said_to_be_perhaps_a_key() -> None:
    table = pa.table({"customer": np.arange(80) * 7919 % 100_003, "age": np.arange(80) % 30})
    notes = infer_schema(table).notes.lines
    assert [line for line in notes if "if it is a key" in line] == [
        "column 'customer': no two rows hold the same whole number: if it is a key, say `identifier` in the schema"
    ]


@pytest.mark.parametrize(
    ("dtype", "categories"),
    [("int8", (1, 2, 3, 300)), ("int64", (1, 2, 3.5, 4)), ("decimal128(5, 2)", ("a", "b")), ("int64", ("a", "b"))],
)
def test_categories_that_a_dtype_cannot_hold_are_refused(dtype: str, categories: tuple[Value, ...]) -> None:
    with pytest.raises(SettingsError, match=f"column 'a': its values cannot be {re.escape(dtype)}"):
        check_restorable(Column("a", "ordinal", dtype, categories=categories))


def test_a_constant_that_a_dtype_cannot_hold_is_refused() -> None:
    with pytest.raises(SettingsError, match="column 'a': its values cannot be decimal"):
        check_restorable(Column("a", "constant", "decimal128(5, 2)", value="x"))
