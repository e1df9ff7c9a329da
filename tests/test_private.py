"""Private training: against autograd row by row, against Opacus, and against somebody who looks for a row."""

import math
import secrets
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from dreamgen import Batch, DreamGenerator, Settings, build_model
from dreamgen.data import Dataset
from dreamgen.data.columns import ColumnShape
from dreamgen.data.meaning import Meaning
from dreamgen.distributions import StepNoise
from dreamgen.errors import DreamgenError, Interrupted, SettingsError
from dreamgen.files import sha256
from dreamgen.io import load_model, save_model
from dreamgen.objectives import OBJECTIVES, NegativeELBO
from dreamgen.privacy import Charge, Spending, epsilon_of, noise_for
from dreamgen.training import UPDATES, Checkpoints, PrivateUpdate, Run, train
from dreamgen.training.private_layers import rows_stay_apart
from dreamgen.training.private_rows import clipped_sum_of_rows

pytest.importorskip("opacus")

ROWS = 40
PRIVATE = {"kind": "private", "noise": 1.0, "delta": 1e-3, "clip": 0.5}


def settings(**changes: Any) -> Settings:
    base = {"latent_dim": 2, "hidden_dim": 8, "batch_size": 10, "epochs": 3, "validation": 0.0, "update": PRIVATE}
    return Settings.of(base | changes)


def private_run(seed: int = 5, **changes: Any) -> Run:
    x = torch.rand(ROWS, 4, 4, generator=torch.Generator().manual_seed(1))
    asked = settings(**changes)
    return Run(build_model(asked, (4, 4), seed=seed), asked, Batch(x), None, seed, "hash")


def update_of(run: Run) -> PrivateUpdate:
    assert isinstance(run.update, PrivateUpdate)
    return run.update


@pytest.mark.parametrize("objective", ["elbo", {"kind": "iwae", "samples": 3}])
@pytest.mark.parametrize("clip", [1e9, 0.3])
@pytest.mark.parametrize("with_mask", [False, True])
@pytest.mark.parametrize("parts", [{"likelihood": "gaussian"}, {"encoder": "columns", "likelihood": "columns"}])
@pytest.mark.parametrize("by_rows", [True, False])
def test_the_sum_is_that_of_autograds_rows_each_clipped(
    objective: object, clip: float, with_mask: bool, parts: dict[str, Any], by_rows: bool
) -> None:
    asked = settings(objective=objective, update=PRIVATE | {"clip": clip}, **parts)
    x = torch.randn(ROWS, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    columns = [ColumnShape(levels=3), ColumnShape(levels=3), ColumnShape(), ColumnShape(atoms=(0.0,), step=0.1)]
    if parts["likelihood"] == "columns":
        x[:, :2] = x[:, :2].abs().clamp(max=2).floor()
    else:
        columns = []
    run = Run(
        build_model(asked, Meaning((4,), columns=tuple(columns)), seed=0).double(), asked, Batch(x), None, seed=0
    )
    batch = run.data[:7]
    if with_mask:
        batch = Batch(batch.x, mask=batch.x > -0.3)
    update, given = update_of(run), (run.model, run.objective, batch, StepNoise(3), 0, 1)
    if by_rows:
        _, sums = clipped_sum_of_rows(run.model, dict(run.model.named_parameters()), *given[1:], clip)
    else:
        assert rows_stay_apart(run.model, run.objective)
        terms, sums = update.clipped_sum(*given)
        assert not terms.loss.requires_grad

    # Independently: the rows' losses in one graph, one backward pass for each.
    losses = run.objective(run.model.infer(batch, StepNoise(3), run.objective.samples), 0, 1).loss
    names, parameters = zip(*run.model.named_parameters(), strict=True)
    expected = {name: torch.zeros_like(p) for name, p in run.model.named_parameters()}
    lengths = []
    for loss in losses:
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True)
        lengths.append(math.sqrt(sum(float(g.square().sum()) for g in gradients)))
        for name, gradient in zip(names, gradients, strict=True):
            expected[name] += gradient * min(1.0, clip / lengths[-1])
    assert sorted(lengths)[1] > 0.3  # the smaller clip is felt
    for name in names:
        torch.testing.assert_close(sums[name], expected[name], rtol=1e-9, atol=1e-12)


