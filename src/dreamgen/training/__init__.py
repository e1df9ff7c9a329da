"""Training: one loop for every model, with the update as its only moving part."""

from dreamgen.training.adversarial import Adversarial
from dreamgen.training.checkpoint import Checkpoints
from dreamgen.training.factor import Factor
from dreamgen.training.loop import Record, train
from dreamgen.training.masking import MASKINGS, Masking
from dreamgen.training.matching import PosteriorMatching
from dreamgen.training.optimizer import OPTIMIZERS
from dreamgen.training.pieces import Pieces
from dreamgen.training.private import PrivateUpdate
from dreamgen.training.run import Run
from dreamgen.training.update import UPDATES, Update

__all__ = [
    "MASKINGS",
    "OPTIMIZERS",
    "UPDATES",
    "Adversarial",
    "Checkpoints",
    "Factor",
    "Masking",
    "Pieces",
    "PosteriorMatching",
    "PrivateUpdate",
    "Record",
    "Run",
    "Update",
    "train",
]
