"""Files of any size, a few rows at a time."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamgen.errors import DataError
from dreamgen.tables.extras import arrow
from dreamgen.tables.text import TextOptions, text_batches

if TYPE_CHECKING:
    import pyarrow as pa


def batches(paths: Sequence[Path], rows: int, options: TextOptions) -> "Iterator[pa.Table]":
    """Tables of at most `rows` rows from each file in turn."""
    for path in paths:
        parts = _parquet(path, rows) if path.suffix == ".parquet" else text_batches(path, options)
        for part in parts:
            table = arrow().Table.from_batches([part])
            for start in range(0, table.num_rows, rows):
                yield table.slice(start, rows)


def _parquet(path: Path, rows: int) -> Iterator[Any]:
    pa = arrow()
    from pyarrow.parquet import ParquetFile

    try:
        # A scanner would read row groups ahead; this holds one at a time.
        with ParquetFile(path, pre_buffer=False) as file:
            yield from file.iter_batches(batch_size=rows, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file: {error}") from error
