"""What `compare` found: a table for a person, a page, figures as JSON, and a row of dreams for each model."""

from pathlib import Path
from typing import Any

from dreamgen.applications.compare import Comparison, Row
from dreamgen.charts import save_rows
from dreamgen.experiments.tables import as_markdown, as_text
from dreamgen.files import dump_json, make_folder, write_bytes
from dreamgen.reports import Report

_TITLES = {
    "nll": "NLL",
    "rate": "rate",
    "distortion": "distortion",
    "active_units": "active",
    "laplacian": "Laplacian",
    "high_frequency": "high freq.",
    "neighbours": "neighbours",
    "frechet": "Frechet",
    "precision": "precision",
    "recall": "recall",
    "as_asked": "as asked",
    "seconds": "seconds",
}
_ABOUT = (
    "NLL, rate and distortion in nats per test picture, without beta; NLL by importance sampling. Laplacian variance "
    "and power of high frequencies of dreams over those of the test pictures: 1 is as sharp. Neighbours: correlation "
    "of neighbouring pixels. Frechet distance, precision and recall in the judge's features, against the test "
    "pictures; the last row holds as many training pictures against them. Dreams are decoder means, the same for "
    "every model: no threshold, no added noise. Active: latents whose mean varies. Seconds: of training."
)


def report(found: Comparison) -> dict[str, Any]:
    """Every figure, ready for JSON."""
    return {**found.facts, "models": found.rows, "real": found.real}


def table(found: Comparison) -> list[Row]:
    """The rows as a person reads them, real pictures last; figures that no model has are left out."""
    return [
        {"model": row["model"], **{_TITLES[name]: row[name] for name in _shown(found)}}
        for row in (*found.rows, found.real)
    ]


def _shown(found: Comparison) -> list[str]:
    rows = (*found.rows, found.real)
    return [name for name in _TITLES if any(row[name] is not None for row in rows)]


def notes(found: Comparison) -> list[str]:
    """What conditional models are told, units that differ, and why figures are missing: a line for each reason."""
    lines: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    shown = {*_shown(found), "nll"} & _TITLES.keys()
    for row in found.rows:
        for name, reason in row["reasons"].items():
            if name in shown and (name != "as_asked" or row["told"]):
                figures, models = lines.setdefault(reason, ({}, {}))
                figures[_TITLES[name]] = models[row["model"]] = None
    return [
        *(f"{row['model']} is told {', '.join(row['told'])} of each picture" for row in found.rows if row["told"]),
        *(
            f"{row['model']} is measured on pixels of 0 and 1, drawn once, and others on grey ones"
            for row in found.rows
            if row["binarised"] and any(other["binarised"] is False for other in found.rows)
        ),
        *(
            f"NLL of {row['model']} is that of a density, in another unit than those of zeros and ones"
            for row in found.rows
            if row["nll"] is not None and row["score"] == "log-density"
        ),
        *(f"no {', '.join(figures)} of {', '.join(models)}: {why}" for why, (figures, models) in lines.items()),
    ]


def heading(found: Comparison) -> str:
    """What was compared with what."""
    facts = found.facts
    right = facts["judge_accuracy"]
    reads = "" if right is None else f", which reads {right:.2%} of them rightly"
    many = f"{facts['pictures']:,}"
    return f"{many} dreams beside {many} test pictures of {facts['data']}; judge {facts['judge']}{reads}"


def text(found: Comparison) -> str:
    """The table for a person."""
    return "\n\n".join(filter(None, [heading(found), as_text(table(found)), "\n".join(notes(found))]))


def write(found: Comparison, folder: Path) -> dict[str, str]:
    """Write compare.json, table.md, dreams.png and report.html into a folder; where each is, by name."""
    paths = {
        name: make_folder(folder) / file
        for name, file in {
            "figures": "compare.json",
            "table": "table.md",
            "dreams": "dreams.png",
            "report": "report.html",
        }.items()
    }
    write_bytes(paths["figures"], dump_json(report(found)))
    write_bytes(paths["table"], as_markdown(table(found)).encode())
    save_rows(found.pictures, paths["dreams"])
    page(found, paths["dreams"].read_bytes()).write(paths["report"])
    return {name: str(path) for name, path in paths.items()}


def page(found: Comparison, dreams: bytes) -> Report:
    """The report of a comparison, around the picture that `write` drew."""
    page = Report("Models beside real pictures", heading(found))
    page.table("Figures", table(found), "\n\n".join([_ABOUT, *notes(found)]))
    page.figure("Dreams", dreams, f"Test pictures, and dreams of {', '.join(row['model'] for row in found.rows)}")
    page.facts({name: value for name, value in found.facts.items() if not isinstance(value, dict)})
    return page
