"""Our side: every score of a detector by name, its alarms, and the same neighbours and distances without a model."""

import time
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from anomalies.sets import Split
from dreamgen import AnomalyDetector
from dreamgen.applications.anomaly.scores import without_model


def auroc(split: Split, scores: Any) -> float:
    """Area under the ROC curve; a score that is not finite is the oddest."""
    return float(roc_auc_score(split.odd, np.nan_to_num(scores, posinf=np.finfo(np.float64).max)))


def measure(split: Split, seed: int, seen: bool) -> dict[str, Any]:
    """Train once; AUROC of each score, seconds, and what the threshold at 5% flags of the normal rows."""
    started = time.perf_counter()
    detector = AnomalyDetector(random_state=seed).fit(split.train)
    fitted = time.perf_counter()
    scores = detector.training_scores_ if seen else detector.score_table(split.test)
    result: dict[str, Any] = {
        "auroc": {name: auroc(split, values) for name, values in scores.items()},
        "seconds": {"fit": fitted - started, "score": time.perf_counter() - fitted},
    }
    bare = without_model(split.train, None if seen else split.test, seed)
    result["auroc"] |= {f"without a model: {name}": auroc(split, values) for name, values in bare.items()}
    if not seen:
        normal = scores["combined"][~split.odd]
        n, held_out = len(normal), detector.calibration_rows_
        result["alarms"] = {
            "rate": float(np.mean(normal > detector.threshold(0.05))),
            "normals": n,
            "calibration": held_out,
            # Of the flagged share and of the threshold itself, which the held-out rows leave uncertain.
            "standard_error": float(np.sqrt(0.05 * 0.95 * (1 / n + 1 / held_out))),
        }
    return result
