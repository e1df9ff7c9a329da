"""In which kind of frame rows go back to the caller, for a model that is loaded where there is no frame."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dreamgen.tables import read_frame

if TYPE_CHECKING:
    import pyarrow as pa

FORMS = ("pandas", "polars", "arrow")
_WITH_VALUES = "category"  # a dtype that names values, which the schema has, and not all of which may leave


def form_of(source: Any) -> str:
    """What kind of frame the caller uses."""
    module = type(source).__module__.split(".")[0]
    return module if module in FORMS else "arrow"


def dtypes_of(source: Any) -> dict[str, str]:
    """The names of pandas' dtypes by column; of other frames Arrow's types say all."""
    if form_of(source) != "pandas":
        return {}
    named = {str(name): str(dtype) for name, dtype in source.dtypes.items()}
    return {name: dtype for name, dtype in named.items() if dtype != _WITH_VALUES}


def like_of(form: str, dtypes: Mapping[str, str]) -> Callable[["pa.Table"], Any]:
    """What turns an Arrow table into a frame of a form, with dtypes of pandas where they are known."""
    if form == "pandas":
        return lambda table: _to_pandas(table, dtypes)
    return _to_polars if form == "polars" else lambda table: table


def _to_pandas(table: "pa.Table", dtypes: Mapping[str, str]) -> Any:
    """As a frame with these dtypes would get the rows back; what pandas does not know is as Arrow has it."""
    import pandas as pd

    known = table.to_pandas()
    for name, text in dtypes.items():
        try:
            known[name] = known[name].astype(pd.api.types.pandas_dtype(text))
        except (KeyError, TypeError, ValueError):
            continue
    return read_frame(known).new(table)


def _to_polars(table: "pa.Table") -> Any:
    import polars

    return polars.from_arrow(table)
