"""A Parquet of ten million rows, scored and filled in one pass: rows per second, and memory that does not grow.

    python benchmarks/large.py --quick          200,000 rows: under five minutes
    python benchmarks/large.py                  10 million rows

A table of ten mixed columns is written to a temporary folder a piece at a time; a model is trained on 20,000 of its
rows; then every row gets its score and has its gaps filled (`dreamgen.applications.streaming`), and the filled rows
go to a second Parquet. Resident memory is read after every batch. A part is done again with other batch sizes.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dreamgen.applications.streaming import stream
from dreamgen.applications.table_model import TableModel
from dreamgen.config import Settings
from dreamgen.recipes import RECIPES
from dreamgen.tables import read_batches
from dreamgen.tables.write import TableWriter

_PIECE = 100_000
_TRAINED_ON = 20_000
_MISSING = 0.05


def piece(number: int, rows: int) -> pa.Table:
    """Rows of ten columns that two hidden numbers tie together; one cell in twenty is missing."""
    random = np.random.default_rng([7, number])
    u, v = random.normal(size=(2, rows))
    noise = random.normal(size=(6, rows))
    kinds = np.array(["web", "shop", "phone", "agent"])
    columns = {
        "amount": np.round(np.exp(3 + u + 0.3 * noise[0]), 2),
        "balance": 1000 + 400 * u - 200 * v + 50 * noise[1],
        "age": np.clip(np.round(45 + 12 * v + 4 * noise[2]), 18, 99).astype(np.int64),
        "visits": random.poisson(np.exp(0.6 * u)).astype(np.int64),
        "temperature": (20 + 5 * v + noise[3]).astype(np.float32),
        "gain": np.where(u + noise[4] > 1, np.exp(u + 5), 0.0),
        "channel": kinds[np.digitize(u + 0.5 * noise[5], [-0.7, 0.0, 0.7])],
        "region": np.char.add("r", random.integers(0, 20, rows).astype(str)),
        "member": v + noise[0] > 0,
        "rating": np.clip(np.round(3 + u + 0.5 * noise[1]), 1, 5).astype(np.int64),
    }
    hidden = random.random((len(columns), rows)) < _MISSING
    return pa.table({name: pa.array(x, mask=h) for (name, x), h in zip(columns.items(), hidden, strict=True)})


def write(path: Path, rows: int) -> None:
    """The table, a piece at a time."""
    with pq.ParquetWriter(path, piece(0, 1).schema) as writer:
        for number, start in enumerate(range(0, rows, _PIECE)):
            writer.write_table(piece(number, min(_PIECE, rows - start)))


def resident() -> float:
    """Megabytes now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def peak() -> float:
    """Megabytes at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def first(path: Path, rows: int, batch: int) -> Iterator[pa.Table]:
    """The first rows of a file, in batches of a size."""
    for table in read_batches(path, batch):
        yield table.slice(0, rows)
        rows -= table.num_rows
        if rows <= 0:
            return


def same(model: TableModel, path: Path, rows: int, samples: int) -> float:
    """The largest relative difference between batch sizes, of scores and of filled numbers."""
    found = []
    for batch in (rows, 10_000, 1_234):
        parts = list(stream(model, first(path, rows, batch), samples))
        table = pa.concat_tables([part.table for part in parts])
        numbers = [
            np.asarray(table.column(name), np.float64) for name in ("amount", "balance", "temperature", "gain")
        ]
        words = np.asarray(table.column("channel")).astype(str)
        found.append((np.stack([np.concatenate([part.score for part in parts]), *numbers]), words))
    assert all((words == found[0][1]).all() for _, words in found), "categories depend on the batch"
    scale = 1 + np.abs(found[0][0])
    return max(float((np.abs(values - found[0][0]) / scale).max()) for values, _ in found[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="200,000 rows")
    parser.add_argument("--rows", type=int, help="by default 10 million")
    parser.add_argument("--batch", type=int, default=65_536, help="rows read at once")
    parser.add_argument("--samples", type=int, default=4, help="latents for each row")
    parser.add_argument("--folder", type=Path, help="where the files go; by default a temporary folder")
    given = parser.parse_args()
    rows = given.rows or (200_000 if given.quick else 10_000_000)
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path, out = Path(folder) / "rows.parquet", Path(folder) / "filled.parquet"
        write(path, rows)
        print(f"{rows:,} rows of {piece(0, 1).num_columns} columns, {path.stat().st_size / 1e6:.0f} MB of Parquet")
        settings: Settings = RECIPES["table"].settings.replace(hidden_dim=[128, 128], epochs=10)
        model = TableModel.fit(piece(0, _TRAINED_ON), settings=settings, seed=0, device="cpu")
        print(f"trained on {_TRAINED_ON:,} rows; resident {resident():.0f} MB")
        print(f"largest difference between batch sizes: {same(model, path, min(rows, 20_000), given.samples):.1e}")
        done, memory, started, before = 0, [], time.perf_counter(), time.process_time()
        with TableWriter(out) as writer:
            for part in stream(model, read_batches(path, given.batch), given.samples):
                writer.write(part.table)
                done += len(part.score)
                memory.append(resident())
        seconds = time.perf_counter() - started
        cpu = time.process_time() - before
        filled = pq.read_metadata(out)
        assert filled.num_rows == done == rows, (filled.num_rows, done, rows)
        half = len(memory) // 2
        print(f"scored and filled: {rows / seconds:,.0f} rows per second, {seconds:.0f} s ({cpu:.0f} s of processor)")
        print(
            f"resident: {memory[0]:.0f} MB after the first batch, at most {max(memory[: half + 1]):.0f} in the first "
            f"half and {max(memory[half:]):.0f} in the second; peak of the process {peak():.0f} MB"
        )


if __name__ == "__main__":
    main()
