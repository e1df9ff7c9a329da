"""Figures to Markdown: a table for each set, and ours against the goals."""

from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

NAMES = {
    "ours": "dreamgen",
    "independent": "independent columns",
    "product_mixture": "mixture of product distributions",
    "tvae": "CTGAN's TVAE",
    "real": "real rows in their place",
}
FIGURES: dict[str, tuple[str, ...]] = {
    "shape": ("shape",),
    "trend": ("trend",),
    "C2ST, logistic": ("c2st",),
    "C2ST, boosting": ("c2st_boosting",),
    "AUC": ("synthetic", "auc"),
    "F1": ("synthetic", "f1"),
    "R2": ("synthetic", "r2"),
    "rare covered": ("rare", "covered"),
    "nearer to train": ("privacy", "share"),
    "membership AUC": ("privacy", "membership_auc"),
    "found at 1% false": ("privacy", "membership_tpr"),
    "copies / by chance": ("privacy", "copies"),
    "seconds": ("cost", "fit"),
    "MB": ("cost", "peak_mb"),
    "of them imports": ("cost", "imports_mb"),
}


def get(found: Mapping[str, Any], path: Sequence[str]) -> Any:
    """A nested figure, or None."""
    value: Any = found
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def cell(runs: Sequence[Mapping[str, Any]], name: str) -> str:
    """The mean over the seeds, and how far they lie apart."""
    values = [v for run in runs if (v := get(run, FIGURES[name])) is not None]
    if not values:
        return ""
    if name.startswith("copies"):
        return f"{mean(values):.0f} / {mean(run['privacy']['copies_of_holdout'] for run in runs):.0f}"
    if name in ("seconds", "MB", "of them imports"):
        return f"{mean(values):,.0f}"
    return f"{mean(values):.3f}" + (f" ± {stdev(values):.3f}" if len(values) > 1 else "")


def table(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows of cells by column; columns that are empty everywhere are left out."""
    names = [name for name in rows[0] if any(row.get(name) for row in rows)]
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    return "\n".join(lines + ["| " + " | ".join(row.get(name, "") for name in names) + " |" for row in rows])


def of_set(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """A line for each synthesizer."""
    rows = []
    for who, found in runs.items():
        if found:
            seeds = f" ({len(found)} seeds)" if len(found) > 1 else ""
            rows.append({"": NAMES[who] + seeds, **{name: cell(found, name) for name in FIGURES}})
    return table(rows)


class Goal:
    """A figure of ours, what was hoped for, and what lies beyond.

    Args:
        what: in words.
        figure: ours, or None where it was not measured.
        goal: to reach; at most if `least` is False.
        beyond: more than was hoped for.
    """

    def __init__(
        self, what: str, figure: float | None, goal: float, beyond: float | None, least: bool = True
    ) -> None:
        self.what, self.figure, self.goal, self.beyond, self.least = what, figure, goal, beyond, least

    def row(self) -> dict[str, str]:
        """A line of the table of goals."""
        sign = "≥" if self.least else "≤"
        goal = f"{sign} {self.goal:g}" + (f" / {self.beyond:g}" if self.beyond is not None else "")
        figure = "not measured" if self.figure is None else f"{self.figure:.3f}"
        return {"what": self.what, "goal / beyond": goal, "dreamgen": figure, "": self._verdict()}

    def _verdict(self) -> str:
        if self.figure is None:
            return ""
        reached = [bound for bound in (self.goal, self.beyond) if bound is not None and self._reaches(bound)]
        return (
            ["MISSED", "met", "beyond"][len(reached)] if self.beyond is not None else "met" if reached else "MISSED"
        )

    def _reaches(self, bound: float) -> bool:
        assert self.figure is not None
        return self.figure >= bound if self.least else self.figure <= bound


def goals(found: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]) -> str:
    """Ours against the goals, means over the seeds; costs as shares of TVAE's."""

    def ours(name: str, figure: str, who: str = "ours") -> float | None:
        values = [get(run, FIGURES[figure]) for run in found.get(name, {}).get(who, [])]
        return mean(values) if values and None not in values else None

    def ratio(figure: str) -> float | None:
        one, other = ours("adult", figure), ours("adult", figure, "tvae")
        return one / other if one and other else None

    near = ours("adult", "nearer to train")
    return table(
        [
            goal.row()
            for goal in (
                Goal("Adult, column shape", ours("adult", "shape"), 0.98, 0.99),
                Goal("Adult, pair trend", ours("adult", "trend"), 0.96, 0.98),
                Goal("Adult, trained on synthetic, AUC", ours("adult", "AUC"), 0.90, 0.91),
                Goal("Adult, C2ST, logistic", ours("adult", "C2ST, logistic"), 0.30, 0.79),
                Goal(
                    "Adult, C2ST, boosting (harder, no goal was set for it)",
                    ours("adult", "C2ST, boosting"),
                    0.30,
                    0.79,
                ),
                Goal("Adult, trained on synthetic, F1", ours("adult", "F1"), 0.79, 0.795),
                Goal("California, trained on synthetic, R2", ours("california", "R2"), 0.80, 0.83),
                Goal("Adult, membership AUC", ours("adult", "membership AUC"), 0.55, None, least=False),
                Goal(
                    "Adult, distance of nearer-to-train from 0.5",
                    None if near is None else abs(near - 0.5),
                    0.02,
                    None,
                    False,
                ),
                Goal("Adult, seconds of the fit / TVAE's", ratio("seconds"), 0.2, 0.1, least=False),
                Goal("Adult, memory / TVAE's", ratio("MB"), 0.5, None, least=False),
            )
        ]
    )


def augmentation(found: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    """Real rows alone against real and synthetic ones, by the number of real rows."""
    rows = [
        {
            "real rows": size,
            **{
                f"{part}, {name}": f"{scores[part][name]:.3f}" for part in ("real", "both") for name in scores["real"]
            },
        }
        for size, scores in found.items()
    ]
    return table(rows)
