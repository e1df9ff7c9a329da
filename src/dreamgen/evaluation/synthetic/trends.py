"""How like each pair of columns is to the real pair.

Two numbers: 1 - |r_real - r_synthetic| / 2 of Pearson's correlations. A pair with a category: 1 - the total variation
distance of the tables of both, with numbers in ten bins of equal width between the real column's extremes. As
SDMetrics defines its CorrelationSimilarity and ContingencySimilarity (https://docs.sdv.dev/sdmetrics).
"""

from itertools import combinations

import numpy as np
import pyarrow as pa

from dreamgen.evaluation.synthetic.shapes import tv_complement
from dreamgen.evaluation.synthetic.view import Codes, Floats, Kinds, codes, labels, number

_BINS = 10


def pair_trends(real: pa.Table, synthetic: pa.Table, kinds: Kinds) -> dict[tuple[str, str], float]:
    """The likeness of each pair of columns; NaN for two numbers of which one never varies."""
    numbers = {name: (number(real, name), number(synthetic, name)) for name in kinds.numbers}
    binned = {name: tuple(in_bins(a, values) for values in (a, b)) for name, (a, b) in numbers.items()}
    for name in kinds.categories:
        a, b = codes([labels(real, name), labels(synthetic, name)])
        binned[name] = (a, b)
    return {
        (a, b): correlation_similarity(*numbers[a], *numbers[b])
        if a in numbers and b in numbers
        else contingency_similarity(*binned[a], *binned[b])
        for a, b in combinations([name for name in real.column_names if name in binned], 2)
    }


def correlation(a: Floats, b: Floats) -> float:
    """Pearson's correlation over the rows where both are observed; NaN if one of them does not vary."""
    both = ~(np.isnan(a) | np.isnan(b))
    if both.sum() < 2 or np.ptp(a[both]) == 0 or np.ptp(b[both]) == 0:
        return float("nan")
    return float(np.corrcoef(a[both], b[both])[0, 1])


def correlation_similarity(real_a: Floats, synthetic_a: Floats, real_b: Floats, synthetic_b: Floats) -> float:
    """1 - half the difference of the correlations; 1/2 where the synthetic one is not defined but the real one is."""
    real, synthetic = correlation(real_a, real_b), correlation(synthetic_a, synthetic_b)
    if np.isnan(synthetic) and not np.isnan(real):
        return 0.5
    return 1 - abs(real - synthetic) / 2


def contingency_similarity(real_a: Codes, synthetic_a: Codes, real_b: Codes, synthetic_b: Codes) -> float:
    """1 - the total variation distance of two tables of counts."""
    width = int(max(real_b.max(initial=0), synthetic_b.max(initial=0))) + 1
    return tv_complement(real_a * width + real_b, synthetic_a * width + synthetic_b)


def in_bins(real: Floats, values: Floats) -> Codes:
    """The bin of each value: 1 to 10 between the real extremes, the first and last open, 0 for missing."""
    seen = real[~np.isnan(real)]
    if not len(seen):
        return np.where(np.isnan(values), 0, 1).astype(np.int64)
    edges = np.histogram_bin_edges(seen, _BINS)[1:-1]
    found: Codes = np.where(np.isnan(values), 0, np.digitize(values, edges) + 1).astype(np.int64)
    return found
