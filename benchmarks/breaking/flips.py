"""`flips`: one bit turned over, or the end cut off, in any file of a model folder. Not one is to load.

It runs in a process of its own, so that a crash is seen as one.
"""

import time
from pathlib import Path
from random import Random

from breaking.models import small_model
from breaking.outcome import Outcome
from breaking.warm import warm_server
from dreamgen.errors import ModelFileError
from dreamgen.io import load_model

_SLOWEST = 1.0  # seconds that a refusal may take
_PIECE = 500  # changes in one process


def run(size: int, seed: int, folder: Path) -> Outcome:
    """`size` changes, spread over the files; every fifth is a cut."""
    outcome, slowest = Outcome(), 0.0
    small_model(folder / "model")
    names = sorted(path.name for path in (folder / "model").iterdir())
    warm = warm_server()
    for start in range(0, size, _PIECE):
        count = min(_PIECE, size - start)
        child = warm.start("flip", folder / "jobs", folder=folder / "model", count=count, seed=seed + start)
        ended = child.wait(_PIECE * 5)
        if ended.code:
            outcome.count(False, f"the process ended with {ended.code}: {ended.err.strip()[-300:]}")
            break
        for failure in ended.result["failures"]:
            outcome.count(False, failure)
        outcome.total += count - len(ended.result["failures"])
        outcome.good += count - len(ended.result["failures"])
        slowest = max(slowest, ended.result["slowest"])
    outcome.note = f"{len(names)} files, the slowest refusal took {slowest * 1000:.0f} ms"
    return outcome


def flip(folder: Path, count: int, seed: int) -> dict[str, object]:
    """Change a model's files in turn, `count` times: what was not refused, and the seconds of the slowest refusal."""
    random, failures, slowest = Random(seed), [], 0.0
    files = sorted(folder.iterdir())
    for number in range(count):
        path = files[number % len(files)]
        content = path.read_bytes()
        position = random.randrange(len(content))
        changed = bytearray(content)
        if number // len(files) % 5 == 4:
            what, changed = f"cut to {position} bytes", changed[:position]
        else:
            bit = random.randrange(8)
            what = f"bit {bit} of byte {position} turned over"
            changed[position] ^= 1 << bit
        path.write_bytes(changed)
        started = time.perf_counter()
        trouble = _trouble(folder)
        slowest = max(slowest, time.perf_counter() - started)
        path.write_bytes(content)
        if slowest > _SLOWEST:
            trouble = trouble or f"took {slowest:.1f} s"
        if trouble:
            failures.append(f"{path.name}, {what}: {trouble}")
    return {"failures": failures, "slowest": slowest}


def _trouble(folder: Path) -> str:
    try:
        load_model(folder)
    except ModelFileError as error:
        return "" if str(error).strip() and "\n" not in str(error) else f"not one line: {error}"
    except Exception as error:
        return f"undeclared {type(error).__name__}: {error}"
    return "it loaded"
