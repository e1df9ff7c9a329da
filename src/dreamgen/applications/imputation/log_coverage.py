"""Whether intervals of a log's gaps hold what they promise: on made-up gaps around values that are known."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from dreamgen.applications.imputation.coverage import Coverage, scores_of, summary
from dreamgen.applications.imputation.gaps import find_gaps
from dreamgen.applications.imputation.log_rows import PARTS, LogRows, as_table, column_names
from dreamgen.data.batch import Batch
from dreamgen.distributions import derive_seed

if TYPE_CHECKING:
    from dreamgen.applications.imputation.log_imputer import LogImputer

_ROWS = 1000


def measure_log(log: "LogImputer", rows: LogRows, seed: int) -> Coverage:
    """Scores of known values about the regressions' means, with the spread of the model.

    Regressions and model have learned from the same log: what this says of long gaps in another one is less certain.
    """
    refiner, codec, inner = log.refiner, log.imputer.codec_, log.imputer
    if refiner is None:
        return inner.coverage_
    seed = derive_seed(seed, "coverage") % 2**31
    t, a, b = (part[:_ROWS] for part in rows.made_up(seed))
    sensor = np.random.default_rng(seed).integers(len(log.sensors), size=len(t))
    names = {name: j for j, name in enumerate(codec.names)}
    place = np.array([names.get(f"{name} {PARTS[0]}", -1) for name in log.sensors])[sensor]
    known = np.isfinite(rows.log.values[t, sensor]) & (place >= 0)
    t, a, b, sensor, place = (part[known] for part in (t, a, b, sensor, place))
    if not len(t) or not inner.models_:
        return inner.coverage_
    about, every = rows.about(t, a, b), np.arange(len(t))
    batch = find_gaps(codec, as_table(about, column_names(log.sensors, rows.log.clock.shape[1]))).rows
    mask = batch.observed.clone()
    mask[every, place] = False
    seen = Batch(torch.where(mask, batch.x, 0.0), mask)
    model = about[every, len(log.sensors) + sensor] + inner.predictor.expected(seen)[0][every, place]
    zeros = np.zeros((1, len(codec.names)))
    unit = (codec.natural(zeros + 1) - codec.natural(zeros))[0][place]
    x = batch.x.clone()
    x[every, place] -= torch.from_numpy((refiner.guess(rows, sensor, t, a, b) - model) / unit).float()
    return summary(scores_of(inner.predictor, seen, x)[every, place], sensor, every, log.sensors)
