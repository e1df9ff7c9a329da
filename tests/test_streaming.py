"""Tables a batch at a time: the same whatever the batch, observed cells as they were."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dreamgen.applications.streaming import stream
from dreamgen.applications.table_model import TableModel
from dreamgen.errors import DataError, SettingsError
from dreamgen.recipes import RECIPES
from dreamgen.tables import read_batches


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
def model() -> TableModel:
    settings = RECIPES["table"].settings.replace(epochs=8, hidden_dim=[32], latent_dim=4, batch_size=128)
    return TableModel.fit(made(3000), settings=settings, seed=0, device="cpu")


def numbers(table: pa.Table) -> np.ndarray:
    return np.stack([table.column(name).to_numpy() for name in ("a", "b", "count")], 1).astype(float)


def test_rows_come_out_the_same_whatever_the_batch(model: TableModel, tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(made(3000, seed=1), path, row_group_size=700)
    whole = list(stream(model, [pq.read_table(path)]))
    assert len(whole) == 1
    for rows in (1 << 16, 999, 250):
        parts = list(stream(model, read_batches(path, rows)))
        scores = np.concatenate([part.score for part in parts])
        table = pa.concat_tables([part.table for part in parts])
        np.testing.assert_allclose(scores, whole[0].score, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(numbers(table), numbers(whole[0].table), rtol=1e-6, atol=1e-6)
        assert table.column("word").to_pylist() == whole[0].table.column("word").to_pylist()


def test_what_was_observed_stays_and_gaps_are_filled_well(model: TableModel) -> None:
    table = made(2000, seed=2)
    (out,) = stream(model, [table], samples=32)
    assert out.table.schema.equals(table.schema)
    for name in table.column_names:
        before, after = table.column(name).to_pylist(), out.table.column(name).to_pylist()
        gaps = [i for i, value in enumerate(before) if value is None or value != value]
        assert gaps
        assert all(value is not None and value == value for value in after)
        kept = set(range(len(before))) - set(gaps)
        assert all(before[i] == after[i] for i in kept)
    # a is 10 + 3 z, and the other columns tell z.
    gaps = np.flatnonzero(np.asarray(table.column("a").is_null()))
    z = np.log(numbers(out.table)[gaps, 1])
    guess = numbers(out.table)[gaps, 0]
    assert np.corrcoef(z, guess)[0, 1] > 0.8


def test_scores_are_those_of_the_model(model: TableModel) -> None:
    table = made(300, seed=3)
    (out,) = stream(model, [table], samples=256)
    slow = -model.log_likelihood(model.encode(table), samples=256)
    np.testing.assert_allclose(out.score.mean(), slow.mean(), atol=0.05)
    assert np.corrcoef(out.score, slow)[0, 1] > 0.99


def test_bad_batches_are_named(model: TableModel) -> None:
    with pytest.raises(DataError, match=r"batch 1: .*word"):
        list(stream(model, [made(5), made(5).drop_columns(["word"])]))
    with pytest.raises(SettingsError, match="samples"):
        list(stream(model, [made(5)], samples=0))
    assert list(stream(model, [made(5).slice(0, 0)])) == []
