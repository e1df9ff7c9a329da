"""What codes of molecules are good for: reconstruction, dreams, properties, beside what is published.

    python benchmarks/molecules.py                       the model that ships, three quarters of an hour
    python benchmarks/molecules.py --quick               the same of fewer molecules, minutes
    python benchmarks/molecules.py --model RUN           another, such as one of recipe molecule, which speaks SELFIES

The published figures come from their papers and not from this run: chemical VAE and JT-VAE on ZINC250k (Junction Tree
Variational Autoencoder for Molecular Graph Generation, 2018, https://arxiv.org/abs/1802.04364), the VAE of Molecular
Sets (2018, https://arxiv.org/abs/1811.12823). There a molecule is written back from draws of its posterior, which is
harder than from the mean; both are measured here. What is measured has the same for real molecules beside it, and a
molecule that the model's tokens cannot write counts as one that does not come back.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from dreamgen import DreamGenerator, load_data
from dreamgen.chemistry.properties import properties_of
from dreamgen.chemistry.smiles import canonical
from dreamgen.evaluation.molecules import measure

LONGEST = 60  # characters of a molecule of ChEMBL
PUBLISHED = {
    "reconstructed": "44.6% chemical VAE, 76.7% JT-VAE",
    "valid": "0.977 (MOSES VAE)",
    "unique@10000": "0.998 (MOSES VAE)",
    "novel": "0.695 (MOSES VAE)",
}


def reconstruction(generator: DreamGenerator, lines: list[str]) -> dict[str, float]:
    """The share of molecules that come back from the posterior's mean, found as the model's settings say."""
    readable = [line for line, can in zip(lines, generator.can_read(lines), strict=True) if can]
    share = came_back(generator, readable, generator.transform(readable)) * len(readable) / len(lines)
    return {
        "reconstructed": share,
        "stderr": (share * (1 - share) / len(lines)) ** 0.5,
        "molecules": len(lines),
        "unwritable": len(lines) - len(readable),
    }


def harder(generator: DreamGenerator, lines: list[str]) -> dict[str, float]:
    """The same without a search, by the likeliest token at every step, and from one draw of the posterior."""
    q = generator.encode(lines)
    noise = np.random.default_rng(0).standard_normal(q.mean.shape).astype(np.float32)
    drawn = q.mean.numpy() + q.stddev.numpy() * noise
    return {
        "without_search": came_back(generator, lines, q.mean.numpy(), search=1),
        "from_a_draw": came_back(generator, lines, drawn),
    }


def came_back(generator: DreamGenerator, lines: list[str], z: np.ndarray, search: int | None = None) -> float:
    """The share of lines that are written of their codes, (n, D)."""
    again = generator.inverse_transform(z, search=search).tolist()
    return sum(a == b for a, b in zip(lines, again, strict=True)) / len(lines)


def property_errors(generator: DreamGenerator, lines: list[str]) -> dict[str, float]:
    """The mean absolute error of each property that is read off the code, in its own unit."""
    lines = [line for line, can in zip(lines, generator.can_read(lines), strict=True) if can]
    read = generator.read(lines)
    true = properties_of(lines, list(read))
    return {name: float(np.abs(values - true[:, i]).mean()) for i, (name, values) in enumerate(read.items())}


def wanted(generator: DreamGenerator, n: int) -> list[dict[str, float]]:
    """Dreams of which a property is wanted: what they have."""
    found = []
    for name, values in {"logP": (0.0, 2.0, 4.0), "QED": (0.5, 0.9)}.items():
        for value in values:
            dreams = generator.dream(n, given={name: value}, seed=1).tolist()
            has = properties_of(dreams, [name])[:, 0]
            found.append({"property": name, "wanted": value, "mean": np.nanmean(has), "sd": np.nanstd(has)})
    return found


def run(model: str, quick: bool, drawn: int | None = None) -> dict[str, Any]:
    """All figures, by section."""
    generator, zinc, chembl = DreamGenerator.load(model), load_data("zinc250k"), load_data("chembl")
    known, most = set(zinc.train.x.tolist()), 500 if quick else None
    test = zinc.test.x.tolist()[:most]
    foreign = [s for s in chembl.rows.x.tolist() if len(s) <= LONGEST and s not in known]
    if drawn is not None:
        foreign = [foreign[row] for row in np.random.default_rng(0).permutation(len(foreign))[:drawn]]
    card = generator.saved_.card
    seconds = card.get("seconds")
    report: dict[str, Any] = {
        "model": model,
        "training": {
            "epochs": card["epochs"],
            "seconds": seconds,
            "molecules_per_second": len(known) * card["epochs"] / seconds if seconds else None,
            "rate": sum(card["rate_per_unit"]),
            "active_units": card["active_units"],
            "latent_dim": generator.saved_.settings.latent_dim,
        },
        "zinc_test": {**reconstruction(generator, test), **harder(generator, test)},
        "chembl": reconstruction(generator, foreign[:most]),
        "property_errors": property_errors(generator, test),
        "wanted": wanted(generator, 50 if quick else 500),
    }
    started = time.perf_counter()
    dreams = generator.dream(1000 if quick else 10_000, seed=1).tolist()
    report["dreams_per_second"] = len(dreams) / (time.perf_counter() - started)
    sample = 1000 if quick else 5000
    report["dreams"] = measure(dreams, zinc.train.x.tolist(), zinc.test.x.tolist(), sample=sample, canonical=True)
    written = generator.dream(len(dreams), seed=1, picked=1).tolist()
    report["valid_as_they_come"] = sum(canonical(text) is not None for text in written) / len(written)
    return report


def table(report: dict[str, Any]) -> str:
    """The same for a person."""
    training, dreams, train = report["training"], report["dreams"]["dreams"], report["dreams"]["train"]
    rows = [
        ("ZINC test, reconstructed", f"{report['zinc_test']['reconstructed']:.1%}", PUBLISHED["reconstructed"]),
        ("ZINC test, without a search", f"{report['zinc_test']['without_search']:.1%}", ""),
        ("ZINC test, from a draw of the posterior", f"{report['zinc_test']['from_a_draw']:.1%}", ""),
        (f"ChEMBL to {LONGEST} characters, reconstructed", f"{report['chembl']['reconstructed']:.1%}", ""),
        *((f"dreams, {name}", f"{dreams[name]:.4f}", PUBLISHED[name]) for name in ("valid", "unique@10000", "novel")),
        ("none of them picked, valid", f"{report['valid_as_they_come']:.4f}", "0.007 (chemical VAE, SMILES)"),
        *(
            (f"dreams, {name}", f"{dreams[name]:.3f}", f"{train[name]:.3f} real")
            for name in ("IntDiv1", "filters", "SNN", "Frag", "Scaf", "frechet", "FCD")
            if name in dreams
        ),
        *(
            (f"dreams, Wasserstein of {name}", f"{value:.3f}", f"{train['wasserstein'][name]:.3f} real")
            for name, value in dreams["wasserstein"].items()
        ),
        *((f"{name} from the code, error", f"{value:.3f}", "") for name, value in report["property_errors"].items()),
        *(
            (f"{one['property']} {one['wanted']:g} wanted", f"{one['mean']:.2f} ± {one['sd']:.2f}", "")
            for one in report["wanted"]
        ),
        ("rate, nats", f"{training['rate']:.1f}", ""),
        ("active units", f"{training['active_units']} of {training['latent_dim']}", ""),
        ("dreams a second", f"{report['dreams_per_second']:.0f}", ""),
    ]
    if training["seconds"]:
        speed = f"{training['molecules_per_second']:.0f} molecules a second"
        rows.append(("training", f"{training['seconds'] / 60:.0f} min", f"{training['epochs']} epochs, {speed}"))
    width = max(len(name) for name, _, _ in rows)
    return "\n".join(f"{name:<{width}}  {value:>14}  {beside}".rstrip() for name, value, beside in rows)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="zinc250k", help="a folder, or the model that ships")
    parser.add_argument("--chembl", type=int, help="molecules of ChEMBL, drawn at random; by default all")
    parser.add_argument("--quick", action="store_true", help="fewer molecules")
    parser.add_argument("--out", type=Path, help="also write the figures there, as JSON")
    arguments = parser.parse_args()
    report = run(arguments.model, arguments.quick, arguments.chembl)
    if arguments.out:
        arguments.out.write_text(json.dumps(report, indent=1))
    print(table(report))


if __name__ == "__main__":
    main()
