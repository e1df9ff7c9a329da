"""Named sets of molecules. Files whose lines do not all suit: what does not is left out and counted, always."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dreamgen.data.dataset import Dataset, Examples
from dreamgen.data.lines import as_texts
from dreamgen.data.molecules import find_molecules, read_molecules
from dreamgen.data.reading import Reading

if TYPE_CHECKING:
    from dreamgen.data.named import NamedSet

ZINC = {
    "molecules/zinc250k.smi.gz": "bc2b4d96f802fa6ea96544cff80eed7be25d1e32d7444827a93b2c36836c21f1",
    "molecules/zinc_jtnn_valid.smi.gz": "719a95a84de2460a3ab2f3087ea83d00adaa3dbc34a2e4e7e361eb65ba78b4ef",
    "molecules/zinc_jtnn_test.smi.gz": "245f4f010ed678801cf4f15d0f633ef172f1aea57b3d9d1a333e8cd5c6a15641",
}
"""ZINC 250k, and its validation and test parts, which are lines of it, in this order."""

FILES = (
    (
        "chembl",
        "a fortieth of ChEMBL 30, molecules of the literature on drugs, 45,299",
        "molecules/chembl30_valid.smi.gz",
        "d2d8004276c17c6625eaa191257b8d5616af2ea58f541892de84a8e4398ff099",
    ),
    (
        "qm9",
        "all small molecules of up to nine heavy atoms, by QM9, 133,798",
        "molecules/qm9.smi.gz",
        "c3992bf17b708328268ae1f122abe9e1917bb37604f7a12dca52a3d27c161efb",
    ),
    (
        "moleculenet_hiv",
        "molecules that inhibit HIV's replication or do not, attribute hiv_active, 37,602",
        "molecules/moleculenet_hiv.csv.gz",
        "8dc89f54a8440977cc6001b832d1069923ffe7e9f08ad7a2689b34eb53280a34",
    ),
    (
        "moleculenet_muv",
        "molecules of MoleculeNet's MUV, 93,087",
        "molecules/moleculenet_muv.smi.gz",
        "293d139e5882a04b8c2748b4f56b3b2f3e60a1f3cfe1801a26985d6b8bb027ba",
    ),
    (
        "drd2_pool",
        "molecules that the DRD2 task starts from, 22,966",
        "molecules/drd2_pool.smi.gz",
        "a51f058849b7e85f1b3202ee8d2f4d0ff716f36f30321b66a769bb0b8ffaf7ad",
    ),
    (
        "zinc_qed_pool",
        "molecules that the QED task starts from, 52,286",
        "molecules/zinc_qed_pool.smi.gz",
        "38052252ca22f38380c21e93cdad642413a9d5aa201a35cb6a45fa726d92bd9f",
    ),
)
"""Sets of one file: name, what it is, file, SHA-256."""


def read_zinc(self: "NamedSet", reading: Reading) -> Dataset:
    """ZINC 250k in the parts of the Junction Tree VAE, compared as canonical SMILES: the training part comes first.

    Junction Tree Variational Autoencoder for Molecular Graph Generation, 2018, https://arxiv.org/abs/1802.04364.
    """
    paths = [self.path(file) for file in self.files]
    every, validation, test = (find_molecules(path, replace(reading, skip_bad=True)) for path in paths)
    of_test = set(test.smiles)
    of_validation = set(validation.smiles) - of_test
    apart = of_test | of_validation
    train = [smiles for smiles in every.smiles if smiles not in apart]
    chosen = [smiles for smiles in validation.smiles if smiles in of_validation]
    part = np.repeat([0, 1, 2], [len(train), len(chosen), len(test.smiles)])
    return Dataset(
        self.name,
        Examples(as_texts([*train, *chosen, *test.smiles], self.name)),
        part == 2,
        source=str(paths[0].parent),
        official_split=True,
        notes=_said(paths, [every.notes, validation.notes, test.notes]),
        skipped=every.skipped,  # the other files repeat lines of this one
        is_validation=part == 1,
    )


def read_pool(self: "NamedSet", reading: Reading) -> Dataset:
    """A set of one file, a tenth of it the test part."""
    dataset = read_molecules(self.path(next(iter(self.files))), replace(reading, skip_bad=True))
    return replace(dataset, name=self.name)


def _said(paths: list[Path], notes: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Notes, each with the file that it is of."""
    return tuple(f"{path.name}: {note}" for path, of_path in zip(paths, notes, strict=True) for note in of_path)
