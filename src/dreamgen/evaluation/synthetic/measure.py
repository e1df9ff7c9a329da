"""All the figures of a synthetic table in one go."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from dreamgen.evaluation.synthetic.copies import copies
from dreamgen.evaluation.synthetic.detection import detection
from dreamgen.evaluation.synthetic.features import Space
from dreamgen.evaluation.synthetic.membership import membership
from dreamgen.evaluation.synthetic.neighbours import nearness
from dreamgen.evaluation.synthetic.rare import rare_categories
from dreamgen.evaluation.synthetic.shapes import column_shapes, missing_shares
from dreamgen.evaluation.synthetic.trends import pair_trends
from dreamgen.evaluation.synthetic.utility import Learner, boosting, utility
from dreamgen.evaluation.synthetic.view import Kinds, sample_rows

_ATTACKED = 5000  # members, and as many others


def measure(
    train: pa.Table,
    synthetic: pa.Table,
    kinds: Kinds,
    *,
    test: pa.Table | None = None,
    target: str | None = None,
    seed: int = 0,
    judge: Learner = boosting,
) -> dict[str, Any]:
    """Likeness to the rows of the training; with test rows also use and privacy.

    Args:
        train: the real rows that the synthesizer saw.
        synthetic: rows made.
        kinds: which columns are numbers and which categories.
        test: real rows that it did not see; None: no utility, and no privacy figure.
        target: what a judge is trained to predict; None: no utility.
        seed: of folds, sub-samples and judges.

    Returns:
        `shape`, `trend` (means over columns and pairs), `c2st`, `c2st_boosting`, `rare`, `missing`, and where they
        can be had `synthetic` and `real` (the judge's scores) and `privacy`; `columns` and `pairs` in detail.
    """
    if test is not None and not test.num_rows:
        test = None
    columns, pairs = column_shapes(train, synthetic, kinds), pair_trends(train, synthetic, kinds)
    found: dict[str, Any] = {
        "shape": _mean(columns.values()),
        "trend": _mean(pairs.values()),
        **detection(train, synthetic, kinds, seed=seed),
        "rare": rare_categories(train, synthetic, kinds),
        "missing": missing_shares(train, synthetic, kinds),
        "columns": columns,
        "pairs": {f"{a} / {b}": value for (a, b), value in pairs.items()},
    }
    if test is not None and target is not None:
        found["synthetic"] = utility(synthetic, test, target, kinds, seed=seed, judge=judge)
        found["real"] = utility(train, test, target, kinds, seed=seed, judge=judge)
    if test is not None:
        found["privacy"] = privacy(train, test, synthetic, kinds, seed=seed)
    return found


def privacy(train: pa.Table, test: pa.Table, synthetic: pa.Table, kinds: Kinds, *, seed: int = 0) -> dict[str, float]:
    """Nearness, copies and membership inference; a smoke test and two attacks, no proof of anything.

    Half of the test rows are the attacker's reference, the others stand for people who were not in the training;
    of one row nothing can be said, and the attacks' figures are NaN. Copies are counted over all rows, which are
    `train_rows` and `test_rows`.
    """
    space = Space.fit([train], kinds)
    rows = min(train.num_rows, test.num_rows)
    made = space.points(synthetic)
    near = nearness(*(space.points(sample_rows(t, rows, seed)) for t in (synthetic, train, test)))
    order = np.random.default_rng(seed).permutation(test.num_rows)
    outside = space.points(test)[order]
    half = len(outside) // 2
    members = space.points(sample_rows(train, _ATTACKED, seed + 1))
    attack = membership(made, members, outside[:half][:_ATTACKED], outside[half:])
    exact = {
        "copies": copies(synthetic, train, kinds),
        "copies_of_holdout": copies(synthetic, test, kinds),
        "train_rows": train.num_rows,
        "test_rows": test.num_rows,
    }
    return {**asdict(near), **exact, **{f"membership_{name}": value for name, value in attack.items()}}


def _mean(values: Any) -> float:
    held = [value for value in values if not np.isnan(value)]
    return float(np.mean(held)) if held else float("nan")