def test_no_row_moves_the_sum_by_more_than_the_clip() -> None:
    run = private_run()
    update, noise = update_of(run), run.noise(0)
    x = run.data.x[:6].clone()
    x[5] = 1e4  # not a picture at all
    length = {}
    for rows in (5, 6):
        draws = StepNoise(0).normal((1, 6, 2))[:, :rows]
        _, sums = update.clipped_sum(run.model, run.objective, Batch(x[:rows]), _Fixed(draws), 0, 1)
        length[rows] = torch.cat([g.flatten() for g in sums.values()])
    assert (length[6] - length[5]).norm().item() == pytest.approx(0.5, rel=1e-3)
    x[5] = torch.nan
    draws = noise.normal((1, 6, 2))
    _, sums = update.clipped_sum(run.model, run.objective, Batch(x), _Fixed(draws), 0, 1)
    assert all(g.isfinite().all() for g in sums.values())


class _Fixed:
    def __init__(self, draw: torch.Tensor) -> None:
        self.draw = draw

    def normal(self, shape: object) -> torch.Tensor:
        assert tuple(self.draw.shape) == tuple(shape)  # type: ignore[arg-type]
        return self.draw

    uniform = normal


def test_the_noise_has_the_length_that_is_charged() -> None:
    update = update_of(private_run(update=PRIVATE | {"noise": 1.7, "clip": 0.4}, hidden_dim=200))
    drawn = [torch.cat([h.flatten() for h in update.hiding(step)]) for step in range(2)]
    assert stats.kstest(drawn[0].numpy() / (1.7 * 0.4), "norm").pvalue > 1e-3
    assert abs(np.corrcoef(drawn[0], drawn[1])[0, 1]) < 0.05
    assert torch.equal(drawn[0], torch.cat([h.flatten() for h in update.hiding(0)]))


def test_without_rows_a_step_is_noise_alone() -> None:
    run = private_run()
    update = update_of(run)
    terms = update(run.model, run.objective, run.data[:0], run.noise(0), 0, 10)
    assert len(terms.loss) == 0
    for parameter, hidden in zip(run.model.parameters(), update.hiding(0), strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, hidden / 10)  # the rows that are expected, not those that came


def test_batches_are_poisson_samples() -> None:
    update = update_of(private_run())
    samples = [update.sample(step) for step in range(2000)]
    counts = np.bincount(torch.cat(samples), minlength=ROWS)
    assert stats.chisquare(counts).pvalue > 1e-3
    sizes = np.array([len(s) for s in samples])
    assert abs(sizes.mean() - 10) < 4 * math.sqrt(7.5 / 2000)
    assert sizes.var() == pytest.approx(ROWS * 0.25 * 0.75, rel=0.2)  # a permutation's would be 0
    assert all(s.unique().numel() == s.numel() for s in samples[:50])


