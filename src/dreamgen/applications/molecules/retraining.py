"""Weighted retraining: a model goes on learning from molecules drawn by how good they are, and dreams better ones.

Sample-Efficient Optimization in the Latent Space of Deep Generative Models via Weighted Retraining, 2020,
https://arxiv.org/abs/2006.09191. Of N molecules that of rank r, the best having 0, is drawn with weight

    w = 1 / (k N + r)

so that a small k looks at the best alone, and a large one at all alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from dreamgen.applications.molecules.guide import Guide
from dreamgen.applications.molecules.lines import molecule_tokens, readable
from dreamgen.applications.molecules.oracle import Goal, Oracle
from dreamgen.chemistry.properties import PROPERTIES, properties_of
from dreamgen.data.batch import Batch
from dreamgen.devices import device_of
from dreamgen.errors import DataError, SettingsError
from dreamgen.generator import DreamGenerator
from dreamgen.objectives.schedules import SCHEDULES
from dreamgen.registry import shorten
from dreamgen.training.fit import fit_model

Floats = npt.NDArray[np.float64]

K = 1e-3

_PARENTS = 1000  # of the best molecules, near whose codes new ones are sought
_TRIED = 20  # codes decoded for each call
_UP, _SHAKE = 2.0, 0.7  # the longest way up the reader's slope, and the widest noise in each latent
_RATE = 1e-3  # of learning, at most, as in the paper
_LATE = 10**9  # a step at which beta is what it ends with


@dataclass
class Retrained:
    """What weighted retraining leaves.

    Attributes:
        generator: the model, retrained.
        found: molecules that the oracle was asked for, canonical, with their values, in order.
        best: the best value after each round, of what was found.
    """

    generator: DreamGenerator
    found: dict[str, float] = field(default_factory=dict)
    best: list[float] = field(default_factory=list)


def rank_weights(values: npt.ArrayLike, k: float = K) -> Floats:
    """Of each value, (N,), higher being better, the chance that it is drawn, (N,); equal ones in their order."""
    y = np.asarray(values, np.float64)
    ranks = np.empty(len(y))
    ranks[np.argsort(-y, kind="stable")] = np.arange(len(y))
    weights = 1 / (k * len(y) + ranks)
    chances: Floats = weights / weights.sum()
    return chances


def retrain(
    generator: DreamGenerator,
    smiles: Sequence[str],
    goal: str | Goal,
    *,
    values: npt.ArrayLike | None = None,
    rounds: int = 5,
    calls: int = 100,
    steps: int = 300,
    k: float = K,
    seed: int = 0,
) -> Retrained:
    """Retrain, dream, ask, and again.

    Args:
        generator: a model of molecules as lines; it is left as it is.
        smiles: N molecules with known values, those that it was trained on or others; what it cannot write is left
            out.
        goal: a property to raise, by name, or a `Goal`.
        values: of the molecules, (N,); None: they are computed, and are no calls.
        rounds: how often.
        calls: of the oracle in each round.
        steps: of training in each round.
        k: as above.
        seed: of everything random.

    Raises:
        DataError: none of the molecules can be written, or none has a finite value.
        SettingsError: a property that does not exist, or that the model reads and nobody can compute, fewer than one
            round, call or step, or a model of something else.
    """
    for name, number in (("rounds", rounds), ("calls", calls), ("steps", steps)):
        if number < 1:
            raise SettingsError(f"{name}: expected 1 or more, got {number}")
    if not k > 0:
        raise SettingsError(f"k: expected more than 0, got {k:g}")
    goal, rng = Goal.of(goal), np.random.default_rng(seed)
    known = _known(generator, smiles, goal, values)
    oracle, done = Oracle(goal), Retrained(generator)
    for number in range(rounds):
        done.generator = _trained(done.generator, known, goal, steps, k, seed + number, rng)
        asked = [(text, oracle(text)) for text in _sought(done.generator, known, oracle, goal, calls, rng)]
        known |= {text: value for text, value in asked if np.isfinite(value)}
        done.found = dict(oracle.answers)
        real = [value * goal.sign for value in done.found.values() if np.isfinite(value)]
        done.best.append(goal.sign * max(real) if real else float("nan"))
    return done


def _known(
    generator: DreamGenerator, smiles: Sequence[str], goal: Goal, values: npt.ArrayLike | None
) -> dict[str, float]:
    """Molecules that the model can write, by canonical SMILES, with their values."""
    saved = generator.fitted()
    molecule_tokens(saved)
    if saved.properties and (strange := [n for n in saved.properties.names if n not in PROPERTIES]):
        raise SettingsError(f"the model reads {shorten(strange[0])}: expected properties that can be computed")
    rows = readable(smiles, saved)
    if not rows.smiles:
        raise DataError(f"expected molecules that the model can write, got {len(rows.given)} others")
    if values is None:
        answers = Oracle(goal).ask(rows.smiles)
    else:
        try:
            given = np.asarray(values, np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"{goal.name}: expected numbers: {error}") from error
        if given.shape != (len(rows.given),):
            raise DataError(f"{goal.name}: expected {len(rows.given)} numbers, got an array of shape {given.shape}")
        answers = given[rows.places].tolist()
    known: dict[str, float] = {}
    for text, value in zip(rows.smiles, answers, strict=True):
        if np.isfinite(value):
            known.setdefault(text, value)
    if not known:
        raise DataError(f"{goal.name}: expected finite values, got none of {len(rows.smiles)}")
    return known


def _trained(
    generator: DreamGenerator,
    known: Mapping[str, float],
    goal: Goal,
    steps: int,
    k: float,
    seed: int,
    rng: np.random.Generator,
) -> DreamGenerator:
    """The model after some more steps on molecules drawn by their ranks."""
    saved, names = generator.fitted(), list(known)
    chances = rank_weights(goal.sign * np.array(list(known.values())), k)
    drawn = rng.choice(len(names), steps * saved.settings.batch_size, p=chances)
    places, rows = np.unique(drawn, return_inverse=True)
    different = [names[place] for place in places]
    told, device = None, device_of(saved.model)
    if saved.properties:
        read = properties_of(different, saved.properties.names)
        told = saved.properties.encode(dict(zip(saved.properties.names, read.T, strict=True)), len(different))[rows]
    settings = saved.settings.replace(
        epochs=1,
        validation=0.0,
        patience=0,
        learning_rate=_RATE,
        beta=SCHEDULES.build(saved.settings.beta)(_LATE, _LATE),
    )
    again = fit_model(
        settings,
        Batch(generator.prepare(different)[rows], properties=told),
        None,
        saved.meaning,
        weights=saved.model.state_dict(),
        seed=seed,
        device=device,
    )
    return DreamGenerator.of(again, str(device))


def _sought(
    generator: DreamGenerator,
    known: Mapping[str, float],
    oracle: Oracle,
    goal: Goal,
    calls: int,
    rng: np.random.Generator,
) -> list[str]:
    """New molecules from near the codes of the best, those first of which the reader promises most."""
    saved = generator.fitted()
    guide = Guide(saved, goal)
    best = sorted(known, key=lambda text: -goal.sign * known[text])[:_PARENTS]
    parents = generator.transform(best)
    picked = rng.choice(len(best), calls * _TRIED, p=rank_weights(-np.arange(len(best)), 0.1))
    noise = _SHAKE * rng.uniform(size=(len(picked), 1)) * rng.standard_normal((len(picked), parents.shape[1]))
    up = torch.from_numpy(rng.uniform(0, _UP, len(picked)).astype(np.float32))
    codes = guide.ascend(torch.from_numpy((parents[picked] + noise).astype(np.float32)), up)
    texts = [text for text in generator.inverse_transform(codes.numpy(), search=1).tolist() if text]
    found = readable(texts, saved).smiles if texts else []
    fresh = [text for text in dict.fromkeys(found) if text not in known and text not in oracle.answers]
    if not fresh:
        return []
    promised = guide.read(torch.from_numpy(generator.transform(fresh))).detach().numpy()
    return [fresh[row] for row in np.argsort(-promised, kind="stable")[:calls]]
