"""Tables of figures: for a person, for a page, for a spreadsheet."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

Rows = Sequence[Mapping[str, Any]]


def cell(value: Any) -> str:
    """A value in a table: four digits of a number, a dash for what does not exist."""
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def as_text(rows: Rows) -> str:
    """Aligned columns, named by the first row's keys; the first to the left, as it names the row."""
    names = list(rows[0])
    lines = [names, *([cell(row[name]) for name in names] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(names))]
    return "\n".join(
        "  ".join([f"{line[0]:<{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(line[1:], widths[1:], strict=True))])
        for line in lines
    )


def as_markdown(rows: Rows) -> str:
    """A table for a page, with a line break at its end."""
    names = list(rows[0])
    lines = [names, ["---"] * len(names), *([cell(row[name]) for name in names] for row in rows)]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def as_csv(rows: Rows) -> str:
    """Every digit of every figure; what does not exist is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
