"""A Parquet of ten million rows, scored and filled in one pass each: rows per second, and memory that does not grow.

    python benchmarks/large.py --quick          100,000 rows
    python benchmarks/large.py                  10 million rows

A table of ten mixed columns is written to a temporary folder a piece at a time; a detector and an imputer learn from
20,000 of its rows; then every row is judged and has its gaps filled by what `dreamgen detect` and `dreamgen impute`
run, into a second and a third Parquet. Resident memory is read all the while. A part is done again with other batch
sizes.
"""

import argparse
import resource
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dreamgen import AnomalyDetector, Imputer
from dreamgen.applications.anomaly.one_pass import judge_file
from dreamgen.applications.imputation.one_pass import fill_file
from dreamgen.tables import Notes

_PIECE = 100_000
_TRAINED_ON = 20_000
_MISSING = 0.05
_EVERY = 0.2  # seconds


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


def watched(name: str, rows: int, run: Callable[[], Any]) -> None:
    """Run something, and print how fast it was and how much memory was resident in either half of its time."""
    memory, done = [resident()], threading.Event()

    def watch() -> None:
        while not done.wait(_EVERY):
            memory.append(resident())

    watcher = threading.Thread(target=watch)
    watcher.start()
    started, before = time.perf_counter(), time.process_time()
    try:
        run()
    finally:
        done.set()
        watcher.join()
    seconds, cpu, half = time.perf_counter() - started, time.process_time() - before, len(memory) // 2
    print(
        f"{name}: {rows / seconds:,.0f} rows per second, {seconds:.0f} s ({cpu:.0f} s of processor); resident",
        f"at most {max(memory[: half + 1]):.0f} MB in the first half and {max(memory[half:]):.0f} in the second",
        flush=True,
    )


def numbers(path: Path) -> tuple[Any, Any]:
    """The numbers of a table, (columns, n), and its texts."""
    table = pq.read_table(path)
    kinds = {field.name: field.type for field in table.schema}
    texts = [name for name, kind in kinds.items() if pa.types.is_string(kind) or pa.types.is_large_string(kind)]
    found = [table.column(n).cast(pa.float64(), safe=False).to_numpy() for n in kinds if n not in texts]
    return np.nan_to_num(np.stack(found)), [table.column(name).to_pylist() for name in texts]


def same(run: Callable[[Path, int], Any], folder: Path, rows: int) -> float:
    """The largest difference between batch sizes, in units of the spread of each column."""
    found = []
    for batch in (rows, rows // 2 + 1, 1234):
        run(folder / "part.parquet", batch)
        found.append(numbers(folder / "part.parquet"))
    assert all(texts == found[0][1] for _, texts in found), "texts depend on the batch"
    spread = np.maximum(found[0][0].std(1, keepdims=True), 1e-12)
    return max(float((np.abs(values - found[0][0]) / spread).max()) for values, _ in found[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100,000 rows")
    parser.add_argument("--rows", type=int, help="by default 10 million")
    parser.add_argument("--batch", type=int, default=16_384, help="rows read at once")
    parser.add_argument("--score", default="combined", help="of the detector; likelihood is quicker")
    parser.add_argument("--folder", type=Path, help="where the files go; by default a temporary folder")
    given = parser.parse_args()
    rows = given.rows or (100_000 if given.quick else 10_000_000)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        path, part, out = folder / "rows.parquet", folder / "some.parquet", folder / "out.parquet"
        write(path, rows)
        print(f"{rows:,} rows of {piece(0, 1).num_columns} columns, {path.stat().st_size / 1e6:.0f} MB of Parquet")
        learned = piece(0, _PIECE).slice(_PIECE - _TRAINED_ON)
        steps = 500 if given.quick else None
        detector = AnomalyDetector(score=given.score, device="cpu", random_state=0).fit(learned)
        imputer = Imputer(steps=steps, device="cpu", random_state=0).fit(learned)
        print(f"learned from {_TRAINED_ON:,} rows; resident {resident():.0f} MB", flush=True)
        pq.write_table(piece(1, 5_000), part)
        judged = same(lambda to, batch: judge_file(detector, str(part), to, Notes(), batch=batch), folder, 5_000)
        filled = same(lambda to, batch: fill_file(imputer, str(part), [to], Notes(), batch=batch), folder, 5_000)
        print(
            f"largest difference between batch sizes, in spreads: judged {judged:.1e}, filled {filled:.1e}",
            flush=True,
        )
        watched("judged", rows, lambda: judge_file(detector, str(path), out, Notes(), batch=given.batch))
        assert pq.read_metadata(out).num_rows == rows
        watched("filled", rows, lambda: fill_file(imputer, str(path), [out], Notes(), batch=given.batch))
        assert pq.read_metadata(out).num_rows == rows


if __name__ == "__main__":
    main()