def test_epsilon_is_opacus_own() -> None:
    from opacus.accountants import create_accountant
    from opacus.accountants.utils import get_noise_multiplier

    for accountant in ("rdp", "prv"):
        own = create_accountant(mechanism=accountant)
        own.history = [(1.3, 0.02, 500)]
        found = epsilon_of([Charge("training", 1.3, 0.02, 500)], 1e-5, accountant)  # type: ignore[arg-type]
        assert found == pytest.approx(own.get_epsilon(delta=1e-5), rel=1e-6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the noises it tries
        expected = get_noise_multiplier(target_epsilon=4, target_delta=1e-5, sample_rate=0.05, steps=300)
    assert noise_for(4.0, 1e-5, 0.05, 300) == pytest.approx(expected, rel=5e-3)


def test_one_gaussian_costs_what_its_exact_formula_says() -> None:
    # Improving the Gaussian Mechanism for Differential Privacy, 2018, theorem 8: the least epsilon that there is.
    def delta(epsilon: float, noise: float) -> float:
        half, off = 1 / (2 * noise), epsilon * noise
        return float(stats.norm.cdf(half - off) - math.exp(epsilon) * stats.norm.cdf(-half - off))

    for noise in (1.0, 5.0, 40.0):
        stated = epsilon_of([Charge("sums", noise)], 1e-5)
        assert delta(stated, noise) <= 1e-5
        assert delta(stated * 0.8, noise) > 1e-5  # and it is not said too large by much


def test_the_ledger_adds_up() -> None:
    both = Spending([Charge("counts", 20.0, delta=1e-7), Charge("training", 2.0, 0.05, 200)])
    alone = [epsilon_of([charge], 1e-5) for charge in both.charges]
    assert max(alone) < both.epsilon(1e-5) < sum(alone)
    assert both.epsilon(1e-7) == math.inf  # the counts' own delta is all of it
    assert Spending().epsilon(1e-5) == 0
    noise = noise_for(1.0, 1e-5, 0.05, 200, [Charge("counts", 20.0)])
    assert epsilon_of([Charge("counts", 20.0), Charge("training", noise, 0.05, 200)], 1e-5) <= 1.0
    card = both.to_dict(1e-5)
    assert [c["what"] for c in card["charges"]] == ["counts", "training"]
    assert "opacus" in card["accountant"]
    with pytest.raises(SettingsError, match=r"leaves something for 100 steps of training, got 1 at delta 1e-05"):
        noise_for(1.0, 1e-5, 0.05, 100, [Charge("counts", 2.0)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"validation": 0.05}, "validation: expected 0"),
        ({"patience": 3}, "patience: expected 0"),
        ({"start": "mean"}, "start: expected 'random'"),
        ({"precision": "bfloat16"}, "precision: expected 'float32'"),
        ({"mixture": 10}, "mixture: expected 0"),
        ({"update": "private"}, "either epsilon or noise"),
        ({"update": PRIVATE | {"epsilon": 1.0}}, "either epsilon or noise"),
        ({"update": {"kind": "private", "epsilon": -1.0}}, "epsilon: expected more than 0"),
        ({"update": PRIVATE | {"delta": 0.5}}, r"delta: expected more than 0 and less than 1 / rows = 0\.025"),
        ({"update": PRIVATE | {"clip": 0.0}}, "clip: expected more than 0"),
        ({"update": PRIVATE | {"noise": -1.0}}, "noise: expected more than 0"),
        ({"update": PRIVATE | {"earlier": [[]]}}, r"earlier: expected \[noise, rate, steps, delta\]"),
        ({"update": PRIVATE | {"accountant": "mine"}}, "accountant: expected one of 'rdp', 'prv'"),
        ({"update": PRIVATE | {"clipp": 1.0}}, "did you mean 'clip'"),
    ],
)
def test_what_is_not_counted_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        private_run(**changes)


def test_rows_that_meet_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    run = private_run()
    run.model.encoder.network.layers.append(torch.nn.BatchNorm1d(8))  # type: ignore[union-attr, operator]
    with pytest.raises(SettingsError, match=r"batch norm at encoder\.network\.layers\.2"):
        Run(run.model, run.settings, run.data, None, 0)
    run = private_run()
    monkeypatch.setattr(NegativeELBO, "couples_rows", True)
    with pytest.raises(SettingsError, match="a sum over rows"):
        next(train(run))
    monkeypatch.delattr(NegativeELBO, "couples_rows")  # what does not say is not taken for safe
    with pytest.raises(AttributeError, match="couples_rows"):
        next(train(run))


def test_a_run_that_was_interrupted_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    whole = private_run()
    list(train(whole))
    asked = iter([False] * 4 + [True])
    first = private_run()
    with pytest.raises(Interrupted):
        list(train(first, Checkpoints(tmp_path), lambda: next(asked)))
    second = private_run()
    assert Checkpoints(tmp_path).restore(second)
    assert second.step == 5
    list(train(second))
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name
    assert whole.history == second.history


