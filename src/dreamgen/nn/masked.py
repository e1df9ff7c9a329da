"""A network whose output for each element depends on the elements before it alone.

MADE: Masked Autoencoder for Distribution Estimation, 2015, https://arxiv.org/abs/1502.03509, with one hidden layer
and direct connections. Letters: N elements of an example in a row, H hidden units.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MaskedNetwork(nn.Module):
    """x, (..., N), to numbers, (..., N), of which the i-th is a function of x_0 ... x_{i-1}.

    Hidden unit k has a degree m_k from 1 to N - 1, spread evenly: it sees the first m_k elements, and is seen by the
    outputs from m_k on. The direct connections see every element before, however few hidden units there are.

    Args:
        size: N.
        width: H.
    """

    sees: Tensor
    seen: Tensor
    before: Tensor

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.inward = nn.Linear(size, width)
        self.outward = nn.Linear(width, size)
        self.direct = nn.Linear(size, size, bias=False)
        place = torch.arange(size)
        degree = 1 + torch.arange(width) * max(size - 1, 1) // width
        # Functions of the sizes, so they are not saved.
        self.register_buffer("sees", (place < degree[:, None]).float(), persistent=False)
        self.register_buffer("seen", (degree <= place[:, None]).float(), persistent=False)
        self.register_buffer("before", (place < place[:, None]).float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(F.linear(x, self.inward.weight * self.sees, self.inward.bias))
        out = F.linear(h, self.outward.weight * self.seen, self.outward.bias)
        return out + F.linear(x, self.direct.weight * self.before)

    def one(self, x: Tensor, i: int) -> Tensor:
        """The i-th number alone, (...), for drawing one element after another; x after i may hold anything."""
        x = x[..., :i]
        h = F.relu(F.linear(x, self.inward.weight[:, :i] * self.sees[:, :i], self.inward.bias))
        out = h @ (self.outward.weight[i] * self.seen[i]) + self.outward.bias[i]
        return out + x @ self.direct.weight[i, :i]
