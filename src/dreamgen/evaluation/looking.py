"""Which frozen network the objective of a training looked through: no judge measures what was to please it."""

import hashlib

from torch import nn

from dreamgen.config import Settings
from dreamgen.objectives import build_objective

LOOKED_THROUGH = "looked_through"
"""Where a model's card keeps it."""


def looked_through(settings: Settings, rows: int = 1) -> str | None:
    """SHA-256 of the weights of the network that the objective looks through; None: it looks through none.

    Args:
        settings: of a training.
        rows: that it trains on.

    Raises:
        SettingsError: the network that the settings name is not there.
        ModelFileError: it is damaged.
    """
    features = getattr(build_objective(settings, rows), "features", None)
    return None if features is None else hash_of_weights(features.network)


def hash_of_weights(network: nn.Module) -> str:
    """SHA-256 of a network's weights, wherever its file lies and whatever it is called."""
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(f"{name} {tuple(value.shape)};".encode())
        digest.update(value.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
