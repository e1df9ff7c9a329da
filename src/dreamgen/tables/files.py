"""Tables in files: which files a name means, and all of them as one table."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamgen.errors import DataError
from dreamgen.files import check_regular
from dreamgen.registry import nearest
from dreamgen.tables.extras import arrow
from dreamgen.tables.frames import Frame, as_path_frame, read_frame
from dreamgen.tables.notes import Notes
from dreamgen.tables.text import TextOptions, read_text

if TYPE_CHECKING:
    import pyarrow as pa

_TEXTS = (".csv", ".tsv", ".txt")
_SUFFIXES = (*_TEXTS, ".parquet", ".npz", ".npy")


def is_path(source: Any) -> bool:
    """Whether a source names files."""
    if isinstance(source, str | Path):
        return True
    return isinstance(source, list | tuple) and bool(source) and all(isinstance(s, str | Path) for s in source)


def find_files(source: str | Path | Sequence[str | Path]) -> list[Path]:
    """The files that a path, a glob or a list of them names, sorted within a glob; raises DataError."""
    if not isinstance(source, str | Path):
        return [path for one in source for path in find_files(one)]
    text = str(source)
    path = Path(text)
    if path.is_file():
        found = [path]
    elif glob.has_magic(text):
        found = [Path(name) for name in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207 - absolute ones too
    else:
        found = [path]
    if not found:
        raise DataError(f"{text}: no file has such a name")
    for one in found:
        try:
            check_regular(one)
        except (OSError, ValueError) as error:
            raise DataError(f"{one}: cannot read: {getattr(error, 'strerror', None) or error}") from error
        kind_of(one)
    return found


def kind_of(path: Path) -> str:
    """What a file holds by its name: ".csv", ".parquet", ".npz" or ".npy"; raises DataError."""
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix not in _SUFFIXES or (path.name.lower().endswith(".gz") and suffix not in _TEXTS):
        raise DataError(f"{path}: expected .csv, .tsv, .parquet, .npz or .npy, got {path.suffix or 'no suffix'}")
    return ".csv" if suffix in _TEXTS else suffix


def read_files(source: Any, **options: Any) -> Frame:
    """All files as one table; their columns must agree. Raises DataError that names the file."""
    pa = arrow()
    paths = find_files(source)
    notes = Notes()
    if kind_of(paths[0]) in (".npz", ".npy"):
        return _read_arrays(paths)
    given = TextOptions(**options)
    tables: list[Any] = []
    for path in paths:
        table = _read_parquet(path) if kind_of(path) == ".parquet" else read_text(path, given, notes)
        if tables:
            _check_same(paths[0], tables[0].column_names, path, table.column_names)
            table = table.select(tables[0].column_names)
        tables.append(table)
    try:
        table = pa.concat_tables(tables, promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(f"{paths[0]} and {len(paths) - 1} more: columns of different types: {error}") from error
    return as_path_frame(table, notes, paths)


def _check_same(first: Path, expected: Sequence[str], path: Path, got: Sequence[str]) -> None:
    for name in expected:
        if name not in got:
            raise DataError(f"{path} has no column {name!r}, which {first} has: {nearest(name, got)}")
    for name in got:
        if name not in expected:
            raise DataError(f"{path} has a column {name!r}, which {first} has not")


def _read_parquet(path: Path) -> "pa.Table":
    pa = arrow()
    from pyarrow.parquet import ParquetFile

    try:
        with ParquetFile(path, pre_buffer=False) as file:
            return file.read()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable Parquet file: {error}") from error


def _read_arrays(paths: Sequence[Path]) -> Frame:
    from dreamgen.data.arrays import pick_array, read_arrays

    if len(paths) > 1:
        raise DataError(f"expected one file of arrays, got {len(paths)}")
    array = pick_array(paths[0], read_arrays(paths[0]), ("X", "x", "data", "series"))
    return read_frame(array.reshape(len(array), -1) if array.ndim > 2 else array)


def read_batches(source: Any, rows: int = 65_536, **options: Any) -> "Iterator[pa.Table]":
    """The rows of files, a table of at most `rows` at a time; what is resident does not grow with the files."""
    from dreamgen.tables.batches import batches

    return batches(find_files(source), rows, TextOptions(**options))
