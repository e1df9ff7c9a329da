"""`kills`: training processes killed at random moments, each resumed until it is done.

A kill counts as withstood when the run it hit ends with the very bytes of the run that nobody touched, and when no
checkpoint that was on disk before a kill is lost by it.
"""

import time
from pathlib import Path
from random import Random

from breaking.models import contents
from breaking.outcome import Outcome
from breaking.warm import Warm, warm_server
from dreamgen.training import Checkpoints


def run(size: int, seed: int, folder: Path) -> Outcome:
    """`size` kills."""
    outcome, random, inside, runs = Outcome(), Random(seed), 0, 0
    warm = warm_server()
    for name in ("whole", "again"):  # the first also waits for the server
        started = time.perf_counter()
        warm.start("fit", folder / "jobs", folder=folder / name).wait()
        length = time.perf_counter() - started
    expected = contents(folder / "whole")
    while outcome.total < size:
        place, runs = folder / f"run-{runs}", runs + 1
        kills, writing, trouble = _kill_until_done(warm, place, length, random, size - outcome.total)
        if not trouble and contents(place) != expected:
            trouble = "another model came out"
        for _ in range(kills):
            outcome.count(not trouble, f"run {runs}: {trouble}")
        inside += writing
    outcome.note = f"{runs} runs of {length:.2f} s, {inside} kills inside a write"
    return outcome


def _kill_until_done(warm: Warm, place: Path, length: float, random: Random, most: int) -> tuple[int, int, str]:
    """Start a run again and again: how often it was killed, how often while it wrote, and what went wrong."""
    kills = writing = newest = 0
    while True:
        child = warm.start("fit", place.with_name("jobs"), folder=place)
        if kills < most:
            time.sleep(random.uniform(0, 0.7 * length))  # a resumed life is shorter than a whole one
            child.kill()
        ended = child.wait()
        if ended.code == 0:
            return kills, writing, ""
        if ended.code != -9 or ended.hung:
            return kills, writing, f"exit code {ended.code}: {ended.err.strip()[-300:]}"
        kills += 1
        writing += any(place.rglob("*.next"))
        found = _newest_step(place)
        if found < newest:
            return kills, writing, f"the checkpoint of step {newest} is lost, {found} is left"
        newest = found


def _newest_step(place: Path) -> int:
    return max((int(path.stem.removeprefix("step-")) for path in Checkpoints(place).found()), default=0)
