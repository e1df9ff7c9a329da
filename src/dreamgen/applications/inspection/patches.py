"""Patches of pictures, told apart by the codes of a variational autoencoder and by how far they lie from known ones.

Letters: N pictures of H x W pixels, of C channels where they are in colour, patches of P pixels a side on a grid of
A x B places.
"""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage

from dreamgen.generator import DreamGenerator

Array = npt.NDArray[Any]
Light = Literal["as it is", "vertical", "horizontal", "even"]
LIGHTS: tuple[Light, ...] = get_args(Light)

_DARKEST = 0.05  # added before the logarithm, so that noise in the dark counts for little
_CODES = 8000  # kept of each view
_PATCHES = 40_000  # that a view's model is trained on
_NEIGHBOURS = 3
_PLACE = 5.0  # widths of a code that a picture's whole height counts for
_ACTIVE = 0.1  # the least spread of a latent that says something
_NEAR = 0.1  # added to a distance before its logarithm


@dataclass(frozen=True)
class View:
    """One way to look at a picture.

    Attributes:
        light: what is taken for light and removed: nothing but the mean ("as it is"); streaks along a direction
            ("vertical", "horizontal") and what varies slowly; or only what varies slowly ("even").
        size: P.
        step: pixels from one patch to the next.
        latents: of the model.
    """

    light: Light
    size: int
    step: int
    latents: int = 16


def prepare(pictures: Array, light: Light) -> Array:
    """Pictures in [0, 1], (N, H, W[, C]), in units of their own noise or contrast, each channel by itself."""
    log = np.log(pictures + np.float32(_DARKEST)).astype(np.float32)
    if light == "as it is":
        return np.asarray(4 * (log - log.mean((1, 2), keepdims=True)), np.float32)
    (height, width), channels = log.shape[1:3], log.ndim - 3
    if light != "even":
        window = (1, height // 3 | 1, 1) if light == "vertical" else (1, 1, width // 3 | 1)
        log -= ndimage.median_filter(log, (*window, *[1] * channels), mode="nearest")
    log -= ndimage.gaussian_filter(log, (0, height / 12, width / 12, *[0] * channels), mode="nearest")
    noise = 1.4826 * np.median(np.abs(log), axis=(1, 2), keepdims=True) + 2e-3
    return np.asarray((log / noise).clip(-12, 12), np.float32)


def cut(pictures: Array, view: View) -> Array:
    """Patches of prepared pictures, (N, A, B, P, P), of colour ones (N, A, B, P, P, C)."""
    size = (view.size, view.size)
    found = np.lib.stride_tricks.sliding_window_view(pictures, size, (1, 2))[:, :: view.step, :: view.step]
    return np.moveaxis(found, 3, -1) if pictures.ndim == 4 else found


class Memory:
    """What the patches of normal pictures look like in one view: codes under a model, and where they were.

    Args:
        view: how to look.
        seed: of weights, order and what is kept.
    """

    def __init__(self, view: View, seed: int) -> None:
        self.view, self.seed = view, seed

    def learn(self, pictures: Array) -> "Memory":
        """Train a model on patches of normal pictures, (N, H, W) or (N, H, W, C), and keep the codes of some."""
        rng = np.random.default_rng([self.seed, self.view.size])
        prepared = prepare(pictures, self.view.light)
        everywhere = cut(prepared, View(self.view.light, self.view.size, 1))
        n, a, b = everywhere.shape[:3]
        chosen = (rng.integers(m, size=min(_PATCHES, n * a * b)) for m in (n, a, b))
        self.model = self._model().fit(np.ascontiguousarray(everywhere[tuple(chosen)]))
        some = np.ascontiguousarray(everywhere[:: max(1, n // 20)][:, ::8, ::8])
        codes = self.model.transform(some.reshape(-1, *some.shape[3:]))
        spread = codes.std(0)
        active = spread > _ACTIVE * spread.max()
        self.active, self.spread = active, np.asarray(spread[active], np.float32)
        known = np.concatenate([self._codes(picture).reshape(-1, len(self.spread) + 2) for picture in prepared])
        bank = torch.from_numpy(known[rng.permutation(len(known))[:_CODES]])
        return self.recall(bank, self.active, self.spread)

    def recall(self, bank: torch.Tensor, active: Array, spread: Array) -> "Memory":
        """Take known codes, (m, D + 2), which latents they are of, (L,), and the spread of those, (D,)."""
        self.bank, self.active, self.spread = bank, active, spread
        self.squares = bank.square().sum(1)
        return self

    def _model(self) -> DreamGenerator:
        return DreamGenerator(
            latent_dim=self.view.latents,
            hidden_dim=[128],
            likelihood={"kind": "gaussian", "learned": True},
            start="mean",
            epochs=10,
            learning_rate=2e-3,
            random_state=self.seed,
        )

    def _codes(self, picture: Array) -> Array:
        """One prepared picture, (H, W) or (H, W, C), to the codes of its patches and their places, (A, B, D + 2)."""
        patches = cut(picture[None], self.view)[0]
        a, b = patches.shape[:2]
        codes = self.model.transform(np.ascontiguousarray(patches).reshape(a * b, *patches.shape[2:]))
        place = np.stack(np.meshgrid(np.linspace(0, _PLACE, a), np.linspace(0, _PLACE, b), indexing="ij"), -1)
        scaled = (codes[:, self.active] / self.spread).reshape(a, b, -1)
        return np.concatenate([scaled, place], -1).astype(np.float32)

    def heat(self, pictures: Array) -> Array:
        """The logarithm of each place's distance to the nearest known codes, (N, H, W)."""
        return np.stack([self._heat(picture) for picture in prepare(pictures, self.view.light)])

    def _heat(self, picture: Array) -> Array:
        codes = self._codes(picture)
        x = torch.from_numpy(codes.reshape(-1, codes.shape[-1]))
        squares = x.square().sum(1, keepdim=True) + self.squares - 2 * x @ self.bank.T
        nearest = squares.topk(_NEIGHBOURS, largest=False).values.clamp(min=0).sqrt().mean(1)
        grid = np.log(nearest.reshape(codes.shape[:2]).numpy() + _NEAR)
        # A patch's heat belongs to its middle; beyond the outermost middles it goes on.
        places = [
            ((np.arange(pixels) - (self.view.size - 1) / 2) / self.view.step).clip(0, cells - 1)
            for pixels, cells in zip(picture.shape[:2], grid.shape, strict=True)
        ]
        return np.asarray(ndimage.map_coordinates(grid, np.meshgrid(*places, indexing="ij"), order=1), np.float32)
