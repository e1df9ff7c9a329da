"""Recipes: named configurations of the same parts. A paper is a few lines here, not a class."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreamgen.config import Settings, read_toml
from dreamgen.data import NAMED_SETS, holds
from dreamgen.errors import SettingsError
from dreamgen.registry import nearest

_ROLES = (
    "model",
    "encoder",
    "posterior",
    "prior",
    "decoder",
    "likelihood",
    "objective",
    "update",
    "masking",
    "augment",
    "language",
    "blur",
)


@dataclass(frozen=True)
class Recipe:
    """Settings with a name and a source.

    Attributes:
        about: one line.
        settings: everything that the recipe decides.
        paper: title, year, link; empty where there is none.
        measured: figures of it on data that it is for; `docs/results.md` has the commands.
    """

    about: str
    settings: Settings
    paper: str = ""
    measured: str = ""

    @property
    def parts(self) -> dict[str, str]:
        """The kinds of its parts, by role; those of a model that reads and does not dream are two."""
        values = self.settings.to_dict()
        kinds = {role: part["kind"] if isinstance(part := values[role], dict) else str(part) for role in _ROLES}
        if kinds["model"] == "classifier":
            return {role: kinds[role] for role in ("model", "encoder")}
        usual = {"model": "vae", "objective": "elbo", "update": "plain", "masking": "none", "augment": "none"}
        usual |= {"language": "none", "blur": "none"}
        return {role: kind for role, kind in kinds.items() if usual.get(role) != kind}


_KINGMA = "Auto-Encoding Variational Bayes, 2013, https://arxiv.org/abs/1312.6114"

# 784-400-20. Large batches and a high rate reach the usual ten-epoch figure in a third of the time.
_MNIST = Settings(
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
_FAST = _MNIST.replace(
    start="mean",
    epochs=4,
    batch_size=400,
    learning_rate={"kind": "triangle", "peak": 0.014, "rise": 0.15},
    optimizer={"kind": "adam", "beta1": 0.85, "beta2": 0.95},
    validation=0.0,
)
# Slow and long, for the best bound rather than the first picture: five samples tighten it by a nat, averaged weights
# and new draws of the grey pixels at every step keep it from overfitting.
_LONG = _MNIST.replace(
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
# A light rate leaves codes the room to say how a digit is written, so dreams are as sharp and as many as what is
# reconstructed; codes then fill no normal, and dreams are drawn from where they do lie.
_CONDITIONAL = _MNIST.replace(
    context="labels",
    encoder={"kind": "conv", "channels": [32, 64], "dense": [256]},
    decoder={"kind": "conv", "channels": [96, 48], "dense": [384]},
    beta=0.12,
    mixture=40,
    start="mean",
    batch_size=200,
    learning_rate=2e-3,
    optimizer="adam",
    average=0.998,
    epochs=20,
)
# What a critic teaches wants short memories of gradients: the critic is another one after every step.
_CRITICISED = _MNIST.replace(
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
# 64x64x3: encoder 64-128-256-512 and heads of 128; decoder dense 512, dense 256x4x4, transposed 256-128-64-3.
_FACES_MISSION = Settings(
    latent_dim=128,
    encoder="conv",
    decoder="conv",
    batch_size=128,
    learning_rate=1e-3,
    epochs=30,
    precision="auto",
)
_FACES = _FACES_MISSION.replace(
    encoder="residual",
    decoder="residual",
    likelihood={"kind": "gaussian", "scale": 0.2, "learned": True},
    start="mean",
    batch_size=64,
    epochs=60,
    learning_rate={"kind": "triangle", "peak": 5e-4, "rise": 0.1},
    average=0.999,
    mixture=10,
    augment="flip",
)

RECIPES: dict[str, Recipe] = {
    "default": Recipe("for pictures of any kind; as many epochs as their number asks for", Settings(), _KINGMA),
    "mnist": Recipe(
        "the Dream Generator: one hidden layer each way, grey pixels under BCE",
        _MNIST.replace(epochs=20),
        _KINGMA,
        "one-sample test loss 102.5 nats on grey pixels",
    ),
    "mnist-fast": Recipe(
        "the test loss of ten plain epochs within seconds",
        _FAST,
        _KINGMA,
        "one-sample test loss 105.2 nats on grey pixels",
    ),
    "mnist-2d": Recipe(
        "two latents, so that the whole dream world is one map",
        _MNIST.replace(latent_dim=2, hidden_dim=[512, 256], epochs=15),
        _KINGMA,
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
        "64.9, 46.4 and 22.4 nats for the rest of a digit given 1, 2 and 3 quadrants",
    ),
    "conv": Recipe(
        "residual convolutions on binarised digits, trained for their likelihood",
        _CONV,
        "Very Deep VAEs, 2020, https://arxiv.org/abs/2011.10650",
    ),
    "faces-mission": Recipe(
        "the mission's convolutional network, for coloured pictures of 64 x 64: BCE and 128 latents",
        _FACES_MISSION,
        _KINGMA,
    ),
    "faces": Recipe(
        "residual convolutions and a Gaussian of one learned scale, for coloured pictures of 64 x 64",
        _FACES,
        "Simple and Effective VAE Training with Calibrated Decoders, 2020, https://arxiv.org/abs/2006.13202",
        "AUC of probes after 24 epochs: Male .947, Smiling .950, Eyeglasses .917",
    ),
    "conditional": Recipe(
        "digits to order: convolutions, a light rate, and dreams from a mixture fitted to the codes of each digit",
        _CONDITIONAL,
        "From Variational to Deterministic Autoencoders, 2019, https://arxiv.org/abs/1903.12436",
        "99.3% of dreams read as asked; Fréchet distance 4.1 (real pictures 3.2, pythae's default VAE 387)",
    ),
    "perceptual": Recipe(
        "reconstructions are also compared in what another frozen network, a reader of digits, sees in them",
        _MNIST.replace(
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
    "autoencoder": Recipe(
        "a plain autoencoder: a point for a posterior, and no rate",
        _MNIST.replace(posterior="point", beta=0.0),
        measured="distortion 67.6 nats on grey pixels",
    ),
    "noisy-autoencoder": Recipe(
        "an autoencoder with the prior's noise on its codes, and no rate",
        _MNIST.replace(posterior={"kind": "fixed-noise", "scale": 1.0}, beta=0.0),
    ),
    "beta": Recipe(
        "a heavier rate: fewer active latents, better separated",
        _MNIST.replace(beta=4.0),
        "beta-VAE, 2017, https://openreview.net/forum?id=Sy2fzU9gl",
        "9 active latents, loss 123.1 nats",
    ),
    "annealed": Recipe(
        "beta rises from 0 to 1 over the first 1,000 steps, against posterior collapse",
        _MNIST.replace(beta={"kind": "linear", "steps": 1000}),
        "Generating Sentences from a Continuous Space, 2015, https://arxiv.org/abs/1511.06349",
        "loss 107.1 nats on grey pixels",
    ),
    "cyclical": Recipe(
        "beta rises from 0 to 1 four times",
        _MNIST.replace(beta={"kind": "cyclical", "cycles": 4}),
        "Cyclical Annealing Schedule, 2019, https://arxiv.org/abs/1903.10145",
        "loss 105.8 nats on grey pixels",
    ),
    "free-bits": Recipe(
        "a quarter of a nat in each latent costs nothing",
        _MNIST.replace(free_bits=0.25),
        "Improved Variational Inference with Inverse Autoregressive Flow, 2016, https://arxiv.org/abs/1606.04934",
        "loss 105.4 nats on grey pixels",
    ),
    "iwae": Recipe(
        "the importance-weighted bound with five samples, on binarised digits",
        _MNIST.replace(objective={"kind": "iwae", "samples": 5}, binarise="dynamic"),
        "Importance Weighted Autoencoders, 2015, https://arxiv.org/abs/1509.00519",
        "NLL 96.8 nats after ten epochs, 50 samples",
    ),
    "autoregressive": Recipe(
        "a decoder so strong that the posterior collapses: every pixel knows those before it",
        _MNIST.replace(
            likelihood="autoregressive",
            binarise="dynamic",
            hidden_dim=[400, 400, 400],
            batch_size=400,
            learning_rate=8e-3,
            optimizer="adam",
            epochs=12,
        ),
        "Variational Lossy Autoencoder, 2016, https://arxiv.org/abs/1611.02731",
    ),
    "conditional-mission": Recipe(
        "the Dream Generator told which digit it is to dream: 784-400-20 with labels",
        _MNIST.replace(context="labels", epochs=30),
        "Learning Structured Output Representation using Deep Conditional Generative Models, 2015, "
        "https://papers.nips.cc/paper/5775",
        "one-sample test loss 96.7 nats on grey pixels",
    ),
    "gaussian": Recipe(
        "squared error: a Gaussian of fixed scale around each pixel",
        _MNIST.replace(likelihood={"kind": "gaussian", "scale": 0.2}),
        _KINGMA,
        "log density 375 nats",
    ),
    "sigma": Recipe(
        "a Gaussian whose one scale is learned, which balances distortion and rate by itself",
        _MNIST.replace(likelihood={"kind": "gaussian", "scale": 0.2, "learned": True}),
        "Simple and Effective VAE Training with Calibrated Decoders, 2020, https://arxiv.org/abs/2006.13202",
        "log density 581 nats",
    ),
}

# The heavy rate of the first steps leaves room for what explains most and nothing else: one latent for the place
# across, one for the place down, one for the scale. They keep their place when it falls; with a light rate from the
# start a place is spread over many latents, as over the waves of a Fourier series, and stays so for long.
_SHAPES = Settings(
    latent_dim=10,
    hidden_dim=[400, 400],
    start="mean",
    validation=0.0,
    batch_size=128,
    learning_rate={"kind": "triangle", "peak": 3e-3, "rise": 0.05},
    precision="auto",
    epochs=10,
)


def _falling(stop: float, share: float = 0.25) -> dict[str, Any]:
    return {"kind": "geometric", "start": 100.0, "stop": stop, "share": share}


RECIPES["beta-tcvae"] = Recipe(
    "one factor of the data in one latent, by a heavier total correlation: "
    "`dreamgen train shapes --recipe beta-tcvae`",
    _SHAPES.replace(beta=_falling(6.0, 0.4), objective={"kind": "tcvae", "rest": _falling(1.0, 0.4)}, epochs=14),
    "Isolating Sources of Disentanglement in Variational Autoencoders, 2018, https://arxiv.org/abs/1802.04942",
    "MIG .64 on shapes (.52 with the shape), median of five seeds",
)
RECIPES["factor"] = Recipe(
    "the same by a discriminator, which tells codes from codes with shuffled units",
    _SHAPES.replace(beta=_falling(1.0), update={"kind": "factor", "gamma": 10.0}),
    "Disentangling by Factorising, 2018, https://arxiv.org/abs/1802.05983",
)

# Rows of a table are few beside pictures and their columns many kinds of things: wide layers, many small steps, and
# weights averaged over them.
_TABLE = Settings(
    encoder="columns",
    likelihood="columns",
    latent_dim=16,
    hidden_dim=[256, 256],
    masking="random",
    start="mean",
    validation=0.1,
    batch_size=256,
    learning_rate=2e-3,
    average=0.99,
)
RECIPES["table"] = Recipe(
    "a table of mixed columns with gaps: a likelihood for each column, and any part explains any other",
    _TABLE,
    "Handling Incomplete Heterogeneous Data using VAEs, 2018, https://arxiv.org/abs/1807.03653",
    "Adult: trained on its rows, tested on real ones, AUC .907 (real .927)",
)


def _levels(dream: float, heat: float) -> dict[str, Any]:
    """Blur for lines: dreams from codes at a level, drawn at a heat."""
    writer = {"kind": "recurrent", "units": 384, "heat": heat}
    return {"kind": "levels", "share": 0.2, "least": 0.7, "dream": dream, "likelihood": writer}


# Lines of text: read in both directions, written one token after another with the code beside every step. Small
# batches; a light weight of the rate leaves room in the codes for every token. Dreams come from blurred codes, which
# a second, smaller network writes, a little cooler than it learned: one unlikely token spoils a line.
_LINES = Settings(
    language="characters",
    encoder={"kind": "recurrent", "units": 256},
    likelihood={"kind": "recurrent", "units": 512},
    hidden_dim=[],
    latent_dim=64,
    beta={"kind": "linear", "stop": 0.1, "steps": 3000},
    blur=_levels(dream=0.85, heat=0.3),
    search=8,
    validation=0.01,
    batch_size=128,
    learning_rate={"kind": "triangle", "peak": 3e-3, "rise": 0.05},
    optimizer={"kind": "adam", "beta2": 0.98, "clip": 5.0},
    epochs=24,
    precision="auto",
)
RECIPES["sequence"] = Recipe(
    "any file of lines, letter by letter: names, tunes, words",
    _LINES,
    "Generating Sentences from a Continuous Space, 2015, https://arxiv.org/abs/1511.06349",
)
RECIPES["molecule"] = Recipe(
    "molecules in SELFIES, and properties read off their codes: `dreamgen train zinc250k`",
    _LINES.replace(
        language="selfies", properties=["logP", "QED", "SA", "weight", "solubility"], picked=32, search=64
    ),
    "Automatic Chemical Design Using a Data-Driven Continuous Representation of Molecules, 2018, "
    "https://arxiv.org/abs/1610.02415",
    "88.9% of ZINC250k's test part comes back exactly; errors of logP .12 and QED .041",
)
# What is no molecule is never picked, so dreams come from more blurred codes, and are drawn nearly as was learned.
RECIPES["molecule-smiles"] = Recipe(
    "the same in SMILES, where not every row of symbols is a molecule; it ships as `zinc250k`",
    RECIPES["molecule"].settings.replace(language="smiles", blur=_levels(dream=0.95, heat=0.8), picked=8),
    "Molecular Sets (MOSES): A Benchmarking Platform for Molecular Generation Models, 2018, "
    "https://arxiv.org/abs/1811.12823",
    "91.5% of ZINC250k's test part comes back exactly; errors of logP .055 and QED .027",
)

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
RECIPES["judge"] = Recipe(
    "a small classifier, in whose features `compare` measures dreams; it ships as `mnist-judge`",
    _JUDGE,
    "GANs Trained by a Two Time-Scale Update Rule, 2017, https://arxiv.org/abs/1706.08500",
    "99.52% of test digits",
)
RECIPES["sibling"] = Recipe(
    "a second classifier of another architecture, whose features serve in losses and never judge; "
    "it ships as `mnist-sibling`",
    _JUDGE.replace(encoder={"kind": "residual", "channels": [24, 48, 96]}, epochs=14),
    "Deep Feature Consistent Variational Autoencoder, 2016, https://arxiv.org/abs/1610.00291",
    "99.50% of test digits",
)
RECIPES["face-judge"] = Recipe(
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
)


_USUAL = {"pictures": "default", "lines": "sequence", "molecules": "molecule"}


def find_settings(recipe: str | None, data: str = "") -> Settings:
    """Settings of a recipe by name, or of a TOML file.

    None: the recipe named like the named set; `molecule` or `sequence` for what holds such; or the default.

    Raises SettingsError, naming the nearest recipe, if there is none.
    """
    if recipe is None:
        recipe = data if data in RECIPES and data in NAMED_SETS else _USUAL[holds(data)]
    if recipe in RECIPES:
        return RECIPES[recipe].settings
    if recipe.endswith(".toml"):
        return read_toml(Path(recipe))
    raise SettingsError(f"unknown recipe {recipe!r}: {nearest(recipe, RECIPES)}, or a .toml file")
