"""What codes of faces are good for: probes, edits, morphs and dreams of two models, by a judge that neither has seen.

The plain model is the mission's network, the best one the recipe `faces`; the judge reads forty attributes (recipe
`face-judge`). All are trained on the training part of CelebA's first 10,000 faces, with one seed; everything is
measured on the test part, but for λ of the directions, which was chosen on training rows held out. Models that are
given by their folders are not trained again.

    python benchmarks/faces.py                              hours on two cores
    python benchmarks/faces.py --quick                      minutes: faces of 32 x 32, small networks
    python benchmarks/faces.py --plain A --best B --judge J

Nothing that is trained here may leave the machine: see the licence of CelebA.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dreamgen import DreamGenerator, load_data
from dreamgen.applications.attributes.model import AttributeModel, find_attributes
from dreamgen.cli.train import train_on
from dreamgen.config import Settings
from dreamgen.data import Dataset
from dreamgen.evaluation.frechet import frechet_distance
from dreamgen.evaluation.judge import Judge
from dreamgen.recipes import RECIPES
from dreamgen.walks import largest_step

Floats = npt.NDArray[np.floating[Any]]

AMOUNT = 2.0  # of an edit: from without to with
PROBED = ("Male", "Smiling", "Eyeglasses", "Young", "Blond_Hair")
MORPHS, STEPS = 100, 11
EDITED = 300  # test faces
_SMALL_ENCODER = {"kind": "conv", "channels": [32, 64, 128], "dense": [256]}
_SMALL_DECODER = {"kind": "conv", "channels": [128, 64, 32], "dense": [256]}


def recipes(quick: bool) -> dict[str, Settings]:
    """The settings of the plain model, the best one and the judge."""
    chosen = {
        "plain": RECIPES["faces-mission"].settings,
        "best": RECIPES["faces"].settings,
        "judge": RECIPES["face-judge"].settings,
    }
    if not quick:
        return chosen
    small = {"encoder": _SMALL_ENCODER, "decoder": _SMALL_DECODER, "epochs": 6, "batch_size": 100}
    judge = {"encoder": {"kind": "conv", "channels": [32, 64, 128], "dense": [128]}, "epochs": 8}
    return {
        "plain": chosen["plain"].replace(**small),
        "best": chosen["best"].replace(**small, learning_rate=1e-3, likelihood={"kind": "gaussian", "scale": 0.05}),
        "judge": chosen["judge"].replace(**judge),
    }


def edits(
    model: DreamGenerator, judge: Judge, attributes: AttributeModel, x: npt.NDArray[Any], amount: float = AMOUNT
) -> dict[str, dict[str, float]]:
    """For each attribute the share of faces whose reading flips, and the mean change of the others' chances.

    A face that the judge reads as having an attribute gets less of it, another one more. Compared with what the judge
    reads off the reconstruction, since that is what an edit by 0 shows.
    """
    z = model.transform(x)
    before = judge.read(model.inverse_transform(z))
    names, found = judge.context.names, {}
    for column, name in enumerate(names):
        if name not in attributes.names:
            continue
        signs = np.where(before[:, column] > 0.5, -amount, amount)[:, None]
        after = judge.read(model.inverse_transform(z + signs * attributes.directions.shift({name: 1.0})))
        others = np.abs(np.delete(after - before, column, axis=1))
        flipped = (after[:, column] > 0.5) != (before[:, column] > 0.5)
        found[name] = {"flipped": float(flipped.mean()), "others": float(others.mean())}
    return found


def morphs(model: DreamGenerator, judge: Judge, x: npt.NDArray[Any], pairs: int) -> list[float]:
    """Largest step over mean step, in the judge's features, of morphs between successive faces."""
    films = (model.morph(x[2 * i], x[2 * i + 1], STEPS) for i in range(pairs))
    return [largest_step(torch.from_numpy(judge.features(film))) for film in films]


def measure(model: DreamGenerator, judge: Judge, faces: Dataset, quick: bool, seed: int) -> dict[str, Any]:
    """Everything that is measured of one model."""
    begin = time.perf_counter()
    attributes = find_attributes(model, faces)
    edited = edits(model, judge, attributes, faces.test.x[: EDITED // 3 if quick else EDITED])
    ratios = morphs(model, judge, faces.test.x, MORPHS // 4 if quick else MORPHS)
    n = len(faces.test)
    dreams = judge.features(model.dream(n, seed=seed))
    return {
        "frechet": frechet_distance(judge.features(faces.test.x), dreams),
        "auc": {name: attributes.auc[name] for name in PROBED},
        "flipped": float(np.mean([one["flipped"] for one in edited.values()])),
        "flipped_in_80%": sum(one["flipped"] >= 0.8 for one in edited.values()),
        "others": float(np.mean([one["others"] for one in edited.values()])),
        "edits": edited,
        "morph_mean": float(np.mean(ratios)),
        "morph_largest": float(np.max(ratios)),
        "test_loss": model.fitted().card.get("test_loss"),
        "seconds": time.perf_counter() - begin,
    }


def judge_quality(judge: Judge, faces: Dataset) -> dict[str, float]:
    """The judge's own area under the ROC curve on the test part."""
    from sklearn.metrics import roc_auc_score

    assert faces.test.attributes is not None
    readings, names = judge.read(faces.test.x), list(judge.context.names)
    truth = {name: faces.test.attributes[:, list(faces.attribute_names).index(name)] for name in PROBED}
    return {name: float(roc_auc_score(truth[name], readings[:, names.index(name)])) for name in PROBED}


def floor(judge: Judge, faces: Dataset) -> float:
    """The Fréchet distance of as many real faces as there are test ones from the test ones."""
    real = faces.train.x[-len(faces.test) :]
    return frechet_distance(judge.features(faces.test.x), judge.features(real))


def run(
    quick: bool, seed: int, given: dict[str, Path | None], work: Path, say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Train what is not given, and measure; one entry for each model, and what they are compared with."""
    faces, settings, places = load_data("faces", size=32 if quick else None), recipes(quick), {}
    for name, asked in settings.items():
        place = given.get(name)
        if place is None:
            place = work / name
            _, result = train_on(faces, asked, place, seed)
            say(f"{name}: trained in {result['seconds']:.0f} s, test loss {result['test_loss']:.2f}")
        places[name] = place
    judge = Judge.load(places["judge"])
    found: dict[str, Any] = {"judge_auc": judge_quality(judge, faces), "floor": floor(judge, faces), "seed": seed}
    for name in ("plain", "best"):
        found[name] = measure(DreamGenerator.load(places[name]), judge, faces, quick, seed)
        say(f"{name}: {json.dumps({k: v for k, v in found[name].items() if k != 'edits'})}")
    found["frechet_ratio"] = found["best"]["frechet"] / found["plain"]["frechet"]
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small networks and faces of 32 x 32")
    parser.add_argument("--seed", type=int, default=1)
    for name in ("plain", "best", "judge"):
        parser.add_argument(f"--{name}", type=Path, help="a folder of a trained one")
    parser.add_argument("--out", type=Path, help="also write everything there, as JSON")
    options = parser.parse_args(arguments)
    given = {name: getattr(options, name) for name in ("plain", "best", "judge")}
    with tempfile.TemporaryDirectory() as work:
        found = run(options.quick, options.seed, given, Path(work))
    if options.out:
        options.out.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps({k: v for k, v in found.items() if k not in ("plain", "best")}, indent=2))


if __name__ == "__main__":
    main()
