"""Molecules as written, and the one way to write each that a model learns.

SMILES, a chemical language and information system, 1988, https://doi.org/10.1021/ci00057a005. RDKit's canonical
isomeric form is used, https://www.rdkit.org: it keeps stereo centres and double bonds, charges and isotopes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dreamgen.chemistry.extras import rdkit
from dreamgen.chemistry.molecules import LONGEST_PARSED, parse, written
from dreamgen.errors import DataError, SettingsError

LONGEST = 120
"""Characters of a molecule that a model learns, where no other number is asked for."""


def canonical(smiles: str) -> str | None:
    """The canonical isomeric SMILES, or None where RDKit finds no molecule, or none with an atom in it.

    Equal molecules get equal texts, with the same RDKit. A mixture stays one. A few strange rings RDKit writes so
    that it cannot read them itself: these are none either.
    """
    molecule = parse(smiles)
    if molecule is None:
        return None
    text = written(molecule)
    return text if text == smiles or parse(text) is not None else None


def kekulised(smiles: str) -> str | None:
    """The same molecule with single and double bonds in its aromatic rings; None where RDKit finds no molecule.

    Equal texts get equal texts; equal molecules do where the texts are canonical.
    """
    molecule = parse(smiles)
    if molecule is None:
        return None
    rdkit("Chem").Kekulize(molecule, clearAromaticFlags=True)
    return written(molecule)


@dataclass(frozen=True)
class Standard:
    """Brings one written molecule to what a model learns, or says why not.

    Attributes:
        longest: characters of a canonical SMILES, 1 to 4000.
        largest_part: of a mixture keep the molecule of most heavy atoms, in place of an error; of equals the one
            that is written in more characters, then the first by the alphabet.
    """

    longest: int = LONGEST
    largest_part: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.longest <= LONGEST_PARSED:
            raise SettingsError(
                f"longest: expected from 1 to {LONGEST_PARSED} characters of a molecule, got {self.longest}"
            )

    def __call__(self, text: str) -> str:
        """The canonical isomeric SMILES.

        Raises:
            DataError: the reason alone: "no molecule", "no molecule that RDKit can read again", "no atoms", "an atom
                that is not named (*)", "a mixture of 2 parts" or "longer than 120 characters".
        """
        if len(text) > LONGEST_PARSED:
            raise self._too_long()
        molecule = parse(text)
        if molecule is None:
            raise DataError("no molecule" if text else "no atoms")
        smiles = written(self._one_of(molecule))
        if smiles != text and parse(smiles) is None:
            raise DataError("no molecule that RDKit can read again")
        if "*" in smiles:
            raise DataError("an atom that is not named (*)")
        if len(smiles) > self.longest:
            raise self._too_long()
        return smiles

    def _one_of(self, molecule: Any) -> Any:
        """The molecule, or the largest of a mixture where that was asked for; raises DataError."""
        chem = rdkit("Chem")
        n = len(chem.GetMolFrags(molecule))
        if n == 1:
            return molecule
        if not self.largest_part:
            raise DataError(f"a mixture of {n} parts")
        parts = chem.GetMolFrags(molecule, asMols=True)
        found = [(-part.GetNumHeavyAtoms(), written(part)) for part in parts]
        return parse(min(found, key=lambda one: (one[0], -len(one[1]), one[1]))[1])

    def _too_long(self) -> DataError:
        return DataError(f"longer than {self.longest} characters")


def standardise(texts: Iterable[str], standard: Standard) -> list[tuple[str, str]]:
    """Each text's canonical SMILES and "", or "" and the reason why not."""
    return [_either(text, standard) for text in texts]


def _either(text: str, standard: Standard) -> tuple[str, str]:
    try:
        return standard(text), ""
    except DataError as error:
        return "", str(error)
