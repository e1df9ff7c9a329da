"""Few labels: the labels that are hidden stay hidden, and what is learned without them helps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dreamgen import Settings
from dreamgen.data import Dataset, Examples
from dreamgen.errors import DataError, Interrupted, SettingsError
from dreamgen.experiments.few_labels import Recipes, few_labels, spread
from dreamgen.experiments.runs import Observer

_SMALL = Settings(hidden_dim=64, latent_dim=8, batch_size=64, epochs=12)
RECIPES = Recipes(
    codes=_SMALL.replace(hidden_dim=200, epochs=60),
    dreams=_SMALL.replace(context="labels"),
    reader=_SMALL.replace(model="classifier", context="labels", epochs=10),
)


def test_labels_spread_along_what_hangs_together() -> None:
    # Two half moons, one label each at their far ends: the nearest labelled point is wrong for the other ends.
    from sklearn.datasets import make_moons

    x, y = make_moons(600, noise=0.04, random_state=0)
    chosen = np.array([np.flatnonzero(y == k)[x[y == k, 0].argmin()] for k in (0, 1)])
    rows, labels = spread(x, y[chosen], chosen, seed=0)
    assert (labels == y[rows]).mean() > 0.97
    nearest = np.square(x[:, None] - x[chosen]).sum(2).argmin(1)
    assert (nearest == y).mean() < 0.9
    assert set(chosen) <= set(rows)


def test_what_is_hidden_is_not_used(digits: Dataset, tmp_path: Path) -> None:
    found = few_labels(digits, RECIPES, tmp_path / "a", each=5, seed=0, device="cpu", watch=Observer(), dreams=800)
    accuracy = {str(row["learns from"]): row["accuracy"] for row in found.table}
    assert len(found.labelled) == 50
    assert accuracy["network, all labels"] > accuracy["network, labelled pictures"] > 0.7  # type: ignore[operator]
    assert found.spread > 0.8
    # Wrong labels on all rows that are hidden change nothing but the row that is told all of them.
    train = digits.train
    assert train.labels is not None
    wrong = (train.labels + 1) % 10
    wrong[found.labelled] = train.labels[found.labelled]
    lied = Dataset.of_parts("digits", Examples(train.x, wrong), digits.test, classes=digits.classes)
    from dreamgen.experiments import few_labels as room

    known = {row["learns from"]: row["accuracy"] for row in found.table}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "_choose", lambda *_: found.labelled)
        again = few_labels(lied, RECIPES, tmp_path / "b", each=5, seed=0, device="cpu", watch=Observer(), dreams=800)
    for row in again.table[:-1]:
        assert row["accuracy"] == known[row["learns from"]], row


def test_other_settings_of_any_of_the_three_are_another_experiment(digits: Dataset, tmp_path: Path) -> None:
    def begin(recipes: Recipes) -> None:
        def stop() -> bool:
            return True

        with pytest.raises(Interrupted):
            few_labels(digits, recipes, tmp_path, each=5, seed=0, device="cpu", watch=Observer(stop=stop))

    begin(RECIPES)
    begin(RECIPES)
    for name in ("codes", "dreams", "reader"):
        other = replace(RECIPES, **{name: getattr(RECIPES, name).replace(hidden_dim=65)})
        with pytest.raises(SettingsError, match="begun with other settings"):
            few_labels(digits, other, tmp_path, each=5, seed=0, device="cpu", watch=Observer())
    assert digits.rows.labels is not None
    corrected = replace(digits, rows=replace(digits.rows, labels=digits.rows.labels[::-1]))
    with pytest.raises(SettingsError, match="begun with other settings: labels_sha256"):
        few_labels(corrected, RECIPES, tmp_path, each=5, seed=0, device="cpu", watch=Observer())


def test_too_few_labels_are_refused(digits: Dataset, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected 1000 or more"):
        few_labels(digits, RECIPES, tmp_path, each=1000, seed=0, device="cpu", watch=Observer())
    bare = Dataset("bare", Examples(digits.rows.x), digits.is_test)
    with pytest.raises(DataError, match="labels"):
        few_labels(bare, RECIPES, tmp_path, each=2, seed=0, device="cpu", watch=Observer())


def test_what_no_label_reaches_is_not_believed() -> None:
    random = np.random.default_rng(0)
    x = np.concatenate([random.normal(size=(200, 2)) + centre for centre in (0, 40, 900)])
    y = np.repeat([0, 1, 0], 200)
    rows, labels = spread(x, y[[0, 200]], np.array([0, 200]), seed=0)
    assert rows.max() < 400  # the third lump has no label near it
    assert (labels == y[rows]).all()
