"""Do the rare categories survive?"""

import numpy as np
import pyarrow as pa

from dreamgen.evaluation.synthetic.view import Kinds, codes, labels

_RARE = 0.05


def rare_categories(real: pa.Table, synthetic: pa.Table, kinds: Kinds, below: float = _RARE) -> dict[str, float]:
    """Coverage of the categories that fewer than `below` of the real rows have.

    Returns:
        `rare`: how many there are; `covered`: the share of them that occur at all; `mass`: of the cells that hold
        them, synthetic over real; 1 is ideal for both. `expected`: the share that as many rows drawn from the real
        ones would cover. NaN where there is no rare category.
    """
    shares_real, shares_synthetic, counts = [], [], []
    for name in kinds.categories:
        a, b = codes([labels(real, name), labels(synthetic, name)])
        size = int(max(a.max(initial=0), b.max(initial=0))) + 1
        count = np.bincount(a, minlength=size)
        picked = (count > 0) & (count < below * len(a))
        counts.append(count[picked])
        shares_real.append(count[picked] / max(len(a), 1))
        shares_synthetic.append(np.bincount(b, minlength=size)[picked] / max(len(b), 1))
    share, found = np.concatenate([*shares_real, []]), np.concatenate([*shares_synthetic, []])
    if not len(share):
        return {"rare": 0.0, "covered": float("nan"), "expected": float("nan"), "mass": float("nan")}
    return {
        "rare": float(len(share)),
        "covered": float((found > 0).mean()),
        "expected": float((1 - (1 - share) ** synthetic.num_rows).mean()),
        "mass": float(found.sum() / share.sum()),
    }
