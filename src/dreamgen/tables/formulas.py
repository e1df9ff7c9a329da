"""Texts that a spreadsheet would run as formulas, made harmless."""

from typing import TYPE_CHECKING, Any

from dreamgen.tables.cells import family
from dreamgen.tables.extras import arrow, compute
from dreamgen.tables.notes import Notes

if TYPE_CHECKING:
    import pyarrow as pa

_FORMULA = r"^[=+\-@\t\r]"
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def neutral(table: "pa.Table", notes: Notes) -> "pa.Table":
    """The table with an apostrophe before each text, and each name, that begins as a formula does; numbers stay.

    Categories become texts. OWASP, CSV Injection, https://owasp.org/www-community/attacks/CSV_Injection
    """
    pa = arrow()
    for i, name in enumerate(table.column_names):
        column = table.column(i)
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if family(column.type) == "text":
            column, count = _neutral(column.cast(pa.large_string()))
            if count:
                notes.column(name, "{n} cells begin as a formula does; an apostrophe is put before them", count)
        table = table.set_column(i, name, column)
    names = _neutral(pa.chunked_array([table.column_names], pa.large_string()))[0].to_pylist()
    for before, after in zip(table.column_names, names, strict=True):
        if before != after:
            notes.column(before, "has a name that begins as a formula does; an apostrophe is put before it")
    return table.rename_columns(names)


def _neutral(column: Any) -> tuple[Any, int]:
    """Texts made harmless, and how many had to be."""
    pc = compute()
    number = pc.match_substring_regex(column, _NUMBER)
    found = pc.fill_null(pc.and_(pc.match_substring_regex(column, _FORMULA), pc.invert(number)), False)
    count = int(pc.sum(found).as_py() or 0)
    if not count:
        return column, 0
    mark, nothing = (arrow().scalar(text, column.type) for text in ("'", ""))
    return pc.if_else(found, pc.binary_join_element_wise(mark, column, nothing), column), count
