"""Digits: the Dream Generator itself, for its picture, its speed, its bound, or any part of a digit."""

from dreamgen.config import Settings
from dreamgen.recipes.recipe import KINGMA, Recipe

# 784-400-20. Large batches and a high rate reach the usual ten-epoch figure in a third of the time.
MNIST = Settings(
    latent_dim=20,
    hidden_dim=400,
    epochs=10,
    batch_size=800,
    learning_rate=0.012,
    optimizer={"kind": "adam", "beta2": 0.99},
    precision="auto",
)

# A bias that starts at the mean picture saves an epoch or two, and Adam's shorter memories let the rate be higher.
# Nothing is held out: there are as many steps as it takes, and no more.
_FAST = MNIST.replace(
    start="mean",
    epochs=4,
    batch_size=400,
    learning_rate={"kind": "triangle", "peak": 0.014, "rise": 0.15},
    optimizer={"kind": "adam", "beta1": 0.85, "beta2": 0.95},
    validation=0.0,
)

# Slow and long, for the best bound rather than the first picture: five samples tighten it by a nat, averaged weights
# and new draws of the grey pixels at every step keep it from overfitting.
_LONG = MNIST.replace(
    objective={"kind": "iwae", "samples": 5},
    binarise="dynamic",
    batch_size=500,
    learning_rate=4e-3,
    optimizer="adam",
    epochs=300,
    average=0.999,
)

# Deeper, since it has to read any part of a picture. Every step shows the encoder one piece of each whole digit.
_PIECES = _LONG.replace(
    masking={"kind": "pieces", "whole": 0.0},
    update="posterior-matching",
    encoder={"kind": "mlp", "mask": True},
    hidden_dim=[500, 500],
    latent_dim=40,
    batch_size=250,
    learning_rate=2e-3,
    epochs=36,
)

# Residual networks on binarised digits: after four epochs the bound is better than `mnist-binary`'s after 300.
_CONV = _LONG.replace(
    encoder={"kind": "residual", "channels": [32, 64, 128]},
    decoder={"kind": "residual", "channels": [128, 64, 32]},
    objective="elbo",
    latent_dim=32,
    batch_size=128,
    learning_rate={"kind": "triangle", "peak": 2e-3, "rise": 0.1},
    epochs=60,
)

DIGITS = {
    "default": Recipe(
        "for pictures of any kind; as many epochs as their number asks for",
        Settings(),
        KINGMA,
        "one-sample test loss 105.5 nats on MNIST's grey pixels after 10 epochs",
    ),
    "mnist": Recipe(
        "the Dream Generator: one hidden layer each way, grey pixels under BCE",
        MNIST.replace(epochs=20),
        KINGMA,
        "one-sample test loss 102.5 nats on grey pixels",
    ),
    "mnist-fast": Recipe(
        "the test loss of ten plain epochs within seconds",
        _FAST,
        KINGMA,
        "one-sample test loss 105.2 nats on grey pixels",
    ),
    "mnist-2d": Recipe(
        "two latents, so that the whole dream world is one map",
        MNIST.replace(latent_dim=2, hidden_dim=[512, 256], epochs=15),
        KINGMA,
        "one-sample test loss 141.5 nats on grey pixels",
    ),
    "mnist-binary": Recipe(
        "the same network on binarised digits, trained for its likelihood; it ships as `mnist`",
        _LONG,
        "Importance Weighted Autoencoders, 2015, https://arxiv.org/abs/1509.00519",
        "NLL 88.64 nats, 5,000 samples, binarised test part",
    ),
    "mnist-pieces": Recipe(
        "halves, quadrants and scattered pixels explain the rest of the digit: `dreamgen fill`",
        _PIECES,
        "Posterior Matching for Arbitrary Conditioning, 2022, https://arxiv.org/abs/2201.12414",
        "64.9, 46.4 and 22.4 nats for the rest of a digit given 1, 2 and 3 quadrants, with `-o start=mean`",
    ),
    "conv": Recipe(
        "residual convolutions on binarised digits, trained for their likelihood",
        _CONV,
        "Very Deep VAEs, 2020, https://arxiv.org/abs/2011.10650",
        "NLL 85.4 nats after 20 epochs, 50 samples, binarised test part",
    ),
}
