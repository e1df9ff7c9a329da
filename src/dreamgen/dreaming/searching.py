"""Codes to lines by search: of the likeliest lines, the one that the encoder would most likely have had this code of.

The likeliest token at every step need not make the likeliest line, and the likeliest line need not be the one that
was meant: among lines that differ in a token or two the encoder tells better than the decoder. p(x|z) proposes, and
q(z|x) decides, among those that are what the model's lines are: of molecules, molecules.
"""

import torch
from torch import Tensor

from dreamgen.data.batch import Batch
from dreamgen.devices import device_of
from dreamgen.distributions import Delta
from dreamgen.distributions.beam import beam_search
from dreamgen.distributions.lines import Lines
from dreamgen.errors import SettingsError
from dreamgen.evaluation.likelihood import encode_rows
from dreamgen.forms import Form
from dreamgen.io import SavedModel
from dreamgen.workers import Watch

_FIRST = (1, 8)  # lines that are compared before as many as were asked for: for most codes of examples enough
_ROWS = 64  # codes that are searched for together
_SAME = 1e-3  # of a code: two lines this near each other are one
_NONE = 1e9  # what is no molecule fits by so much less


def search_rows(
    saved: SavedModel, z: Tensor, context: Tensor | None = None, *, width: int, watch: Watch | None = None
) -> Tensor:
    """Codes (n, D), with their context (n, C) where the model is told one, to lines (n, T), on the CPU.

    Of the `width` likeliest lines, by `beam_search`, the one with the largest q(z|x), which of a posterior that is a
    point is the nearest. Of molecules, lines that are none are taken only where all are. Fewer are compared where
    one of those has the very code. Lines are read as they were written, so that of two spellings of a molecule the
    one that is usual in the training rows fits best.

    Args:
        width: how many lines are compared for each code, at most.
        watch: told how many codes are done and how many there are.

    Raises:
        SettingsError: a model that does not write lines of tokens, or that cannot read them.
    """
    lines, left = torch.zeros(len(z), *saved.event_shape), torch.arange(len(z))
    nearest = torch.full((len(z),), -torch.inf, dtype=torch.float64)
    for wide in (*(few for few in _FIRST if few < width), width):
        missed, done = [], len(z) - len(left)
        for rows in left.split(_ROWS) if len(left) else ():
            told = None if context is None else context[rows.to(context.device)]
            found, near, same = _nearest(saved, z[rows.to(z.device)], told, wide)
            better = near > nearest[rows]  # a wider beam may have lost what a narrower one held to
            lines[rows[better]], nearest[rows[better]] = found[better], near[better]
            missed.append(rows[~same])
            done += len(rows) if wide == width else int(same.sum())
            if watch is not None:
                watch(done, len(z))
        left = torch.cat(missed) if missed else left
    return lines


@torch.no_grad()
def _nearest(saved: SavedModel, z: Tensor, context: Tensor | None, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """For each code the line that fits it best, (n, T), how well, (n,), and whether that has the very code, (n,)."""
    device = device_of(saved.model)
    p = saved.model.decoder(z.to(device), None if context is None else context.to(device))
    if not isinstance(p, Lines):
        raise SettingsError("search: expected a model that writes lines of tokens")
    candidates, score = (found.cpu() for found in beam_search(p, width))
    rows, places = score.isfinite().nonzero(as_tuple=True)
    told = None if context is None else context.cpu()[rows]
    q = encode_rows(saved.model, Batch(candidates[rows, places].float(), context=told))
    meant = z.cpu()[rows]
    fit = -(q.mean - meant).square() if isinstance(q, Delta) else q.log_prob(meant)
    fits = torch.full(score.shape, -torch.inf, dtype=torch.float64)
    fits[rows, places] = fit.sum(1).double()
    same = torch.zeros_like(score, dtype=torch.bool)
    same[rows, places] = torch.isclose(q.mean, meant, rtol=_SAME, atol=_SAME).all(1)
    best, valid = _best_valid(saved.form, candidates, fits)
    return (
        candidates.gather(1, best.unsqueeze(2).expand(-1, -1, candidates.shape[2]))[:, 0].float(),
        fits.gather(1, best)[:, 0] - _NONE * ~valid,
        same.gather(1, best)[:, 0] & valid,
    )


def _best_valid(form: Form, candidates: Tensor, fits: Tensor) -> tuple[Tensor, Tensor]:
    """Of lines (n, K, T) the places, (n, 1), of those that fit best and are valid, and whether any is, (n,)."""
    order = fits.argsort(dim=1, descending=True, stable=True)
    best, valid = order[:, :1].clone(), torch.zeros(len(order), dtype=torch.bool)
    left = torch.arange(len(order))
    for places in order.T:  # few are looked at: to read a molecule takes longer than to sort it
        left = left[fits[left, places[left]].isfinite()]
        if not len(left):
            break
        good = form.valid(candidates[left, places[left]])
        best[left[good], 0], valid[left[good]] = places[left[good]], True
        left = left[~good]
    return best, valid
