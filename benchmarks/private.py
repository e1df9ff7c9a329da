"""Private models of Adult: what epsilon costs, beside the same network without noise and the default Synthesizer.

    python benchmarks/private.py --quick            a few thousand rows, minutes
    python benchmarks/private.py --seeds 3          everything

Trained on Adult's training part, judged on its test part: `auc` is that of a judge (HistGradientBoosting) trained on
as many synthetic rows; `member` is the better of two attacks that guess who was trained on, 1/2 for nothing. The
settings were chosen on a fifth of the training part. What was measured is kept in the folder --out.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import mean
from typing import Any

import pyarrow as pa
from synthesis import sets

from dreamgen.applications.private_table import PRIVATE, fit_private
from dreamgen.applications.synthesis.synthesizer import Synthesizer
from dreamgen.applications.table_model import TableModel
from dreamgen.evaluation.synthetic import kinds_of, utility
from dreamgen.evaluation.synthetic.measure import privacy
from dreamgen.evaluation.synthetic.shapes import column_shapes
from dreamgen.evaluation.synthetic.trends import pair_trends
from dreamgen.tables import infer_schema

DELTA = 1e-5
QUICK_ROWS = 6000
SHOWN = ("epsilon", "auc", "shape", "trend", "member", "seconds")


def private(table: pa.Table, seed: int, epsilon: float) -> tuple[pa.Table, float]:
    """Rows of a private model, and the epsilon that was spent."""
    model, spending = fit_private(table, infer_schema(table), epsilon, DELTA, seed=seed)
    return rows_of_model(model, len(table), seed), spending.epsilon(DELTA)


def open_(table: pa.Table, seed: int) -> tuple[pa.Table, float]:
    """Rows of the same network trained as usual."""
    settings = PRIVATE.replace(start="mean", batch_size=512)
    model = TableModel.fit(table, settings=settings, seed=seed)
    return rows_of_model(model, len(table), seed), float("inf")


def default(table: pa.Table, seed: int) -> tuple[pa.Table, float]:
    """Rows of the Synthesizer."""
    return Synthesizer(random_state=seed).fit(table).sample_table(len(table), seed=seed), float("inf")


def rows_of_model(model: TableModel, n: int, seed: int) -> pa.Table:
    return model.codec.decode(model.sample(n, seed=seed).numpy(), noise=seed)


def figures(data: sets.Set, make: Any) -> dict[str, float]:
    """What rows are worth, and what they took."""
    started = time.perf_counter()
    made, epsilon = make()
    seconds = time.perf_counter() - started
    kinds = kinds_of(data.train, data.kinds)
    made = made.select(data.train.column_names).cast(data.train.schema)
    return {
        "epsilon": epsilon,
        "auc": utility(made, data.test, data.target, kinds)["auc"],
        "shape": mean(column_shapes(data.train, made, kinds).values()),
        "trend": mean(pair_trends(data.train, made, kinds).values()),
        "member": privacy(data.train, data.test, made, kinds)["membership_auc"],
        "seconds": seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epsilons", type=float, nargs="+", default=[1.0, 8.0])
    parser.add_argument("--out", type=Path, default=Path("private-results"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    data = sets.adult(QUICK_ROWS if options.quick else None)
    makers: dict[str, Any] = {f"epsilon-{e:g}": lambda s, e=e: private(data.train, s, e) for e in options.epsilons}
    makers |= {"no-noise": lambda s: open_(data.train, s), "synthesizer": lambda s: default(data.train, s)}
    print(data.notes)
    real = utility(data.train, data.test, data.target, kinds_of(data.train, data.kinds))
    print(f"trained on the real rows in their place: auc {real['auc']:.4f}", flush=True)
    print(f"{'':14}" + "".join(f"{name:>9}" for name in SHOWN))
    for who, make in makers.items():
        found = []
        for seed in range(1 if options.quick or who == "synthesizer" else options.seeds):
            path = options.out / f"{len(data.train)}-{who}-{seed}.json"
            if not path.exists():
                print(f"{who} {seed} ...", file=sys.stderr, flush=True)
                path.write_text(json.dumps(figures(data, lambda s=seed, m=make: m(s))))
            found.append(json.loads(path.read_text()))
            print(f"{who:11}{seed:3}" + "".join(f"{found[-1][name]:9.4g}" for name in SHOWN), flush=True)
        print(f"{who:11} = " + "".join(f"{mean(f[name] for f in found):9.4g}" for name in SHOWN), flush=True)


if __name__ == "__main__":
    main()
