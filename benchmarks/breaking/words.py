"""`fuzz`: good examples of everything that is read, damaged at random, to every parser. None may fail undeclared."""

import traceback
from pathlib import Path
from random import Random

from breaking.outcome import Outcome
from breaking.parsers import EXAMPLES, PARSERS, Bench, damaged, holds


def run(size: int, seed: int, folder: Path) -> Outcome:
    """`size` inputs to each parser; a tenth as many to the one that draws."""
    outcome, read = Outcome(), 0
    bench = Bench(folder)
    for name, parse in PARSERS.items():
        random, examples = Random(seed), EXAMPLES[name](bench)
        for number in range(size // 10 if name == "map" else size):
            content = examples[number] if number < len(examples) else damaged(random.choice(examples), random)
            try:
                read += holds(parse, bench, content)
            except Exception as error:
                place = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{Path(place.filename).name}:{place.lineno}"
                outcome.count(False, f"{name}: {type(error).__name__} in {where}: {error} on {content[:100]!r}"[:400])
            else:
                outcome.count(True, "")
    outcome.note = f"{len(PARSERS)} parsers, {read} inputs were read and the others refused"
    return outcome
