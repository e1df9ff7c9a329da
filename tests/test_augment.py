"""Augmentation against scipy's own way of moving pictures, and by what it must leave alone."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from dreamgen.distributions import StepNoise
from dreamgen.errors import SettingsError
from dreamgen.training.augment import AUGMENTATIONS

PICTURES = torch.rand(5, 9, 13, generator=torch.Generator().manual_seed(0))


class Chosen:
    """Noise whose uniform numbers are the given ones, the same for each row."""

    def __init__(self, *draws: Sequence[float]) -> None:
        self._draws = [torch.tensor(draw, dtype=torch.float32) for draw in draws]

    def uniform(self, shape: Sequence[int]) -> Tensor:
        return self._draws.pop(0).expand(tuple(shape))

    def normal(self, shape: Sequence[int]) -> Tensor:
        raise AssertionError


def affine(draw: Sequence[float], x: Tensor = PICTURES, **arguments: Any) -> Tensor:
    return AUGMENTATIONS.build({"kind": "affine", **arguments})(x, Chosen(draw))


MIDDLE = [0.5] * 6 + [0.9]  # nothing turned, slanted, stretched, moved or mirrored


def test_nothing_drawn_is_nothing_done() -> None:
    torch.testing.assert_close(affine(MIDDLE), PICTURES, atol=1e-5, rtol=0)
    assert torch.equal(AUGMENTATIONS.build("none")(PICTURES, StepNoise(0)), PICTURES)


def test_a_half_turn_a_quarter_turn_and_a_mirror() -> None:
    half = affine([1.0, *MIDDLE[1:]], turn=180.0)
    torch.testing.assert_close(half, PICTURES.flip(1, 2), atol=1e-5, rtol=0)
    square = PICTURES[:, :, :9]
    quarter = affine([1.0, *MIDDLE[1:]], square, turn=90.0)
    torch.testing.assert_close(quarter, square.rot90(1, (1, 2)), atol=1e-5, rtol=0)
    torch.testing.assert_close(affine([*MIDDLE[:6], 0.1], mirror=True), PICTURES.flip(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(affine([*MIDDLE[:6], 0.1]), PICTURES, atol=1e-5, rtol=0)


def test_a_shift_by_whole_pixels() -> None:
    # Two of thirteen columns from the right, and one of nine rows from above.
    moved = affine([*MIDDLE[:4], 1.0, 0.5 - 0.5 * 13 / 18, 0.9], shift=2 / 13)
    torch.testing.assert_close(moved[:, 1:, :-2], PICTURES[:, :-1, 2:], atol=1e-4, rtol=0)
    torch.testing.assert_close(moved[:, 0, :-2], PICTURES[:, 0, 2:], atol=1e-4, rtol=0)
    torch.testing.assert_close(moved[:, 1:, -1], PICTURES[:, :-1, -1], atol=1e-4, rtol=0)


def test_everything_at_once_is_scipys_map() -> None:
    draw = [0.9, 0.8, 0.3, 0.65, 0.7, 0.2, 0.05]
    turn, slant, wide, high, right, down = (2 * d - 1 for d in draw[:6])
    angle, lean = np.radians(30 * turn), 0.4 * slant
    # In pixels, (x, y) from the centre: mirrored and stretched, then slanted, then turned, then moved.
    size = np.diag([-(1.3**wide), 1.3**high])
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = rotation @ np.array([[1, lean], [0, 1]]) @ size
    height, width = PICTURES.shape[1:]
    move = np.array([0.2 * right * width, 0.2 * down * height])
    matrix, move = matrix[::-1, ::-1], move[::-1]  # scipy counts rows first
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    expected = [
        ndimage.affine_transform(p.double().numpy(), matrix, centre + move - matrix @ centre, order=1, mode="nearest")
        for p in PICTURES
    ]
    found = affine(draw, turn=30.0, stretch=0.3, slant=0.4, shift=0.2, mirror=True)
    np.testing.assert_allclose(found, np.stack(expected), atol=1e-4)


def test_shift_moves_by_every_amount_and_repeats_the_edge() -> None:
    shift = AUGMENTATIONS.build({"kind": "shift", "pixels": 2})
    x = PICTURES[:1].expand(4000, -1, -1)
    moved = shift(x, StepNoise(1)).numpy()
    padded = np.pad(PICTURES[0].numpy(), 2, mode="edge")
    crops = np.stack([padded[r : r + 9, c : c + 13] for r in range(5) for c in range(5)])
    which = [int(np.flatnonzero((crops == picture).all((1, 2)))[0]) for picture in moved]
    counts = np.bincount(which, minlength=25)
    assert counts.min() > 4000 / 25 * 0.6
    assert counts.max() < 4000 / 25 * 1.4


def test_mirrored_or_not_half_the_time() -> None:
    still = {"turn": 0, "stretch": 0, "slant": 0, "shift": 0}
    x = PICTURES[:1].expand(1000, -1, -1)
    found = AUGMENTATIONS.build({"kind": "affine", **still, "mirror": True})(x, StepNoise(2))
    same = (found - x).abs().amax((1, 2)) < 1e-4
    assert ((found - x.flip(2)).abs().amax((1, 2)) < 1e-4)[~same].all()
    assert 430 < same.sum() < 570


@pytest.mark.parametrize("kind", ["shift", "affine"])
def test_colours_move_together_and_noise_decides(kind: str) -> None:
    part = AUGMENTATIONS.build(kind)
    colour = torch.stack([PICTURES, PICTURES.flip(0), 1 - PICTURES], dim=3)
    found = part(colour, StepNoise(3))
    assert found.shape == colour.shape
    torch.testing.assert_close(found[..., 0], part(PICTURES, StepNoise(3)), atol=1e-5, rtol=0)
    torch.testing.assert_close(found[..., 2], 1 - found[..., 0], atol=1e-5, rtol=0)
    assert torch.equal(found, part(colour, StepNoise(3)))
    assert not torch.equal(found, part(colour, StepNoise(4)))
    assert found.min() >= 0
    assert found.max() <= 1


@pytest.mark.parametrize("kind", ["shift", "affine"])
def test_what_cannot_be_moved_is_refused(kind: str) -> None:
    with pytest.raises(SettingsError, match=rf"augment '{kind}': expected pictures.*\(7,\)"):
        AUGMENTATIONS.build(kind)(torch.zeros(3, 7), StepNoise(0))
    argument = {"shift": "pixels", "affine": "turn"}[kind]
    with pytest.raises(SettingsError, match=f"{argument}: expected 0 to"):
        AUGMENTATIONS.build({"kind": kind, argument: -1})
