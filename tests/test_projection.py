"""Codes on a plane: against scikit-learn's components, and as pictures."""

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from sklearn.decomposition import PCA

from dreamgen.applications.projection import project, spread_out
from dreamgen.cli import main
from dreamgen.errors import DataError, SettingsError


def codes(n: int = 200, latents: int = 5) -> Any:
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, latents)) * [5, 3, 1, 1, 0.5][:latents] + 2


def test_principal_components_are_those_of_scikit_learn() -> None:
    z, path = codes(), codes(9) + 1
    found, expected = project(z, path), PCA(2).fit(z)
    assert np.abs(found.points) == pytest.approx(np.abs(expected.transform(z)))
    assert np.abs(found.path) == pytest.approx(np.abs(expected.transform(path)))
    assert found.explained == pytest.approx(expected.explained_variance_ratio_)


def test_a_straight_way_stays_straight_and_passes_its_ends() -> None:
    z = codes()
    way = z[3] + np.linspace(0, 1, 5)[:, None] * (z[9] - z[3])
    found = project(z, way)
    assert found.path[[0, 4]] == pytest.approx(found.points[[3, 9]])
    assert np.diff(found.path, axis=0) == pytest.approx(np.tile((found.points[9] - found.points[3]) / 4, (4, 1)))


def test_one_latent_is_a_line() -> None:
    found = project(codes(20, 1))
    assert found.points[:, 1] == pytest.approx(np.zeros(20))
    assert found.explained == pytest.approx((1, 0))


def test_tsne_is_a_function_of_the_seed_and_keeps_neighbours() -> None:
    rng = np.random.default_rng(0)
    z = np.concatenate([rng.normal(size=(30, 5)), rng.normal(size=(30, 5)) + 20])
    found = project(z, z[:4] + 0.01, "tsne", seed=3)
    assert (found.points == project(z, z[:4] + 0.01, "tsne", seed=3).points).all()
    assert found.explained is None
    assert found.path.shape == (4, 2)
    distances = np.linalg.norm(found.points[:, None] - found.points, axis=2) + 1e9 * np.eye(60)
    assert ((distances.argmin(1) < 30) == (np.arange(60) < 30)).all()


def test_a_projection_of_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="expected 3 codes or more, got 2"):
        project(codes(2))
    with pytest.raises(SettingsError, match="unknown method 'umap'"):
        project(codes(), method="umap")
    with pytest.raises(DataError, match="at most 10000 codes, got 10001"):
        project(np.zeros((10_001, 2)), method="tsne")


def test_chosen_points_lie_in_cells_of_their_own() -> None:
    points = np.random.default_rng(0).random((500, 2))
    chosen = spread_out(points, 4, 3)
    cells = {tuple(cell) for cell in (points[chosen] * [3.999, 2.999]).astype(int)}
    assert len(chosen) == len(cells) == 12
    middles = (np.stack(np.meshgrid(np.arange(4), np.arange(3)), -1).reshape(-1, 2) + 0.5) / [4, 3]
    nearest = np.linalg.norm(points[:, None] - middles, axis=2).min(0)
    assert np.linalg.norm(points[chosen][:, None] - middles, axis=2).min(0).mean() < 1.5 * nearest.mean() + 0.01
    assert spread_out(np.zeros((5, 2)), 4, 4).tolist() == [0]


def run(*words: Any) -> tuple[int, str]:
    result = CliRunner().invoke(click.Command("x", callback=lambda: main([str(word) for word in words])), [])
    return result.exit_code, result.output


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_the_command_draws_digits_with_a_morph(model_folder: Path, tmp_path: Path, method: str) -> None:
    words = ("project", model_folder, "digits", "--morph", "digits:3", "digits:9", "--method", method, "-n", 60)
    code, out = run(*words, "--out", tmp_path / "p.png", "--json")
    assert code == 0, out
    told = json.loads(out)
    assert (told["n"], told["colour"], told["split"]) == (60, "label", "test")
    with Image.open(tmp_path / "p.png") as image:
        picture = np.asarray(image.convert("RGB")).astype(int)
    crimson = (np.abs(picture - [220, 20, 60]).max(2) < 12).sum()
    assert crimson > 500  # the frames of the morph
    code, out = run(*words, "--out", tmp_path / "p.npz")
    assert code == 0, out
    arrays = np.load(tmp_path / "p.npz")
    assert {name: arrays[name].shape for name in arrays} == {"points": (60, 2), "way": (65, 2), "labels": (60,)}


def test_the_command_refuses_colours_that_are_not_there(model_folder: Path) -> None:
    code, out = run("project", model_folder, "digits", "--colour", "Male", "-n", 10)
    assert code == 2
    assert "--colour Male" in out
