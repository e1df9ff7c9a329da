"""Outsiders: a model of one set scores pictures of others. Which score tells them apart, and which is fooled?

Do Deep Generative Models Know What They Don't Know?, 2018, https://arxiv.org/abs/1810.09136, found strangers that are
more likely than the known. Scores: Input complexity and out-of-distribution detection, 2020,
https://arxiv.org/abs/1909.11480 (the picture's own compressed length); Likelihood Ratios for Out-of-Distribution
Detection, 2019, https://arxiv.org/abs/1906.02845 (here to independent pixels); Detecting Out-of-Distribution Inputs
to Deep Generative Models Using Typicality, 2019, https://arxiv.org/abs/1906.02994 (here of single pictures).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dreamgen.charts import save_histograms
from dreamgen.data import Dataset
from dreamgen.experiments.fitting import check_grey
from dreamgen.experiments.runs import Observer
from dreamgen.experiments.strange import Scorer, Scores, as_bytes, auroc, sets_beside
from dreamgen.experiments.tables import as_text
from dreamgen.generator import DreamGenerator

_DRAWN = (
    "-log p(x)",
    "-log p(x) less own length",
    "-log p(x) less PNG",
    "distance from typical",
    "rate",
    "length of the code",
)
_WORST = "worst"


@dataclass(frozen=True)
class Outsiders:
    """What one model says of every set.

    Attributes:
        train: what it was trained on.
        scores: by set, the test part of its own data first; then by score.
    """

    train: str
    scores: dict[str, Scores]

    @property
    def table(self) -> list[dict[str, Any]]:
        """AUROC of each score against each set of strangers, and the worst of them; the best score first."""
        inside, *others = self.scores
        rows = []
        for score in self.scores[inside]:
            row = {name: auroc(self.scores[inside][score], self.scores[name][score]) for name in others}
            rows.append({"score": score, **row, _WORST: min(row.values())})
        return sorted(rows, key=lambda row: -float(row[_WORST]))

    @property
    def surprise(self) -> list[dict[str, Any]]:
        """Mean -log p(x) of each set, in nats, and the share of its pictures likelier than the median known one."""
        inside = next(iter(self.scores.values()))["-log p(x)"]
        return [
            {
                "set": name,
                "-log p(x)": float(found["-log p(x)"].mean()),
                "likelier than the known": float((found["-log p(x)"] < np.median(inside)).mean()),
            }
            for name, found in self.scores.items()
        ]


def judge(
    model: DreamGenerator, dataset: Dataset, *, rows: int, samples: int, seed: int, watch: Observer
) -> Outsiders:
    """Score `rows` test pictures of the model's own data, and as many of each set of strangers.

    Raises:
        DataError: the data are no grey pictures, or not of the model's shape.
        Interrupted: the watch said so.
    """
    check_grey(dataset)
    sets = sets_beside(dataset, rows, seed)
    known = Scorer(model, as_bytes(dataset.train.x[:rows]), samples, seed)
    scores = {}
    for number, (name, x) in enumerate(sets.items()):
        watch.step(f"{dataset.name}: scoring {name}", number, len(sets))
        scores[name] = known.scores(x)
    return Outsiders(dataset.name, scores)


def text(found: Outsiders) -> str:
    """The tables of one model, and the answer in words."""
    best = found.table[0]
    fooled = [row["set"] for row in found.surprise[1:] if row["likelier than the known"] > 0.5]
    lines = [
        f"trained on {found.train}: AUROC of each score against each set",
        as_text(found.table),
        "",
        as_text(found.surprise),
        f"best in its worst case: {best['score']}, {best[_WORST]:.3f}",
    ]
    if fooled:
        lines.append(f"more likely than the known: {', '.join(fooled)}")
    return "\n".join(lines)


def draw(found: Outsiders, folder: Path) -> str:
    """Histograms of some of the scores, by set; the picture's place."""
    path = folder / f"{found.train}.png"
    shown = [score for score in _DRAWN if score in next(iter(found.scores.values()))]
    panels = {score: {name: by_score[score] for name, by_score in found.scores.items()} for score in shown}
    save_histograms(panels, path)
    return str(path)
