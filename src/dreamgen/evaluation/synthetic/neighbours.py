"""Distances to nearest rows, in blocks, so that memory does not grow with the product of the numbers of rows."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

Points = npt.NDArray[np.float32]
_BLOCK = 512


def nearest_distance(points: Points, among: Points, k: int = 1) -> npt.NDArray[np.float64]:
    """The Euclidean distance of each point, (n, D), to the k-th nearest of others, (m, D): (n,)."""
    centre = among.mean(0)
    others, rows = torch.from_numpy(among - centre), torch.from_numpy(points - centre)
    squares = others.square().sum(1)
    k, found = min(k, len(others)), []
    for block in rows.split(_BLOCK):
        apart = torch.addmm(squares, block, others.T, alpha=-2)
        nearest = apart.topk(k, 1, largest=False).indices[:, -1]
        # Once more for the nearest alone: the fast form loses the digits of small distances.
        found.append((block.double() - others[nearest].double()).square().sum(1).sqrt())
    return torch.cat(found).numpy() if found else np.zeros(0)


@dataclass(frozen=True)
class Nearness:
    """Whether synthetic rows lie nearer to the rows of the training than to others like them.

    Attributes:
        share: of synthetic rows nearer to train than to the holdout, of which there are as many; ties count half.
            A half is ideal.
        stderr: its standard error, as of independent rows.
        rows: synthetic rows asked.
    """

    share: float
    stderr: float
    rows: int


def nearness(synthetic: Points, train: Points, holdout: Points) -> Nearness:
    """Compare distances to as many rows of the training as of the holdout; points as `Space` makes them."""
    to_train, to_holdout = nearest_distance(synthetic, train), nearest_distance(synthetic, holdout)
    n = len(synthetic)
    share = float(((to_train < to_holdout) + 0.5 * (to_train == to_holdout)).mean())
    return Nearness(
        share=share,
        stderr=float(np.sqrt(share * (1 - share) / n)),
        rows=n,
    )
