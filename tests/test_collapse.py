"""The gauge of posterior collapse: when it speaks, when it must not, and where it is seen."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.distributions import Normal

from dreamgen import RECIPES, Batch, DreamGenerator, Settings, build_model
from dreamgen.cli import main
from dreamgen.data import Dataset
from dreamgen.distributions import Delta
from dreamgen.evaluation.collapse import collapse_warning
from dreamgen.evaluation.latents import active_units, rate_per_unit
from dreamgen.training import Run, train

PRIOR = Normal(torch.zeros(4), torch.ones(4))


def verdict(spread: list[float], scale: float = 0.5, shift: float = 0.0, rows: int = 500) -> str | None:
    """For codes whose means vary by `spread` around `shift`."""
    loc = torch.randn(rows, len(spread), generator=torch.Generator().manual_seed(0)) * torch.tensor(spread) + shift
    q = Normal(loc, torch.full_like(loc, scale))
    return collapse_warning(q, rate_per_unit(q, PRIOR))


def test_a_posterior_that_is_the_prior_has_collapsed_and_the_cures_are_options() -> None:
    text = verdict([0.01] * 4, scale=1.0)
    assert text is not None
    assert "0 of 4 latents active, 0.00 nats" in text
    for cure in ("-o free_bits=0.25", "--recipe annealed", "lower beta", "-o likelihood=bernoulli"):
        assert cure in text
    assert "\n" not in text


def test_one_active_latent_of_many_is_enough() -> None:
    assert verdict([1.0, 0.0, 0.0, 0.0]) is None


def test_a_rate_that_says_nothing_is_a_collapse() -> None:
    # Far from the prior, at a price of nats, and the same for every row: free bits can make that.
    text = verdict([0.0] * 4, shift=1.0)
    assert text is not None
    assert "0 of 4" in text


def test_a_code_worth_less_than_a_toss_of_a_coin_is_a_collapse() -> None:
    text = verdict([0.15, 0.0, 0.0, 0.0], scale=1.0)
    assert text is not None
    assert "1 of 4" in text


def test_a_code_that_tells_two_things_apart_is_none() -> None:
    loc = torch.tensor([-1.0, 1.0]).repeat(100)[:, None]
    q = Normal(loc, torch.full_like(loc, 0.4))
    assert collapse_warning(q, rate_per_unit(q, Normal(torch.zeros(1), torch.ones(1)))) is None


def test_what_is_not_judged() -> None:
    assert verdict([0.0] * 4, scale=1.0, rows=99) is None
    assert collapse_warning(Delta(torch.zeros(500, 4)), None) is None
    unknown = Normal(torch.zeros(500, 4), torch.ones(500, 4))
    assert "0 of 4 latents active)" in str(collapse_warning(unknown, None))


def heavy(digits: Dataset, **changes: object) -> DreamGenerator:
    settings = Settings(latent_dim=4, hidden_dim=16, batch_size=64, epochs=25, validation=0.0).replace(**changes)
    return DreamGenerator.from_settings(settings, random_state=0)


def test_training_warns_once_and_evaluation_says_it_again(
    digits: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generator = heavy(digits, beta=1000.0)
    with pytest.warns(UserWarning, match="posterior has collapsed") as seen:
        generator.fit(digits.train.x)
    assert len(seen) == 1
    assert "free_bits" in generator.evaluate(digits.test.x, samples=1)["collapse"]
    generator.save(tmp_path / "heavy")
    with pytest.raises(SystemExit):
        main(["evaluate", str(tmp_path / "heavy"), "digits", "--samples", "1", "--json"])
    out, err = capsys.readouterr()
    assert err.count("the posterior has collapsed") == 1
    assert json.loads(out)["collapse"] in err


@pytest.mark.parametrize("changes", [{}, {"posterior": "point", "beta": 0.0}, {"beta": 1000.0, "epochs": 2}])
def test_healthy_models_points_and_short_trainings_are_left_alone(
    changes: dict[str, object], digits: Dataset
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        generator = heavy(digits, **changes).fit(digits.train.x)
    if "beta" not in changes:
        assert generator.evaluate(digits.test.x, samples=1)["collapse"] is None


@pytest.mark.parametrize("validation", [0, 40])
@pytest.mark.parametrize("binarise", ["none", "dynamic"])
def test_each_epoch_counts_the_active_units_of_its_weights(validation: int, binarise: str) -> None:
    settings = Settings(latent_dim=3, hidden_dim=16, epochs=2, batch_size=32, binarise=binarise)
    x = torch.from_numpy(np.random.default_rng(9).random((200, 4, 4), dtype=np.float32)).round()
    held_out = Batch(x[:validation]) if validation else None
    run = Run(build_model(settings, (4, 4), seed=0), settings, Batch(x[validation:]), held_out, seed=0)
    rows = x[:validation] if validation else x
    closing = 0
    for record in train(run):
        if record.epoch_done:
            closing += 1
            with torch.no_grad():
                assert record.active_units == active_units(run.model.encoder(Batch(rows)))
            assert run.history[-1]["active_units"] == record.active_units
        else:
            assert record.active_units is None
    assert closing == 2


def test_the_warning_names_recipes_that_exist() -> None:
    assert {"annealed", "free-bits"} <= RECIPES.keys()
