"""The report of a synthesizer: likeness, use and privacy, each with the figure that says it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from dreamgen.errors import SettingsError
from dreamgen.evaluation.synthetic import Kinds, augmentation, kinds_of, measure
from dreamgen.evaluation.synthetic.trends import correlation
from dreamgen.evaluation.synthetic.view import labels, number
from dreamgen.reports import Report
from dreamgen.reports.pictures import as_numbers, bars, correlations, histograms

if TYPE_CHECKING:
    from dreamgen.applications.synthesis.synthesizer import Synthesizer

NOT_PRIVATE = "this report compares with the real rows: it is not private itself"

_LOWEST = 20  # pairs listed
_FEW = (100, 500, 2000)  # real rows that synthetic ones are put beside


def write_report(
    synthesizer: "Synthesizer",
    train: pa.Table,
    test: pa.Table | None,
    synthetic: pa.Table,
    *,
    target: str | None,
    seed: int,
    augment: bool = False,
) -> Report:
    """The report of some synthetic rows; see `Synthesizer.report`."""
    if augment:
        _check_augment(synthesizer, train, test, target)
    schema = synthesizer.schema_
    kinds = kinds_of(train, {column.name: column.kind for column in schema})
    found = measure(train, synthetic, kinds, test=test, target=target, seed=seed)
    report = Report("Synthetic rows", f"{synthetic.num_rows:,} rows like {train.num_rows:,} real ones")
    report.facts(
        {
            "column shape (1 is alike)": found["shape"],
            "pair trend (1 is alike)": found["trend"],
            "a logistic regression cannot tell (1) or can (0)": found["c2st"],
            "boosted trees cannot tell (1) or can (0)": found["c2st_boosting"],
            "rare categories, share that occurs": found["rare"]["covered"],
            "seed": seed,
        }
    )
    if synthesizer.model_.saved.private:
        report.warn(NOT_PRIVATE)
    for line in synthesizer.notes_:
        report.warn(line)
    _use(report, found, target)
    if augment and test is not None and target is not None:
        _augmentation(report, synthesizer, train, test, target, kinds, seed)
    _privacy(report, found, synthesizer.model_.saved.card.get("privacy"))
    _columns(report, found, train, synthetic, kinds)
    return report


def _use(report: Report, found: Mapping[str, Any], target: str | None) -> None:
    report.section("Use")
    if "synthetic" not in found:
        report.say("Not measured: it takes real rows that the model did not see, and a target.")
        return
    rows = [{"trained on": name, **found[name]} for name in ("synthetic", "real")]
    report.table(f"A judge of {target!r}, tested on real rows", rows, "HistGradientBoosting with its own settings.")


def _check_augment(synthesizer: "Synthesizer", train: pa.Table, test: pa.Table | None, target: str | None) -> None:
    if not test or target is None or train.num_rows < _FEW[0]:
        raise SettingsError(
            f"augment: expected a target, rows that the model did not see, and {_FEW[0]} or more that it did"
        )
    if synthesizer.model_.saved.private:
        raise SettingsError("augment: not of a private model, its trainings on few rows would not be private")


def _augmentation(
    report: Report,
    synthesizer: "Synthesizer",
    train: pa.Table,
    test: pa.Table,
    target: str,
    kinds: Kinds,
    seed: int,
) -> None:
    """Trains anew on few of the rows, each time with the same parameters."""
    alike = synthesizer.get_params()

    def make(few: pa.Table, n: int, seed: int) -> pa.Table:
        return type(synthesizer)(**alike | {"random_state": seed}).fit(few).sample_table(n, seed=seed)

    sizes = [size for size in _FEW if size <= train.num_rows]
    found = augmentation(train, test, target, kinds, make, sizes=sizes, seed=seed)
    names = {"real": "those rows alone", "both": "with as many synthetic ones"}
    report.table(
        f"Where real rows are few: a judge of {target!r}, tested on real rows",
        [
            {"real rows": size, "trained on": names[part], **scores}
            for size, parts in found.items()
            for part, scores in parts.items()
        ],
        "The synthetic rows come from models that were trained on those few rows and on nothing else.",
    )


def _privacy(report: Report, found: Mapping[str, Any], ledger: Mapping[str, Any] | None) -> None:
    report.section("Privacy")
    if ledger is not None:
        report.facts({name: ledger[name] for name in ("epsilon", "delta") if name in ledger})
    else:
        report.say("The training was not differentially private: there is no bound, only what was measured.")
    if "privacy" not in found:
        report.warn("No attack was tried: it takes real rows that the model did not see. Nothing is known of safety.")
        return
    p = found["privacy"]
    report.facts(
        {
            "membership inference, AUC of the better attack (0.5 is blind)": p["membership_auc"],
            "its standard error where there is nothing to find": p["membership_auc_stderr"],
            "members found at 1% false accusations": p["membership_tpr"],
            "synthetic rows nearer to the training than to other real rows (0.5 is ideal)": p["share"],
            "its standard error": p["stderr"],
            f"rows equal to a row of the training, of {p['train_rows']:,}": p["copies"],
            f"rows equal to a row that was not in it, of {p['test_rows']:,}": p["copies_of_holdout"],
        }
    )
    report.say("Two attacks that fail are no proof that all do.")


def _columns(report: Report, found: Mapping[str, Any], train: pa.Table, made: pa.Table, kinds: Kinds) -> None:
    report.section("Columns")
    missing = found["missing"]
    report.table(
        "Shape of each column",
        [
            {
                "column": name,
                "shape": value,
                "missing, real": missing.get(name, (0.0, 0.0))[0],
                "missing, synthetic": missing.get(name, (0.0, 0.0))[1],
            }
            for name, value in found["columns"].items()
        ],
    )
    both = {"real": train, "synthetic": made}
    if kinds.numbers:
        panels = {name: {k: number(t, name) for k, t in both.items()} for name in kinds.numbers}
        alt = "Histograms of each column, real and synthetic"
        report.figure("Numbers", histograms(panels), alt, data=as_numbers(panels))
    if kinds.categories:
        shares = {name: {k: _shares(t, name) for k, t in both.items()} for name in kinds.categories}
        varied = {name: sets for name, sets in shares.items() if any(len(held) > 1 for held in sets.values())}
        if varied:
            alt = "Shares of each category, real and synthetic"
            report.figure("Categories", bars(varied), alt, data=varied)
    report.section("Pairs")
    if len(kinds.numbers) > 1:
        matrices = {k: _correlations(t, kinds.numbers) for k, t in both.items()}
        data = {"columns": kinds.numbers, **{k: matrix.tolist() for k, matrix in matrices.items()}}
        picture = correlations(matrices, kinds.numbers)
        report.figure("Correlations", picture, "Correlations, real and synthetic", data=data)
    pairs = sorted(found["pairs"].items(), key=lambda pair: pair[1])
    report.table("The pairs that differ most", [{"pair": a, "trend": b} for a, b in pairs[:_LOWEST]])


def _shares(table: pa.Table, name: str) -> dict[str, float]:
    names, counts = np.unique(labels(table, name).astype(str), return_counts=True)
    return {str(k) or "(missing)": float(c) / table.num_rows for k, c in zip(names, counts, strict=True)}


def _correlations(table: pa.Table, names: tuple[str, ...]) -> Any:
    columns = [number(table, name) for name in names]
    return np.array([[correlation(a, b) for b in columns] for a in columns])
