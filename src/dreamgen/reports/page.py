"""A report as one HTML document: style and pictures inside, no script, nothing to fetch."""

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from dreamgen import __version__
from dreamgen.reports.style import STYLE
from dreamgen.reports.values import escaped, is_number

if TYPE_CHECKING:
    from dreamgen.reports.report import Block, Report

_ROWS = 200  # of a table that a page shows
_CONTENTS = 3  # sections from which on a page begins with a list of them


def page(report: "Report") -> str:
    """The document."""
    titled = [(number, section.title) for number, section in enumerate(report.sections) if section.title]
    links = "".join(f'<li><a href="#part-{number}">{escaped(title)}</a></li>' for number, title in titled)
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            # A second lock: even what slipped through could not run or call out.
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
            "style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">",
            f"<title>{escaped(report.title)}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>",
            f"<header><h1>{escaped(report.title)}</h1>{_paragraphs(report.subtitle)}</header>",
            f'<nav aria-label="Contents"><ol>{links}</ol></nav>' if len(titled) >= _CONTENTS else "",
            "<main>",
            *[
                f'<section id="part-{number}">'
                + (f"<h2>{escaped(section.title)}</h2>" if section.title else "")
                + "\n".join(_blocks(section.blocks))
                + "</section>"
                for number, section in enumerate(report.sections)
                if section.title or section.blocks
            ],
            f"</main>\n<footer>Made with dreamgen {__version__}.</footer>\n</body>\n</html>\n",
        ]
    )


def _blocks(blocks: Sequence["Block"]) -> Iterator[str]:
    """Each block; warnings that follow each other share a box."""
    for kind, group in groupby(blocks, lambda block: block.kind):
        if kind == "warning":
            yield f'<div class="warning" role="note">{"".join(map(_text, group))}</div>'
        else:
            yield from map(_BLOCKS[kind], group)


def _paragraphs(text: str, kind: str = "") -> str:
    return "".join(f"<p{kind}>{escaped(part)}</p>" for part in re.split(r"\n\s*\n", text) if part.strip())


def _text(block: "Block") -> str:
    return _paragraphs(block.content["text"])


def _facts(block: "Block") -> str:
    pairs = (f"<div><dt>{escaped(k)}</dt><dd>{escaped(v)}</dd></div>" for k, v in block.content["facts"].items())
    return f"<dl>{''.join(pairs)}</dl>"


def _table(block: "Block") -> str:
    rows, names, note = block.content["rows"], block.content["columns"], block.content["note"]
    # A column is one of numbers where every cell is one, or missing.
    right = [all(row[i] is None or is_number(row[i]) for row in rows) for i in range(len(names))]
    kinds = [' class="number"' if numbers else "" for numbers in right]
    head = "".join(f'<th scope="col"{kind}>{escaped(name)}</th>' for name, kind in zip(names, kinds, strict=True))
    body = "\n".join(f"<tr>{''.join(map(_cell, row, kinds))}</tr>" for row in rows[:_ROWS])
    if len(rows) > _ROWS:
        note = f"{note}\n\nThe first {_ROWS} of {len(rows)} rows; the JSON report has them all."
    title = escaped(block.content["title"])
    return (
        f'<div><div class="wide" tabindex="0" role="region" aria-label="{title}">'
        f"<table><caption>{title}</caption><thead><tr>{head}</tr></thead>\n"
        f"<tbody>{body}</tbody></table></div>{_paragraphs(note, _NOTE)}</div>"
    )


def _cell(value: Any, kind: str) -> str:
    return f"<td{kind}>{escaped(value)}</td>"


def _figure(block: "Block") -> str:
    # A picture inside an <img> cannot run what an SVG may hold.
    source = f"data:{block.media};base64,{base64.b64encode(block.picture).decode()}"
    title, alt, note = (block.content[name] for name in ("title", "alt", "note"))
    return (
        f"<figure><figcaption>{escaped(title)}</figcaption>"
        f'<img src="{source}" alt="{escaped(alt)}">{_paragraphs(note, _NOTE)}</figure>'
    )


_NOTE = ' class="note"'

_BLOCKS: dict[str, Callable[["Block"], str]] = {
    "text": _text,
    "facts": _facts,
    "table": _table,
    "figure": _figure,
}
