"""The three measures of one model together."""

from typing import Any

import numpy as np
from torch.distributions import Distribution, Normal

from dreamgen.evaluation.disentanglement.importances import importances
from dreamgen.evaluation.disentanglement.information import Floats, information
from dreamgen.evaluation.disentanglement.votes import factor_score

_FOREST_ROWS = 10_000


def disentanglement(
    q: Distribution | Floats, factors: Floats, names: tuple[str, ...] = (), seed: int = 0
) -> dict[str, Any]:
    """How far latents go with factors one by one.

    Args:
        q: q(z|x) of the rows, batch shape (n, D), or codes, (n, D).
        factors: what made the rows, (n, A).
        names: of the factors; by default their numbers.
        seed: of what is drawn.

    Returns:
        `mig` (mean) and `gaps` by factor; `told`, the share of each factor's entropy that the best latent tells;
        `disentanglement`, `completeness` and `informativeness` of DCI, with `accuracy` by factor, on the first 10,000
        rows; `factor_score`; and `mutual_information`, (D, A), in nats.

    Raises:
        DataError: the shapes do not fit.
    """
    loc = np.asarray(q if isinstance(q, np.ndarray) else q.mean, np.float64)
    scale = np.asarray(q.scale, np.float64) if isinstance(q, Normal) else None
    names = names or tuple(str(number) for number in range(factors.shape[1]))
    found = information(loc, factors, scale)
    forest = importances(loc[:_FOREST_ROWS], factors[:_FOREST_ROWS], seed)
    told = found.mutual.max(0) / np.where(found.entropy > 0, found.entropy, np.nan)
    return {
        "rows": len(loc),
        "mig": found.gap,
        "gaps": dict(zip(names, found.gaps.tolist(), strict=True)),
        "told": dict(zip(names, told.tolist(), strict=True)),
        "disentanglement": forest.disentanglement,
        "completeness": forest.completeness,
        "informativeness": forest.informativeness,
        "accuracy": dict(zip(names, forest.accuracy.tolist(), strict=True)),
        "factor_score": factor_score(loc, factors, seed),
        "mutual_information": found.mutual.tolist(),
    }
