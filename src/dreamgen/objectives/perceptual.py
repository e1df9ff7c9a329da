"""Reconstructions compared by what a frozen network sees in them.

Two pictures of one digit, one shifted by a pixel, differ in hundreds of pixels and hardly at all to a network that
reads digits. So an error of features lets go of where exactly a stroke ran, which a code has no room for, and which
pixels pay for with blur; and it holds on to edges, which the first layers look for (Deep Feature Consistent
Variational Autoencoder, 2016, https://arxiv.org/abs/1610.00291).

The term is a score, not a likelihood: evaluation reports the plain bound as ever. The network is any but the judge
that measures the dreams.
"""

from dataclasses import replace
from typing import Any, ClassVar

from dreamgen.errors import SettingsError
from dreamgen.models.trace import Trace
from dreamgen.objectives.bounds import OBJECTIVES, NegativeELBO, Terms
from dreamgen.objectives.features import FEATURES, feature_errors
from dreamgen.objectives.schedules import Schedule


@OBJECTIVES.register("perceptual")
class Perceptual(NegativeELBO):
    """pixels · distortion + beta · rate + weight · Σ_l ½ |Φ_l(x) - Φ_l(x̂)|² / |Φ_l(x)|², x̂ the mean of p(x|z).

    Args:
        beta, free_bits, samples: as of the objective "elbo".
        features: the network and its layers: {"kind": "model", "model": name or folder, "layers": [...]}, or
            {"kind": "vgg19", "weights": file, "layers": [...]}.
        weight: of the features' error.
        pixels: of the distortion.
    """

    couples_rows: ClassVar[bool] = False

    def __init__(
        self,
        beta: Schedule,
        free_bits: float,
        samples: int = 1,
        features: str | dict[str, Any] = "model",
        weight: float = 50.0,
        pixels: float = 1.0,
    ) -> None:
        super().__init__(beta, free_bits, samples)
        if min(weight, pixels) < 0:
            raise SettingsError("objective 'perceptual': expected weight and pixels of 0 or more")
        self.features = FEATURES.build(features)
        self._weight, self._pixels = weight, pixels

    def __call__(self, trace: Trace, step: int, total: int) -> Terms:
        terms = super().__call__(trace, step, total)
        x, again = trace.batch.x, trace.p.mean
        wide = x.expand_as(again).flatten(0, 1)
        seen = feature_errors(self.features, wide, again.flatten(0, 1)).unflatten(0, (-1, len(x))).mean(0)
        return replace(terms, loss=terms.loss + (self._pixels - 1) * terms.distortion + self._weight * seen)
