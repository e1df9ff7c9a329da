"""How like molecules are to those of a test set, and how unlike each other.

The figures of Molecular Sets, 2020, https://arxiv.org/abs/1811.12823, over all the valid molecules, those that occur
twice counted twice. What differs from there: `filters` asks RDKit's catalogs PAINS, Brenk and NIH in place of the
authors' own list; the Wasserstein distances are in deviations of the test set; `frechet` is over RDKit's descriptors,
since the network behind FCD (2018, https://doi.org/10.1021/acs.jcim.8b00234) is in a package of its own, `fcd`.
"""

from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import wasserstein_distance

from dreamgen.chemistry.fingerprints import internal_diversity, nearest_similarity
from dreamgen.evaluation.frechet import frechet_distance
from dreamgen.evaluation.molecules.counts import cosine
from dreamgen.evaluation.molecules.facts import VALUES, Facts, unpacked

Floats = npt.NDArray[np.float64]


def likeness(found: Sequence[Facts], test: Sequence[Facts]) -> dict[str, Any]:
    """Molecules against those of a test set, of which there have to be two or more.

    Returns:
        `IntDiv1`: 1 - the mean Tanimoto similarity of all pairs. `filters`: the share without any structural alert.
        `SNN`: the mean similarity to the nearest of the test set. `Frag`, `Scaf`: cosines of the counts of BRICS
        fragments and of scaffolds of two rings or more. `frechet`: the squared Fréchet distance of `DESCRIPTORS`,
        each standardised by the test set. `wasserstein`: of each of `VALUES`, in deviations of the test set. `FCD`,
        where the package `fcd` is installed. NaN where there is too little to say.
    """
    if not found:
        return _nothing()
    bits, test_bits = unpacked(found), unpacked(test)
    result: dict[str, Any] = {
        "IntDiv1": internal_diversity(bits),
        "filters": float(np.mean([not fact.alert for fact in found])),
        "SNN": float(nearest_similarity(bits, test_bits).mean()),
        "Frag": cosine(_fragments(found), _fragments(test)),
        "Scaf": cosine(_scaffolds(found), _scaffolds(test)),
        "frechet": _frechet(found, test),
        "wasserstein": _wasserstein(found, test),
    }
    package = _fcd()
    if package is not None:
        result["FCD"] = _fcd_distance(package, found, test)
    return result


def _nothing() -> dict[str, Any]:
    nan = float("nan")
    names = ("IntDiv1", "filters", "SNN", "Frag", "Scaf", "frechet")
    return {**dict.fromkeys(names, nan), "wasserstein": dict.fromkeys(VALUES, nan)}


def _fragments(facts: Sequence[Facts]) -> Counter[str]:
    return Counter(piece for fact in facts for piece in fact.fragments)


def _scaffolds(facts: Sequence[Facts]) -> Counter[str]:
    return Counter(fact.scaffold for fact in facts if fact.scaffold is not None)


def _frechet(found: Sequence[Facts], test: Sequence[Facts]) -> float:
    if len(found) < 2:
        return float("nan")
    a, b = (np.array([fact.descriptors for fact in facts]) for facts in (found, test))
    deviation = _deviation(b)
    return frechet_distance((a - b.mean(0)) / deviation, (b - b.mean(0)) / deviation)


def _wasserstein(found: Sequence[Facts], test: Sequence[Facts]) -> dict[str, float]:
    a, b = (np.array([fact.values for fact in facts]) for facts in (found, test))
    deviation = _deviation(b)
    return {name: float(wasserstein_distance(a[:, k], b[:, k]) / deviation[k]) for k, name in enumerate(VALUES)}


def _deviation(values: Floats) -> Floats:
    """Standard deviations of columns; 1 for one that never varies, which stays in its own unit."""
    deviation: Floats = values.std(0)
    return np.where(deviation > 0, deviation, 1.0)


def _fcd() -> Any:
    try:
        return import_module("fcd")
    except ImportError:
        return None


def _fcd_distance(package: Any, found: Sequence[Facts], test: Sequence[Facts]) -> float:
    if len(found) < 2:
        return float("nan")
    return float(package.get_fcd([fact.smiles for fact in found], [fact.smiles for fact in test]))
