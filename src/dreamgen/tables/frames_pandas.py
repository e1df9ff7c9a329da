"""pandas frames: index, names that are no texts, nullable and categorical dtypes come back as they were."""

from collections.abc import Sequence
from typing import Any

from dreamgen.tables.cells import family
from dreamgen.tables.extras import arrow
from dreamgen.tables.frames import Frame
from dreamgen.tables.frames_arrays import to_arrow
from dreamgen.tables.notes import Notes

_NULLABLE = {"i": "Int64", "u": "UInt64", "b": "boolean"}


def from_pandas(source: Any) -> Frame:
    """A pandas frame as Arrow. Its index is not a column; it comes back on rows that are the caller's."""
    notes = Notes()
    names = {str(name): name for name in source.columns}
    table = arrow().table({text: to_arrow(_dense(source[name]), text, notes) for text, name in names.items()})
    dtypes = {text: source[name].dtype for text, name in names.items()}
    families = {name: family(table.column(name).type) for name in names}
    all_rows, labels = source.index, source.columns

    def back(table: Any, rows: Sequence[int] | None) -> Any:
        import pandas as pd

        index = _index(all_rows, table.num_rows, rows)
        columns = [
            _series(table.column(name), dtypes.get(name), families.get(name)).set_axis(index)
            for name in table.column_names
        ]
        frame = pd.concat(columns, axis=1) if columns else pd.DataFrame(index=index)
        originals = [names.get(name, name) for name in table.column_names]
        same = originals == list(labels)
        frame.columns = labels if same else pd.Index(originals, name=labels.name)
        return frame

    return Frame(table, back, notes, "frame")


def _dense(series: Any) -> Any:
    import pandas as pd

    return series.sparse.to_dense() if isinstance(series.dtype, pd.SparseDtype) else series


def _index(index: Any, n: int, rows: Sequence[int] | None) -> Any:
    import pandas as pd

    if rows is None:
        return pd.RangeIndex(n)
    return index if rows == range(len(index)) else index.take(list(rows))


def _series(column: Any, dtype: Any, before: str | None) -> Any:
    """A column with the caller's dtype; one that cannot hold gaps becomes the nullable one of its kind."""
    import pandas as pd

    if isinstance(dtype, pd.ArrowDtype):
        series = pd.Series(pd.arrays.ArrowExtensionArray(column))
        return series.astype(dtype) if family(column.type) == before else series
    if dtype is None or family(column.type) not in (before, "null"):
        return pd.Series(column.to_pandas())
    series = pd.Series(column.to_pandas(integer_object_nulls=True))
    kind = getattr(dtype, "kind", "")
    numpy_whole = kind in _NULLABLE and not pd.api.types.is_extension_array_dtype(dtype)
    if numpy_whole and column.null_count:
        return series.astype(_NULLABLE[kind])
    if kind in "iu" and arrow().types.is_floating(column.type):  # a mean of whole numbers
        return series
    if kind == "f":
        series = pd.to_numeric(series)
    return series.astype(dtype)
