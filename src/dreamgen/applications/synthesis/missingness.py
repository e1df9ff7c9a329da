"""Which cells are missing is a fact like others: a column says so for each column with gaps, and is modelled too."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dreamgen.tables import Column, Schema
from dreamgen.tables.cells import is_missing, one_chunk

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class MissingFlags:
    """The columns with gaps, and the name of the column that tells of each one's.

    Attributes:
        told_by: by column.
    """

    told_by: dict[str, str]

    @classmethod
    def find(cls, table: "pa.Table", schema: Schema) -> "MissingFlags":
        """The columns of which some cells are missing and some are not."""
        found: dict[str, str] = {}
        for column in schema:
            array = one_chunk(table.column(column.name))
            missing = int(is_missing(array).sum())
            if column.kind != "identifier" and 0 < missing < len(array):
                found[column.name] = _free_name(f"{column.name} is missing", [*schema.names, *found.values()])
        return cls(found)

    def add_to_schema(self, schema: Schema) -> Schema:
        """The schema with a boolean column for each column with gaps."""
        told = [Column(name, "boolean", "bool", categories=(False, True)) for name in self.told_by.values()]
        return Schema((*schema.columns, *told), schema.notes)

    def add(self, table: "pa.Table") -> "pa.Table":
        """The table with what tells of its gaps."""
        import pyarrow as pa

        for name, telling in self.told_by.items():
            table = table.append_column(telling, pa.array(is_missing(one_chunk(table.column(name)))))
        return table

    def put_back(self, table: "pa.Table", names: Sequence[str]) -> "pa.Table":
        """Columns `names` of a decoded table, empty where it says that they are."""
        import pyarrow as pa
        import pyarrow.compute as pc

        columns = {name: table.column(name) for name in names}
        for name, telling in self.told_by.items():
            column = columns[name]
            columns[name] = pc.if_else(table.column(telling), pa.scalar(None, column.type), column)
        return pa.table(columns)


def _free_name(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "_"
    return name
