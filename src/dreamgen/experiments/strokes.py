"""Which latents go with slant and stroke thickness, and whether a heavier rate gathers each of them in one latent."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamgen.charts import save_rows
from dreamgen.config import Settings
from dreamgen.data import Dataset
from dreamgen.evaluation.handwriting import slant, thickness
from dreamgen.evaluation.latents import active_units
from dreamgen.evaluation.report import one_sample_loss
from dreamgen.experiments.runs import Observer, claim, identity_of, obtain
from dreamgen.files import make_folder
from dreamgen.generator import DreamGenerator

BETAS = (1.0, 4.0)
MEASURES = {"slant": slant, "thickness": thickness}

_STEPS, _SPAN = 11, 3.0

Numbers = npt.NDArray[np.floating[Any]]
Correlations = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Strokes:
    """What was found.

    Attributes:
        rows: the table, a row for each beta and measure.
        correlations: of each latent with each of MEASURES, (D, 2), by beta.
        models: by beta.
    """

    rows: list[dict[str, Any]]
    correlations: dict[float, Correlations]
    models: dict[float, DreamGenerator]


def correlations(codes: Numbers, measured: Numbers) -> Correlations:
    """Pearson's correlation of codes (n, D) with measures (n, M): (D, M); 0 where one of the two does not vary."""
    z, v = (values.astype(np.float64) - values.mean(0, dtype=np.float64) for values in (codes, measured))
    lengths = np.outer(np.linalg.norm(z, axis=0), np.linalg.norm(v, axis=0))
    found: Correlations = np.divide(z.T @ v, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return found


def strokes(
    dataset: Dataset, settings: Settings, folder: Path, *, rows: int, seed: int, device: str, watch: Observer
) -> Strokes:
    """Train with each of BETAS, and correlate the posterior means of the first `rows` test pictures with how these
    were drawn.

    Raises:
        SettingsError: the folder was begun with something else.
        Interrupted: the watch said so; finished models are kept.
    """
    claim(make_folder(folder), identity_of("strokes", dataset, settings, seed))
    x = dataset.part("test").x[:rows]
    measured = np.stack([measure(x) for measure in MEASURES.values()], axis=1)
    found = Strokes([], {}, {})
    for beta in BETAS:
        place, what = folder / "runs" / f"beta-{beta:g}", f"training: beta {beta:g}"
        model, seconds = obtain(settings.replace(beta=beta), dataset, place, seed, watch, what, device)
        q = model.encode(x)
        r = correlations(q.mean.numpy(), measured)
        loss = one_sample_loss(model.saved_.model, model.prepare(x))
        found.models[beta], found.correlations[beta] = model, r
        for number, name in enumerate(MEASURES):
            first, second = order(r[:, number])[:2]
            found.rows.append(
                {
                    "beta": f"{beta:g}",
                    "measure": name,
                    "latent": int(first),
                    "r": float(r[first, number]),
                    "second": float(abs(r[second, number])),
                    "its r with the other": float(abs(r[first, 1 - number])),
                    "all latents": _of_all(q.mean.numpy(), measured[:, number]),
                    "active": active_units(q),
                    "distortion": loss["test_distortion"],
                    "rate": loss["test_rate"],
                    "seconds": seconds,
                }
            )
    return found


def order(r: Correlations) -> npt.NDArray[np.intp]:
    """Latents by |r|, the largest first."""
    return np.argsort(-np.abs(r), kind="stable")


def draw(found: Strokes, folder: Path) -> dict[str, str]:
    """Draw the latents that go most with each measure, from -3 to 3, the measure rising to the right."""
    lines = {}
    for beta, model in found.models.items():
        for number, name in enumerate(MEASURES):
            r = found.correlations[beta][:, number]
            latent = int(order(r)[0])
            film = model.traverse(latents=[latent], steps=_STEPS, span=_SPAN)[0]
            title = f"beta {beta:g}, {name}\nlatent {latent}, |r| = {abs(r[latent]):.2f}"
            lines[title] = film if r[latent] >= 0 else film[::-1]
    path = folder / "traversals.png"
    save_rows(lines, path)
    return {"traversals": str(path)}


def _of_all(codes: Numbers, measured: Correlations) -> float:
    """The correlation of a measure with the best linear reading of all latents."""
    design = np.column_stack([codes.astype(np.float64), np.ones(len(codes))])
    read = design @ np.linalg.lstsq(design, measured, rcond=None)[0]
    return float(np.corrcoef(read, measured)[0, 1]) if measured.std() > 0 and read.std() > 0 else 0.0
