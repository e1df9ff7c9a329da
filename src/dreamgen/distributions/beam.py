"""Beam search: the likeliest lines of tokens, of which the writer sees only those that are still in the running."""

import math

import torch
from torch import Tensor

from dreamgen.distributions.bounded import at_least_float32
from dreamgen.distributions.lines import Lines

_HOPELESS = 15.0  # nats below the likeliest line so far: not worth a step of the network


@torch.no_grad()
def beam_search(p: Lines, width: int) -> tuple[Tensor, Tensor]:
    """The likeliest lines of each row that are found when so many are kept at every step.

    Sequence Transduction with Recurrent Neural Networks, 2012, https://arxiv.org/abs/1211.3711, section 2.5. With
    a width of 1 the only line is `Lines.mode`.

    Args:
        p: lines, batch shape (n, T).
        width: K.

    Returns:
        Lines (n, K, T), and log p of each, in nats, (n, K), the likeliest first; -inf where fewer were found. Lines
        of T - 1 tokens are ended, which costs them nothing.
    """
    n, symbols = len(p.told), p.writer.symbols
    lines = torch.zeros(n, width, p.width, dtype=torch.long, device=p.told.device)
    score = at_least_float32(p.told).new_full((n, width), -math.inf)
    score[:, 0] = 0
    token, ended = torch.zeros_like(score, dtype=torch.long), torch.zeros_like(score, dtype=torch.bool)
    states = score.new_empty(n, width, p.writer.units)
    for step in range(p.width - 1):
        running = ~ended & (score > score[:, :1] - _HOPELESS)
        if not running.any():
            score = score.masked_fill(~ended, -math.inf)
            break
        rows = running.nonzero()[:, 0]
        logits, states[running] = p.step(token[running], states[running] if step else None, rows)
        grown = score.new_full((n, width, symbols), -math.inf)
        grown[running] = score[running].unsqueeze(1) + logits.log_softmax(-1)
        grown[..., 0] = torch.where(ended, score, grown[..., 0])  # a line that has ended stays as it is
        score, best = grown.flatten(1).topk(width)
        before, token = best // symbols, best % symbols
        lines, states = (kept.gather(1, before.unsqueeze(2).expand_as(kept)) for kept in (lines, states))
        lines[:, :, step] = token
        ended = token == 0
    return lines, score
