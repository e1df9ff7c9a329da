"""The other side: scikit-learn's detectors and two scores without any model. Higher is odder everywhere."""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors

from anomalies.sets import Floats, Split

Scores = NDArray[np.float64]
NEIGHBOURS = 5


def forest(split: Split, seed: int, seen: bool) -> dict[str, Scores]:
    """Isolation forest, scikit-learn's defaults."""
    model = IsolationForest(random_state=seed).fit(split.train)
    return {"IsolationForest": -model.score_samples(split.test)}


def local_factor(split: Split, seed: int, seen: bool) -> dict[str, Scores]:
    """Local outlier factor with scikit-learn's 20 neighbours."""
    neighbours = min(20, len(split.train) - 1)
    if seen:
        model = LocalOutlierFactor(n_neighbors=neighbours).fit(split.train)
        return {"LOF": -model.negative_outlier_factor_}
    return {
        "LOF": -LocalOutlierFactor(n_neighbors=neighbours, novelty=True).fit(split.train).score_samples(split.test)
    }


def nearest(split: Split, seed: int, seen: bool) -> dict[str, Scores]:
    """Distances to the five nearest rows of the training part: their mean, and the fifth."""
    index = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(split.train) - 1)).fit(split.train)
    distance = (index.kneighbors() if seen else index.kneighbors(split.test))[0]  # without rows: never oneself
    return {"5-NN": distance.mean(1), "5-NN, the fifth": distance[:, -1]}


def norm(split: Split, seed: int, seen: bool) -> dict[str, Scores]:
    """Length of the standardised row: no model at all."""
    return {"row norm": np.square(split.test).sum(1)}


PEERS: list[Callable[[Split, int, bool], dict[str, Scores]]] = [forest, local_factor, nearest, norm]


def pyod_vae(python: str, split: Split, seed: int) -> Scores:
    """PyOD's VAE by the Python of its own environment."""
    with tempfile.TemporaryDirectory() as name:
        rows, scores = Path(name) / "rows.npz", Path(name) / "scores.npy"
        np.savez(rows, train=split.train.astype(np.float32), test=split.test.astype(np.float32))
        script = Path(__file__).parents[1] / "pyod_vae.py"
        command = [python, str(script), str(rows), str(scores), str(seed)]
        environment = {"GOMP_SPINCOUNT": "1000", **os.environ}
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
        told = json.loads(done.stdout.strip().splitlines()[-1])
        found: Floats = np.load(scores, allow_pickle=False).astype(np.float64)
        assert told["rows"] == len(found) == len(split.test)
        return np.nan_to_num(found, nan=np.inf, posinf=np.finfo(np.float64).max)
