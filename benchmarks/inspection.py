"""Defects of magnetic tiles, found by models that saw normal tiles alone.

    python benchmarks/inspection.py                  three seeds
    python benchmarks/inspection.py --seeds 1 --picture docs/uses/inspection.png

Data: DREAMGEN_DATA/industrial/magnetic_tile_96x96.npz. A tile was photographed under several lights, one shortly
after the other: pictures whose numbers are near are of one tile. Half of the tiles without any defect are learned
from; all other tiles, and every picture of a tile that has a defect, are judged. What `PictureInspector` does by
default was chosen on synthetic defects, painted on a quarter of the tiles that are learned from.
"""

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from dreamgen import DreamGenerator
from dreamgen.applications.inspection.inspector import PictureInspector, hottest
from dreamgen.reports.places import heat_maps

SEEDS = 3
GAP = 200  # numbers farther apart are of different tiles

Array = np.ndarray[Any, Any]


def load() -> dict[str, Array]:
    """Pictures (n, 96, 96), masks, labels (0: free) with their names, and the tile of each."""
    with np.load(Path(os.environ["DREAMGEN_DATA"]) / "industrial" / "magnetic_tile_96x96.npz") as file:
        data = {name: file[name] for name in ("images", "label", "label_names", "name", "mask_bits")}
    masks = np.unpackbits(data.pop("mask_bits"), axis=1).reshape(-1, 96, 96).astype(bool)
    numbers = np.array([int(name.rpartition("_")[2]) for name in data.pop("name")])
    order = np.argsort(numbers, kind="stable")
    tile = np.empty(len(numbers), int)
    tile[order] = np.concatenate([[0], np.cumsum(np.diff(numbers[order]) > GAP)])
    return {**data, "masks": masks, "tile": tile}


def split(label: Array, tile: Array, seed: int = 0) -> tuple[Array, Array]:
    """Pictures to learn from, and to judge: by tile."""
    free = np.setdiff1d(tile, tile[label > 0])
    order = np.random.default_rng(seed).permutation(free)
    sizes = np.cumsum([(tile == one).sum() for one in order])
    learned = np.isin(tile, order[: int(np.searchsorted(sizes, (label == 0).sum() / 2)) + 1])
    return np.flatnonzero(learned), np.flatnonzero(~learned)


def plain(train: Array, test: Array, seed: int) -> tuple[Array, Array]:
    """The mission's score: squared reconstruction error of a plain autoencoder of whole pictures, and its map."""
    model = DreamGenerator(
        likelihood={"kind": "gaussian", "learned": True},
        batch_size=64,
        learning_rate=1e-3,
        epochs=60,
        random_state=seed,
    ).fit(train)
    heat = (model.reconstruct(test) - test / np.float32(255)) ** 2
    return heat.mean((1, 2)), heat


def ours(train: Array, test: Array, groups: Array, seed: int) -> tuple[Array, Array, float]:
    """Scores, heat maps and the threshold."""
    inspector = PictureInspector(random_state=seed).fit(train, groups=groups)
    heat = inspector.heat_map(test)
    return hottest(heat), heat, inspector.threshold_


def measure(scores: Array, heat: Array, data: dict[str, Array], test: Array) -> dict[str, float]:
    """AUROC of pictures, also for each defect, and of pixels."""
    label, masks = data["label"][test], data["masks"][test]
    found = {"AUROC": float(roc_auc_score(label > 0, scores))}
    for kind in range(1, len(data["label_names"])):
        among = (label == 0) | (label == kind)
        found[str(data["label_names"][kind])] = float(roc_auc_score(label[among] > 0, scores[among]))
    found["pixels"] = float(roc_auc_score(masks.ravel(), heat.ravel()))
    return found


def run(seeds: int = SEEDS, picture: Path | None = None) -> list[dict[str, Any]]:
    """A row for each side: means over seeds."""
    data = load()
    train, test = split(data["label"], data["tile"])
    x, y, sides = data["images"][train], data["images"][test], {"plain": [], "ours": []}
    free = data["label"][test] == 0
    for seed in range(seeds):
        for side in sides:
            begin = time.perf_counter()
            if side == "plain":
                scores, heat = plain(x, y, seed)
                sides[side].append(measure(scores, heat, data, test))
            else:
                scores, heat, threshold = ours(x, y, data["tile"][train], seed)
                false = float((scores[free] > threshold).mean())
                sides[side].append(measure(scores, heat, data, test) | {"false alarms": false})
                if picture is not None and seed == 0:
                    picture.parent.mkdir(parents=True, exist_ok=True)
                    picture.write_bytes(draw(data, test, scores, heat))
            print(side, seed, f"{time.perf_counter() - begin:.0f} s", sides[side][-1], flush=True)
    return [
        {"model": side, **{name: float(np.mean([one[name] for one in found])) for name in found[0]}}
        for side, found in sides.items()
    ]


def draw(data: dict[str, Array], test: Array, scores: Array, heat: Array) -> bytes:
    """The tile of middle score of each kind: chosen by its rank, not by how well it looks."""
    label = data["label"][test]
    chosen = [np.flatnonzero(label == k)[np.argsort(scores[label == k])[(label == k).sum() // 2]] for k in range(6)]
    titles = [str(data["label_names"][k]).removeprefix("MT_").lower() for k in range(6)]
    pictures = data["images"][test][chosen] / 255
    return heat_maps(pictures, heat[chosen], data["masks"][test][chosen], titles, top=8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--picture", type=Path, help="draw a tile of each kind there")
    options = parser.parse_args()
    print(json.dumps(run(options.seeds, options.picture), indent=2))


if __name__ == "__main__":
    main()
