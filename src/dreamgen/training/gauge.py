"""A gauge of the latents during training: cheap enough for every epoch, a function of the weights and the seed."""

import torch

from dreamgen.data.batch import Batch, as_float
from dreamgen.evaluation.latents import active_units
from dreamgen.evaluation.likelihood import binarise_rows
from dreamgen.models import VAE
from dreamgen.training.run import Run, evaluating

_ROWS = 1000


@torch.no_grad()
def count_active(run: Run) -> int | None:
    """Active units on the first 1,000 held-out rows, or training rows; None where no latents are read off them."""
    model: object = run.model
    if not isinstance(model, VAE) or not model.reads:
        return None
    rows = (run.data if run.validation is None else run.validation)[:_ROWS]
    x = rows.x
    seen = binarise_rows(x, run.seed).to(x.device) if run.settings.binarise == "dynamic" else as_float(x)
    with run.average.in_place(), evaluating(run.model):
        return active_units(model.encoder(Batch(seen, rows.mask, rows.context)))
