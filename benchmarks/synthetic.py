"""Synthetic rows: ours beside independent columns, a mixture of product distributions and CTGAN's TVAE, in one run.

    python benchmarks/synthetic.py --quick                        a few thousand rows, minutes
    python benchmarks/synthetic.py --peer PEERS/bin/python        everything; PEERS has ctgan and torch, no dreamgen

Each synthesizer is a process of its own, one after the other: its seconds and its memory are the whole process's.
What was measured is kept in the folder --out, and a run that was stopped goes on. The table is in synthetic.md there.

The judge of the utility is scikit-learn's HistGradientBoosting with its own settings, where TabDDPM (2023) has a
tuned CatBoost; F1 is the mean over both classes, as there. The line "real rows in their place" is what the judge
makes of the real training rows, and the other figures of it are those of the test rows, taken for synthetic ones.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import mean
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
from synthesis import sets, tables

from dreamgen.evaluation.synthetic import augmentation, kinds_of, measure, utility

HERE = Path(__file__).parent
SEEDS = 5
QUICK_ROWS, QUICK_EPOCHS, QUICK_PEER_EPOCHS, PEER_EPOCHS = 4000, 10, 10, 300


def run(*command: str | Path) -> dict[str, Any]:
    """The JSON object on the last line that a command prints."""
    environment = {"GOMP_SPINCOUNT": "1000", **os.environ}
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


class Bench:
    """One run of everything that was asked for."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options, self.out = options, Path(options.out)
        self.out.mkdir(parents=True, exist_ok=True)

    def kept(self, name: str, make: Any) -> Any:
        """What a file of the folder holds, or what it will."""
        path = self.out / f"{name}.json"
        if not path.exists():
            print(f"{name} ...", file=sys.stderr, flush=True)
            path.write_text(json.dumps(make(), indent=1))
        return json.loads(path.read_text())

    def measured(self, data: sets.Set, who: str, seed: int) -> dict[str, Any]:
        """The figures of one synthesizer, with what it cost."""

        def make() -> dict[str, Any]:
            made = self.out / f"{data.name}-{who}-{seed}.csv"
            cost = self.synthesize(data, who, seed, made)
            table = read_like(made, data.train)
            found = measure(data.train, table, kinds_of(data.train, data.kinds), test=data.test, target=data.target)
            return {**found, "cost": cost}

        return self.kept(f"{data.name}-{who}-{seed}", make)

    def synthesize(self, data: sets.Set, who: str, seed: int, made: Path) -> dict[str, Any]:
        """Rows of one synthesizer in a file, as many as it was given."""
        source = self.out / f"{data.name}-train.csv"
        csv.write_csv(data.train, source)
        rows = str(len(data.train))
        if who == "tvae":
            epochs = str(QUICK_PEER_EPOCHS if self.options.quick else PEER_EPOCHS)
            return run(self.options.peer, HERE / "ctgan_loop.py", source, rows, str(seed), made, epochs)
        settings = json.dumps({"epochs": QUICK_EPOCHS} if self.options.quick else {})
        return run(sys.executable, HERE / "synthesis" / "ours.py", who, source, rows, str(seed), made, settings)

    def real(self, data: sets.Set) -> dict[str, Any]:
        """Test rows taken for synthetic ones, and the judge trained on the real rows."""

        def make() -> dict[str, Any]:
            kinds = kinds_of(data.train, data.kinds)
            found = measure(data.train, data.test, kinds)
            return {**found, "synthetic": utility(data.train, data.test, data.target, kinds)}

        return self.kept(f"{data.name}-real", make)

    def all(self, data: sets.Set) -> dict[str, list[dict[str, Any]]]:
        """Every synthesizer on one set."""
        first = self.options.seed
        seeds = range(first, first + (1 if self.options.quick else self.options.seeds))
        found = {"ours": [self.measured(data, "ours", seed) for seed in seeds]}
        for who in ("independent", "product_mixture"):
            found[who] = [self.measured(data, who, first)]
        if self.options.peer:
            found["tvae"] = [self.measured(data, "tvae", first)]
        found["real"] = [self.real(data)]
        return found

    def augmented(self, data: sets.Set) -> dict[str, dict[str, dict[str, float]]]:
        """Real rows and as many synthetic ones, made of those rows alone; means over three choices of rows."""

        def make_rows(few: pa.Table, n: int, seed: int) -> pa.Table:
            from dreamgen.applications.synthesis.synthesizer import Synthesizer

            return Synthesizer(random_state=seed).fit(few).sample_table(n, seed=seed)

        def make() -> dict[str, Any]:
            kinds, seeds = kinds_of(data.train, data.kinds), range(1 if self.options.quick else 3)
            sizes = (100, 500) if self.options.quick else (100, 500, 2000)
            each = [
                augmentation(data.train, data.test, data.target, kinds, make_rows, sizes=sizes, seed=seed)
                for seed in seeds
            ]
            return {
                str(size): {
                    part: {name: mean(one[size][part][name] for one in each) for name in each[0][size][part]}
                    for part in ("real", "both")
                }
                for size in each[0]
            }

        return self.kept(f"{data.name}-augmentation", make)


def read_like(path: Path, like: pa.Table) -> pa.Table:
    """A CSV file in the types of a table."""
    types = {f.name: f.type if pa.types.is_string(f.type) else pa.float64() for f in like.schema}
    options = csv.ConvertOptions(
        strings_can_be_null=True, null_values=[""], quoted_strings_can_be_null=True, column_types=types
    )
    return csv.read_csv(path, convert_options=options).select(like.column_names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", help="a Python that has ctgan; by default there is no line of TVAE's")
    parser.add_argument("--quick", action="store_true", help="a few thousand rows, one seed, a short training")
    parser.add_argument("--only", action="append", choices=[*sets.SETS, "augmentation"], help="repeatable")
    parser.add_argument("--seed", type=int, default=0, help="the first of ours")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many of ours")
    parser.add_argument("--out", default="runs/synthetic", help="folder for figures and rows")
    parser.add_argument("--json", action="store_true", help="figures as JSON instead of Markdown")
    options = parser.parse_args()
    bench, rows = Bench(options), QUICK_ROWS if options.quick else None
    wanted = options.only or [*sets.SETS, "augmentation"]
    data = {name: make(rows) for name, make in sets.SETS.items() if name in wanted or "augmentation" in wanted}
    found = {name: bench.all(one) for name, one in data.items() if name in wanted}
    more = {name: bench.augmented(one) for name, one in data.items()} if "augmentation" in wanted else {}
    parts = [f"## {name}\n\n{data[name].notes}.\n\n{tables.of_set(runs)}" for name, runs in found.items()]
    parts += [f"## {name}, augmentation\n\n{tables.augmentation(one)}" for name, one in more.items()]
    parts += [f"## Goals\n\n{tables.goals(found)}"] if found else []
    text = "# Synthetic rows\n\n" + "\n\n".join(parts) + "\n"
    (bench.out / "synthetic.md").write_text(text)
    print(json.dumps({"sets": found, "augmentation": more}) if options.json else text)


if __name__ == "__main__":
    main()
