"""One factor of the data in one latent."""

from typing import Any

from dreamgen.config import Settings
from dreamgen.recipes.recipe import Recipe

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


SHAPES = {
    "beta-tcvae": Recipe(
        "one factor of the data in one latent, by a heavier total correlation: "
        "`dreamgen train shapes --recipe beta-tcvae`",
        _SHAPES.replace(beta=_falling(6.0, 0.4), objective={"kind": "tcvae", "rest": _falling(1.0, 0.4)}, epochs=14),
        "Isolating Sources of Disentanglement in Variational Autoencoders, 2018, https://arxiv.org/abs/1802.04942",
        "MIG .64 on shapes (.52 with the shape), median of five seeds",
    ),
    "factor": Recipe(
        "the same by a discriminator, which tells codes from codes with shuffled units",
        _SHAPES.replace(beta=_falling(1.0), update={"kind": "factor", "gamma": 10.0}),
        "Disentangling by Factorising, 2018, https://arxiv.org/abs/1802.05983",
        "MIG .36 on shapes (.29 with the shape), median of five seeds",
    ),
}
