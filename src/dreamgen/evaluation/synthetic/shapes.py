"""How like each column by itself is to the real one.

Numbers: 1 - the Kolmogorov-Smirnov distance of the observed values. Categories: 1 - the total variation distance,
where a missing cell is a category. Both as SDMetrics defines its KSComplement and TVComplement
(https://docs.sdv.dev/sdmetrics); 1 is alike, 0 has nothing in common.
"""

import numpy as np
import pyarrow as pa

from dreamgen.evaluation.synthetic.view import Codes, Floats, Kinds, codes, labels, number
from dreamgen.tables.cells import is_missing


def column_shapes(real: pa.Table, synthetic: pa.Table, kinds: Kinds) -> dict[str, float]:
    """The likeness of each column, by name."""
    found = {name: ks_complement(number(real, name), number(synthetic, name)) for name in kinds.numbers}
    for name in kinds.categories:
        found[name] = tv_complement(*codes([labels(real, name), labels(synthetic, name)]))
    return {name: found[name] for name in real.column_names if name in found}


def missing_shares(real: pa.Table, synthetic: pa.Table, kinds: Kinds) -> dict[str, tuple[float, float]]:
    """The share of missing cells, real and synthetic, of each column that has any."""
    shares = {
        name: tuple(float(is_missing(t.column(name)).sum()) / max(t.num_rows, 1) for t in (real, synthetic))
        for name in kinds.names
    }
    return {name: (a, b) for name, (a, b) in shares.items() if a or b}


def ks_complement(real: Floats, synthetic: Floats) -> float:
    """1 - max |F_real - F_synthetic| of the observed values; NaN where one side has none."""
    a, b = np.sort(real[~np.isnan(real)]), np.sort(synthetic[~np.isnan(synthetic)])
    if not len(a) or not len(b):
        return float("nan")
    at = np.concatenate([a, b])
    distance = np.abs(np.searchsorted(a, at, "right") / len(a) - np.searchsorted(b, at, "right") / len(b))
    return float(1 - distance.max())


def tv_complement(real: Codes, synthetic: Codes) -> float:
    """1 - half the sum of the differences of the categories' shares."""
    size = int(max(real.max(initial=0), synthetic.max(initial=0))) + 1
    shares = [np.bincount(part, minlength=size) / max(len(part), 1) for part in (real, synthetic)]
    return float(1 - np.abs(shares[0] - shares[1]).sum() / 2)
