"""Make the model that ships as `mnist`, and its card: `python examples/ship_mnist.py [RUN]`.

Trains the recipe `mnist-binary` in RUN (resumable), stores 16-bit weights in the package, measures what was stored.
"""

import datetime
import json
import shutil
import sys
import tempfile
from pathlib import Path

from dreamgen import DreamGenerator, load_data
from dreamgen.cli.train import train_on
from dreamgen.evaluation.report import one_sample_loss
from dreamgen.io import save_model
from dreamgen.recipes import RECIPES

RECIPE, SEED, SAMPLES = "mnist-binary", 1, 5000
HOME = Path(__file__).resolve().parents[1] / "src" / "dreamgen" / "zoo" / "mnist"
LIMITS = (
    "Grey 28x28 digits like MNIST's, white on black, centred; nothing else. It was trained on binarised pixels: its "
    "reconstructions of grey ones are a little bolder. A standard normal prior over 20 latents leaves holes, so some "
    "dreams lie between digits."
)


def main(run: Path) -> None:
    """Train, store, measure, write the card."""
    data = load_data("mnist")
    generator, _ = train_on(data, RECIPES[RECIPE].settings, run, SEED, resume=True)
    with tempfile.TemporaryDirectory() as folder:
        generator.save(folder, half=True)
        stored = DreamGenerator.load(folder)
    report = stored.evaluate(data.test.x, samples=SAMPLES, train=data.train.x)
    saved = stored.saved_
    saved.card = {
        "name": "mnist",
        "recipe": RECIPE,
        "seed": SEED,
        "made": f"dreamgen train mnist --recipe {RECIPE} --seed {SEED}",
        "date": datetime.date.today().isoformat(),
        "precision": "16-bit weights",
        "limits": LIMITS,
        **generator.saved_.card,
        **one_sample_loss(saved.model, stored.prepare(data.test.x), binarise=True),
        "evaluation": report,
    }
    shutil.rmtree(HOME, ignore_errors=True)
    save_model(HOME, saved, half=True)
    print(json.dumps(saved.card, indent=2))


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/mnist-binary"))
