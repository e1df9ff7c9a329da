"""`resume`: a run stopped after any of its steps, in an epoch or between two, goes on to the same bytes.

Under another number of threads the sums round otherwise, so there the run must warn.
"""

import warnings
from pathlib import Path
from random import Random

import torch

from breaking.models import contents, small_generator
from breaking.outcome import Outcome
from dreamgen import DreamGenerator, load_data
from dreamgen.errors import Interrupted
from dreamgen.training import Record

_KINDS = (
    {},
    {"average": 0.9, "binarise": "dynamic"},
    {"objective": {"kind": "iwae", "samples": 3}, "optimizer": "adamw", "patience": 2},
    {"beta": {"kind": "cyclical"}, "validation": 0.0, "precision": "bfloat16"},
)


def run(size: int, seed: int, folder: Path) -> Outcome:
    """`size` stops, each resumed, and one more resumed under another number of threads."""
    outcome, random = Outcome(), Random(seed)
    data = load_data("digits").train.x[:400]
    threads = torch.get_num_threads()
    between = 0
    for number, kind in enumerate(_KINDS[:size]):
        generator = small_generator(**kind)
        whole = folder / f"whole-{number}"
        last = _fit(generator, data, whole)
        steps_per_epoch = -(-last // 4)
        share = len(range(number, size, len(_KINDS)))
        ends = [epoch * steps_per_epoch for epoch in (1, 2, 3)]
        inside = [step for step in range(1, last) if step not in ends]
        stops = random.sample(ends, min(len(ends), share // 3)) + random.sample(inside, share - min(3, share // 3))
        between += sum(step in ends for step in stops)
        for step in stops:
            place = folder / f"stop-{number}-{step}"
            _stop_after(generator, data, place, step)
            _fit(small_generator(**kind), data, place)
            outcome.count(contents(place) == contents(whole), f"{kind}: stopped after step {step} of {last}")
    _stop_after(small_generator(), data, folder / "threads", 5)
    torch.set_num_threads(threads + 1)
    try:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            _fit(small_generator(), data, folder / "threads")
    finally:
        torch.set_num_threads(threads)
    warned = any(f"threads {threads} and goes on with {threads + 1}" in str(warning.message) for warning in said)
    outcome.count(warned, "another number of threads was not said")
    outcome.note = f"{between} between epochs, and one under another number of threads"
    return outcome


def _fit(generator: DreamGenerator, data: object, place: Path) -> int:
    """Train to the end and save; the number of steps."""
    steps: list[int] = [0]

    def note(record: Record) -> None:
        steps.append(record.step)

    generator.fit(data, out=place, resume=True, on_record=note).save(place)  # type: ignore[arg-type]
    return max(steps)


def _stop_after(generator: DreamGenerator, data: object, place: Path, step: int) -> None:
    asked = iter(range(1, step + 1))
    try:
        generator.fit(data, out=place, stop=lambda: next(asked) == step)  # type: ignore[arg-type]
    except Interrupted:
        return
    raise AssertionError("the run was not stopped")
