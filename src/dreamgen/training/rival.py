"""A network that a model learns against: a critic of pictures, a discriminator of codes.

It belongs to the update, with its optimiser. Checkpoints hold both, so that a resumed run repeats the same bytes; a
saved model holds neither. Between its lessons it holds still, so that a model can learn through it.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from dreamgen.config import Part
from dreamgen.distributions import derive_seed
from dreamgen.errors import DivergedError
from dreamgen.training.optimizer import OPTIMIZERS

N = TypeVar("N", bound=nn.Module)


class Rival(Generic[N]):
    """A network with its optimiser.

    Args:
        name: of the network, for errors and checkpoints; its first weights are a function of the seed and of this.
        make: makes the network.
        optimizer: its optimiser.
        seed: of the run.
        device: where the model is.
    """

    def __init__(self, name: str, make: Callable[[], N], optimizer: Part, seed: int, device: torch.device) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive_seed(seed, name))
            self.network: N = make().to(device)
        self._name = name
        self._optimizer = OPTIMIZERS.build(optimizer, parameters=list(self.network.parameters()))
        self.network.requires_grad_(False)

    def teach(self, loss: Callable[[], Tensor], rate: float, step: int) -> None:
        """One step down a loss, (), of the network's own; raises DivergedError where a weight is no longer finite."""
        self.network.requires_grad_(True)
        self._optimizer.zero_grad()
        value = loss()
        value.backward()
        finite = self._optimizer.step(rate)
        self.network.requires_grad_(False)
        if value.device.type == "cpu" and not finite:  # a device would have to be waited for
            raise DivergedError(
                f"training diverged at step {step}: a weight of the {self._name} is not finite. "
                "A lower learning_rate is the usual cure; the last checkpoint is kept."
            )

    def beside(self, own: dict[str, Tensor]) -> dict[str, Tensor]:
        """An update's own tensors and the rival's, as one state."""
        parts = {"model": own, self._name: self.network.state_dict(), "optimizer": self._optimizer.state()}
        return {f"{part}.{name}": value for part, state in parts.items() for name, value in state.items()}

    def restore(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Take back what `beside` gave; the update's own tensors are returned."""
        parts: dict[str, dict[str, Tensor]] = {"model": {}, self._name: {}, "optimizer": {}}
        for key, value in tensors.items():
            part, _, name = key.partition(".")
            parts[part][name] = value
        self.network.load_state_dict(parts[self._name])
        self._optimizer.restore(parts["optimizer"])
        return parts["model"]
