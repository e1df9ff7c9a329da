"""Files judged and filled in one pass: the same whatever the batch, observed cells as they were."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dreamgen import AnomalyDetector, Imputer
from dreamgen.applications.anomaly.one_pass import judge_file
from dreamgen.applications.imputation.one_pass import fill_file
from dreamgen.errors import DataError
from dreamgen.tables import Notes

NUMBERS = ("a", "b", "count")


def made(rows: int, seed: int = 0) -> pa.Table:
    """Numbers and categories that depend on each other, a tenth of the cells missing."""
    random = np.random.default_rng(seed)
    z = random.normal(size=rows)
    hidden = random.random((4, rows)) < 0.1
    a = 10 + 3 * z + 0.3 * random.normal(size=rows)
    b = np.where(hidden[1], np.nan, np.exp(z + 0.2 * random.normal(size=rows)))
    counts = random.poisson(np.exp(0.5 * z)).astype(np.int64)
    words = np.array(["low", "middle", "high"])[np.digitize(z + 0.2 * random.normal(size=rows), [-0.6, 0.6])]
    return pa.table(
        {
            "a": pa.array(a, mask=hidden[0]),
            "b": pa.array(b),
            "count": pa.array(counts, mask=hidden[2]),
            "word": pa.array(words, mask=hidden[3]),
        }
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    pq.write_table(made(1500, seed=1), path, row_group_size=400)
    return path


@pytest.fixture(scope="module")
def detector() -> AnomalyDetector:
    return AnomalyDetector(settings={"epochs": 4, "hidden_dim": [16]}, random_state=0).fit(made(2000))


@pytest.fixture(scope="module")
def imputer() -> Imputer:
    return Imputer(steps=60, samples=20, random_state=0).fit(made(2000))


def columns(table: pa.Table, names: tuple[str, ...]) -> np.ndarray:
    return np.stack([table.column(name).to_numpy() for name in names], 1).astype(float)


def test_judged_rows_are_the_same_whatever_the_batch(detector: AnomalyDetector, path: Path) -> None:
    found = []
    for batch in (1 << 16, 599, 250):
        out = path.with_name(f"judged-{batch}.parquet")
        tally = judge_file(detector, str(path), out, Notes(), batch=batch)
        found.append(pq.read_table(out))
        assert tally.rows == 1500
        assert tally.odd == found[0].column("odd").to_numpy().sum() > 20
    for other in found[1:]:
        np.testing.assert_allclose(
            columns(other, ("oddness", "p_value")), columns(found[0], ("oddness", "p_value")), rtol=1e-6, atol=1e-6
        )
        assert other.column("why").to_pylist() == found[0].column("why").to_pylist()
    np.testing.assert_allclose(found[0].column("oddness"), detector.decision_function(str(path)), atol=1e-6)


def test_filled_rows_are_the_same_whatever_the_batch(imputer: Imputer, path: Path) -> None:
    found = []
    for batch in (1 << 16, 599, 250):
        out = path.with_name(f"filled-{batch}.parquet")
        tally = fill_file(imputer, str(path), [out], Notes(), batch=batch)
        found.append(pq.read_table(out))
        assert (tally.rows, tally.left) == (1500, 0)
    for other in found[1:]:
        np.testing.assert_allclose(columns(other, NUMBERS), columns(found[0], NUMBERS), rtol=1e-6, atol=1e-6)
        assert other.column("word").to_pylist() == found[0].column("word").to_pylist()
    before = pq.read_table(path)
    for name in before.column_names:
        pairs = zip(before.column(name).to_pylist(), found[0].column(name).to_pylist(), strict=True)
        assert all(new == old for old, new in pairs if old is not None and old == old)


def test_a_row_without_gaps_costs_nothing(imputer: Imputer, monkeypatch: pytest.MonkeyPatch) -> None:
    table = made(300, seed=2)
    expected = imputer.transform(table)
    asked: list[int] = []
    real = type(imputer.models_[0]).expected

    def counted(member, rows, samples, seed):  # type: ignore[no-untyped-def]
        asked.append(len(rows))
        return real(member, rows, samples, seed)

    monkeypatch.setattr(type(imputer.models_[0]), "expected", counted)
    assert imputer.transform(table).equals(expected)
    gaps = np.any([np.array([v is None or v != v for v in c.to_pylist()]) for c in table.columns], axis=0)
    assert asked == [gaps.sum()]
    assert imputer.transform(expected).equals(expected)
    assert len(asked) == 1


def test_a_file_without_rows_is_named(detector: AnomalyDetector, imputer: Imputer, tmp_path: Path) -> None:
    pq.write_table(made(1).slice(1), tmp_path / "none.parquet")
    for run in (
        lambda: judge_file(detector, str(tmp_path / "none.parquet"), tmp_path / "out.csv", Notes()),
        lambda: fill_file(imputer, str(tmp_path / "none.parquet"), [tmp_path / "out.csv"], Notes()),
    ):
        with pytest.raises(DataError, match=r"none\.parquet has no rows"):
            run()
