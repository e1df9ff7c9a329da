"""Membership inference: can one who holds the synthetic rows tell who was in the training?

Two attacks. By distance: the nearer a person to a synthetic row, the likelier a member. By density ratio: how much
denser the synthetic rows are around a person than other real rows, which the attacker also holds, are (DOMIAS,
2023, https://arxiv.org/abs/2302.12580), with densities from the distance to the k-th neighbour. Half members, half
not; an AUC of 1/2 is blind guessing, and the true positives at 1% false say what happens to the few at most risk
(Membership Inference Attacks From First Principles, 2022, https://arxiv.org/abs/2112.03570).
"""

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score, roc_curve

from dreamgen.evaluation.synthetic.neighbours import Points, nearest_distance

_FIGURES = ("auc_distance", "tpr_distance", "auc_density", "tpr_density", "auc", "tpr", "auc_stderr")
_NEIGHBOURS = 5
_FALSE = 0.01
_TINY = 1e-9  # a copy's distance of 0 has no logarithm


def membership(synthetic: Points, members: Points, others: Points, reference: Points) -> dict[str, float]:
    """Both attacks on members and on others, none of whom is in the reference.

    Returns:
        `auc_distance`, `auc_density`, the larger of both as `auc`; `tpr_distance`, `tpr_density` at 1% false
        positives; `auc_stderr`, how far from 1/2 chance alone leads. NaN where there is nobody to tell apart.
    """
    rows = min(len(members), len(others))
    if not rows or not len(reference):
        return dict.fromkeys(_FIGURES, float("nan"))
    candidates = np.concatenate([members[:rows], others[:rows]])
    truth = np.repeat([1, 0], rows)
    by_distance = -nearest_distance(candidates, synthetic)
    near_real, near_synthetic = (nearest_distance(candidates, p, _NEIGHBOURS) for p in (reference, synthetic))
    by_density = np.log(near_real + _TINY) - np.log(near_synthetic + _TINY)
    found = {}
    for name, score in (("distance", by_distance), ("density", by_density)):
        found[f"auc_{name}"] = float(roc_auc_score(truth, score))
        found[f"tpr_{name}"] = true_positives(truth, score)
    found["auc"] = max(found["auc_distance"], found["auc_density"])
    found["tpr"] = max(found["tpr_distance"], found["tpr_density"])
    found["auc_stderr"] = float(np.sqrt((2 * rows + 1) / (12 * rows * rows)))
    return found


def true_positives(truth: npt.NDArray[np.int64], score: npt.NDArray[np.float64], false: float = _FALSE) -> float:
    """The largest share of members found while at most `false` of the others are accused."""
    wrong, right, _ = roc_curve(truth, score, drop_intermediate=False)
    return float(right[wrong <= false].max())
