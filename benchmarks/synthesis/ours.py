"""Our synthesizer, or a baseline, as a process of its own: reads a CSV file, writes one, and says what it took.

    python benchmarks/synthesis/ours.py WHO TRAIN.csv ROWS SEED OUT.csv [SETTINGS]

SETTINGS is a JSON object. Prints one JSON object on the last line: seconds of the fit, seconds of drawing, and the
largest memory that the process ever held, in MB.
"""

import json
import sys
import time
from pathlib import Path

from memory import peak_mb

who, source, rows, seed, out, *more = sys.argv[1:]

if __name__ == "__main__":
    settings = json.loads(more[0]) if more else {}
    started = time.perf_counter()
    if who == "ours":
        from dreamgen.applications.synthesis.synthesizer import Synthesizer
        from dreamgen.tables import write_table

        imports = peak_mb()
        model = Synthesizer(settings=settings, random_state=int(seed)).fit(source)
        fitted = time.perf_counter()
        table = model.sample_table(int(rows), seed=int(seed))
        told = {"priors": model.priors_, "epochs": model.model_.saved.card["epochs"], "imports_mb": imports}
    else:
        import baselines
        import pyarrow.csv as csv

        from dreamgen.tables import write_table

        options = csv.ConvertOptions(strings_can_be_null=True, null_values=[""], quoted_strings_can_be_null=True)
        train = csv.read_csv(source, convert_options=options)
        fitted = time.perf_counter()
        table = getattr(baselines, who)(train, int(rows), int(seed))
        told = {}
    drawn = time.perf_counter()
    write_table(Path(out), table)
    print(json.dumps({"fit": fitted - started, "sample": drawn - fitted, "peak_mb": peak_mb(), **told}))
