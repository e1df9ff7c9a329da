"""Weighted retraining: the weights against the paper's, and a small model that goes up."""

import numpy as np
import pytest

from dreamgen import DreamGenerator, MoleculeDreamer
from dreamgen.applications.molecules.oracle import Goal
from dreamgen.applications.molecules.retraining import _known, rank_weights, retrain
from dreamgen.chemistry.molecules import parse
from dreamgen.chemistry.properties import log_p
from dreamgen.chemistry.smiles import canonical
from dreamgen.errors import DataError, SettingsError
from dreamgen.evaluation import score_rows

pytest.importorskip("rdkit")

ALCOHOLS = [f"{'C' * n}O" for n in range(1, 9)] + [f"CC({'C' * n})O" for n in range(1, 7)]
ACIDS = [f"{'C' * n}C(=O)O" for n in range(1, 7)] + [f"OC(=O){'C' * n}Cl" for n in range(1, 6)]
LINES = sorted({canonical(text) or "" for text in (*ALCOHOLS, *ACIDS)})


@pytest.fixture(scope="module")
def generator() -> DreamGenerator:
    """A model of short chains."""
    values = [log_p(parse(text)) for text in LINES]  # type: ignore[arg-type]
    model = DreamGenerator(
        latent_dim=4,
        hidden_dim=[],
        encoder={"kind": "recurrent", "units": 16},
        likelihood={"kind": "recurrent", "units": 24, "embedding": 8},
        language={"kind": "selfies", "pieces": 0},
        properties=["logP"],
        beta={"kind": "linear", "stop": 0.05, "steps": 20},
        batch_size=8,
        epochs=15,
        validation=0.0,
        random_state=0,
    )
    return model.fit(LINES, attributes={"logP": values})


def test_weights_are_those_of_the_paper() -> None:
    found = rank_weights([1.0, 5.0, 3.0, 5.0], k=0.5)
    expected = 1 / (0.5 * 4 + np.array([3, 0, 2, 1]))
    np.testing.assert_allclose(found, expected / expected.sum())
    np.testing.assert_allclose(rank_weights(np.arange(10), k=1e9), 0.1, rtol=1e-6)
    assert rank_weights(np.arange(10), k=1e-9)[9] > 0.999


def test_retraining_asks_as_often_as_it_may_and_leaves_the_model(generator: DreamGenerator) -> None:
    before = {name: weights.clone() for name, weights in generator.fitted().model.state_dict().items()}
    asked = []

    def score(mol: object) -> float:
        asked.append(mol)
        return log_p(mol)  # type: ignore[arg-type]

    known = [log_p(parse(text)) for text in LINES]  # type: ignore[arg-type]
    done = retrain(generator, LINES, Goal("logP", score=score), values=known, rounds=2, calls=6, steps=12)
    assert 0 < len(asked) == len(done.found) <= 12
    assert not set(done.found) & set(LINES)
    assert done.best == sorted(done.best)
    assert done.best[-1] == max(done.found.values())
    for smiles, value in done.found.items():
        assert value == pytest.approx(log_p(parse(smiles)), abs=1e-9)  # type: ignore[arg-type]
    after = done.generator.fitted().model.state_dict()
    assert all((weights == generator.fitted().model.state_dict()[name]).all() for name, weights in before.items())
    assert any((weights != after[name]).any() for name, weights in before.items())


def test_a_retrained_model_writes_what_is_good_more_readily(generator: DreamGenerator) -> None:
    done = retrain(generator, LINES, "logP", rounds=1, calls=1, steps=300, k=1e-3)
    order = sorted(LINES, key=lambda text: -log_p(parse(text)))  # type: ignore[arg-type]

    def cost(model: DreamGenerator, text: str) -> float:
        # Of nine draws in ten, the best molecule: what training lowers is the distortion, since the rate weighs 0.05.
        return float(score_rows(model.fitted().model, model.prepare([text]), 16).distortion)

    gain = [cost(generator, text) - cost(done.generator, text) for text in order]
    assert gain[0] > max(3.0, 2 * max(gain[-5:]))


def test_what_a_model_of_smiles_writes_wrongly_is_not_asked_for() -> None:
    """Hardly trained, it writes rings that never close."""
    rings = [*LINES, "C1CC1O", "C1CCC1", "OC1CCC1Cl"]
    parts = {"encoder": {"kind": "recurrent", "units": 8}, "likelihood": {"kind": "recurrent", "units": 8}}
    made = DreamGenerator(4, [], language="smiles", batch_size=8, epochs=1, random_state=0, **parts).fit(rings)
    done = retrain(made, rings, "logP", rounds=2, calls=5, steps=5)
    assert all(canonical(text) == text for text in done.found)


def test_settings_and_data_are_checked(generator: DreamGenerator) -> None:
    for wrong in ({"rounds": 0}, {"calls": 0}, {"steps": 0}, {"k": 0.0}):
        with pytest.raises(SettingsError, match=f"{next(iter(wrong))}: expected"):
            retrain(generator, LINES, "logP", **wrong)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="that the model can write"):
        retrain(generator, ["C[Se]C"], "logP")
    with pytest.raises(DataError, match="logP: expected finite values"):
        retrain(generator, LINES[:2], Goal("logP", score=lambda mol: float("nan")))
    with pytest.raises(SettingsError, match="unknown property"):
        retrain(generator, LINES, "logq")


def test_values_without_a_number_are_passed_over_and_the_first_of_equal_molecules_counts(
    dreamer: MoleculeDreamer, molecules: list[str]
) -> None:
    some = [*molecules[:30], molecules[0]]
    values = [*np.linspace(1, 2, 30), -7.0]
    values[3] = np.nan
    known = _known(dreamer.generator, some, Goal.of("QED"), values)
    assert len(known) == 29
    assert known[molecules[0]] == 1.0
    with pytest.raises(DataError, match="QED: expected 31 numbers"):
        _known(dreamer.generator, some, Goal.of("QED"), values[:5])
