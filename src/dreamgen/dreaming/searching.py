"""Codes to lines by search: of the likeliest lines, the one whose own code lies nearest.

The likeliest token at every step need not make the likeliest line, and the likeliest line need not be the one that
was meant: among lines that differ in a token or two the encoder tells better than the decoder. p(x|z) proposes, and
q(z|x) decides.
"""

import torch
from torch import Tensor

from dreamgen.data.batch import Batch
from dreamgen.distributions import Delta
from dreamgen.distributions.beam import beam_search
from dreamgen.distributions.lines import Lines
from dreamgen.dreaming.codes import device_of
from dreamgen.errors import SettingsError
from dreamgen.evaluation.likelihood import encode_rows
from dreamgen.io import SavedModel

_FIRST = (1, 8)  # lines that are compared before as many as were asked for: for most codes of examples enough
_ROWS = 64  # codes that are searched for together
_SAME = 1e-3  # of a code: two lines this near each other are one


def search_rows(saved: SavedModel, z: Tensor, context: Tensor | None = None) -> Tensor:
    """Codes (n, D), with their context (n, C) where the model is told one, to lines (n, T), on the CPU.

    Of the `search` likeliest lines, by `beam_search`, the one with the largest q(z|x), which of a posterior that is
    a point is the nearest. Fewer are compared where one of those has the very code.

    Raises:
        SettingsError: a model that does not write lines of tokens, or that cannot read them.
    """
    lines, left = torch.empty(len(z), *saved.event_shape), torch.arange(len(z))
    for width in (*(few for few in _FIRST if few < saved.settings.search), saved.settings.search):
        missed = []
        for rows in left.split(_ROWS) if len(left) else ():
            told = None if context is None else context[rows.to(context.device)]
            lines[rows], same = _nearest(saved, z[rows.to(z.device)], told, width)
            missed.append(rows[~same])
        left = torch.cat(missed) if missed else left
    return lines


@torch.no_grad()
def _nearest(saved: SavedModel, z: Tensor, context: Tensor | None, width: int) -> tuple[Tensor, Tensor]:
    """For each code the nearest of its likeliest lines, (n, T), and whether that has the very code, (n,)."""
    device = device_of(saved)
    p = saved.model.decoder(z.to(device), None if context is None else context.to(device))
    if not isinstance(p, Lines):
        raise SettingsError("search: expected a model that writes lines of tokens")
    candidates, score = (found.cpu() for found in beam_search(p, width))
    rows, places = score.isfinite().nonzero(as_tuple=True)
    told = None if context is None else context.cpu()[rows]
    q = encode_rows(saved.model, Batch(candidates[rows, places].float(), context=told))
    meant = z.cpu()[rows]
    near = -(q.mean - meant).square() if isinstance(q, Delta) else q.log_prob(meant)
    nearness = torch.full_like(score, -torch.inf)
    nearness[rows, places] = near.sum(1)
    best = nearness.argmax(1)
    same = torch.zeros_like(score, dtype=torch.bool)
    same[rows, places] = torch.isclose(q.mean, meant, rtol=_SAME, atol=_SAME).all(1)
    everyone = torch.arange(len(z))
    return candidates[everyone, best].float(), same[everyone, best]
