"""What the model itself knows of a goal: the goal read off codes, and the way up in them.

A goal that no reader was trained on may be a sum of terms of which some are read: penalised logP is logP - SA less a
penalty of large rings, and the first two are.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from dreamgen.applications.molecules.oracle import Goal
from dreamgen.chemistry.properties import ZINC_LOGP, ZINC_SA
from dreamgen.devices import device_of
from dreamgen.io import SavedModel

# Of what properties a goal is a sum, each with its weight; what is left out of the sum, the oracle's answers teach.
_SUMS: dict[str, Mapping[str, float]] = {
    "penalised_logP": {"logP": 1.0, "SA": -1.0},
    "penalised_logP_normalised": {"logP": 1 / ZINC_LOGP[1], "SA": -1 / ZINC_SA[1]},
}


class Guide:
    """The goal as the model's reader tells it of codes, up to a constant; higher is better.

    Attributes:
        terms: properties that are read, each with its weight; empty where the reader tells nothing of the goal.
    """

    def __init__(self, saved: SavedModel, goal: Goal) -> None:
        known = saved.properties.names if saved.properties else []
        terms = {goal.name: 1.0} if goal.name in known else _SUMS.get(goal.name, {})
        self.saved = saved
        self.terms = {name: goal.sign * weight for name, weight in terms.items() if name in known}
        self._device = device_of(saved.model)

    def read(self, z: Tensor) -> Tensor:
        """Codes (n, D) to the goal, (n,); differentiable, 0 where nothing is known."""
        total = z.new_zeros(len(z))
        properties = self.saved.properties
        if properties is None or not self.terms:
            return total
        read = self.saved.model.reader.read(z.to(self._device)).to(z.device)
        for name, weight in self.terms.items():
            field, values = properties[name], read[:, properties.columns[name]]
            # Of a class the number of the likeliest has no slope: the mean number has.
            one = (
                values @ torch.arange(values.shape[1], dtype=values.dtype) if field.kind == "class" else values[:, 0]
            )
            total = total + weight * (one * field.scale if field.kind == "number" else one)
        return total

    def ascend(self, z: Tensor, lengths: Tensor, steps: int = 4) -> Tensor:
        """Codes (n, D) moved up the reader's slope, each by its length, (n,), in a few steps of fixed length."""
        if not self.terms:
            return z
        z, step = z.detach().clone(), (lengths / steps).unsqueeze(1)
        for _ in range(steps):
            z.requires_grad_(True)
            (slope,) = torch.autograd.grad(self.read(z).sum(), z)
            z = (z + step * slope / slope.norm(dim=1, keepdim=True).clamp(min=1e-12)).detach()
        return z
