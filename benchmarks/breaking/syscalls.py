"""`syscalls`: one save, killed at every system call it makes, and refused at each that touches a file.

strace attaches to a process that is about to save, and interferes with the n-th call of one kind. Afterwards the old
or the new must load; a refusal must be one line and an exit code; and a save that reports success must be whole.
"""

import contextlib
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch

from breaking.jobs import CHECKPOINT_STEPS
from breaking.models import copy_folder, small_model, small_run
from breaking.outcome import Outcome
from breaking.warm import Ended, Warm, warm_server
from dreamgen.errors import DreamgenError
from dreamgen.io import load_model
from dreamgen.training import Checkpoints, train

_ERRORS = ("ENOSPC", "EIO", "EACCES")
_REFUSED = re.compile(r"(p?write|f(data)?sync|rename|open|mkdir|unlink|close)\w*")
_READS = re.compile(r"(p?read|open|newfstat|stat|lstat|statx)\w*")
_MUST_SAY = re.compile(r"(p?write|f(data)?sync|rename|open)\w*")  # a refusal of these is never passed over
_ONE_LINE = re.compile(r"dreamgen: [^\n]+\n")


@dataclass(frozen=True)
class Scenario:
    """Something that touches files.

    Attributes:
        name: for the failures.
        job: of `breaking.jobs`, which stops itself just before.
        arguments: of the job, beside the folder.
        before: the folder as it is at the start.
        state: which of "old" and "new" a folder holds; anything else is a failure.
        refused: the calls that are refused.
    """

    name: str
    job: str
    arguments: dict[str, Any]
    before: Path
    state: Callable[[Path], str]
    refused: re.Pattern[str]


def run(size: int, seed: int, folder: Path) -> Outcome:
    """At most `size` interferences in each scenario, all of them if there are no more."""
    outcome = Outcome()
    if not shutil.which("strace"):
        outcome.skipped = "strace is not installed"
        return outcome
    if not _may_trace():
        outcome.skipped = "strace may not attach to a process here"
        return outcome
    counts = []
    warm = warm_server()
    for scenario in (_model(folder), _checkpoint(folder), _loading(folder)):
        before = outcome.total
        _interfere(warm, scenario, folder / "place", size, Random(seed), outcome)
        counts.append(f"{outcome.total - before} {scenario.name}")
    outcome.note = ", ".join(counts)
    return outcome


def _may_trace() -> bool:
    with subprocess.Popen(["sleep", "5"]) as sleeper:
        try:
            with _attached(sleeper.pid, [], Path("/dev/null")):
                return True
        except RuntimeError:
            return False
        finally:
            sleeper.kill()


def _model(folder: Path) -> Scenario:
    old, new = folder / "old", folder / "new"
    small_model(old)
    small_model(new, epochs=2)
    weights = {name: load_model(path).model.state_dict() for name, path in (("old", old), ("new", new))}

    def state(place: Path) -> str:
        saved = load_model(place)
        epochs = {1: "old", 2: "new"}[len(saved.history)]
        return epochs if _same(saved.model.state_dict(), weights[epochs]) else "mixed"

    return Scenario("over a model", "save_over", {"source": new}, old, state, _REFUSED)


def _checkpoint(folder: Path) -> Scenario:
    whole, begun = small_run(), small_run()
    list(train(whole))
    for _ in train(begun, Checkpoints(folder / "begun")):
        if begun.history:
            break

    def state(place: Path) -> str:
        run = small_run()
        if not Checkpoints(place).restore(run):
            return "neither"
        found = dict(zip(CHECKPOINT_STEPS, ("old", "new"), strict=True))[run.step]
        list(train(run))
        return found if _same(run.model.state_dict(), whole.model.state_dict()) else "another end"

    return Scenario("of a checkpoint", "save_checkpoint", {}, folder / "begun", state, _REFUSED)


def _loading(folder: Path) -> Scenario:
    def state(place: Path) -> str:
        load_model(place)
        return "new"

    return Scenario("while loading", "load", {}, folder / "old", state, _READS)


def _same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def _interfere(warm: Warm, scenario: Scenario, place: Path, size: int, random: Random, outcome: Outcome) -> None:
    log = place.with_name("log")
    ended = _traced(warm, scenario, place, [], log)
    if ended.code or _state(scenario, place) != "new":
        outcome.count(False, f"{scenario.name}: failed by itself: {ended.err.strip()[-300:]}")
        return
    seen: Counter[str] = Counter()
    plans = []
    for name in re.findall(r"^(\w+)\(", log.read_text(), re.MULTILINE):
        seen[name] += 1
        effects = ["signal=KILL"] if scenario.job != "load" else []
        if scenario.refused.fullmatch(name):
            effects += [f"error={error}" for error in _ERRORS]
        plans += [(name, effect, seen[name]) for effect in effects if name != "exit_group"]
    for name, effect, number in sorted(random.sample(plans, min(size, len(plans)))):
        ended = _traced(warm, scenario, place, ["-e", f"inject={name}:{effect}:when={number}"], log)
        if effect == "signal=KILL" and ended.code == 0:
            continue  # calls for memory vary from process to process: this one was not reached
        trouble = _trouble(scenario, place, ended, name, effect)
        outcome.count(not trouble, f"{scenario.name}, {name} {number}, {effect}: {trouble}")


def _trouble(scenario: Scenario, place: Path, ended: Ended, name: str, effect: str) -> str:
    """What went wrong, or nothing."""
    try:
        state = _state(scenario, place)
    except Exception as error:
        return f"nothing loads: {type(error).__name__}: {error}"
    if state not in ("old", "new"):
        return f"{state} loads"
    if effect == "signal=KILL":
        return "" if ended.code == -signal.SIGKILL else f"exit code {ended.code}"
    if ended.code == 0:
        if scenario.job != "load" and _MUST_SAY.fullmatch(name):
            return "the refusal was passed over in silence"
        return "" if state == "new" else "success was reported and the old is there"
    declared = {kind.exit_code for kind in DreamgenError.__subclasses__()}
    if ended.code not in declared or not _ONE_LINE.fullmatch(ended.err):
        return f"exit code {ended.code}: {ended.err.strip()[-300:]}"
    return ""


def _state(scenario: Scenario, place: Path) -> str:
    return scenario.state(place)


def _traced(warm: Warm, scenario: Scenario, place: Path, options: list[str], log: Path) -> Ended:
    copy_folder(scenario.before, place)
    child = warm.start(scenario.job, place.with_name("jobs"), folder=place, **scenario.arguments)
    _wait_until_stopped(child.pid)
    with _attached(child.pid, options, log):
        child.kill(signal.SIGCONT)
        return child.wait()


def _wait_until_stopped(pid: int) -> None:
    status = Path(f"/proc/{pid}/stat")
    for _ in range(10_000):
        if status.read_text().rpartition(")")[2].split()[0] in "TZ":
            return
        time.sleep(0.002)
    raise RuntimeError("a job did not stop before its save")


@contextlib.contextmanager
def _attached(pid: int, options: list[str], log: Path) -> Iterator[None]:
    """strace, attached to a process until that ends."""
    command = ["strace", "-p", str(pid), "-o", str(log), *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None
        said = tracer.stderr.readline()
        if "attached" not in said:
            tracer.kill()
            raise RuntimeError(f"strace: {said.strip()}")
        try:
            yield
        finally:
            with contextlib.suppress(subprocess.TimeoutExpired):
                tracer.wait(0.5)
            tracer.terminate()
