"""Make the classifiers that ship as `mnist-judge` and `mnist-sibling`: `python examples/ship_judges.py [RUNS]`.

Trains the recipes `judge` and `sibling` in RUNS (resumable), stores 16-bit weights in the package, measures what was
stored on the test part and writes that into the cards.
"""

import datetime
import json
import shutil
import sys
import tempfile
from pathlib import Path

from dreamgen import DreamGenerator, load_data
from dreamgen.cli.train import train_on
from dreamgen.io import save_model
from dreamgen.recipes import RECIPES

ZOO = Path(__file__).resolve().parents[1] / "src" / "dreamgen" / "zoo"
SEEDS = {"judge": 1, "sibling": 2}
LIMITS = {
    "judge": "Grey 28x28 digits like MNIST's, white on black, centred; it reads a digit in anything else too. It "
    "measures dreams, so its features serve in no loss.",
    "sibling": "Grey 28x28 digits like MNIST's, white on black, centred; it reads a digit in anything else too. Its "
    "features serve in losses, so it judges nothing.",
}


def main(runs: Path) -> None:
    """Train, store, measure, write the cards."""
    data = load_data("mnist")
    for recipe, seed in SEEDS.items():
        name = f"mnist-{recipe}"
        generator, _ = train_on(data, RECIPES[recipe].settings, runs / name, seed, resume=True)
        with tempfile.TemporaryDirectory() as folder:
            generator.save(folder, half=True)
            stored = DreamGenerator.load(folder)
        saved = stored.saved_
        saved.card = {
            "name": name,
            "recipe": recipe,
            "seed": seed,
            "made": f"dreamgen train mnist --recipe {recipe} --seed {seed}",
            "date": datetime.date.today().isoformat(),
            "precision": "16-bit weights",
            "limits": LIMITS[recipe],
            **generator.saved_.card,
            "evaluation": stored.evaluate(data.test.x, given={"label": data.test.labels}),
        }
        home = ZOO / name
        shutil.rmtree(home, ignore_errors=True)
        save_model(home, saved, half=True)
        print(json.dumps(saved.card, indent=2))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs"))
