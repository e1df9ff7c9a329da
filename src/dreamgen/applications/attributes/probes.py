"""What the codes of a model tell of attributes: logistic regressions, measured on held-out examples."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from dreamgen.applications.attributes.directions import Floats

_STEPS = 200  # of the optimiser; the problem is convex
_STRENGTH = 0.1  # inverse weight of the penalty on standardised codes


def probe_codes(
    z: Floats, present: npt.ArrayLike, held_out: Floats, truth: npt.ArrayLike, names: Sequence[str]
) -> dict[str, float | None]:
    """Area under the ROC curve of each attribute on held-out codes; None where one of its classes is missing.

    Args:
        z: codes to fit to, (n, D).
        present: 1 with an attribute, 0 without, (n, A).
        held_out: other codes, (m, D).
        truth: of those, (m, A).
        names: of the attributes.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    y, true = ((np.asarray(values) > 0).astype(np.int64) for values in (present, truth))
    centre, spread = z.mean(0), np.maximum(z.std(0), 1e-6)
    z, held_out = (z - centre) / spread, (held_out - centre) / spread
    found: dict[str, float | None] = {}
    for column, name in enumerate(names):
        if np.ptp(y[:, column]) == 0 or not len(true) or np.ptp(true[:, column]) == 0:
            found[name] = None
            continue
        probe = LogisticRegression(C=_STRENGTH, max_iter=_STEPS).fit(z, y[:, column])
        found[name] = float(roc_auc_score(true[:, column], probe.decision_function(held_out)))
    return found
