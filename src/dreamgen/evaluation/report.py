"""One report for any model: every number says what it is."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from dreamgen.data.batch import Batch, as_float
from dreamgen.devices import device_of
from dreamgen.distributions import Delta
from dreamgen.evaluation.collapse import collapse_warning
from dreamgen.evaluation.latents import active_units, mutual_information, prior_of, rate_per_unit
from dreamgen.evaluation.likelihood import binarise_rows, encode_rows, score_rows
from dreamgen.evaluation.reading import accuracy, read_rows, reading_loss
from dreamgen.evaluation.samples import memorisation
from dreamgen.models import VAE, Classifier

COMPARED = 1000
"""Dreams, and rows at most, that are asked whether they are copies of training rows."""


def one_sample_loss(model: VAE, data: Tensor | Batch, seed: int = 0, binarise: bool = False) -> dict[str, float]:
    """distortion + rate with one sample for each row, in nats: the figure that training curves are compared by."""
    scores = score_rows(model, _as_asked(data, binarise, seed), samples=1, seed=seed)
    return {
        "test_loss": -scores.elbo.double().mean().item(),
        "test_distortion": scores.distortion.double().mean().item(),
        "test_rate": scores.rate.double().mean().item(),
    }


def figures_of_test(model: VAE | Classifier, data: Batch, binarise: bool) -> dict[str, Any]:
    """What is measured after training, on the test part: `one_sample_loss`, or how well a classifier reads."""
    if isinstance(model, VAE):
        return dict(one_sample_loss(model, data, binarise=binarise))
    assert data.context is not None
    loss = reading_loss(model, data)
    right = accuracy(read_rows(model, data), data.context, model.context)
    return {"test_loss": loss, "test_distortion": loss, "test_rate": 0.0, "test_accuracy": right}


def _as_asked(data: Tensor | Batch, binarise: bool, seed: int) -> Batch:
    batch = data if isinstance(data, Batch) else Batch(data)
    return replace(batch, x=binarise_rows(batch.x, seed)) if binarise else batch


def evaluate(
    model: VAE,
    data: Tensor | Batch,
    *,
    samples: int = 100,
    seed: int = 0,
    binarise: bool = False,
    split: str = "test",
    train: Tensor | None = None,
    dreams: Tensor | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Report on a model.

    Args:
        model: in evaluation mode.
        data: bytes or floats, (n, *event), with their context where the model is told one.
        samples: K, importance samples for each row.
        seed: of the samples and of the binarisation.
        binarise: draw grey pixels as 0 or 1 first, once.
        split: what the data are, for the report.
        train, dreams: the training rows, (N, *event), and dreams, (m, *event), floats, to ask whether these are
            copies of those; None: not asked. `DreamGenerator.evaluate` makes the dreams.
        progress: told the number of rows done.

    Returns:
        Nats per example, never with beta: `elbo`, `rate`, `distortion`, and `nll` = -log p(x) from the
        importance-weighted bound with `nll_stderr`, its standard error over the rows. `nll` is None, with
        `nll_reason`, where the model gives no likelihood for x. Of a Gaussian it is a density's, in the units that
        the model sees (bytes become [0, 1]), and then `bits_per_dim` is None: a density has no length in bits. Lines
        have none either, since they differ in length.
        `collapse` is None, or a line that says that the latents carry nothing and what helps.
    """
    batch = _as_asked(data, binarise, seed)
    x = batch.x
    if train is not None and binarise:
        train = binarise_rows(train, seed)
    q = encode_rows(model, batch)
    scores = score_rows(model, batch, samples, seed, progress)
    reason = no_likelihood(model, x, q)
    nll = -scores.log_likelihood.double()
    dimensions = math.prod(x.shape[1:])
    units = rate_per_unit(q, prior_of(model, batch.context))
    point, density = isinstance(q, Delta), _is_density(model, q, batch)
    sized = not (
        reason or density or model.decoder.likelihood.writes_tokens
    )  # a line has places that it leaves empty
    report: dict[str, Any] = {
        "rows": len(x),
        "split": split,
        "binarisation": f"drawn once, seed {seed}" if binarise else "none",
        "samples": samples,
        "seed": seed,
        "unit": "nats per example",
        "elbo": None if point else scores.elbo.double().mean().item(),
        "distortion": scores.distortion.double().mean().item(),
        "rate": None if point else scores.rate.double().mean().item(),
        "score": kind_of_score(model, batch, q),
        "nll": None if reason else nll.mean().item(),
        "nll_stderr": None if reason else stderr(nll),
        "bits_per_dim": nll.mean().item() / dimensions / math.log(2) if sized else None,
        "active_units": active_units(q),
        "rate_per_unit": None if units is None else units.tolist(),
        "mutual_information": mutual_information(q, seed),
        "mutual_information_at_most": math.log(len(x)),
        "collapse": collapse_warning(q, units),
        "memorisation": None
        if train is None or dreams is None
        else memorisation(dreams, x[:COMPARED].cpu(), train.cpu()),
    }
    if reason:
        report["nll_reason"] = reason
    return report


def no_likelihood(model: VAE, x: Tensor, q: object) -> str | None:
    """Why log p(x) has no meaning here, or None if it has one."""
    if isinstance(q, Delta):
        return "the posterior is a point: an autoencoder has no bound"
    if not model.decoder.likelihood.is_likelihood(as_float(x)):
        return "grey pixels under BCE are a score, not a likelihood; binarise them (--binarise) to get one"
    return None


def _told(model: VAE, batch: Batch, rows: int | None = None) -> Tensor | None:
    """The context of the first rows, on the model's device."""
    return None if batch.context is None else batch.context[:rows].to(device_of(model))


@torch.no_grad()
def _is_density(model: VAE, q: Distribution, batch: Batch) -> bool:
    """Whether p(x|z) is over continuous values, so that log_prob depends on their units."""
    p = model.decoder(q.mean[:1].to(device_of(model)), _told(model, batch, 1))
    return not p.support.is_discrete


def kind_of_score(model: VAE, batch: Batch, q: Distribution) -> str:
    """What log_prob is for rows: the logarithm of a probability or of a density, or only a score."""
    if not model.decoder.likelihood.is_likelihood(as_float(batch.x)):
        return "bce"
    return "log-density" if _is_density(model, q, batch) else "log-probability"


def stderr(values: Tensor) -> float | None:
    """Standard error of the mean, or None for a single row."""
    return (values.std() / math.sqrt(len(values))).item() if len(values) > 1 else None


def needs_drawing(model: VAE, x: Tensor) -> bool:
    """Whether dreams are to be drawn to be compared with rows: means would look near to everything binary."""
    values = as_float(x)
    return bool(((values == 0) | (values == 1)).all()) or not model.decoder.likelihood.has_mean
