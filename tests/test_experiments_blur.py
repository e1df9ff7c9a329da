"""Blur: the stroke against its exact answers, measures against pictures whose answers are known, and the verb."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.distributions import Normal

from dreamgen.cli import main
from dreamgen.distributions import GreyBernoulli
from dreamgen.experiments import stroke
from dreamgen.experiments.blur import gradients
from dreamgen.experiments.losses import loss_gradients, loss_of


def test_the_exact_answers_are_the_minima_of_the_losses() -> None:
    # Every answer (a, b) for the two pixels, against a stroke that is at either, half the time each.
    a, b = np.meshgrid(np.linspace(0.005, 0.995, 199), np.linspace(0.005, 0.995, 199))
    squared = 0.5 * ((1 - a) ** 2 + b**2) + 0.5 * (a**2 + (1 - b) ** 2)
    crossed = -0.5 * (np.log(a) + np.log(1 - b)) - 0.5 * (np.log(1 - a) + np.log(b))
    for loss, name in ((squared, "MSE, σ = 0.71"), (crossed, "BCE, beta 20")):
        best = np.unravel_index(loss.argmin(), loss.shape)
        assert (a[best], b[best]) == pytest.approx((0.5, 0.5))
        assert loss.min() == pytest.approx(stroke.CASES[name].error)


@pytest.mark.parametrize("name", stroke.CASES)
def test_a_trained_model_reaches_the_exact_answer(name: str) -> None:
    learnt = stroke.learn(name)
    used = stroke.CASES[name].latent == "used"
    expected = [[1.0, 0.0], [0.0, 1.0]] if used else [[0.5, 0.5], [0.5, 0.5]]
    np.testing.assert_allclose(learnt.decoded[:, list(stroke.PLACES)], expected, atol=0.1)
    rate, error = float(str(learnt.row["rate"])), float(str(learnt.row["error"]))
    if used:
        # No latent can tell two things apart for less than log 2, but for the errors it makes.
        assert 0.8 * math.log(2) < rate < 2.0
        assert error < 0.4
    else:
        assert rate < 0.05
        assert error == pytest.approx(stroke.CASES[name].error, rel=0.03)
    if "BCE" in name:
        assert float(str(learnt.row["-log p"])) >= math.log(2) - 1e-3


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_the_losses_gradients_are_those_of_the_textbook(target: float) -> None:
    p = torch.tensor([0.01, 0.3, 0.5, 0.99], dtype=torch.double)
    found = loss_gradients(p, target)
    torch.testing.assert_close(found["cross-entropy, by output"], (p - target) / (p * (1 - p)))
    torch.testing.assert_close(found["cross-entropy, by logit"], p - target)
    torch.testing.assert_close(found["squared error, by output"], 2 * (p - target))
    torch.testing.assert_close(found["squared error, by logit"], 2 * (p - target) * p * (1 - p))
    assert gradients([0.5])[0]["cross-entropy, by logit"] == pytest.approx(-0.5)


def test_a_loss_is_without_its_constants() -> None:
    x = torch.tensor([0.0, 1.0])
    torch.testing.assert_close(loss_of(Normal(torch.zeros(2), 0.5), x), torch.tensor([0.0, 2.0]))
    torch.testing.assert_close(loss_of(GreyBernoulli(torch.zeros(2)), x), torch.full((2,), math.log(2)))


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    short = {name: one.settings.replace(epochs=2) for name, one in stroke.CASES.items()}
    for name, settings in short.items():
        monkeypatch.setitem(stroke.CASES, name, stroke.Case("cross-entropy", "used", settings, 0.0, 0.0))
    command = ["blur", "digits", "--epochs", "2", "--rows", "40", "--out", "OUT", "--seed", "3"]
    with pytest.raises(SystemExit) as end:
        main([*command, "--json"])
    assert not end.value.code
    result = json.loads(capsys.readouterr().out)
    assert {"stroke", "neighbours", "sharpness", "gradients", "edges", "pictures"} <= result.keys()
    assert len(result["sharpness"]) == 9
    assert result["rows"] == 40
    for path in result["pictures"].values():
        with Image.open(path) as picture:
            assert picture.width > 300
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "OUT" / "runs").rglob("*.safetensors")}
    assert len(written) == 6
    with pytest.raises(SystemExit) as end:
        main(command)
    assert not end.value.code
    out = capsys.readouterr().out
    assert "edge strength / real" in out
    # What is trained is not trained again, and says the same.
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert f"{result['sharpness'][0]['edge strength / real']:.4g}" in out


@pytest.mark.parametrize(
    ("shape", "scale", "text"),
    [((7,), 1, "grey pictures"), ((4, 4, 3), 1, "grey pictures"), ((4, 4), 9, r"\[0, 1\]")],
)
def test_what_is_no_grey_picture_is_refused(
    shape: tuple[int, ...], scale: float, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = str(tmp_path / "data.npz")
    np.savez(data, x=scale * np.random.default_rng(0).random((60, *shape)))
    for command in (["blur", data], ["collapse", data], ["outsiders", "--train", data, "--model", "mnist"]):
        with pytest.raises(SystemExit) as end:
            main([*command, "--out", str(tmp_path / "OUT")])
        assert end.value.code == 3
        assert re.search(text, capsys.readouterr().err)
