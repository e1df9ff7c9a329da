"""Holes, and the four models of the contrast: figures with known answers, and a command that goes on."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from dreamgen import DreamGenerator, Settings
from dreamgen.cli import main
from dreamgen.data import Dataset
from dreamgen.data.dataset import Examples
from dreamgen.distributions import POSTERIORS
from dreamgen.errors import DataError, SettingsError
from dreamgen.experiments.codes import SOURCES, describe_codes, draw_codes
from dreamgen.experiments.contrast import MODELS, contrast
from dreamgen.experiments.contrast_report import report
from dreamgen.experiments.holes import VIEWS, Holes, Share
from dreamgen.experiments.runs import Observer

every_view = pytest.mark.parametrize("view", VIEWS)


@pytest.fixture(scope="module")
def rows() -> tuple[torch.Tensor, torch.Tensor]:
    """Blobs at random places, (n, 12, 12): training and test rows of one distribution."""
    noise = torch.Generator().manual_seed(0)
    centres = torch.rand(3000, 2, 1, 1, generator=noise) * 6 + 3
    grid = torch.stack(torch.meshgrid(torch.arange(12.0), torch.arange(12.0), indexing="ij"))
    x = (-(grid - centres).square().sum(1) / 6).exp()
    return x[:2000], x[2000:]


@every_view
def test_one_in_a_hundred_real_rows_is_a_hole_and_noise_always_is(
    rows: tuple[torch.Tensor, torch.Tensor], view: str
) -> None:
    train, test = rows
    holes = Holes(train, test, view)
    # By shape many rows are equally far, so a few that are just at the threshold are not beyond it.
    assert 0.006 <= holes.share(holes.test_distances).value <= 0.01
    noise = torch.rand(200, 12, 12, generator=torch.Generator().manual_seed(1))
    assert holes.share(holes.distances(noise, Observer(), "noise")).value > 0.99
    copies = holes.distances(train[:50], Observer(), "copies")
    assert copies.max() < 0.01
    assert holes.share(copies).value == 0


def test_a_faint_picture_is_near_in_grey_and_far_by_shape(rows: tuple[torch.Tensor, torch.Tensor]) -> None:
    speck = torch.zeros(1, 12, 12)
    speck[0, 0, 0] = 0.6  # in a corner, where no blob is
    found = {view: Holes(*rows, view) for view in VIEWS}
    assert found["shape"].share(found["shape"].distances(speck, Observer(), "speck")).value == 1
    faint = found["grey"].distances(speck * 0, Observer(), "nothing")
    assert faint.item() < found["shape"].distances(speck * 0, Observer(), "nothing").item() * 4
    assert found["shape"].distances(speck * 0, Observer(), "nothing").item() == pytest.approx(1)


def test_the_standard_error_is_the_binomial_one() -> None:
    drawn = np.random.default_rng(0).random((2000, 400)) < 0.3
    assert Share(0.3, 400).stderr == pytest.approx(drawn.mean(1).std(), rel=0.05)
    assert Share(0.0, 400).stderr == 0


def test_fixed_noise_has_its_scale_everywhere_and_refuses_none() -> None:
    head = POSTERIORS.build({"kind": "fixed-noise", "scale": 0.3}, features=4, latent_dim=2)
    q = head(torch.randn(5, 4))
    torch.testing.assert_close(q.stddev, torch.full((5, 2), 0.3))
    assert sum(p.numel() for p in head.parameters()) == 4 * 2 + 2
    with pytest.raises(SettingsError, match="more than 0"):
        POSTERIORS.build({"kind": "fixed-noise", "scale": 0.0}, features=4, latent_dim=2)


def test_fitted_codes_have_the_moments_of_the_posteriors_together(trained: DreamGenerator, digits: Dataset) -> None:
    codes = draw_codes(trained, digits, (1, 7), 20_000, seed=0)
    assert {name: len(z) for name, z in codes.items()} == {
        "prior": 20_000,
        "fitted": 2000,
        "midpoints": 2000,
        "reconstructions": len(digits.test),
    }
    q = trained.encode(digits.train.x)
    z = torch.cat([q.sample() for _ in range(20)])
    several = torch.cat([draw_codes(trained, digits, (1, 7), 2000, seed=s)["fitted"] for s in range(10)])
    torch.testing.assert_close(torch.cov(several.T), torch.cov(z.T), atol=0.06, rtol=0)
    torch.testing.assert_close(several.mean(0), z.mean(0), atol=0.04, rtol=0)
    torch.testing.assert_close(codes["prior"].std(0), torch.ones(6), atol=0.03, rtol=0)


def test_midpoints_lie_between_a_one_and_a_seven(trained: DreamGenerator, digits: Dataset) -> None:
    labels, mean = digits.test.labels, trained.encode(digits.test.x).mean
    assert labels is not None
    half = (mean[labels == 1].unsqueeze(1) + mean[labels == 7]).flatten(0, 1) / 2
    z = draw_codes(trained, digits, (1, 7), 100, seed=3)["midpoints"]
    assert torch.cdist(z.double(), half.double()).amin(1).max() < 1e-5


def test_a_point_has_neither_rate_nor_noise(digits: Dataset) -> None:
    x = digits.train.x[:100]
    point = DreamGenerator(latent_dim=2, hidden_dim=8, posterior="point", beta=0, epochs=1, batch_size=50).fit(x)
    figures = describe_codes(point, digits.test.x)
    assert figures["rate"] is None
    assert figures["sigma"] is None
    codes = torch.from_numpy(point.transform(digits.test.x))
    assert figures["spread"] == pytest.approx(codes.std(0).mean().item(), rel=1e-5)
    assert figures["largest_code"] == pytest.approx(codes.abs().max().item(), rel=1e-5)


def test_labels_that_are_not_there_are_refused_before_training(digits: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="labels 1 and 12"):
        contrast(digits, Settings(), tmp_path, labels=(1, 12))
    nameless = Dataset("x", Examples(digits.rows.x), digits.is_test)
    with pytest.raises(DataError, match="labels 1 and 7"):
        contrast(nameless, Settings(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_verb_draws_tells_and_trains_once(
    digits: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*more: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main(["contrast", "digits", "--draws", "200", "--out", str(tmp_path / "out"), *more])
        return int(end.value.code or 0), *capsys.readouterr()

    code, out, err = run("--epochs", "2", "--json")
    assert code == 0, err
    result = json.loads(out)
    assert [(m["model"], m["latents"]) for m in result["models"]] == [(n, k) for k in (20, 2) for n in MODELS]
    for model in result["models"]:
        assert set(model["holes"]) == set(VIEWS)
        assert set(model["holes"]["grey"]) == {*SOURCES}
        assert model["holes"]["grey"]["prior"]["n"] == 200
    for picture in result["pictures"].values():
        assert Path(picture).stat().st_size > 1000
    assert "| autoencoder | 20 |" in (tmp_path / "out" / "table.md").read_text()

    def never(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(DreamGenerator, "fit", never)
    again = report(contrast(digits, Settings(epochs=2), tmp_path / "out", draws=200))
    assert again["models"][0]["holes"] == result["models"][0]["holes"]
    code, _, err = run("--epochs", "3")
    assert code == 2
    assert "epochs = 2, now 3" in err
    assert len(err.splitlines()) == 1


def test_the_four_differ_in_posterior_and_beta_alone() -> None:
    changed = [Settings().replace(**changes).to_dict() for changes in MODELS.values()]
    for settings in changed:
        assert {k for k in settings if settings[k] != Settings().to_dict()[k]} <= {"posterior", "beta"}
    assert len({json.dumps(settings, sort_keys=True) for settings in changed}) == 4