def test_a_private_model_says_what_it_cost_and_nothing_about_its_rows(digits: Dataset, tmp_path: Path) -> None:
    seed = secrets.randbits(31)
    generator = DreamGenerator(
        latent_dim=4, hidden_dim=16, batch_size=200, epochs=2, validation=0.0, random_state=seed,
        update={"kind": "private", "epsilon": 3.0, "delta": 1e-5, "clip": 1.0},
    ).fit(digits.train.x, digits.train.labels, out=tmp_path / "model")  # fmt: skip
    save_model(tmp_path / "model", generator.saved_)
    found = load_model(tmp_path / "model")
    assert 2.9 < found.card["privacy"]["epsilon"] <= 3.0
    assert found.card["privacy"]["delta"] == 1e-5
    assert found.history == []
    assert found.codes == {}
    assert found.origin["seed"] is None
    written = b"".join(path.read_bytes() for path in sorted((tmp_path / "model").rglob("*")) if path.is_file())
    assert str(seed).encode() not in written
    assert b"active_units" not in written
    assert sha256(digits.train.x.tobytes()).encode() not in written
    assert generator.dream(2).shape == (2, 8, 8)


def test_somebody_who_looks_for_a_row_finds_less_than_epsilon() -> None:
    """An audit: the same training with and without one row, and the best test that tells the two apart.

    A test of false positive rate a and true positive rate b shows epsilon >= log((b - delta) / a); a and b are
    taken at the ends of their 95% Clopper-Pearson intervals. The statistic is the strongest there is: the released
    sum of one full-batch step, along the row's own clipped gradient.
    """
    asked = settings(batch_size=ROWS, epochs=1, update=PRIVATE | {"noise": 0.8, "delta": 1e-3})
    run = Run(build_model(asked, (4, 4), seed=0), asked, private_run().data, None, seed=0)
    update = update_of(run)
    with_row = Batch(torch.cat([run.data.x[:5], torch.full((1, 4, 4), 50.0)]))
    sums = {}
    for name, batch in (("out", with_row[:5]), ("in", with_row)):
        draws = StepNoise(0).normal((1, 6, 2))[:, : len(batch)]
        _, found = update.clipped_sum(run.model, run.objective, batch, _Fixed(draws), 0, 1)
        sums[name] = torch.cat([g.flatten() for g in found.values()])
    row = sums["in"] - sums["out"]
    trials = 1500
    scores = {"in": [], "out": []}  # type: ignore[var-annotated]
    for world, first in (("in", 0), ("out", trials)):
        for step in range(first, first + trials):
            seen = sums[world] + torch.cat([h.flatten() for h in update.hiding(step)])
            scores[world].append(float((seen - sums["out"]) @ row) / float(row.norm()) ** 2)
    inside, outside = np.array(scores["in"]), np.array(scores["out"])
    bounds = [0.0]
    for threshold in np.linspace(-1, 2.5, 30):
        false, true = (outside > threshold).sum(), (inside > threshold).sum()
        a = stats.beta.ppf(0.975, false + 1, trials - false) if false < trials else 1.0
        b = stats.beta.ppf(0.025, true, trials - true + 1) if true else 0.0
        if b > 1e-3:
            bounds.append(math.log((b - 1e-3) / a))
    stated = epsilon_of([Charge("one step", 0.8)], 1e-3)
    assert 1.0 < max(bounds) < stated  # it does find something: the audit is not blind


def test_without_opacus_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "opacus.accountants", None)
    with pytest.raises(DreamgenError, match=r"pip install 'dreamgen\[private\]'"):
        next(train(private_run(update={"kind": "private", "epsilon": 1.0, "delta": 1e-3})))


def test_every_objective_and_every_update_says_what_it_needs() -> None:
    assert {name: OBJECTIVES[name].couples_rows for name in OBJECTIVES} == {  # type: ignore[attr-defined]
        "elbo": False,
        "iwae": False,
        "perceptual": False,
        "tcvae": True,
    }
    assert {name: UPDATES[name].needs_whole for name in UPDATES} == {  # type: ignore[attr-defined]
        "adversarial": True,
        "factor": False,
        "plain": False,
        "posterior-matching": True,
        "private": False,
    }
