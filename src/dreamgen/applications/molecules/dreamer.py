"""Molecules dreamt, coded and varied: a generator of lines that knows what a molecule is."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamgen.applications.molecules.climb import CALLS, SIMILARITY, climb
from dreamgen.applications.molecules.examples import prepare
from dreamgen.applications.molecules.lines import Readable, readable
from dreamgen.applications.molecules.neighbours import Neighbour, neighbours
from dreamgen.applications.molecules.oracle import Goal
from dreamgen.applications.molecules.result import Climb
from dreamgen.applications.molecules.retraining import Retrained, retrain
from dreamgen.chemistry.molecules import parse
from dreamgen.chemistry.smiles import canonical
from dreamgen.data.languages import LANGUAGES
from dreamgen.distributions.noise import derive_seed
from dreamgen.errors import DataError, SettingsError
from dreamgen.estimator import chosen_seed
from dreamgen.generator import DreamGenerator
from dreamgen.recipes import RECIPES
from dreamgen.registry import shorten
from dreamgen.verbs.fitted import Floats, Given, Values
from dreamgen.workers import Watch

_ROUNDS = 20  # of dreams, in which as many different molecules as asked for are looked for
_SEEDS = 1 << 31


class MoleculeDreamer:
    """A model of molecules, which it reads and writes as SMILES.

    Args:
        generator: whose language is SELFIES or SMILES, trained or not; None: the recipe `molecule`.

    Attributes:
        generator: the same.
        unread_: how many molecules could not be read for each reason, by the last `fit` or `reconstruct`.

    Raises:
        SettingsError: a generator of something else.

    >>> dreamer = MoleculeDreamer.load("RUN")                                   # doctest: +SKIP
    >>> dreamer.dream(2, seed=1, given={"logP": 3})                             # doctest: +SKIP
    ['CCOc1ccccc1C(=O)Nc1ccc(C)cc1', 'Cc1ccc(OCC(=O)N2CCCC2)cc1']
    """

    def __init__(self, generator: DreamGenerator | None = None) -> None:
        self.generator = generator or DreamGenerator.from_settings(RECIPES["molecule"].settings)
        self.unread_: dict[str, int] = {}
        require_molecules(self.generator)

    @classmethod
    def load(cls, model: str | Path, device: str = "auto") -> "MoleculeDreamer":
        """A model from a folder, or by the name of one that ships; errors as `DreamGenerator.load` and above."""
        return cls(DreamGenerator.load(model, device))

    def save(self, folder: str | Path, *, half: bool = False) -> None:
        """Write a model folder; `half` stores 16-bit weights."""
        self.generator.save(folder, half=half)

    def fit(
        self,
        smiles: Sequence[str],
        properties: Mapping[str, npt.ArrayLike | None] | Sequence[str] | None = None,
        *,
        skip_bad: bool = False,
        workers: int | None = None,
        **run: Any,
    ) -> "MoleculeDreamer":
        """Train on molecules: canonical, each once.

        Args:
            smiles: n of them, in any notation of SMILES; of equal ones the first counts.
            properties: what is to be read off the codes: names, which are computed; or by name n numbers, or None
                for what is to be computed. None: what the generator's settings say.
            skip_bad: leave out what is no molecule or cannot be written in the language, and count it in `unread_`.
            workers: processes that compute properties; None: as many as are worth it.
            run: `out`, `resume`, `stop`, `on_record` of `DreamGenerator.fit`.

        Raises:
            DataError: a molecule that is bad, the first named, unless those are skipped; a property without a value.
            SettingsError: a property that nobody knows how to compute.
        """
        generator = self.generator
        if properties is not None:
            generator.properties = list(properties) or "none"
        named = [part for part in (generator.properties, generator.context) if not isinstance(part, str)]
        known: dict[str, npt.ArrayLike | None] = dict.fromkeys(name for part in named for name in part)
        if isinstance(properties, Mapping):
            known |= properties
        ready = prepare(smiles, generator.language, known, skip_bad=skip_bad, workers=workers)
        generator.fit(ready.smiles, attributes=ready.columns, **run)
        self.unread_ = ready.left_out
        return self

    # Dreams

    def dream(
        self,
        n: int = 64,
        *,
        seed: int | None = None,
        given: Given | None = None,
        sample: bool | None = None,
        picked: int | None = None,
        unique: bool = False,
        watch: Watch | None = None,
    ) -> list[str]:
        """n new molecules as SMILES.

        A model that writes SMILES letter by letter may write what is none; such a line stays as it is here and below,
        and `chemistry.smiles.canonical` finds None in it. With `picked` of 2 or more it is hardly ever met.

        Args:
            n: how many.
            seed: dream i is a function of (seed, i); None: new ones at every call.
            given: properties that they are likely to have, such as {"logP": 3}, and what a conditional model is told.
            sample: draw each token instead of taking the likeliest; None: only from blurred codes.
            picked: of so many molecules written for each, keep one by how real it looks; None: as the settings say.
                Where properties are wanted at least 16 are written.
            unique: different molecules only, and nothing that is none, as may be of a model that writes SMILES
                letter by letter; dreams go on until there are n.
            watch: told how many molecules are written of each round's.

        Raises:
            DataError: no n different ones are found.
        """
        seed = chosen_seed(seed)
        dream = partial(self.generator.dream, n, given=given, sample=sample, picked=picked, watch=watch)
        if not unique:
            return self._lines(dream(seed=seed))
        if any(np.ndim(value) for value in (given or {}).values()):
            raise SettingsError("unique: of different molecules none has a number: expected one value for all")
        found: dict[str, None] = {}
        for round_ in range(_ROUNDS):
            further = seed if round_ == 0 else derive_seed(seed, "unique", round_) % _SEEDS
            for line in dream(seed=further).tolist():
                if smiles := canonical(line):
                    found.setdefault(smiles)
            if len(found) >= n:
                return list(found)[:n]
        raise DataError(f"{_ROUNDS * n} dreams hold {len(found)} different molecules, expected {n}: ask for fewer")

    def reconstruct(self, smiles: Sequence[str], *, search: int | None = None) -> list[str | None]:
        """Molecules through their codes and back, in their order; None for what cannot be read, see `unread_`, and
        where no molecule is found in the code.

        `search` as of `DreamGenerator.inverse_transform`.
        """
        rows = self.readable(smiles)
        self.unread_ = rows.reasons
        again: list[str | None] = [None] * len(rows.given)
        if rows.smiles:
            found = self._lines(self.generator.reconstruct(rows.smiles, search=search))
            for place, line in zip(rows.places, found, strict=True):
                again[place] = line if parse(line) is not None else None
        return again

    def morph(self, a: str, b: str, steps: int = 11, *, path: str = "linear") -> list[str]:
        """Molecules on the way from a to b, one for each step, the two as the model writes them among them.

        Neighbouring steps may be the same molecule. `path` is "linear" or "spherical".
        """
        start, stop = self._all((a, b))
        return self._lines(self.generator.morph(start, stop, steps, path=path))

    def neighbours(self, smiles: str, n: int = 20, *, seed: int = 0) -> list[Neighbour]:
        """Up to n different molecules around one in the space of codes, the nearest first.

        Codes at a growing distance in random directions are decoded, to four deviations of the model's codes.
        """
        if n < 1:
            raise SettingsError(f"n: expected 1 or more, got {n}")
        (start,) = self._all((smiles,))
        plainly = partial(self.decode, search=1)  # of many codes, none is worth a search
        return neighbours(start, self.encode([start])[0], self._spread(), plainly, n, seed)

    def climb(
        self,
        starts: Sequence[str],
        goal: str | Goal,
        *,
        similarity: float = SIMILARITY,
        calls: int = CALLS,
        seed: int = 0,
        **options: Any,
    ) -> list[Climb]:
        """Raise a property of molecules by walking among their codes: `applications.molecules.climb.climb`."""
        return climb(self.generator, starts, goal, similarity=similarity, calls=calls, seed=seed, **options)

    def retrain(self, smiles: Sequence[str], goal: str | Goal, **options: Any) -> Retrained:
        """Go on learning from molecules drawn by how good they are: `applications.molecules.retraining.retrain`."""
        return retrain(self.generator, smiles, goal, **options)

    # Codes

    def encode(self, smiles: Sequence[str]) -> Floats:
        """The posterior's mean of each molecule, (n, D); raises DataError that names the first it cannot read."""
        return self.generator.transform(self._all(smiles))

    def decode(self, Z: npt.ArrayLike, *, search: int | None = None) -> list[str]:
        """The molecule that fits each code, (n, D), best; `search` as of `DreamGenerator.inverse_transform`."""
        return self._lines(self.generator.inverse_transform(Z, search=search))

    def read(self, smiles: Sequence[str]) -> dict[str, Values]:
        """The properties that the model reads off the codes of molecules, by name, (n,), in their own units.

        Raises:
            DataError: a molecule that cannot be read; the first is named.
            SettingsError: a model that reads none.
        """
        return self.generator.read(self._all(smiles))

    def readable(self, smiles: Sequence[str]) -> Readable:
        """Which of some molecules the model can read, as canonical SMILES, and why not the others."""
        return readable(smiles, self.generator.fitted())

    # Inside

    def _all(self, smiles: Sequence[str]) -> list[str]:
        rows = self.readable(smiles)
        rows.require_all()
        return rows.smiles

    def _spread(self) -> Floats:
        """Standard deviations of the kept codes, (D,); those of the prior where none are kept."""
        saved = self.generator.fitted()
        kept = saved.codes.get("loc")
        if kept is None or len(kept) < 2:
            return np.ones(saved.settings.latent_dim, np.float32)
        spread: Floats = kept.float().std(0).numpy()
        return spread

    @staticmethod
    def _lines(shown: npt.NDArray[Any]) -> list[str]:
        lines: list[str] = shown.tolist()
        return lines


def require_molecules(generator: DreamGenerator) -> None:
    """Raise SettingsError unless a generator is of molecules: by its tokens, or, not trained yet, by its settings."""
    if generator.__sklearn_is_fitted__():
        saved = generator.fitted()
        if saved.holds == "molecules":
            return
        got = "lines of text" if saved.vocabulary else f"examples of shape {saved.event_shape}"
    else:
        language = generator.language
        if language != "none" and LANGUAGES.build(language).holds == "molecules":
            return
        got = f"the language {shorten(language)}"
    raise SettingsError(f"expected a model of molecules, such as dreamgen train zinc250k makes, got one of {got}")
