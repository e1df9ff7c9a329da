"""Whether the dreams are copies."""

import torch
from torch import Tensor

from dreamgen.data.batch import as_float

_ROWS = 8192


def nearest_distance(x: Tensor, references: Tensor) -> Tensor:
    """Euclidean distance from each row of x, (n, *event), to the nearest reference, (n,)."""
    flat = as_float(x).flatten(1)
    best = torch.full((len(flat),), torch.inf)
    for start in range(0, len(references), _ROWS):
        block = as_float(references[start : start + _ROWS]).flatten(1)
        best = torch.minimum(best, torch.cdist(flat, block).amin(1))
    return best


def memorisation(dreams: Tensor, test: Tensor, train: Tensor) -> float:
    """How often a dream lies nearer to a training row than a real test row does.

    The share of all (dream, test row) pairs, ties counted half: 0.5 where dreams keep their distance as unseen real
    rows do, near 1 where they are copies.
    """
    dreamt = nearest_distance(dreams, train)
    real = nearest_distance(test, train).sort().values
    farther = len(real) - torch.searchsorted(real, dreamt, right=True)
    equal = torch.searchsorted(real, dreamt, right=True) - torch.searchsorted(real, dreamt)
    return float((farther + 0.5 * equal).double().mean() / len(real))
