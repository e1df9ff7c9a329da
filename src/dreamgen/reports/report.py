"""What a report is made of, in the order in which it was said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dreamgen import __version__
from dreamgen.errors import OutputError
from dreamgen.files import dump_json, make_folder, write_bytes
from dreamgen.reports.values import plain

_KINDS = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"<svg": "image/svg+xml"}
_KINDS |= {b"<?xml": "image/svg+xml"}


@dataclass(frozen=True)
class Block:
    """One thing that a report says.

    Attributes:
        kind: text, warning, facts, table or figure.
        content: what it says, as JSON can hold it; of a figure the numbers behind the picture.
        picture: of a figure: its bytes, which the JSON leaves out.
        media: the kind of picture, as a browser names it.
    """

    kind: str
    content: dict[str, Any]
    picture: bytes = b""
    media: str = ""


@dataclass
class Section:
    """Blocks under a title; the first section of a report has none."""

    title: str = ""
    blocks: list[Block] = field(default_factory=list)


class Report:
    """A report that is written as one HTML file or as JSON.

    Names, cells and texts may hold anything: they are shown as they are and never obeyed.

    >>> report = Report("Odd rows", "of one log")
    >>> report.facts({"rows": 100, "flagged": 4})
    >>> report.to_dict()["sections"][0]["blocks"][0]["facts"]
    {'rows': 100, 'flagged': 4}
    """

    def __init__(self, title: str, subtitle: str = "") -> None:
        self.title, self.subtitle = title, subtitle
        self.sections = [Section()]

    def section(self, title: str) -> None:
        """What follows stands under this title."""
        self.sections.append(Section(title))

    def say(self, text: str) -> None:
        """A paragraph; an empty line begins a new one."""
        self._add("text", text=text)

    def warn(self, text: str) -> None:
        """A paragraph that must not be overlooked: what was dropped, changed or is not known."""
        self._add("warning", text=text)

    def facts(self, values: Mapping[str, Any]) -> None:
        """Names with their values, one below the other."""
        self._add("facts", facts=dict(values))

    def table(self, title: str, rows: Sequence[Mapping[str, Any]], note: str = "") -> None:
        """Rows by column name, in the order of the names' first appearance; a cell that a row lacks is empty.

        A page shows the first rows of a long table; the JSON has them all.
        """
        names = list(dict.fromkeys(name for row in rows for name in row))
        cells = [[row.get(name) for name in names] for row in rows]
        self._add("table", title=title, columns=[str(name) for name in names], rows=cells, note=note)

    def figure(self, title: str, picture: bytes, alt: str = "", note: str = "", data: Any = None) -> None:
        """A picture: PNG, JPEG or SVG.

        Args:
            title: above it.
            picture: the file's bytes.
            alt: what it shows, for those who do not see it; the title where nothing is given.
            note: below it.
            data: the numbers behind it, for the JSON.

        Raises:
            OutputError: the bytes are no such picture.
        """
        media = next((kind for start, kind in _KINDS.items() if picture.lstrip().startswith(start)), None)
        if media is None:
            raise OutputError(f"{title}: expected a PNG, JPEG or SVG picture, got {picture[:8]!r}")
        self._add("figure", picture, media, title=title, alt=alt or title, note=note, data=data)

    def _add(self, kind: str, picture: bytes = b"", media: str = "", /, **content: Any) -> None:
        self.sections[-1].blocks.append(Block(kind, plain(content), picture, media))

    def to_dict(self) -> dict[str, Any]:
        """Everything but the pictures, as JSON can hold it."""
        sections = [
            {"title": plain(s.title), "blocks": [{"kind": block.kind, **block.content} for block in s.blocks]}
            for s in self.sections
            if s.title or s.blocks
        ]
        about = {"title": plain(self.title), "subtitle": plain(self.subtitle)}
        return {**about, "dreamgen": __version__, "sections": sections}

    def to_html(self) -> str:
        """One document with its style and pictures inside; it has no script and asks for nothing."""
        from dreamgen.reports.page import page

        return page(self)

    def write(self, path: str | Path) -> None:
        """Write the report as a whole or not at all; the suffix, .html or .json, says as what.

        Raises:
            OutputError: another suffix, or a place that cannot be written.
        """
        path = Path(path)
        if path.suffix.lower() not in (".html", ".htm", ".json"):
            raise OutputError(f"{path}: expected a report's name, with .html or .json")
        json = path.suffix.lower() == ".json"
        content = dump_json(self.to_dict()) if json else self.to_html().encode()
        make_folder(path.parent)
        write_bytes(path, content)
