"""One thing changed beside the Dream Generator: what a posterior, a rate, a bound or a likelihood does."""

from dreamgen.recipes.digits import MNIST
from dreamgen.recipes.recipe import KINGMA, Recipe

FAMILY = {
    "autoencoder": Recipe(
        "a plain autoencoder: a point for a posterior, and no rate",
        MNIST.replace(posterior="point", beta=0.0),
        measured="distortion 67.6 nats on grey pixels",
    ),
    "noisy-autoencoder": Recipe(
        "an autoencoder with the prior's noise on its codes, and no rate",
        MNIST.replace(posterior={"kind": "fixed-noise", "scale": 1.0}, beta=0.0),
        measured="distortion 66.9 nats on grey pixels after 20 epochs, and a rate of 5,034 that nobody asked for",
    ),
    "beta": Recipe(
        "a heavier rate: fewer active latents, better separated",
        MNIST.replace(beta=4.0),
        "beta-VAE, 2017, https://openreview.net/forum?id=Sy2fzU9gl",
        "9 active latents, loss 123.1 nats",
    ),
    "annealed": Recipe(
        "beta rises from 0 to 1 over the first 1,000 steps, against posterior collapse",
        MNIST.replace(beta={"kind": "linear", "steps": 1000}),
        "Generating Sentences from a Continuous Space, 2015, https://arxiv.org/abs/1511.06349",
        "loss 107.1 nats on grey pixels",
    ),
    "cyclical": Recipe(
        "beta rises from 0 to 1 four times",
        MNIST.replace(beta={"kind": "cyclical", "cycles": 4}),
        "Cyclical Annealing Schedule, 2019, https://arxiv.org/abs/1903.10145",
        "loss 105.8 nats on grey pixels",
    ),
    "free-bits": Recipe(
        "a quarter of a nat in each latent costs nothing",
        MNIST.replace(free_bits=0.25),
        "Improved Variational Inference with Inverse Autoregressive Flow, 2016, https://arxiv.org/abs/1606.04934",
        "loss 105.4 nats on grey pixels",
    ),
    "iwae": Recipe(
        "the importance-weighted bound with five samples, on binarised digits",
        MNIST.replace(objective={"kind": "iwae", "samples": 5}, binarise="dynamic"),
        "Importance Weighted Autoencoders, 2015, https://arxiv.org/abs/1509.00519",
        "NLL 96.8 nats after ten epochs, 50 samples",
    ),
    "autoregressive": Recipe(
        "a decoder so strong that the posterior collapses: every pixel knows those before it",
        MNIST.replace(
            likelihood="autoregressive",
            binarise="dynamic",
            hidden_dim=[400, 400, 400],
            batch_size=400,
            learning_rate=8e-3,
            optimizer="adam",
            epochs=12,
        ),
        "Variational Lossy Autoencoder, 2016, https://arxiv.org/abs/1611.02731",
        "NLL 91.3 nats, 100 samples, 2,000 binarised test digits; no active latent",
    ),
    "gaussian": Recipe(
        "squared error: a Gaussian of fixed scale around each pixel",
        MNIST.replace(likelihood={"kind": "gaussian", "scale": 0.2}),
        KINGMA,
        "log density 375 nats",
    ),
    "sigma": Recipe(
        "a Gaussian whose one scale is learned, which balances distortion and rate by itself",
        MNIST.replace(likelihood={"kind": "gaussian", "scale": 0.2, "learned": True}),
        "Simple and Effective VAE Training with Calibrated Decoders, 2020, https://arxiv.org/abs/2006.13202",
        "log density 581 nats",
    ),
}
