"""`atheris`: every parser under a fuzzer that watches which lines it reaches, each in a process of its own.

pip install atheris
python benchmarks/break_it.py --only atheris --seconds 600
"""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

from breaking.outcome import Outcome
from breaking.parsers import EXAMPLES, PARSERS, Bench, holds

_SLOWEST = 20  # seconds that one input may take
_MEMORY = 4096  # MiB


def run(size: int, seed: int, folder: Path) -> Outcome:
    """`size` seconds in all, shared among the parsers."""
    outcome, tries = Outcome(), 0
    if not importlib.util.find_spec("atheris"):
        outcome.skipped = "atheris is not installed: pip install atheris"
        return outcome
    for name in PARSERS:
        place = folder / name.replace(" ", "-")
        place.mkdir()
        ended = _fuzz(name, max(1, size // len(PARSERS)), seed, place)
        found = re.findall(r"stat::number_of_executed_units: (\d+)", ended.stderr)
        tries += int(found[-1]) if found else 0
        saved = sorted(path for path in place.glob("found-*"))
        errors = re.findall(r"^(?:\w+\.)*\w*(?:Error|Exception|Warning|Interrupt)\b.*", ended.stderr, re.MULTILINE)
        reason = errors[0] if errors else ended.stderr.strip()[-300:]
        shown = saved[0].read_bytes()[:200] if saved else b""
        outcome.count(not ended.returncode, f"{name}: exit code {ended.returncode}, {reason} on {shown!r}")
    outcome.note = f"parsers, after {tries} inputs"
    return outcome


def _fuzz(name: str, seconds: int, seed: int, place: Path) -> "subprocess.CompletedProcess[str]":
    code = "import sys; from breaking.fuzz import feed; feed(sys.argv)"
    paths = [str(Path(__file__).parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    options = [
        f"-max_total_time={seconds}", f"-seed={seed + 1}", f"-timeout={_SLOWEST}", f"-rss_limit_mb={_MEMORY}",
        f"-artifact_prefix={place}/found-", "-print_final_stats=1", "-max_len=65536",
    ]  # fmt: skip
    return subprocess.run(
        [sys.executable, "-c", code, name, str(place), *options],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def feed(arguments: list[str]) -> None:
    """In the process of one parser: the fuzzer's own loop, which does not return."""
    import atheris

    _, name, place, *options = arguments
    bench = Bench(Path(place) / "bench")
    bench.folder.mkdir()
    corpus = Path(place) / "corpus"
    corpus.mkdir()
    for number, example in enumerate(EXAMPLES[name](bench)):
        (corpus / str(number)).write_bytes(example)
        holds(PARSERS[name], bench, example)  # warm, so that only what it reads is watched
    for module in [module for key, module in sys.modules.items() if key.startswith(("dreamgen.", "PIL.", "zipfile"))]:
        for value in list(vars(module).values()):
            if getattr(value, "__module__", None) == module.__name__ and hasattr(value, "__code__"):
                atheris.instrument_func(value)
    atheris.Setup(
        [arguments[0], *options, str(corpus)], lambda content: holds(PARSERS[name], bench, content) and None
    )
    atheris.Fuzz()
