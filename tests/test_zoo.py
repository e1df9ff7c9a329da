"""The models that ship: small, offline, and what their cards say."""

import numpy as np
import pytest

from dreamgen import RECIPES, DreamGenerator
from dreamgen.data import Dataset
from dreamgen.evaluation.report import one_sample_loss
from dreamgen.zoo import find_model, shipped_models


def test_it_is_small_and_complete() -> None:
    assert shipped_models() == ["mnist", "mnist-judge", "mnist-sibling", "zinc250k"]
    folder = find_model("mnist")
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 1_500_000
    saved = DreamGenerator.load("mnist").saved_
    assert saved.settings == RECIPES[saved.card["recipe"]].settings.replace(precision=saved.settings.precision)
    assert len(saved.origin["data"]["sha256"]) == 64
    assert {"torch", "dreamgen", "python"} <= saved.origin["versions"].keys()
    assert saved.card["seed"] == saved.origin["seed"]
    assert "prior" in saved.card["limits"]
    assert saved.card["evaluation"]["nll"] <= 89.5
    assert saved.card["evaluation"]["samples"] == 5000
    assert saved.card["evaluation"]["rows"] == 10_000


def test_it_dreams_of_digits() -> None:
    dreams = DreamGenerator.load("mnist").dream(64, seed=1)
    assert dreams.shape == (64, 28, 28)
    ink = dreams.mean((1, 2))
    assert 0.03 < ink.min() < ink.max() < 0.35  # MNIST's own digits have 0.03 to 0.4
    assert dreams[:, [0, -1]].mean() < 0.01  # hardly any ink on the edge
    assert np.abs(dreams[:32] - dreams[32:]).mean() > 0.05  # no two are alike


def test_its_figures_are_the_cards(mnist: Dataset) -> None:
    generator = DreamGenerator.load("mnist")
    card = generator.saved_.card
    found = one_sample_loss(generator.saved_.model, generator.prepare(mnist.test.x), binarise=True)
    for name in ("test_loss", "test_distortion", "test_rate"):
        assert found[name] == pytest.approx(card[name], abs=2e-3), name
    # A tenth of the images and a hundredth of the samples: the bound is looser, and these digits a little easier.
    report = generator.evaluate(mnist.test.x[:1000], samples=50)
    assert report["nll"] == pytest.approx(card["evaluation"]["nll"], abs=2)
    assert report["active_units"] == card["active_units"]


def test_the_molecules_are_small_and_dreamt_offline() -> None:
    from dreamgen.chemistry.smiles import canonical

    folder = find_model("zinc250k")
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 8_000_000
    generator = DreamGenerator.load("zinc250k")
    card, settings = generator.saved_.card, generator.saved_.settings
    assert settings == RECIPES[card["recipe"]].settings.replace(precision=settings.precision, epochs=settings.epochs)
    assert card["seed"] == generator.saved_.origin["seed"]
    assert {"rate_per_unit", "active_units", "limits"} <= card.keys()
    dreams = generator.dream(50, seed=1).tolist()
    assert len(set(dreams)) == 50
    assert [canonical(dream) for dream in dreams] == dreams


@pytest.mark.parametrize(("name", "least"), [("mnist-judge", 0.994), ("mnist-sibling", 0.993)])
def test_the_classifiers_are_small_and_complete(name: str, least: float) -> None:
    folder = find_model(name)
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 700_000
    saved = DreamGenerator.load(name).saved_
    card = saved.card
    assert saved.settings == RECIPES[card["recipe"]].settings.replace(precision=saved.settings.precision)
    assert saved.origin["data"]["name"] == "mnist"
    assert len(saved.origin["data"]["set_sha256"]) == 64
    assert card["seed"] == saved.origin["seed"]
    assert card["evaluation"]["accuracy"] >= least
    assert card["evaluation"]["rows"] == 10_000
    assert "loss" in card["limits"]


def test_the_sibling_has_nothing_of_the_judge() -> None:
    judge, sibling = (DreamGenerator.load(name).saved_ for name in ("mnist-judge", "mnist-sibling"))
    assert judge.settings.encoder["kind"] != sibling.settings.encoder["kind"]
    assert judge.origin["seed"] != sibling.origin["seed"]


def test_the_classifiers_read_as_their_cards_say(mnist: Dataset) -> None:
    for name in ("mnist-judge", "mnist-sibling"):
        generator = DreamGenerator.load(name)
        rows = mnist.test[:2000]
        report = generator.evaluate(rows.x, given={"label": rows.labels})
        assert report["accuracy"] == pytest.approx(generator.saved_.card["evaluation"]["accuracy"], abs=0.006)
