"""Which method gives one factor of the shapes to one latent: VAE, beta-VAE, FactorVAE, beta-TCVAE.

    python benchmarks/disentanglement.py --quick            one seed, two epochs, under three minutes
    python benchmarks/disentanglement.py --seeds 5          everything, about an hour of one core

All methods have the network, the steps and the learning rate of the recipe `beta-tcvae` and differ in their loss
alone. `falling` is a rate that starts at 100 and falls to its end within a quarter of the steps; a plain VAE and one
whose rate falls to 1 are set side by side, so that what the start does and what the loss does can be told apart.
Strengths and schedules were chosen on seeds 100 to 102.

Measured on pictures drawn anew from all 737,280, of which a fifteenth was trained on: `mig` over all five factors,
`mig4` without the shape, which has no order, as the code of the paper that proposed it does; both with the noise of
the posteriors. `D`, `C`, `I`: disentanglement, completeness and informativeness (accuracy) of a random forest.
`factor`: the score of FactorVAE. What was measured is kept in the folder --out, and not measured again.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from dreamgen import RECIPES, DreamGenerator, Settings
from dreamgen.data.shapes import FACTORS, NUMBER, draw_shapes, indices_of, load_shapes, values_of
from dreamgen.evaluation.disentanglement import disentanglement

ROWS, QUICK_ROWS = 50_000, 5000
SHOWN = ("mig", "mig4", "D", "C", "I", "factor", "distortion", "rate", "seconds")


def methods() -> dict[str, Settings]:
    """What is compared, by name."""
    ours, factor = RECIPES["beta-tcvae"].settings, RECIPES["factor"].settings
    falling = dict(factor.beta) if isinstance(factor.beta, dict) else {}
    return {
        "VAE": ours.replace(objective="elbo", beta=1.0),
        "VAE, falling to 1": ours.replace(objective="elbo", beta=falling),
        "beta-VAE, 4": ours.replace(objective="elbo", beta=4.0),
        "beta-VAE, falling to 4": ours.replace(objective="elbo", beta={**falling, "stop": 4.0}),
        "FactorVAE": factor,
        "beta-TCVAE": ours,
    }


def figures(settings: Settings, x: np.ndarray, rows: int, seed: int) -> dict[str, Any]:
    """Train once and measure on pictures drawn by a seed of their own."""
    started = time.perf_counter()
    model = DreamGenerator.from_settings(settings, "cpu", seed).fit(x)
    seconds = time.perf_counter() - started
    numbers = np.random.default_rng(1).permutation(NUMBER)[:rows]
    report = disentanglement(model.encode(draw_shapes(numbers)), values_of(indices_of(numbers)), FACTORS, seed)
    gaps = report["gaps"]
    last = model.history[-1]
    return {
        "mig": report["mig"],
        "mig4": float(np.mean([gaps[name] for name in FACTORS[1:]])),
        "D": report["disentanglement"],
        "C": report["completeness"],
        "I": report["informativeness"],
        "factor": report["factor_score"],
        "distortion": last["distortion"],
        "rate": last["rate"],
        "seconds": seconds,
        "report": report,
        "settings": settings.to_dict(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=methods(), default=list(methods()))
    parser.add_argument("--out", type=Path, default=Path("disentanglement-results"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    x = load_shapes().train.x
    seeds = range(options.first_seed, options.first_seed + (1 if options.quick else options.seeds))
    print(f"{'':26}" + "".join(f"{name:>11}" for name in SHOWN), flush=True)
    for name, settings in methods().items():
        if name not in options.only:
            continue
        settings = settings.replace(epochs=2) if options.quick else settings
        found = []
        for seed in seeds:
            path = options.out / f"{name.replace(', ', '-').replace(' ', '-')}-{settings.epochs}-{seed}.json"
            if not path.exists():
                print(f"{name} {seed} ...", file=sys.stderr, flush=True)
                path.write_text(json.dumps(figures(settings, x, QUICK_ROWS if options.quick else ROWS, seed)))
            found.append(json.loads(path.read_text()))
            if found[-1]["settings"] != settings.to_dict():
                raise SystemExit(f"{path} was measured with other settings: choose another --out")
            print(f"{name:22}{seed:4}" + "".join(f"{found[-1][key]:11.3f}" for key in SHOWN), flush=True)
        print(f"{name:22}   =" + "".join(f"{median(f[key] for f in found):11.3f}" for key in SHOWN), flush=True)


if __name__ == "__main__":
    main()
