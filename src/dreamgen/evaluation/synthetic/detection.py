"""Can a classifier tell synthetic rows from real ones? The classifier two-sample test.

The score is SDMetrics' LogisticDetection: 1 - (2 max(AUC, 1/2) - 1), averaged over the three folds of a logistic
regression; 1: it cannot tell, 0: it always can. Our features are standardised, so the regression converges where
theirs may stop early. It sees little but single columns: independent columns pass it. A boosted forest sees pairs,
and is printed beside it. Revisiting Classifier Two-Sample Tests, 2017, https://arxiv.org/abs/1610.06545.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dreamgen.evaluation.synthetic.features import Levels, Space, categorical_places, tree_features
from dreamgen.evaluation.synthetic.view import Kinds, sample_rows

_FOLDS = 3


def detection(
    real: pa.Table, synthetic: pa.Table, kinds: Kinds, *, seed: int = 0, most: int = 50_000
) -> dict[str, float]:
    """The score against a logistic regression (`c2st`) and against boosted trees (`c2st_boosting`).

    As many rows of both are taken, at most `most` of each, so that no classifier wins by guessing the larger side.
    """
    rows = min(real.num_rows, synthetic.num_rows, most)
    tables = [sample_rows(t, rows, seed) for t in (real, synthetic)]
    truth = np.repeat([0, 1], [t.num_rows for t in tables])
    space, levels = Space.fit(tables, kinds), Levels.fit(tables, kinds)
    points = np.concatenate([space.points(t) for t in tables])
    logistic = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    trees = np.concatenate([tree_features(t, kinds, levels) for t in tables])
    boosting = HistGradientBoostingClassifier(
        random_state=seed, categorical_features=categorical_places(kinds), early_stopping=False
    )
    return {
        "c2st": cannot_tell(logistic, points, truth, seed),
        "c2st_boosting": cannot_tell(boosting, trees, truth, seed),
    }


def cannot_tell(classifier: Any, x: npt.NDArray[Any], truth: npt.NDArray[Any], seed: int) -> float:
    """1 - (2 max(AUC, 1/2) - 1), averaged over three folds; NaN where one of two sides has fewer rows than folds."""
    if np.bincount(truth, minlength=2).min() < _FOLDS:
        return float("nan")
    scores = []
    for fit, judge in StratifiedKFold(_FOLDS, shuffle=True, random_state=seed).split(x, truth):
        classifier.fit(x[fit], truth[fit])
        auc = roc_auc_score(truth[judge], classifier.predict_proba(x[judge])[:, 1])
        scores.append(2 - 2 * max(float(auc), 0.5))
    return float(np.mean(scores))
