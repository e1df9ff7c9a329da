"""Pictures of parts: what is odd, where, and at how many false alarms. Learned from normal ones alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score

from dreamgen.applications.inspection import inspector as inspecting
from dreamgen.applications.inspection import patches
from dreamgen.applications.inspection.inspector import PictureInspector, hottest
from dreamgen.applications.inspection.patches import Memory, View, cut, prepare
from dreamgen.errors import DataError, ModelFileError, SettingsError
from dreamgen.files import dump_json, read_folder, write_folder
from dreamgen.tensors import dump_tensors, parse_tensors

SIDE = 40


def parts(n: int, seed: int) -> np.ndarray[Any, Any]:
    """Ground metal: vertical streaks, a light that differs from picture to picture, and noise."""
    rng = np.random.default_rng(seed)
    streaks = rng.normal(0, 0.06, (n, 1, SIDE))
    light = rng.uniform(0.3, 0.6, (n, 1, 1)) * (1 + rng.uniform(-0.4, 0.4, (n, 1, 1)) * np.linspace(-1, 1, SIDE))
    noise = rng.normal(0, 0.015, (n, SIDE, SIDE))
    return np.clip(light * (1 + streaks) + noise, 0, 1).astype(np.float32)


def spoilt(x: np.ndarray[Any, Any], seed: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The same with a dark pore in each, and where it is."""
    rng, masks = np.random.default_rng(seed), np.zeros(x.shape, bool)
    for mask in masks:
        row, column = rng.integers(4, SIDE - 8, 2)
        mask[row : row + 4, column : column + 4] = True
    return np.where(masks, 0.6 * x, x), masks


