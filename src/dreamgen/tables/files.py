"""Tables in files: which files a name means, all of them as one table, or a few rows at a time."""

import glob
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreamgen.errors import DataError
from dreamgen.files import check_regular
from dreamgen.tables.extras import arrow
from dreamgen.tables.frames import Frame, as_path_frame, read_frame
from dreamgen.tables.notes import Notes
from dreamgen.tables.parts import TableFile, find_parts
from dreamgen.tables.text import TextOptions

if TYPE_CHECKING:
    import pyarrow as pa

    from dreamgen.tables.schema import Schema

_TEXTS = (".csv", ".tsv", ".txt")
_ARRAYS = (".npz", ".npy")
_SUFFIXES = (*_TEXTS, ".parquet", *_ARRAYS)


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
    try:
        there = Path(text).exists()
    except (OSError, ValueError):
        there = False
    found = [Path(text)]
    if not there and glob.has_magic(text):
        found = [Path(name) for name in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207 - absolute ones too
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


def read_files(source: Any, schema: "Schema | None" = None, **options: Any) -> Frame:
    """All files as one table; their columns must agree. Raises DataError that names the file."""
    paths, notes = find_files(source), Notes()
    if kind_of(paths[0]) in _ARRAYS:
        return _read_arrays(paths)
    parts = _parts(paths, schema, options, notes, stream=False)
    tables = [part.read(notes) for part in parts]
    return as_path_frame(arrow().concat_tables(tables), notes, paths)


def _parts(paths: Sequence[Path], schema: Any, options: Any, notes: Notes, stream: bool) -> list[TableFile]:
    given = TextOptions(**options)
    if schema is not None and not given.types:
        given = TextOptions(**{**options, "types": text_types(schema)})
    return find_parts(paths, given, notes, stream)


def text_types(schema: "Schema") -> dict[str, str]:
    """The types that a text file's columns are to be read as, so that a category 7 stays the text "7"."""
    return {column.name: _text_type(column.dtype) for column in schema.modelled}


def _text_type(dtype: str) -> str:
    from dreamgen.tables.cells import family
    from dreamgen.tables.types import parse_type

    kind = parse_type(dtype)
    if arrow().types.is_dictionary(kind):
        kind = kind.value_type
    if family(kind) == "number":
        return "int64" if arrow().types.is_integer(kind) else "double"
    return "string" if family(kind) == "text" else str(kind)


def _read_arrays(paths: Sequence[Path]) -> Frame:
    from dreamgen.data.arrays import pick_array, read_arrays

    if len(paths) > 1:
        raise DataError(f"expected one file of arrays, got {len(paths)}")
    array = pick_array(paths[0], read_arrays(paths[0]), ("X", "x", "data", "series"))
    return read_frame(array.reshape(len(array), -1) if array.ndim > 2 else array)


def read_batches(
    source: Any,
    rows: int = 65_536,
    columns: Sequence[str] | None = None,
    schema: "Schema | None" = None,
    notes: Notes | None = None,
    **options: Any,
) -> "Iterator[pa.Table]":
    """The rows of files, a table of at most `rows` at a time; what is resident does not grow with the files.

    A text file is read twice: once to find types that all its cells fit.

    Args:
        source: paths or a glob of .csv, .tsv or .parquet; anything else that `read_frame` takes is sliced.
        rows: of a table; its last may be shorter.
        columns: which to take; by default all.
        schema: of the model that is to read them: text files then keep its types.
        notes: gets what reading met.
        options: as `read_frame` has them.

    Raises:
        DataError: as `read_frame`, when the first batch is asked for or the damaged one.
    """
    notes = Notes() if notes is None else notes
    if not is_path(source) or kind_of(find_files(source)[0]) in _ARRAYS:
        frame = read_frame(source, columns)
        notes.update(frame.notes)
        yield from _slices(frame.table, rows)
        return
    for part in _parts(find_files(source), schema, options, notes, stream=True):
        for table in part.stream(rows, columns, notes):
            yield from _slices(table, rows)


def _slices(table: "pa.Table", rows: int) -> "Iterator[pa.Table]":
    for start in range(0, table.num_rows, rows):
        yield table.slice(start, rows)
