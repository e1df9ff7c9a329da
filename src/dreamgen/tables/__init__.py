"""Tables: any frame or file to Arrow, a schema of its columns, and the numbers that a model sees."""

from dreamgen.tables.codec import Codec, fit_codec
from dreamgen.tables.files import read_batches
from dreamgen.tables.frames import Frame, read_frame
from dreamgen.tables.infer import infer_schema
from dreamgen.tables.notes import Notes
from dreamgen.tables.schema import KINDS, Column, Schema
from dreamgen.tables.schema_file import read_schema
from dreamgen.tables.some import some_rows
from dreamgen.tables.unwindow import unwindow
from dreamgen.tables.windows import Windows, windows
from dreamgen.tables.write import TableWriter, write_table

__all__ = [
    "KINDS",
    "Codec",
    "Column",
    "Frame",
    "Notes",
    "Schema",
    "TableWriter",
    "Windows",
    "fit_codec",
    "infer_schema",
    "read_batches",
    "read_frame",
    "read_schema",
    "some_rows",
    "unwindow",
    "windows",
    "write_table",
]
