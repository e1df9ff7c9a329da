"""A schema as TOML: one table for each column, which a person reads and changes."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from dreamgen.errors import SettingsError
from dreamgen.files import check_regular
from dreamgen.registry import nearest, shorten
from dreamgen.tables.infer import infer_schema
from dreamgen.tables.schema import KINDS, LEVELS, Column, Schema

if TYPE_CHECKING:
    import pyarrow as pa

_LARGEST = 64 << 20  # bytes
_WIDE = 100  # characters of a list on one line
_TOP = 3
_HEADER = """# What each column holds. Change a kind, a bound or a category, and hand the file in as the schema.
# Kinds: {kinds}.
"""


def to_toml(schema: Schema) -> str:
    """The schema as TOML: `[columns."name"]` for each column, in order."""
    return _HEADER.format(kinds=", ".join(KINDS)) + "".join(map(_entry, schema.columns))


def _entry(column: Column) -> str:
    """A column's table. Its facts are a comment: they are found again where they are needed."""
    values = column.to_dict()
    head = tomli_w.dumps({"columns": {values.pop("name"): {"kind": values.pop("kind")}}}).rstrip()
    facts = _facts(values.pop("summary", {}))
    values.pop("inner", None)
    lines = [f"{name} = {_value(value)}" for name, value in values.items()]
    return "\n" + "\n".join([*([f"# {facts}"] if facts else []), head, *lines]) + "\n"


def _facts(summary: Mapping[str, Any]) -> str:
    numbers = [f"{name} {summary[name]:.6g}" for name in ("distinct", "mean", "sd") if name in summary]
    missing = [f"{summary['missing']:.1%} missing"] if summary.get("missing") else []
    top = [f"{shorten(value)} in {count}" for value, count in summary.get("top", [])[:_TOP]]
    return ", ".join([*missing, *numbers, *top]).replace("\n", " ")


def _value(value: Any) -> str:
    """A value as TOML; a list keeps to a line while it fits."""
    if not isinstance(value, list):
        return tomli_w.dumps({"v": value}).removeprefix("v = ").rstrip()
    text = ", ".join(map(_value, value))
    return f"[{text}]" if len(text) < _WIDE else tomli_w.dumps({"v": value}).removeprefix("v = ").rstrip()


def read_schema(path: str | Path, table: "pa.Table | None" = None, *, kinds_alone: bool = False) -> Schema:
    """A schema from its TOML file.

    Args:
        path: of the file.
        table: where the categories of a column come from whose kind was changed to one that has them.
        kinds_alone: such a column needs none.

    Raises:
        SettingsError: says what is wrong, with the nearest valid name.
    """
    path = Path(path)
    try:
        check_regular(path)
        if path.stat().st_size > _LARGEST:
            raise SettingsError(f"{path}: expected a schema, got more than {_LARGEST} bytes")
        values = tomllib.loads(path.read_text("utf-8"))
    except SettingsError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: not a readable TOML schema: {error}") from error
    try:
        return _schema(values) if kinds_alone else _complete(_schema(values), table)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def _complete(schema: Schema, table: "pa.Table | None") -> Schema:
    bare = {column.name: column.kind for column in schema.columns if column.kind in LEVELS and not column.levels}
    if bare and table is None:
        name, kind = next(iter(bare.items()))
        raise SettingsError(f"column {name!r}: expected categories for the kind {kind}, or a table to take them from")
    if not bare or table is None:
        return schema
    found = infer_schema(table.select(list(bare)), bare)
    return Schema(tuple(found[c.name] if c.name in bare else c for c in schema.columns), found.notes)


def _schema(values: dict[str, Any]) -> Schema:
    for name in values:
        if name != "columns":
            raise SettingsError(f"unknown entry {name!r}: {nearest(name, ['columns'])}")
    columns = values.get("columns")
    if not isinstance(columns, dict) or not all(isinstance(column, dict) for column in columns.values()):
        raise SettingsError('expected a table [columns."name"] for each column')
    return Schema(tuple(Column.from_dict({"name": name, **column}) for name, column in columns.items()))
