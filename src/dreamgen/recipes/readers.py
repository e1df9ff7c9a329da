"""Networks that read pictures, and dream nothing: judges of dreams."""

from dreamgen.config import Settings
from dreamgen.recipes.recipe import Recipe

# A convolution for each halving, a little of every way in which a digit is written otherwise, and averaged weights.
_JUDGE = Settings(
    model="classifier",
    context="labels",
    encoder={"kind": "conv", "channels": [32, 64, 96], "dense": [96]},
    augment={"kind": "affine", "slant": 0.15},
    batch_size=250,
    learning_rate=2e-3,
    optimizer={"kind": "adamw", "beta2": 0.99},
    epochs=24,
    average=0.998,
    precision="auto",
)

READERS = {
    "judge": Recipe(
        "a small classifier, in whose features `compare` measures dreams; it ships as `mnist-judge`",
        _JUDGE,
        "GANs Trained by a Two Time-Scale Update Rule, 2017, https://arxiv.org/abs/1706.08500",
        "99.52% of test digits",
    ),
    "sibling": Recipe(
        "a second classifier of another architecture, whose features serve in losses and never judge; "
        "it ships as `mnist-sibling`",
        _JUDGE.replace(encoder={"kind": "residual", "channels": [24, 48, 96]}, epochs=14),
        "Deep Feature Consistent Variational Autoencoder, 2016, https://arxiv.org/abs/1610.00291",
        "99.50% of test digits",
    ),
    "face-judge": Recipe(
        "reads forty attributes off a face; to be trained by whoever has the pictures",
        _JUDGE.replace(
            model={"kind": "classifier", "dropout": 0.3},
            context="attributes",
            encoder={"kind": "conv", "channels": [32, 64, 128, 192], "dense": [128]},
            augment={"kind": "affine", "turn": 5.0, "stretch": 0.05, "slant": 0.05, "shift": 0.05, "mirror": True},
            batch_size=100,
        ),
        "Deep Learning Face Attributes in the Wild, 2014, https://arxiv.org/abs/1411.7766",
        "88.4% of forty attributes read rightly on held-out faces (80.3% by the majority)",
    ),
}
