"""Are synthetic rows worth training on? Train on synthetic, test on real, beside train on real, test on real.

The judge is scikit-learn's HistGradientBoosting with its own settings, unless another is given; TabDDPM's table
(2023, https://arxiv.org/abs/2209.15421) has a tuned CatBoost in its place, so compare with the score of real rows.
F1 is the mean over the classes, as there.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, f1_score, r2_score, roc_auc_score

from dreamgen.errors import DataError
from dreamgen.evaluation.synthetic.features import Levels, categorical_places, tree_features
from dreamgen.evaluation.synthetic.view import Kinds, labels, number
from dreamgen.tables.cells import is_missing

Learner = Callable[[bool, list[bool], int], Any]


def boosting(classify: bool, categorical: list[bool], seed: int) -> Any:
    """scikit-learn's histogram gradient boosting, as it comes."""
    judge = HistGradientBoostingClassifier if classify else HistGradientBoostingRegressor
    return judge(random_state=seed, categorical_features=categorical)


def utility(
    train: pa.Table, test: pa.Table, target: str, kinds: Kinds, *, seed: int = 0, judge: Learner = boosting
) -> dict[str, float]:
    """Scores on real test rows of a judge trained on `train`, which is synthetic or real.

    Returns:
        `auc`, `f1` (mean over the classes) and `accuracy` for a category, `r2` and `rmse` for a number. A category
        with more than two values has the mean AUC of one against the rest.

    Raises:
        DataError: the target is no measured column, or no row of `train` has it.
    """
    if target not in kinds.names:
        raise DataError(f"target: expected one of {', '.join(kinds.names)}, got {target!r}")
    inputs = kinds.without(target)
    train, test = (table.filter(pa.array(~is_missing(table.column(target)))) for table in (train, test))
    if not train.num_rows or not test.num_rows:
        raise DataError(f"target {target!r}: no row has a value")
    levels = Levels.fit([train], inputs)
    x, x_test = (tree_features(table, inputs, levels) for table in (train, test))
    model = judge(target in kinds.categories, categorical_places(inputs), seed)
    if target in kinds.numbers:
        truth = number(test, target)
        predicted = model.fit(x, number(train, target)).predict(x_test)
        r2 = float(r2_score(truth, predicted)) if len(truth) > 1 else float("nan")
        return {"r2": r2, "rmse": float(np.sqrt(np.mean((truth - predicted) ** 2)))}
    return _classification(model, x, labels(train, target).astype(str), x_test, labels(test, target).astype(str))


def _classification(model: Any, x: Any, y: Any, x_test: Any, truth: Any) -> dict[str, float]:
    classes = np.unique(np.concatenate([y, truth]))
    chances = np.zeros((len(truth), len(classes)))
    if len(np.unique(y)) == 1:  # a judge of one class can only name it
        chances[:, np.searchsorted(classes, y[0])] = 1.0
    else:
        model.fit(x, y)
        chances[:, np.searchsorted(classes, model.classes_)] = model.predict_proba(x_test)
    predicted = classes[chances.argmax(1)]
    aucs = [
        float(roc_auc_score(truth == name, chances[:, k]))
        for k, name in enumerate(classes)
        if 0 < (truth == name).sum() < len(truth)
    ]
    return {
        "auc": float(np.mean(aucs)) if aucs else float("nan"),
        "f1": float(f1_score(truth, predicted, average="macro", labels=np.unique(truth), zero_division=0)),
        "accuracy": float(accuracy_score(truth, predicted)),
    }
