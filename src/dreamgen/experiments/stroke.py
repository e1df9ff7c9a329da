"""The mission's stroke: one pixel is on, at 14 or at 15, each half the time. What is the best a decoder can say?

If it cannot know which, the best answer to squared error and to cross-entropy alike is the mean, 1/2 at both: a blur.
Cross-entropy then costs log 2 at each of the two pixels, squared error 1/4. If a latent says which, the stroke is
sharp and the latent's rate is the price: log 2 at least, since the data hold log 2 nats.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dreamgen.config import Settings
from dreamgen.data import as_float
from dreamgen.evaluation import score_rows
from dreamgen.generator import DreamGenerator

SIZE, PLACES = 28, (14, 15)
FIRST, LAST = 11, 18  # what is drawn of the 28 pixels

_ROWS = 1000
_SAMPLES = 500
# Squared error is what a Gaussian of this scale costs, in nats, up to a constant.
_PLAIN = math.sqrt(0.5)
_SETTINGS = Settings(latent_dim=1, hidden_dim=64, batch_size=100, epochs=200, learning_rate=0.01, validation=0.0)


@dataclass(frozen=True)
class Case:
    """One way to learn the stroke, and its exact answers.

    Attributes:
        loss: "cross-entropy" or "squared error".
        latent: whether it pays to use the latent.
        settings: of the training.
        error: the smallest expected loss of the picture, given what the latent tells: nats, or squared error.
        rate: the smallest rate that tells it, in nats.
    """

    loss: str
    latent: str
    settings: Settings
    error: float
    rate: float


def gaussian(scale: float) -> dict[str, str | float]:
    """A Gaussian likelihood of a fixed scale."""
    return {"kind": "gaussian", "scale": scale}


CASES = {
    "BCE, beta 1": Case("cross-entropy", "used", _SETTINGS, 0.0, math.log(2)),
    "BCE, beta 20": Case("cross-entropy", "off", _SETTINGS.replace(beta=20.0), 2 * math.log(2), 0.0),
    # At 0.5 for each picture, the whole error is worth less than the log 2 nats that would remove it.
    "MSE, σ = 0.71": Case("squared error", "off", _SETTINGS.replace(likelihood=gaussian(_PLAIN)), 0.5, 0.0),
    "MSE, σ = 0.1": Case("squared error", "used", _SETTINGS.replace(likelihood=gaussian(0.1)), 0.0, math.log(2)),
}


@dataclass(frozen=True)
class Stroke:
    """What came of one case: a row of the table, and the decoded picture for each place of the stroke, (2, 28)."""

    row: dict[str, str | float | None]
    decoded: npt.NDArray[np.float32]


def strokes(rows: int) -> npt.NDArray[np.float32]:
    """Pictures of 28 pixels in a row, (rows, 28), the stroke at 14 and at 15 by turns."""
    x = np.zeros((rows, SIZE), np.float32)
    x[np.arange(rows), np.array(PLACES)[np.arange(rows) % 2]] = 1
    return x


def learn(name: str, seed: int = 0) -> Stroke:
    """Train one case and set what it reached beside the exact answers."""
    case = CASES[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that the posterior collapses is what half of these show
        generator = DreamGenerator.from_settings(case.settings, random_state=seed).fit(strokes(_ROWS))
    both = generator.prepare(strokes(2))
    scores = score_rows(generator.saved_.model, both, _SAMPLES, seed)
    decoded = generator.reconstruct(strokes(2))
    crossed = case.loss == "cross-entropy"
    squared = np.square(as_float(both).numpy() - decoded).sum(1).mean()
    row: dict[str, str | float | None] = {
        "case": name,
        "latent": case.latent,
        "pixel 14": float(decoded[0, PLACES[0]]),
        "pixel 15": float(decoded[0, PLACES[1]]),
        "error": scores.distortion.double().mean().item() if crossed else float(squared),
        "exact error": case.error,
        "rate": scores.rate.double().mean().item(),
        "exact rate": case.rate,
        "-log p": -scores.log_likelihood.double().mean().item() if crossed else None,
        "exact -log p": case.error + case.rate if crossed else None,
    }
    return Stroke(row, decoded)
