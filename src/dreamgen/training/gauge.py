"""A gauge of the latents during training: cheap enough for every epoch, a function of the weights and the seed."""

import torch

from dreamgen.data.batch import Batch, as_float
from dreamgen.evaluation.latents import active_units
from dreamgen.evaluation.likelihood import binarise_rows
from dreamgen.training.run import Run

_ROWS = 1000


@torch.no_grad()
def count_active(run: Run) -> int | None:
    """Active units on the first 1,000 held-out rows, or training rows where none are held out; None: no encoder."""
    if not run.model.reads:
        return None
    x = (run.data if run.validation is None else run.validation).x[:_ROWS]
    seen = binarise_rows(x, run.seed).to(x.device) if run.settings.binarise == "dynamic" else as_float(x)
    with run.average.in_place():
        return active_units(run.model.encoder(Batch(seen)))
