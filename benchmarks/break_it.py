"""Try to break dreamgen, and count how often it held.

    python benchmarks/break_it.py                                 everything, some twenty minutes on two cores
    python benchmarks/break_it.py --quick                         the short form, which the tests run too
    python benchmarks/break_it.py --only kills --only flips       some parts
    python benchmarks/break_it.py --only atheris --seconds 600    a fuzzer that has to be installed first

One line a part: how many attempts were withstood, of how many, in how many seconds. Exit code 1 if any was not.
"""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

from breaking import bad_numbers, flips, fuzz, hostile, kills, resume, syscalls, words
from breaking.outcome import Part, timed

# Attempts in the long form, and in the short one.
PARTS: dict[str, tuple[Part, int, int]] = {
    "kills": (kills.run, 200, 5),
    "syscalls": (syscalls.run, 1000, 5),
    "flips": (flips.run, 10_000, 600),
    "hostile": (hostile.run, 1000, 12),
    "resume": (resume.run, 20, 4),
    "nan": (bad_numbers.run, 100, 12),
    "fuzz": (words.run, 2000, 20),
}


def main(arguments: list[str] | None = None) -> int:
    """Run the parts that are asked for; the exit code."""
    parser = argparse.ArgumentParser(description="Try to break dreamgen, and count how often it held.")
    parser.add_argument("--only", action="append", choices=[*PARTS, "atheris"], help="a part; may be repeated")
    parser.add_argument("--quick", action="store_true", help="the short form")
    parser.add_argument("--seed", type=int, default=0, help="of everything random")
    parser.add_argument("--seconds", type=int, default=300, help="for atheris")
    parser.add_argument("--json", action="store_true", help="one JSON object at the end")
    asked = parser.parse_args(arguments)
    outcomes = {}
    with tempfile.TemporaryDirectory() as folder:
        for name in asked.only or PARTS:
            if name == "atheris":
                part, size = fuzz.run, asked.seconds
            else:
                part, *sizes = PARTS[name]
                size = sizes[asked.quick]
            outcomes[name] = timed(part, size, asked.seed, Path(folder) / name)
            print(outcomes[name].line(name), flush=True)
    if asked.json:
        print(json.dumps({"seed": asked.seed, "parts": {name: one.to_dict() for name, one in outcomes.items()}}))
    return int(not all(outcome.passed for outcome in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main())
