"""What was measured, as Markdown: a table of sets, the means of both groups, the alarms."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from anomalies.sets import LARGE, SMALL

Results = Mapping[str, Sequence[Mapping[str, Any]]]
"""By the name of a set, what each seed gave: {"auroc": {method: value}, "alarms": {...}}."""

MAIN = ["combined", "likelihood", "5-NN", "IsolationForest", "LOF", "row norm", "PyOD VAE"]
GROUPS = {"1,000 rows and more": LARGE, "fewer rows": SMALL}


def mean_auroc(seeds: Iterable[Mapping[str, Any]], method: str) -> float | None:
    """The mean over those seeds that have the method."""
    values = [seed["auroc"][method] for seed in seeds if method in seed["auroc"]]
    return float(np.mean(values)) if values else None


def methods_of(results: Results) -> list[str]:
    """All methods, the main ones first."""
    found = list(dict.fromkeys(name for seeds in results.values() for seed in seeds for name in seed["auroc"]))
    return [name for name in MAIN if name in found] + [name for name in found if name not in MAIN]


def _cell(value: float | None, best: float | None = None) -> str:
    if value is None:
        return "–"
    text = f"{100 * value:.1f}"
    return f"**{text}**" if best is not None and value >= best - 5e-4 else text


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def by_set(results: Results) -> str:
    """AUROC x 100 of the main methods on each set, the best of a row in bold."""
    methods = [name for name in methods_of(results) if name in MAIN]
    rows = []
    for name, seeds in results.items():
        values = [mean_auroc(seeds, method) for method in methods]
        best = max(value for value in values if value is not None)
        rows.append([name, *(_cell(value, best) for value in values)])
    return table(["set", *methods], rows)


def means(results: Results) -> dict[str, dict[str, float]]:
    """By group and method: the mean AUROC over the group's sets, of methods that have all of them."""
    found: dict[str, dict[str, float]] = {}
    for group, names in GROUPS.items():
        seeds = [results[name] for name in names if name in results]
        each = {method: [mean_auroc(s, method) for s in seeds] for method in methods_of(results)}
        found[group] = {m: float(np.mean(v)) for m, v in each.items() if v and None not in v}  # type: ignore[arg-type]
    return {group: values for group, values in found.items() if values}


def by_group(results: Results) -> str:
    """The means of both groups, every method a row."""
    found = means(results)
    heads = [f"{g} ({sum(name in results for name in GROUPS[g])} sets)" for g in found]
    rows = [[m, *(_cell(values.get(m)) for values in found.values())] for m in methods_of(results)]
    return table(["mean AUROC x 100", *heads], rows)


def within(alarms: Mapping[str, float]) -> bool:
    """Whether a rate of false alarms is 5% within two standard errors."""
    return abs(alarms["rate"] - 0.05) <= 2 * alarms["standard_error"]


def alarms(results: Results) -> str:
    """False alarms at the 95% threshold: the share of normal test rows that are flagged, by set."""
    rows = []
    for name, seeds in results.items():
        found = [seed["alarms"] for seed in seeds if "alarms" in seed]
        if found:
            rate, error = np.mean([a["rate"] for a in found]), np.mean([a["standard_error"] for a in found])
            held = sum(map(within, found))
            rows.append([name, f"{100 * rate:.1f}%", f"{100 * error:.1f}%", f"{held} of {len(found)}"])
    return table(["set", "false alarms", "standard error of one seed", "seeds within two"], rows)


def goals(results: Results, seen: bool) -> str:
    """What was to be reached, and what was."""
    found, lines = means(results), []
    peers = ("IsolationForest", "LOF", "5-NN", "5-NN, the fifth", "row norm", "PyOD VAE")
    for group, values in found.items():
        ours = values["combined"]
        if seen:
            best = max((values[name], name) for name in peers if name in values)
            lines.append(f"{group}: combined {100 * ours:.2f}, the best peer ({best[1]}) {100 * best[0]:.2f}")
            continue
        lines.append(
            f"{group}: combined {100 * ours:.2f}, 5-NN {100 * values['5-NN']:.2f}: {_by(ours, values['5-NN'])}"
        )
        alone, forest = values["likelihood"], values["IsolationForest"]
        against = f"IsolationForest {100 * forest:.2f}: {_by(alone, forest)}"
        lines.append(f"{group}: likelihood alone {100 * alone:.2f}, {against}")
    if not seen:
        held = [sum(within(s["alarms"]) for s in seeds) > len(seeds) / 2 for seeds in results.values()]
        lines.append(f"false alarms 5% within two standard errors, in most seeds: {sum(held)} of {len(held)} sets")
    return "\n".join(f"- {line}" for line in lines)


def _by(ours: float, theirs: float) -> str:
    return f"{100 * (ours - theirs):+.2f} points"


def page(normal: Results, mixed: Results) -> str:
    """Everything that was measured."""
    parts = []
    for title, results, seen in (
        ("Trained on half of the normal rows", normal, False),
        ("Trained on everything, unlabelled", mixed, True),
    ):
        if results:
            parts += [f"### {title}", goals(results, seen), by_group(results), by_set(results)]
            parts += [] if seen else ["#### False alarms", alarms(results)]
    return "\n\n".join(parts) + "\n"
