"""Runs: repeatable, resumable to the byte, hard to kill, and clear when numbers go bad."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dreamgen import Batch, DreamGenerator, Settings, build_model
from dreamgen.data import Dataset
from dreamgen.errors import DivergedError, Interrupted, ModelFileError, OutputError, SettingsError
from dreamgen.training import OPTIMIZERS, Checkpoints, Run, checkpoint, loop, train
from dreamgen.training.checkpoint import locked

SETTINGS = Settings(latent_dim=3, hidden_dim=16, epochs=3, batch_size=32)


def new_run(settings: Settings = SETTINGS, seed: int = 0, rows: int = 200) -> Run:
    x = torch.from_numpy(np.random.default_rng(9).random((rows, 4, 4), dtype=np.float32))
    return Run(build_model(settings, (4, 4), seed=seed), settings, Batch(x[20:]), Batch(x[:20]), seed, "hash")


def weights(run: Run) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in run.model.state_dict().items()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_the_same_seed_gives_the_same_weights_and_another_seed_does_not() -> None:
    first, second, other = new_run(), new_run(), new_run(seed=1)
    for run in (first, second, other):
        list(train(run))
    assert same(weights(first), weights(second))
    assert first.history == second.history
    assert not same(weights(first), weights(other))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"average": 0.9},
        {"optimizer": {"kind": "adamw", "weight_decay": 0.1}, "binarise": "dynamic"},
        {"objective": {"kind": "iwae", "samples": 3}, "precision": "bfloat16"},
        {"beta": {"kind": "cyclical"}, "free_bits": 0.1, "validation": 0.0},
    ],
)
@pytest.mark.parametrize("stop_at", [1, 6, 9, 17])
def test_a_stopped_run_goes_on_to_the_same_bytes(changes: dict[str, object], stop_at: int, tmp_path: Path) -> None:
    settings = SETTINGS.replace(**changes)
    whole = new_run(settings)
    list(train(whole))
    part = new_run(settings)
    with pytest.raises(Interrupted, match="of 18 steps"):
        list(train(part, Checkpoints(tmp_path), stop=lambda: part.step >= stop_at))
    again = new_run(settings)
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.restore(again)
    assert again.step == stop_at
    list(train(again, checkpoints))
    assert same(weights(again), weights(whole))
    assert again.history == whole.history


def test_the_seconds_of_a_run_are_those_of_all_its_sessions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        """A second passes at each look."""

        now = 0.0

        def perf_counter(self) -> float:
            self.now += 1.0
            return self.now

    monkeypatch.setattr(loop, "time", Clock())
    whole, part, again = new_run(), new_run(), new_run()
    list(train(whole))
    assert whole.seconds == 18 + 1  # a look after each step, and one at the end
    with pytest.raises(Interrupted):
        list(train(part, Checkpoints(tmp_path), stop=lambda: part.step >= 7))
    assert part.seconds == 7
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.restore(again)
    list(train(again, checkpoints))
    assert again.seconds == whole.seconds


def test_checkpoints_keep_the_last_two_and_the_best(tmp_path: Path) -> None:
    run = new_run(SETTINGS.replace(save_every=4))
    list(train(run, Checkpoints(tmp_path)))
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["best.safetensors", "step-00000016.safetensors", "step-00000018.safetensors"]


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path) -> None:
    whole = new_run()
    list(train(whole))
    list(train(new_run(), Checkpoints(tmp_path)))
    newest = Checkpoints(tmp_path).found()[0]
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    again = new_run()
    with pytest.warns(UserWarning, match="changed or cut short"):
        assert Checkpoints(tmp_path).restore(again)
    assert again.step == 12
    list(train(again, Checkpoints(tmp_path)))
    assert same(weights(again), weights(whole))


def test_when_no_checkpoint_is_whole_it_says_so(tmp_path: Path) -> None:
    list(train(new_run(), Checkpoints(tmp_path)))
    for path in Checkpoints(tmp_path).found():
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.warns(UserWarning, match="before it"), pytest.raises(ModelFileError, match="step-"):
        Checkpoints(tmp_path).restore(new_run())


@pytest.mark.parametrize(
    ("other", "text"),
    [
        (new_run(SETTINGS.replace(beta=2.0)), "beta = 1.0, now 2.0"),
        (new_run(seed=5), "seed: 0, now 5"),
    ],
)
def test_a_run_is_not_resumed_as_another(other: Run, text: str, tmp_path: Path) -> None:
    list(train(new_run(), Checkpoints(tmp_path)))
    with pytest.raises(SettingsError, match=text):
        Checkpoints(tmp_path).restore(other)


def test_another_number_of_threads_is_said(tmp_path: Path) -> None:
    list(train(new_run(), Checkpoints(tmp_path)))
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    try:
        with pytest.warns(UserWarning, match="threads"):
            Checkpoints(tmp_path).restore(new_run())
    finally:
        torch.set_num_threads(threads)


def test_a_second_run_in_a_folder_is_refused_and_the_lock_dies_with_its_process(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from dreamgen.training.checkpoint import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(OutputError, match="in use by another run"), locked(tmp_path):
        pass
    holder.kill()
    holder.wait()
    holder.stdout.close()
    with locked(tmp_path):
        pass


def test_early_stopping_keeps_the_best_epoch() -> None:
    # Random pictures cannot be generalised from: the validation loss soon rises.
    settings = Settings(latent_dim=8, hidden_dim=64, epochs=200, batch_size=16, patience=3, learning_rate=0.01)
    run = new_run(settings, rows=60)
    list(train(run))
    losses = [record["validation"] for record in run.history]
    assert len(losses) < 200
    best = int(np.argmin(losses)) + 1
    assert run.best.epoch == best
    assert len(losses) == best + 3
    assert run.validation_loss() == pytest.approx(min(losses), rel=1e-5)


class _Once:
    """A data set that turns bad at one step."""

    def __init__(self, run: Run, step: int) -> None:
        self.run, self.step, self.prepare = run, step, run.prepare

    def __call__(self, batch: Batch, noise: object) -> Batch:
        prepared = self.prepare(batch, noise)  # type: ignore[arg-type]
        if self.run.step == self.step:
            prepared.x[3] = float("nan")
        return prepared


def test_a_loss_that_is_not_finite_stops_within_the_step_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    run = new_run()
    run.prepare = _Once(run, 8)  # type: ignore[method-assign]
    with pytest.raises(DivergedError, match=r"step 8.*distortion.*1 of the batch's 32.*the data"):
        list(train(run, Checkpoints(tmp_path)))
    assert all(torch.isfinite(value).all() for value in weights(run).values())
    assert [path.name for path in Checkpoints(tmp_path).found()] == ["step-00000006.safetensors"]


def test_a_bad_layer_is_named(tmp_path: Path) -> None:
    run = new_run()
    handle = run.model.decoder.network.layers[1].register_forward_hook(lambda *_: torch.full((1, 32, 16), torch.inf))
    with pytest.raises(DivergedError, match=r"distortion.*layer decoder\.network"):
        list(train(run))
    handle.remove()
    with torch.no_grad():
        run.model.encoder.posterior.loc.weight[0, 0] = torch.nan
    with pytest.raises(DivergedError, match=r"the parameter encoder\.posterior\.loc\.weight"):
        list(train(run))


def test_weights_that_are_not_finite_are_never_saved(tmp_path: Path) -> None:
    run = new_run()
    with torch.no_grad():
        run.model.encoder.posterior.loc.weight[0, 0] = torch.nan
    with pytest.raises(DivergedError, match="not finite"):
        Checkpoints(tmp_path).save(run)
    assert Checkpoints(tmp_path).found() == []


def test_the_learning_rate_must_be_positive() -> None:
    with pytest.raises(SettingsError, match="learning_rate"):
        new_run(SETTINGS.replace(learning_rate=0.0))


@pytest.mark.parametrize("rows", [1, 2, 10])
def test_few_rows_train_and_say_so(rows: int, digits: Dataset) -> None:
    generator = DreamGenerator(latent_dim=2, hidden_dim=8, epochs=2, random_state=0)
    with pytest.warns(UserWarning, match=rf"fewer rows \({rows}\) than a batch"):
        generator.fit(digits.train.x[:rows])
    assert generator.dream(2, seed=0).shape == (2, 8, 8)


KILLED = """
import sys
from dreamgen import DreamGenerator, load_data
x = load_data("digits").train.x
generator = DreamGenerator(latent_dim=4, hidden_dim=32, batch_size=32, epochs=12, save_every=3, random_state=0)
generator.fit(x, out=sys.argv[1], resume=True).save(sys.argv[1])
"""


def test_a_killed_run_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    def start(folder: Path) -> subprocess.Popen[bytes]:
        one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen([sys.executable, "-c", KILLED, str(folder)], env=one_thread)

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(whole).wait() == 0
    deaths = 0
    for kills in range(3):
        process = start(killed)
        seen = time.monotonic() + 60
        # Wait until this life has written a checkpoint of its own, then kill it in the middle of things.
        newest = max(killed.glob("checkpoints/step-*"), default=None)
        while process.poll() is None and time.monotonic() < seen:
            if max(killed.glob("checkpoints/step-*.safetensors"), default=None) != newest:
                break
            time.sleep(0.005)
        time.sleep(0.03 * kills)
        process.send_signal(signal.SIGKILL)
        deaths += process.wait() == -signal.SIGKILL
    assert deaths >= 2
    assert start(killed).wait() == 0
    for name in ("model.safetensors", "history.json", "config.json", "codes.safetensors"):
        assert (killed / name).read_bytes() == (whole / name).read_bytes(), name


def test_a_run_without_a_seed_goes_on_with_the_one_it_was_given(digits: Dataset, tmp_path: Path) -> None:
    generator = DreamGenerator(latent_dim=2, hidden_dim=8, batch_size=64, epochs=2)
    generator.fit(digits.train.x[:200], out=tmp_path)
    again = DreamGenerator(latent_dim=2, hidden_dim=8, batch_size=64, epochs=2)
    again.fit(digits.train.x[:200], out=tmp_path, resume=True)
    assert again.seed_ == generator.seed_
    np.testing.assert_array_equal(again.dream(2, seed=0), generator.dream(2, seed=0))


def test_a_finished_model_is_not_overwritten(trained: DreamGenerator, digits: Dataset, tmp_path: Path) -> None:
    trained.save(tmp_path)
    for resume in (False, True):
        with pytest.raises(SettingsError, match="choose another folder"):
            DreamGenerator(batch_size=64, epochs=1).fit(digits.train.x[:100], out=tmp_path, resume=resume)


def test_a_blow_up_in_the_last_step_is_not_returned() -> None:
    run = new_run(SETTINGS.replace(validation=0.0, epochs=1, batch_size=200, learning_rate=1e38))
    run.validation = None
    with pytest.raises(DivergedError, match="at step 0: a weight"):
        list(train(run))


@pytest.mark.parametrize("kind", ["adam", "adamw"])
def test_the_optimizers_are_torchs(kind: str) -> None:
    random = torch.Generator().manual_seed(0)
    start = [torch.randn(4, 3, generator=random), torch.randn(5, generator=random)]
    mine = [torch.nn.Parameter(value.clone()) for value in start]
    theirs = [torch.nn.Parameter(value.clone()) for value in start]
    optimizer = OPTIMIZERS.build({"kind": kind, "beta1": 0.8, "beta2": 0.95}, parameters=mine)
    reference = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[kind](theirs, lr=0.01, betas=(0.8, 0.95))
    for step in range(5):
        for one, other in zip(mine, theirs, strict=True):
            one.grad = torch.randn(one.shape, generator=random)
            other.grad = one.grad.clone()
        reference.param_groups[0]["lr"] = rate = 0.01 * (step + 1)
        optimizer.step(rate)
        reference.step()
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("bad", [{"beta1": 1.0}, {"beta2": -0.1}])
def test_an_optimizer_that_is_not_right_is_refused(bad: dict[str, float]) -> None:
    with pytest.raises(SettingsError, match="expected 0 <= beta"):
        OPTIMIZERS.build({"kind": "adam", **bad}, parameters=[])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("where", ["bias", "exp_avg_sq", "step", "gradient"])
@pytest.mark.parametrize("gradients", ["auto", "autograd"])
def test_what_the_loss_cannot_see_stops_the_run_within_a_step(
    gradients: str, where: str, value: float, tmp_path: Path
) -> None:
    # A rectifier hides a bias of -infinity, and Adam an infinite square: both only stop learning.
    run = new_run(SETTINGS.replace(batch_size=10, gradients=gradients))
    bias, move = run.model.encoder.network.layers[0].bias, run.update._optimizer.step  # type: ignore[attr-defined]
    state = run.update.state()[0]
    spoilt = {"bias": bias, "exp_avg_sq": state["1.exp_avg_sq"], "step": state["1.step"]}

    def spoil(rate: float) -> torch.Tensor:
        if run.step == 4:
            with torch.no_grad():
                (bias.grad if where == "gradient" else spoilt[where]).view(-1)[0] = value
        return move(rate)

    run.update._optimizer.step = spoil  # type: ignore[attr-defined]
    with pytest.raises(DivergedError, match="at step 4: a weight, or the running mean"):
        list(train(run, Checkpoints(tmp_path)))
    assert run.step == 4


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_bad_data_is_noticed_before_it_is_binarised(value: float) -> None:
    run = new_run(SETTINGS.replace(binarise="dynamic"))
    run.data.x[5, 1, 1] = value
    with pytest.raises(DivergedError, match="the data holds NaN or infinity"):
        list(train(run))
    assert run.step < 6


def test_a_model_that_no_machine_trains_is_refused_before_memory_is_taken(digits: Dataset) -> None:
    with pytest.raises(SettingsError, match=r"at most 1,073,741,824 weights, got 2,199"):
        DreamGenerator(hidden_dim=[1 << 20, 1 << 20]).fit(digits.train.x)


def sealed(tensors: dict[str, torch.Tensor], values: dict[str, Any], path: Path) -> None:
    """Write a checkpoint that is whole, whatever it says."""
    checkpoint._write(path, tensors, values)


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors, values: tensors.update({"os.system": torch.zeros(1)}),
        lambda tensors, values: tensors.pop("update.0.exp_avg"),
        lambda tensors, values: tensors.update({"update.0.exp_avg": torch.zeros(1, 2, 3)}),
        lambda tensors, values: values.update(step=-1),
        lambda tensors, values: values.update(step=10**30),
        lambda tensors, values: values.update(step="1"),
        lambda tensors, values: values.update(sums=[1, 2]),
        lambda tensors, values: values.update(sums="none"),
        lambda tensors, values: values.update(history=[1, 2, 3]),
        lambda tensors, values: values.update(history=[]),
        lambda tensors, values: values.update(best=None),
        lambda tensors, values: values.update(best=[99, 1.0]),
        lambda tensors, values: values.update(best=[1, "low"]),
        lambda tensors, values: values.pop("update"),
    ],
)
def test_a_whole_checkpoint_that_says_nonsense_is_refused(change: Callable[..., object], tmp_path: Path) -> None:
    list(train(new_run(), Checkpoints(tmp_path)))
    path = Checkpoints(tmp_path).found()[0]
    tensors, values = checkpoint._read(path)
    change(tensors, values)
    sealed(tensors, values, path)
    with pytest.raises(ModelFileError, match="does not fit the run"):
        Checkpoints(tmp_path).restore(new_run())


def test_the_best_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    list(train(new_run(), Checkpoints(tmp_path)))
    sealed({"other": torch.zeros(2)}, {"epoch": 3}, tmp_path / "checkpoints" / "best.safetensors")
    with pytest.raises(ModelFileError, match="other weights"):
        Checkpoints(tmp_path).restore(new_run())


def test_best_weights_of_an_earlier_epoch_than_the_run_knows_are_refused(tmp_path: Path) -> None:
    list(train(new_run(), Checkpoints(tmp_path)))
    best = tmp_path / "checkpoints" / "best.safetensors"
    weights, told = checkpoint._read(best)
    sealed(weights, {"epoch": told["epoch"] - 1}, best)
    with pytest.raises(ModelFileError, match="holds the weights of epoch"):
        Checkpoints(tmp_path).restore(new_run())
    sealed(weights, {}, best)
    with pytest.raises(ModelFileError, match="does not fit the run"):
        Checkpoints(tmp_path).restore(new_run())


def test_a_pipe_in_the_place_of_a_checkpoint_is_passed_over(tmp_path: Path) -> None:
    list(train(new_run(), Checkpoints(tmp_path)))
    newest = Checkpoints(tmp_path).found()[0]
    newest.unlink()
    os.mkfifo(newest)
    run = new_run()
    with pytest.warns(UserWarning, match="a pipe or a device.*; trying the checkpoint before it"):
        assert Checkpoints(tmp_path).restore(run)
    assert run.step == 12


def test_a_step_of_nine_digits_is_newer_than_one_of_eight(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    for step in (99_999_999, 100_000_000):
        (tmp_path / "checkpoints" / f"step-{step:08d}.safetensors").touch()
    assert Checkpoints(tmp_path).found()[0].stem == "step-100000000"


def test_where_an_old_checkpoint_cannot_be_dropped_or_listed_one_error_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(self: Path, **options: bool) -> Any:
        raise PermissionError(13, "Permission denied", str(self))

    list(train(new_run(), Checkpoints(tmp_path)))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", refuses)
        with pytest.raises(ModelFileError, match=r"cannot read .*checkpoints: Permission denied"):
            Checkpoints(tmp_path).found()
    run = new_run()
    Checkpoints(tmp_path).restore(run)
    run.step += 1
    unlink = Path.unlink
    monkeypatch.setattr(
        Path, "unlink", lambda self, **o: refuses(self) if self.suffix != ".next" else unlink(self, **o)
    )
    with pytest.raises(OutputError, match=r"cannot write .*checkpoints: Permission denied"):
        Checkpoints(tmp_path).save(run)
