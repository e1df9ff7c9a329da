"""PyOD's VAE with its defaults, in an environment of its own that has no dreamgen.

    python benchmarks/pyod_vae.py ROWS.npz SCORES.npy SEED

ROWS.npz holds `train` and `test`, standardised, (n, d). Writes a score for each row of `test`, higher for odder, and
prints one JSON object on the last line.
"""

import json
import sys
import time

import numpy as np
import torch
from pyod.models.vae import VAE


def main(rows: str, scores: str, seed: str) -> dict[str, float]:
    """Train, score, write."""
    torch.manual_seed(int(seed))
    with np.load(rows, allow_pickle=False) as parts:
        train, test = parts["train"], parts["test"]
    started = time.perf_counter()
    # Its last, shorter batch is dropped: a table shorter than a batch would train nothing.
    batch = min(32, len(train))
    # Its input is standardised already; its own standardisation would divide constant columns by 0.
    model = VAE(random_state=int(seed), batch_size=batch, preprocessing=False, verbose=0)
    model.fit(train)
    found = model.decision_function(test)
    np.save(scores, np.asarray(found, dtype=np.float64).reshape(-1))
    return {"rows": len(test), "seconds": time.perf_counter() - started}


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
