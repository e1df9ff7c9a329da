"""Slant and thickness of drawn strokes are read off as they were drawn, and the verb correlates them with latents."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.stats import pearsonr

from dreamgen.cli import main
from dreamgen.data import Dataset
from dreamgen.errors import DataError
from dreamgen.evaluation.handwriting import slant, thickness
from dreamgen.experiments.strokes import correlations, order


def stroke(angle: float, width: float, length: float = 18, size: int = 28) -> np.ndarray:
    """A straight stroke, grey at its edges, drawn large and made small: (1, size, size) bytes."""
    times = 16
    image = Image.new("L", (size * times,) * 2)
    lean, half = np.tan(np.radians(angle)), length / 2
    # Cut level at its ends, so that rows are full and shearing is all that leans it.
    across = width / np.cos(np.radians(angle)) / 2
    corners = [(half * s * lean + side * across, -half * s) for s, side in ((1, -1), (1, 1), (-1, 1), (-1, -1))]
    ImageDraw.Draw(image).polygon([((x + size / 2) * times, (y + size / 2) * times) for x, y in corners], fill=255)
    return np.asarray(image.resize((size, size), Image.Resampling.BOX))[None]


@pytest.mark.parametrize("angle", [-30, -10, 0, 15, 35])
def test_the_slant_is_the_one_that_was_drawn(angle: float) -> None:
    for width in (1.5, 4.0):
        assert slant(stroke(angle, width))[0] == pytest.approx(angle, abs=0.5)


@pytest.mark.parametrize("width", [2.0, 3.0, 4.0, 6.0])
def test_the_thickness_is_the_one_that_was_drawn(width: float) -> None:
    """Less what the two ends take: the mean distance to the edge of a rectangle is w/4 - w^2 / (12 length)."""
    assert thickness(stroke(0, width))[0] == pytest.approx(width - width**2 / (3 * 18), abs=0.05)
    assert thickness(stroke(20, width))[0] == pytest.approx(width - width**2 / (3 * 18), abs=0.2)


def test_a_ring_is_as_thick_as_its_band() -> None:
    y, x = np.mgrid[:28, :28] - 13.5
    ring = abs(np.hypot(x, y) - 9)[None]
    for width in (2.0, 4.0):
        assert thickness(np.clip((width / 2 - ring) + 0.5, 0, 1))[0] == pytest.approx(width, abs=0.2)
        assert slant(np.clip((width / 2 - ring) + 0.5, 0, 1))[0] == pytest.approx(0, abs=1e-6)


def test_shearing_adds_its_slope_and_brightness_changes_nothing(digits: Dataset) -> None:
    x = digits.test.x[:20].astype(np.float64)
    wide = np.pad(x, ((0, 0), (0, 0), (8, 8)))
    sheared = np.stack([np.roll(row, 4 - number, axis=-1) for number, row in enumerate(wide.swapaxes(0, 1))], 1)
    before, after = (np.tan(np.radians(slant(pictures))) for pictures in (wide, sheared))
    np.testing.assert_allclose(after - before, 1, atol=1e-9)
    np.testing.assert_allclose(slant(x * 3), slant(x))
    np.testing.assert_allclose(thickness(x * 3), thickness(x))
    mirrored = slant(x[:, :, ::-1])
    np.testing.assert_allclose(mirrored, -slant(x), atol=1e-9)


def test_darkness_has_neither_and_what_is_no_picture_is_refused() -> None:
    assert slant(np.zeros((2, 5, 5))).tolist() == thickness(np.zeros((2, 5, 5))).tolist() == [0, 0]
    level = np.zeros((1, 5, 5))
    level[0, 2] = 1
    assert slant(level)[0] == 0
    for measure in (slant, thickness):
        with pytest.raises(DataError, match=r"grey pictures, \(n, height, width\), got \(3, 4\)"):
            measure(np.zeros((3, 4)))
        with pytest.raises(DataError, match="0 or more"):
            measure(np.full((1, 3, 3), -1.0))


def test_correlations_are_scipys() -> None:
    random = np.random.default_rng(0)
    codes, measured = random.normal(size=(50, 3)), random.normal(size=(50, 2))
    codes[:, 2] = 1
    found = correlations(codes, measured)
    for unit in range(2):
        for number in range(2):
            assert found[unit, number] == pytest.approx(pearsonr(codes[:, unit], measured[:, number])[0])
    assert found[2].tolist() == [0, 0]
    assert order(np.array([0.1, -0.9, 0.5])).tolist() == [1, 2, 0]


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["strokes", "digits", "--epochs", "3", "--rows", "100", "--out", "OUT"]
    with pytest.raises(SystemExit) as end:
        main([*command, "--json"])
    assert not end.value.code
    result = json.loads(capsys.readouterr().out)
    assert [(row["beta"], row["measure"]) for row in result["rows"]] == [
        ("1", "slant"), ("1", "thickness"), ("4", "slant"), ("4", "thickness"),
    ]  # fmt: skip
    for row in result["rows"]:
        number = ["slant", "thickness"].index(row["measure"])
        column = np.array(result["correlations"][row["beta"]])[:, number]
        assert row["r"] == column[row["latent"]]
        assert abs(row["r"]) == max(abs(column))
        assert row["second"] == np.sort(abs(column))[-2]
        assert row["all latents"] >= abs(row["r"]) - 1e-9
    with Image.open(result["pictures"]["traversals"]) as picture:
        assert picture.width > 300
    with pytest.raises(SystemExit) as end:
        main(command)
    assert not end.value.code
    assert f"{result['rows'][0]['r']:.4g}" in capsys.readouterr().out
