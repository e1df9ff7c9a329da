"""What `sweep` found, as tables and pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dreamgen.data import Dataset
from dreamgen.experiments.grid import Point
from dreamgen.experiments.sweep import Row
from dreamgen.experiments.tables import as_csv, as_markdown, as_text, cell
from dreamgen.files import MANIFEST, dump_json, write_bytes
from dreamgen.generator import DreamGenerator
from dreamgen.plots import as_pictures
from dreamgen.plots_experiments import save_against, save_comparison, save_rate_distortion

_SHOWN = 10  # dreams and reconstructions for each value
_AGAINST = {
    "nll": "NLL, nats",
    "rate": "rate, nats",
    "distortion": "distortion, nats",
    "active_units": "active units",
    "sharpness_dreams": "sharpness of dreams",
}


def short_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows for a person: NLL with its error, and the reasons only where there are any."""
    reasons = any(row["reason"] for row in rows)
    return [
        {
            "run": row["run"],
            "NLL": _digits(row["nll"], 2) + (f" ± {row['nll_stderr']:.2f}" if row["nll_stderr"] else ""),
            "rate": _digits(row["rate"], 1),
            "distortion": _digits(row["distortion"], 1),
            "active": row["active_units"],
            "sharp dreams": _digits(row["sharpness_dreams"], 2),
            "sharp again": _digits(row["sharpness_reconstructions"], 2),
            "seconds": _digits(row["seconds"], 0),
            **({"reason": row["reason"] or ""} if reasons else {}),
        }
        for row in rows
    ]


def _digits(value: float | None, digits: int) -> str:
    return cell(value) if value is None else f"{value:.{digits}f}"


def write_tables(rows: Sequence[Row], folder: Path) -> None:
    """table.txt, table.md, table.csv and table.json."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    whole = [{name: row.get(name) for name in names} for row in rows]
    for name, content in (
        ("table.txt", as_text(short_rows(rows)) + "\n"),
        ("table.md", as_markdown(short_rows(rows))),
        ("table.csv", as_csv(whole)),
    ):
        write_bytes(folder / name, content.encode())
    write_bytes(folder / "table.json", dump_json(whole))


def draw(
    rows: Sequence[Row],
    points: Sequence[Point],
    axes: Mapping[str, Sequence[str]],
    dataset: Dataset,
    folder: Path,
    seed: int,
    cross: bool = False,
) -> dict[str, str]:
    """The rate-distortion plane, figures against values, and sheets of dreams; where each is, by name."""
    pictures = {"rate-distortion": folder / "rate-distortion.webp"}
    groups = {", ".join(axes): rows} if cross else {a: [row for row in rows if a in row] for a in axes}
    save_rate_distortion(
        {
            name: [(_values(row, axes), row["rate"], row["distortion"]) for row in group if row["rate"] is not None]
            for name, group in groups.items()
        },
        pictures["rate-distortion"],
    )
    for axis, values in axes.items():
        path = pictures[f"against {axis}"] = folder / f"against-{axis}.webp"
        save_against(axis, values, _columns(axis, values, [row for row in rows if axis in row], axes), path)
    if dataset.rows.x.ndim > 2:
        for name, group in groups.items():
            path = pictures[f"dreams by {name}"] = folder / f"dreams-by-{name.replace(', ', '-')}.webp"
            _sheet(
                [(row, point) for row, point in zip(rows, points, strict=True) if row in group], dataset, path, seed
            )
    return {name: str(path) for name, path in pictures.items()}


def _values(row: Row, axes: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(row[axis] for axis in axes if axis in row)


def _columns(
    axis: str, values: Sequence[str], rows: Sequence[Row], axes: Mapping[str, Sequence[str]]
) -> dict[str, dict[str, list[float | None]]]:
    """By figure, a line for each combination of the other settings: the figure for each value."""
    columns: dict[str, dict[str, list[float | None]]] = {title: {} for title in _AGAINST.values()}
    for row in rows:
        line = ", ".join(f"{other}={row[other]}" for other in axes if other != axis and other in row)
        for figure, title in _AGAINST.items():
            columns[title].setdefault(line, [None] * len(values))[list(values).index(row[axis])] = row[figure]
    return columns


def _sheet(runs: Sequence[tuple[Row, Point]], dataset: Dataset, path: Path, seed: int) -> None:
    x = (dataset.test if len(dataset.test) else dataset.train).x[:_SHOWN]
    real = as_pictures(x)
    rows: dict[str, list[tuple[Any, str]]] = {"real": [(real, ""), (real, "")]}
    for row, point in runs:
        folder = path.parent / "runs" / point.name
        if (folder / MANIFEST).is_file():  # one that diverged has no model
            model = DreamGenerator.load(folder)
            rows[row["run"]] = [(model.dream(_SHOWN, seed=seed), ""), (model.reconstruct(x), "")]
    save_comparison(("dreams", "reconstructions"), rows, path, across=_SHOWN)
