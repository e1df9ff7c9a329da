"""All the figures of dreamt molecules in one go, beside those of the rows that the model was trained on."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dreamgen.chemistry.extras import rdkit
from dreamgen.errors import DataError
from dreamgen.evaluation.molecules.facts import Facts, canonical_of, facts_of
from dreamgen.evaluation.molecules.likeness import likeness
from dreamgen.workers import Watch

SAMPLE = 5000  # molecules of each set that are looked at closely
_FIRST = (1000, 10_000)  # valid dreams among which the unique ones are counted


def measure(
    dreams: Sequence[str | None],
    train: Sequence[str],
    test: Sequence[str],
    *,
    seed: int = 0,
    sample: int = SAMPLE,
    canonical: bool = False,
    workers: int = 1,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """The figures of Molecular Sets (2020, https://arxiv.org/abs/1811.12823) for molecules that a model wrote.

    `valid`, `unique@` and `novel` are of all dreams; the others of `sample` molecules of each set, drawn by the seed.
    SNN rises and the Fréchet distance falls with more rows, so compare them with what `train` has beside them: as
    many real molecules against the same test set.

    Args:
        dreams: SMILES as the model wrote them; None where it wrote nothing.
        train: what the model was trained on, whole, since novelty asks all of it.
        test: molecules that it did not see.
        seed: of the samples.
        sample: molecules of each set that are looked at closely, at most.
        canonical: whether train is RDKit's canonical SMILES already; else it is made so, a minute for 250,000.
        workers: processes; the figures do not depend on them.
        watch: called now and then with how many of the closely looked at are done and how many there are.

    Returns:
        `dreams`: `valid` (share that is a molecule), `unique@1000` and `unique@10000` (distinct share of the first
        so many valid ones, or of all where there are fewer), `novel` (share of the distinct ones that is not in
        train), and the figures of `likeness`. `train`: the figures of `likeness` of training rows.
        `rows`: how many there were, and how many were valid and looked at. NaN where no dream is valid.

    Raises:
        DataError: no dream, no molecule in train or fewer than two in test.
        SettingsError: RDKit is missing.
    """
    rdkit("Chem")
    if not len(dreams):
        raise DataError("expected dreams, got none")
    written = [text for text in canonical_of(dreams, workers=workers) if text is not None]
    known = list(train) if canonical else [s for s in canonical_of(train, workers=workers) if s is not None]
    alike = min(sample, len(written)) if len(written) > 1 else sample  # rows of train, so that figures compare
    sets = ((written, sample), (known, alike), (list(test), sample))
    facts = _facts([_sample(texts, size, seed) for texts, size in sets], workers, watch)
    _, ours, theirs = facts
    if not ours or len(theirs) < 2:
        raise DataError(f"expected molecules in train and two or more in test, got {len(ours)} and {len(theirs)}")
    return {
        "dreams": {**_written(dreams, written, set(known)), **likeness(facts[0], theirs)},
        "train": likeness(ours, theirs),
        "rows": {
            "dreams": len(dreams),
            "valid": len(written),
            "train": len(train),
            "test": len(test),
            "looked_at": dict(zip(("dreams", "train", "test"), map(len, facts), strict=True)),
        },
    }


def _written(dreams: Sequence[str | None], written: list[str], known: set[str]) -> dict[str, float]:
    distinct = set(written)
    found = {"valid": len(written) / len(dreams)}
    for first in _FIRST:
        among = written[:first]
        found[f"unique@{first}"] = len(set(among)) / len(among) if among else float("nan")
    found["novel"] = len(distinct - known) / len(distinct) if distinct else float("nan")
    return found


def _sample(texts: list[str], size: int, seed: int) -> list[str]:
    """Some of the texts, in their order."""
    if len(texts) <= size:
        return texts
    chosen = np.random.default_rng(seed).choice(len(texts), size, replace=False)
    return [texts[row] for row in np.sort(chosen)]


def _facts(samples: list[list[str]], workers: int, watch: Watch | None) -> list[list[Facts]]:
    """Facts of several lists, found at once so that the workers start once."""
    found = iter(facts_of([text for texts in samples for text in texts], workers=workers, watch=watch))
    return [[fact for fact in (next(found) for _ in texts) if fact is not None] for texts in samples]
