"""Lines of text: any, and molecules."""

from typing import Any

from dreamgen.config import Settings
from dreamgen.recipes.recipe import Recipe


def _levels(dream: float, heat: float) -> dict[str, Any]:
    """Blur for lines: dreams from codes at a level, drawn at a heat."""
    writer = {"kind": "recurrent", "units": 384, "heat": heat}
    return {"kind": "levels", "share": 0.2, "least": 0.7, "dream": dream, "likelihood": writer}


# Lines of text: read in both directions, written one token after another with the code beside every step. Small
# batches; a light weight of the rate leaves room in the codes for every token. Dreams come from blurred codes, which
# a second, smaller network writes, a little cooler than it learned: one unlikely token spoils a line.
_LINES = Settings(
    language="characters",
    encoder={"kind": "recurrent", "units": 256},
    likelihood={"kind": "recurrent", "units": 512},
    hidden_dim=[],
    latent_dim=64,
    beta={"kind": "linear", "stop": 0.1, "steps": 3000},
    blur=_levels(dream=0.85, heat=0.3),
    search=8,
    validation=0.01,
    batch_size=128,
    learning_rate={"kind": "triangle", "peak": 3e-3, "rise": 0.05},
    optimizer={"kind": "adam", "beta2": 0.98, "clip": 5.0},
    epochs=24,
    precision="auto",
)

_MOLECULE = _LINES.replace(
    language="selfies", properties=["logP", "QED", "SA", "weight", "solubility"], picked=32, search=64
)

LINES = {
    "sequence": Recipe(
        "any file of lines, letter by letter: names, tunes, words",
        _LINES,
        "Generating Sentences from a Continuous Space, 2015, https://arxiv.org/abs/1511.06349",
        "99.4% of English words never seen come back exactly after 6 epochs, and dreams read like words",
    ),
    "molecule": Recipe(
        "molecules in SELFIES, and properties read off their codes: `dreamgen train zinc250k`",
        _MOLECULE,
        "Automatic Chemical Design Using a Data-Driven Continuous Representation of Molecules, 2018, "
        "https://arxiv.org/abs/1610.02415",
        "88.9% of ZINC250k's test part comes back exactly; errors of logP .12 and QED .041",
    ),
    # What is no molecule is never picked, so dreams come from more blurred codes, drawn nearly as was learned.
    "molecule-smiles": Recipe(
        "the same in SMILES, where not every row of symbols is a molecule; it ships as `zinc250k`",
        _MOLECULE.replace(language="smiles", blur=_levels(dream=0.95, heat=0.8), picked=8),
        "Molecular Sets (MOSES): A Benchmarking Platform for Molecular Generation Models, 2018, "
        "https://arxiv.org/abs/1811.12823",
        "91.5% of ZINC250k's test part comes back exactly; errors of logP .055 and QED .027",
    ),
}
