"""Outsiders: scores, their areas, lengths that are probabilities, and the verb."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from dreamgen import DreamGenerator
from dreamgen.cli import main
from dreamgen.data import Dataset
from dreamgen.experiments.complexity import context_length, png_length
from dreamgen.experiments.outsiders import Outsiders, text
from dreamgen.experiments.strange import Scorer, as_bytes, auroc, sets_beside


def test_auroc_against_scikit_learn_with_ties() -> None:
    random = np.random.default_rng(0)
    inside, outside = random.integers(0, 9, 80).astype(float), random.integers(3, 12, 50).astype(float)
    expected = roc_auc_score(np.repeat([0, 1], [80, 50]), np.concatenate([inside, outside]))
    assert auroc(inside, outside) == pytest.approx(expected)
    assert auroc(inside, inside) == pytest.approx(0.5)


def test_the_context_coder_is_a_distribution() -> None:
    every = np.array(list(itertools.product((0, 1), repeat=9))).reshape(-1, 3, 3)
    assert np.exp(-context_length(every)).sum() == pytest.approx(1)


def test_the_context_coder_counts_by_hand() -> None:
    # All zeros in one context: 1/2 · 3/4 · 5/6.
    assert context_length(np.zeros((1, 1, 3)))[0] == pytest.approx(-math.log(1 / 2 * 3 / 4 * 5 / 6))
    # 0, then 1 in the same context, then 0 with a 1 to its left, a context of its own.
    assert context_length(np.array([[[0, 1, 0]]]))[0] == pytest.approx(-math.log(1 / 2 * 1 / 4 * 1 / 2))


def test_noise_is_longer_than_a_bar() -> None:
    noise = (np.random.default_rng(0).random((4, 16, 16)) > 0.5).astype(np.float32)
    bar = np.zeros((4, 16, 16), np.float32)
    bar[:, :, 5:8] = 1
    for length in (png_length, context_length):
        assert length(noise).min() > length(bar).max()
    assert context_length(noise).mean() == pytest.approx(256 * math.log(2), rel=0.2)
    # One bit a pixel for black and white, a byte for greys.
    assert png_length(noise).mean() < png_length(noise * 0.9).mean()


def test_the_sets_beside_a_set(digits: Dataset) -> None:
    sets = sets_beside(digits, 50, seed=0)
    assert list(sets) == ["digits, test", "noise", "shuffled"]
    for x in sets.values():
        assert x.shape == (50, 8, 8)
        assert x.dtype == np.uint8
    known, shuffled = sets["digits, test"].reshape(50, -1), sets["shuffled"].reshape(50, -1)
    np.testing.assert_array_equal(np.sort(known), np.sort(shuffled))
    assert (known != shuffled).any(1).all()
    again = sets_beside(digits, 50, seed=0)
    assert all(np.array_equal(again[name], x) for name, x in sets.items())
    assert not np.array_equal(sets_beside(digits, 50, seed=1)["noise"], sets["noise"])


def test_scores_of_a_binarised_model(digits: Dataset) -> None:
    generator = DreamGenerator(
        latent_dim=4, hidden_dim=32, batch_size=64, epochs=8, binarise="dynamic", random_state=0
    )
    generator.fit(digits.train.x)
    judge, sets = Scorer(generator, as_bytes(digits.train.x[:100]), 5, seed=0), sets_beside(digits, 60, seed=0)
    found = {name: judge.scores(x) for name, x in sets.items()}
    for scores in found.values():
        assert all(values.shape == (60,) and np.isfinite(values).all() for values in scores.values())
        # A bound with more samples is closer, and the parts of the ELBO add up.
        assert scores["-log p(x)"].mean() <= scores["-ELBO"].mean()
        np.testing.assert_allclose(scores["-ELBO"], scores["distortion"] + scores["rate"], rtol=1e-5)
    table = {row["score"]: row for row in Outsiders("digits", found).table}
    assert table["-log p(x)"]["noise"] > 0.95
    assert all(row["worst"] == min(row["noise"], row["shuffled"]) for row in table.values())
    # A picture's scores do not depend on the others.
    alone = judge.scores(sets["noise"][3:4])
    for name, values in alone.items():
        assert values[0] == pytest.approx(found["noise"][name][3], rel=1e-4), name


def test_grey_models_and_densities_get_the_scores_that_exist(digits: Dataset) -> None:
    for likelihood, absent in (("bernoulli", {"-log p(x) less own length"}), ("gaussian", {"ratio", "own length"})):
        generator = DreamGenerator(latent_dim=2, hidden_dim=8, batch_size=64, epochs=1, likelihood=likelihood)
        judge = Scorer(generator.fit(digits.train.x[:200]), as_bytes(digits.train.x[:20]), 2, seed=0)
        names = judge.scores(as_bytes(digits.test.x[:5])).keys()
        assert not any(word in name for word in absent for name in names)
        assert "squared error" in names


def test_the_trap_is_said_in_words() -> None:
    known, likelier = np.arange(10.0), np.arange(10.0) - 8
    found = Outsiders("a", {"a, test": {"-log p(x)": known}, "b": {"-log p(x)": likelier}})
    assert "more likely than the known: b" in text(found)
    assert "best in its worst case: -log p(x), 0.02" in text(found)


def test_the_verb_trains_or_takes_a_model(
    model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--train", "digits", "--rows", "30", "--samples", "2", "--out", "OUT"]
    with pytest.raises(SystemExit) as end:
        main(["outsiders", *options, "--epochs", "2", "--json"])
    assert not end.value.code
    result = json.loads(capsys.readouterr().out)
    assert {"auroc", "surprise"} == result["trained_on"]["digits"].keys()
    with Image.open(result["pictures"]["digits"]) as picture:
        assert picture.width > 300
    with pytest.raises(SystemExit) as end:
        main(["outsiders", *options, "--model", str(model_folder)])
    assert not end.value.code
    assert "AUROC of each score" in capsys.readouterr().out
    with pytest.raises(SystemExit) as end:
        main(["outsiders", "--model", str(model_folder)])
    assert end.value.code == 2