@pytest.fixture(scope="module")
def inspector() -> PictureInspector:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patches, "_PATCHES", 4000)
        patch.setattr(patches, "_CODES", 1500)
        return PictureInspector(sizes=(8, 8), latents=(6, 3)).fit(parts(90, 0), groups=np.arange(90) // 3)


def test_odd_pictures_score_higher_and_the_heat_is_where_the_pore_is(inspector: PictureInspector) -> None:
    normal = parts(30, 1)
    odd, masks = spoilt(normal, 2)
    scores = inspector.decision_function(np.concatenate([normal, odd]))
    assert roc_auc_score(np.repeat([0, 1], 30), scores) > 0.97
    heat = inspector.heat_map(odd)
    assert heat.shape == odd.shape
    assert roc_auc_score(masks.ravel(), heat.ravel()) > 0.9
    # Plain brightness or contrast does not find them: the lights differ by more than the pores.
    assert roc_auc_score(np.repeat([0, 1], 30), -np.concatenate([normal, odd]).min((1, 2))) < 0.9
    np.testing.assert_allclose(scores[30:], hottest(heat))


def test_the_threshold_lets_few_normal_pictures_through(inspector: PictureInspector) -> None:
    normal = parts(60, 3)
    flagged = inspector.predict(normal)
    # 30 pictures calibrate and 60 are judged: a standard error of .05.
    assert flagged.mean() < 0.05 + 3 * 0.05
    assert inspector.predict(spoilt(normal, 4)[0]).mean() > 0.8
    assert set(flagged.tolist()) <= {0, 1}


class Plain:
    """Stands for a memory: a picture is its own heat."""

    def __init__(self, view: View, seed: int) -> None:
        self.view = view

    def learn(self, pictures: np.ndarray[Any, Any]) -> "Plain":
        return self

    def heat(self, pictures: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return pictures


@pytest.mark.parametrize("of_a_part", [1, 2])
def test_good_pictures_are_flagged_at_the_asked_rate(monkeypatch: pytest.MonkeyPatch, of_a_part: int) -> None:
    monkeypatch.setattr(inspecting, "Memory", Plain)
    rng, flagged = np.random.default_rng(0), []

    def pictures(n: int) -> np.ndarray[Any, Any]:
        of_parts = rng.uniform(0.2, 0.8, (n // of_a_part, 20, 20)).repeat(of_a_part, 0)
        return of_parts + rng.uniform(-0.1, 0.1, (n, 20, 20))

    for _ in range(30):
        made = PictureInspector(sizes=(8, 8), false_alarms=0.2)
        x = pictures(60 * of_a_part)
        flagged.append(made.fit(x, groups=np.arange(len(x)) // of_a_part).predict(pictures(100 * of_a_part)).mean())
    # 20 parts calibrate each time: rank 17 of 21 leaves 4/21, and a standard error of .016 over 30 times.
    assert np.mean(flagged) == pytest.approx(0.19, abs=0.05)


def test_pictures_of_one_part_calibrate_together(inspector: PictureInspector) -> None:
    held = inspector.calibration_
    assert len(held) == 30
    assert all(np.isin([3 * (i // 3), 3 * (i // 3) + 1, 3 * (i // 3) + 2], held).all() for i in held)


def test_a_picture_scores_the_same_whatever_it_stands_beside(inspector: PictureInspector) -> None:
    x = parts(3, 5)
    together = inspector.heat_map(x)
    for i in range(3):
        np.testing.assert_allclose(inspector.heat_map(x[i : i + 1])[0], together[i], rtol=1e-5, atol=1e-5)
    as_bytes = np.rint(255 * x).astype(np.uint8)
    np.testing.assert_allclose(
        inspector.decision_function(as_bytes), inspector.decision_function(as_bytes / np.float32(255)), rtol=1e-5
    )


def test_equal_seeds_learn_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "_PATCHES", 1000)
    monkeypatch.setattr(patches, "_CODES", 500)
    x = parts(12, 6)
    first, second, other = (
        PictureInspector(sizes=(8, 8), latents=(4, 2), random_state=seed).fit(x).decision_function(x)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_the_heat_is_the_distance_to_the_nearest_codes(inspector: PictureInspector) -> None:
    memory: Memory = inspector.memories_[0]
    picture = prepare(parts(1, 7), memory.view.light)[0]
    codes = memory._codes(picture)
    middle = codes[codes.shape[0] // 2, codes.shape[1] // 2].astype(np.float64)
    nearest = np.sort(np.linalg.norm(memory.bank.numpy().astype(np.float64) - middle, axis=1))[:3].mean()
    place = [cells // 2 * memory.view.step + (memory.view.size - 1) / 2 for cells in codes.shape[:2]]
    heat = memory._heat(picture)
    around = heat[int(place[0]) : int(place[0]) + 2, int(place[1]) : int(place[1]) + 2]
    assert around.min() - 0.05 <= np.log(nearest + 0.1) <= around.max() + 0.05


def test_light_is_removed_and_patches_are_where_they_say() -> None:
    x = parts(3, 8)
    brighter = np.clip(x * np.float32(1.3), 0, 1)
    for light in ("vertical", "horizontal", "even", "as it is"):
        np.testing.assert_allclose(prepare(x, light).mean(), prepare(brighter, light).mean(), atol=0.1)  # type: ignore[arg-type]
    streaks = np.broadcast_to(0.5 + 0.2 * np.sin(np.arange(SIDE)), (1, SIDE, SIDE)).astype(np.float32)
    assert np.abs(prepare(streaks, "vertical")).max() < 1e-3
    assert np.abs(prepare(streaks, "even")).max() > 0.5
    view = View("even", 8, 3)
    np.testing.assert_array_equal(cut(x, view)[1, 2, 4], x[1, 6:14, 12:20])


@pytest.mark.parametrize(
    ("settings", "x", "message"),
    [
        ({}, np.zeros((30, 40)), "expected pictures, .*got shape \\(30, 40\\)"),
        ({}, np.zeros((30, 3, 40, 40)), "of up to 4 channels, got shape"),
        ({}, np.full((30, 40, 40), 2.0), "numbers in \\[0, 1\\]"),
        ({}, np.full((30, 40, 40), np.nan), "numbers in \\[0, 1\\]"),
        ({}, np.zeros((5, 40, 40)), "at least 12 pictures"),
        ({}, np.zeros((30, 20, 20)), "at least 32 pixels a side"),
        ({"sizes": (8,)}, np.zeros((30, 40, 40)), "sizes: expected two"),
        ({"latents": (0, 2)}, np.zeros((30, 40, 40)), "latents: expected two"),
        ({"false_alarms": 0}, np.zeros((30, 40, 40)), "false_alarms: expected"),
        ({"light": "diagonal"}, np.zeros((30, 40, 40)), "light: expected one of"),
    ],
)
def test_bad_input_is_one_clear_line(settings: dict[str, Any], x: np.ndarray[Any, Any], message: str) -> None:
    with pytest.raises((DataError, SettingsError), match=message):
        PictureInspector(**settings).fit(x)


def test_it_is_saved_and_loaded(inspector: PictureInspector, tmp_path: Path) -> None:
    inspector.save(tmp_path / "kept")
    loaded = PictureInspector.load(tmp_path / "kept")
    x = spoilt(parts(4, 9), 9)[0]
    np.testing.assert_array_equal(loaded.heat_map(x), inspector.heat_map(x))
    assert loaded.threshold_ == inspector.threshold_
    np.testing.assert_array_equal(loaded.calibration_, inspector.calibration_)
    loaded.save(tmp_path / "again")
    files = read_folder(tmp_path / "kept")
    assert {name for name in files if not name.endswith((".safetensors", ".json"))} == set()
    assert files == read_folder(tmp_path / "again")
    tensors = parse_tensors(files["view1.safetensors"], "")
    for name, wrong in (("bank", torch.zeros(9, 2)), ("mean", torch.zeros(3, 3)), ("spread", torch.zeros(1))):
        write_folder(tmp_path / name, files | {"view1.safetensors": dump_tensors(tensors | {name: wrong})})
        with pytest.raises(ModelFileError, match=rf"view1\.safetensors: {name}: expected shape"):
            PictureInspector.load(tmp_path / name)
    facts = json.loads(files["inspector.json"])
    facts["parameters"]["latents"] = [6, 4]
    write_folder(tmp_path / "other", files | {"inspector.json": dump_json(facts)})
    with pytest.raises(ModelFileError, match="the model of view 1"):
        PictureInspector.load(tmp_path / "other")
    with pytest.raises(NotFittedError, match="not fitted"):
        PictureInspector().save(tmp_path / "none")


def test_manners(inspector: PictureInspector) -> None:
    assert clone(inspector).get_params() == inspector.get_params()
    with pytest.raises(NotFittedError, match="not fitted"):
        PictureInspector().predict(parts(1, 0))
    with pytest.raises(DataError, match=r"expected pictures of shape \(40, 40\)"):
        inspector.predict(np.zeros((2, 41, 40)))
    with pytest.raises(DataError, match="a number for each of 20 pictures"):
        PictureInspector(sizes=(8, 8)).fit(parts(20, 0), groups=np.arange(3))


def test_without_a_seed_it_takes_a_fresh_one_and_keeps_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(patches, "_PATCHES", 500)
    fresh = PictureInspector(sizes=(8, 8), latents=(3, 2), random_state=None).fit(parts(20, 0))
    fresh.save(tmp_path / "fresh")
    assert PictureInspector.load(tmp_path / "fresh").seed_ == fresh.seed_


def test_in_colour_a_stain_is_found_that_grey_does_not_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patches, "_PATCHES", 3000)
    monkeypatch.setattr(patches, "_CODES", 1000)

    def coloured(n: int, seed: int) -> np.ndarray[Any, Any]:
        noise = np.random.default_rng(seed).normal(0, 0.02, (n, SIDE, SIDE, 3))
        return np.clip(0.4 + noise, 0, 1).astype(np.float32)

    inspector = PictureInspector("even", sizes=(8, 8), latents=(4, 4)).fit(coloured(36, 0))
    normal, odd = coloured(20, 1), coloured(20, 2)
    odd[:, 10:18, 12:20] += np.array([0.1, -0.1, 0.0], np.float32)  # the mean of the channels stays
    scores = inspector.decision_function(np.concatenate([normal, odd]))
    assert roc_auc_score(np.repeat([0, 1], 20), scores) > 0.97
    heat = inspector.heat_map(odd)
    assert heat.shape == odd.shape[:3]
    assert heat[:, 10:18, 12:20].mean() > heat[:, 25:, 25:].mean() + 1
    inspector.save(tmp_path / "kept")
    np.testing.assert_array_equal(PictureInspector.load(tmp_path / "kept").heat_map(odd), heat)
    with pytest.raises(DataError, match="shape"):
        inspector.predict(odd[..., 0])
