"""A decoder on its own, as a model folder that dreams, decodes and draws maps, and knows of no example."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from dreamgen.export.whitelist import hand_over
from dreamgen.files import require_empty
from dreamgen.generator import DreamGenerator
from dreamgen.io import save_model


@dataclass(frozen=True)
class Exported:
    """What an export wrote.

    Attributes:
        out: the file or folder.
        size: in bytes.
        left: names of the facts that left with it (`MAY_LEAVE` says why each may).
        stayed: names of the facts that did not.
        difference: the largest difference from the model's own figures that a check of the output saw; None where
            there was none to make.
    """

    out: Path
    size: int
    left: list[str]
    stayed: list[str]
    difference: float | None = None


def export_decoder(generator: DreamGenerator, out: str | Path, from_prior: bool = False) -> Exported:
    """Write a model folder without encoder, data, codes and history; it dreams as `generator` does, bit for bit.

    Weights that 16 bits hold exactly are stored so.

    Args:
        generator: fitted or loaded.
        out: a folder that is new or empty, so that nothing else is handed over with it.
        from_prior: also where `generator` needs its codes to dream, which stay: what leaves then dreams
            from the prior.

    Raises:
        OutputError: the folder holds something, or cannot be written.
        SettingsError: the decoder or prior has weights that are not on the list of what may leave, or dreams
            need the codes of training rows.
    """
    folder = Path(out)
    require_empty(folder)
    handover = hand_over(generator.fitted(), from_prior)
    save_model(folder, handover.saved, half=_fits_half(handover.saved.model.state_dict()))
    size = sum(path.stat().st_size for path in folder.iterdir())
    return Exported(folder, size, handover.left, handover.stayed)


def _fits_half(tensors: Mapping[str, Tensor]) -> bool:
    """Whether 16 bits hold every weight exactly, as those of a model that was saved so do."""
    return all(bool((tensor.half().float() == tensor).all()) for tensor in tensors.values())
