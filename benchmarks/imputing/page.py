"""The figures as Markdown: who fills best, and how far we are from them."""

from collections.abc import Iterable
from statistics import mean, stdev
from typing import Any

Found = dict[str, Any]


def markdown(found: list[Found]) -> str:
    """A section for each task that was run."""
    parts = []
    for task, section in (("wdbc", _wdbc), ("tables", _tables), ("logs", _logs)):
        rows = [row for row in found if row["task"] == task]
        if rows:
            parts.append(section(rows))
    return "\n\n".join(parts) + "\n"


def _wdbc(rows: list[Found]) -> str:
    groups = _grouped(rows)
    lines = [[method, _spread(row["mse"] for row in group), _seconds(group)] for method, group in groups.items()]
    text = "wdbc, 569 rows of 30 features, half of the cells missing at random: MSE of standardised values."
    text += " Goal .287, beyond .27."
    return text + "\n\n" + table(["method", "MSE", "seconds"], lines)


def _tables(rows: list[Found]) -> str:
    parts = []
    for part, where in (("test", "rows never seen"), ("train", "the rows of the fit")):
        for measure, title in (("rmse", "RMSE of standardised numbers"), ("error", "error rate of categories")):
            for share in sorted({row["share"] for row in rows}):
                chosen = [row for row in rows if row["share"] == share and row[part][measure] is not None]
                parts.append(f"{title}, {share:.0%} missing, {where}.\n\n{_against(chosen, part, measure)}")
    parts.append(_coverage([row for row in rows if "intervals" in row]))
    return "\n\n".join(parts)


def _against(rows: list[Found], part: str, measure: str) -> str:
    """One line a table, one column a method; the ratio is ours by the best peer's."""
    methods = list(_grouped(rows))
    lines, ratios = [], []
    for name in dict.fromkeys(row["table"] for row in rows):
        groups = _grouped(row for row in rows if row["table"] == name)
        values = {method: [row[part][measure] for row in group] for method, group in groups.items()}
        best = min(mean(v) for method, v in values.items() if method != "dreamgen")
        ratios.append(mean(values["dreamgen"]) / best)
        verdict = "best" if ratios[-1] <= 1 else "met" if ratios[-1] <= 1.05 else "MISSED"
        lines.append([name, *(_spread(values[method]) for method in methods), f"{ratios[-1]:.3f}", verdict])
    within, ahead = sum(r <= 1.05 for r in ratios), sum(r <= 1 for r in ratios)
    note = f"Within 5% of the best peer on {within} of {len(ratios)}, best on {ahead}."
    return table(["table", *methods, "ratio", ""], lines) + "\n\n" + note


def _coverage(rows: list[Found]) -> str:
    lines = []
    for share in sorted({row["share"] for row in rows}):
        for name in dict.fromkeys(row["table"] for row in rows):
            group = [row["intervals"] for row in rows if (row["table"], row["share"]) == (name, share)]
            shares = [one["coverage"] for one in group]
            verdict = "met" if abs(mean(shares) - 0.9) <= 0.03 else "MISSED"
            lines.append([name, f"{share:.0%}", _spread(shares), f"{mean(o['width'] for o in group):.2f}", verdict])
    overall = mean(row["intervals"]["coverage"] for row in rows)
    title = f"Intervals meant to hold 90% of the hidden numbers, rows never seen; {overall:.1%} over all."
    return f"{title}\n\n{table(['table', 'missing', 'coverage', 'width', ''], lines)}"


def _logs(rows: list[Found]) -> str:
    lines = []
    for name in dict.fromkeys(row["table"] for row in rows):
        for method, group in _grouped(row for row in rows if row["table"] == name).items():
            lines.append([name, method, _spread(row["rmse"] for row in group), _seconds(group)])
    title = "Sensor logs, blocks hidden: RMSE of standardised values."
    return f"{title}\n\n{table(['log', 'method', 'RMSE', 'seconds'], lines)}"


def _grouped(rows: Iterable[Found]) -> dict[str, list[Found]]:
    """Rows by method, ours of all seeds together."""
    groups: dict[str, list[Found]] = {}
    for row in rows:
        method = "dreamgen" if row["method"].startswith("dreamgen") else row["method"]
        groups.setdefault(method, []).append(row)
    return groups


def _spread(values: Iterable[float]) -> str:
    several = list(values)
    return f"{mean(several):.4f}" + (f" ± {stdev(several):.4f}" if len(several) > 1 else "")


def _seconds(group: list[Found]) -> str:
    return f"{mean(row['seconds'] for row in group):.1f}"


def table(head: list[str], lines: list[list[str]]) -> str:
    """A Markdown table."""
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *lines))
