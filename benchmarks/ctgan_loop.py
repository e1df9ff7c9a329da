"""The same work by CTGAN's TVAE, in an environment of its own that has no dreamgen.

    python benchmarks/ctgan_loop.py TRAIN.csv ROWS SEED OUT.csv EPOCHS

It takes no missing numbers, so they are filled with the median; a missing category is one of its own. Prints one JSON
object on the last line: seconds of the fit and of drawing, and the largest memory of the process in MB.
"""

import json
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent / "synthesis"))
    from memory import peak_mb

    source, rows, seed, out, epochs = sys.argv[1:]
    started = time.perf_counter()
    import numpy as np
    import pandas as pd
    import torch
    from ctgan import TVAE

    imports = peak_mb()
    np.random.seed(int(seed))  # noqa: NPY002 - it draws from the global generators
    torch.manual_seed(int(seed))
    table = pd.read_csv(source, keep_default_na=False, na_values=[""])
    numbers = table.select_dtypes("number").columns
    categories = [name for name in table.columns if name not in numbers]
    table[numbers] = table[numbers].fillna(table[numbers].median())
    table[categories] = table[categories].astype(object).fillna("")
    model = TVAE(epochs=int(epochs), enable_gpu=False)
    model.fit(table, categories)
    fitted = time.perf_counter()
    model.sample(int(rows)).to_csv(out, index=False)
    drawn = time.perf_counter()
    print(
        json.dumps({"fit": fitted - started, "sample": drawn - fitted, "peak_mb": peak_mb(), "imports_mb": imports})
    )
