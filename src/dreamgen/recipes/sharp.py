"""Sharper than pixels alone ask for: features of another network, and critics."""

from typing import Any

from dreamgen.recipes.digits import MNIST
from dreamgen.recipes.recipe import Recipe

# What a critic teaches wants short memories of gradients: the critic is another one after every step.
_CRITICISED = MNIST.replace(
    hidden_dim=[500, 500],
    latent_dim=32,
    start="mean",
    batch_size=200,
    learning_rate=1.5e-3,
    optimizer={"kind": "adam", "beta1": 0.5, "beta2": 0.99},
    epochs=16,
    validation=0.0,  # the last weights are taken: no bound says which epoch dreamt best
)

_CRITIC: dict[str, Any] = {"kind": "adversarial", "channels": [16, 32, 64]}

SHARP = {
    "perceptual": Recipe(
        "reconstructions are also compared in what another frozen network, a reader of digits, sees in them",
        MNIST.replace(
            objective={
                "kind": "perceptual",
                "features": {"kind": "model", "layers": ["halvings.0", "halvings.1", "halvings.2"]},
            },
            batch_size=250,
            learning_rate=2e-3,
            optimizer="adam",
        ),
        "Deep Feature Consistent Variational Autoencoder, 2016, https://arxiv.org/abs/1610.00291",
        "Fréchet distance 418 (`mnist` 313), recall .43, sharpness .29 of real digits",
    ),
    "vae-gan": Recipe(
        "reconstructions are compared in the features of a critic, which also judges the dreams",
        _CRITICISED.replace(update={**_CRITIC, "weight": 1.0, "pixels": 0.0, "features": 1.0}),
        "Autoencoding beyond pixels using a learned similarity metric, 2015, https://arxiv.org/abs/1512.09300",
        "Fréchet distance 99 (`mnist` 313), recall .27, sharpness 1.12 of real digits",
    ),
    "gan": Recipe(
        "no encoder: a decoder that learns from a critic alone, for the contrast",
        _CRITICISED.replace(
            encoder="absent",
            posterior="absent",
            decoder={"kind": "conv", "channels": [64, 32], "dense": [256]},
            start="random",  # at the mean its pixels are so sure of the background that no critic moves them
            update={**_CRITIC, "spread": True},
            learning_rate=3e-4,
            batch_size=100,
            epochs=10,
        ),
        "Generative Adversarial Networks, 2014, https://arxiv.org/abs/1406.2661",
        "Fréchet distance 78 (`mnist` 313), recall .71, sharpness 1.30 of real digits",
    ),
    "sharp": Recipe(
        "the plain loss, and for the last part of the run a critic beside it: the sharpest dreams of digits",
        _CRITICISED.replace(update={**_CRITIC, "weight": 10.0, "start": 0.6, "both": False}),
        "Autoencoding beyond pixels using a learned similarity metric, 2015, https://arxiv.org/abs/1512.09300",
        "Fréchet distance 77 (`mnist` 313), sharpness .98 of real digits",
    ),
}
