"""What of a synthesizer may leave. Everything that is not named here stays.

Facts have dotted names: `weights.decoder.network.out.bias`, `settings.latent_dim`, `column.age.low`. No row leaves,
no rare category, no exact extreme, nothing of the encoder, the optimiser or the run. What leaves was still learned
from the rows: how much it says of them is measured (`Synthesizer.report`), and bounded only by a private training.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dreamgen import __version__
from dreamgen.applications.table_model import TableModel
from dreamgen.config import Settings
from dreamgen.data.meaning import Meaning
from dreamgen.errors import SettingsError
from dreamgen.files import dump_json, require_empty
from dreamgen.io import SavedModel, save_model
from dreamgen.models import build_model

_COLUMN = "column."

MAY_LEAVE = {
    # Weights. A name that ends in a dot stands for all below it.
    "weights.decoder.network.": "turns codes into rows: this is what is handed over",
    "weights.prior.": "where codes lie; each of its components stands for many rows",
    # Settings of the parts that leave. They carry no free text.
    "settings.latent_dim": "how many numbers a code has",
    "settings.hidden_dim": "the widths of the decoder's layers",
    "settings.prior": "how many components the prior has",
    "settings.decoder": "which network turns codes into rows",
    "settings.likelihood": "what the decoder's numbers mean",
    # Columns, of a codec that was made shareable
    "column.name": "what a row is made of",
    "column.kind": "what a column holds",
    "column.dtype": "in which form it comes",
    "column.categories": "categories that many rows have",
    "column.other": "that there are others, which are not named",
    "column.low": "a rounded quantile in the place of the least value",
    "column.high": "a rounded quantile in the place of the greatest value",
    "column.decimals": "how numbers are rounded",
    "column.step": "the grid that numbers lie on",
    "column.spikes": "numbers that many rows share",
    "column.value": "of a constant that all rows share, or as many as a category needs to be named",
    "column.pattern": "how keys are made anew; not one of them",
    "column.format": "how times are written",
    "column.atoms": "the spikes in model units",
    "column.floor": "how exactly the model tells numbers apart",
    "column.transform": "rounded means, scales and quantiles with many rows between them",
    # What the synthesizer keeps to
    "synthesizer.constraints": "inequalities that every row keeps, as they were given",
    "synthesizer.gaps": "which columns have gaps",
    "synthesizer.form": "pandas, polars or Arrow",
    "synthesizer.dtypes": "the names of pandas' dtypes",
    "origin.versions.dreamgen": "which library reads it",
    "card.privacy.epsilon": "what a private training promises",
    "card.privacy.delta": "what a private training promises",
}
"""Each fact that may leave, and why."""


def hand_over(model: TableModel, facts: Mapping[str, Any], folder: Path, name: str) -> list[str]:
    """Write the folder of a model without encoder and past; the names of the facts that left.

    Args:
        model: of the table.
        facts: of the synthesizer, kept in the file `name`.
        folder: new or empty, so that nothing else is handed over with it.
    """
    require_empty(folder)
    codec = model.codec.shareable()
    old, left = model.saved, set[str]()
    settings = {k: v for k, v in old.settings.to_dict().items() if _allowed(f"settings.{k}", left)}
    kept = Settings().replace(**settings, encoder="absent", posterior="absent")
    meaning = Meaning(old.event_shape, columns=tuple(codec.shapes))
    network = build_model(kept, meaning, seed=0)
    state = {k: v.cpu() for k, v in old.model.state_dict().items() if _allowed(f"weights.{k}", left)}
    if missing := network.state_dict().keys() - state.keys():
        raise SettingsError(
            f"{min(missing)} is not on the list of what may leave: this model's decoder stays with it"
        )
    network.load_state_dict({k: state[k] for k in network.state_dict()})
    promised: Mapping[str, Any] = old.card.get("privacy", {})
    promise = {k: v for k, v in promised.items() if _allowed(f"card.privacy.{k}", left)}
    handed = SavedModel(
        model=network.eval(),
        settings=kept,
        meaning=meaning,
        unit_range=False,
        origin={"versions": {"dreamgen": __version__}} if _allowed("origin.versions.dreamgen", left) else {},
        card={"privacy": promise} if promise else {},
    )
    for fact in _facts_of(codec.to_dict()):
        if not _allowed(fact, left):
            raise SettingsError(f"{fact} is not on the list of what may leave")
    own = {k: v for k, v in facts.items() if _allowed(f"synthesizer.{k}", left)}
    handed.more = {name: dump_json(own), "codec.json": dump_json(codec.to_dict())}
    save_model(folder, handed)
    return sorted(left)


def _allowed(name: str, left: set[str]) -> bool:
    """Whether a fact may leave; it is noted if so."""
    allowed = name in MAY_LEAVE or any(entry.endswith(".") and name.startswith(entry) for entry in MAY_LEAVE)
    if allowed:
        left.add(name)
    return allowed


def _facts_of(codec: Mapping[str, Any]) -> Iterator[str]:
    """The names of what a codec says of its columns."""
    for column in [*codec["schema"]["columns"], *codec["codings"]]:
        yield from (_COLUMN + name for name in column)
