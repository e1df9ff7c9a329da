"""Packed recurrent networks against torch's own cell, step by step."""

import pytest
import torch
from torch import Tensor, nn

from dreamgen.data.batch import Batch
from dreamgen.errors import SettingsError
from dreamgen.nn.recurrent import GRU, Packed, RecurrentEncoder

LINES = torch.tensor([[3, 1, 0, 9], [2, 0, 5, 5], [0, 1, 1, 1], [1, 2, 3, 4], [4, 4, 4, 0]])


def as_cell(network: GRU) -> nn.GRUCell:
    """The same weights in torch's cell."""
    cell = nn.GRUCell(network.read.in_features, network.hidden, dtype=torch.float64)
    zeros = torch.zeros(2 * network.hidden, dtype=torch.float64)
    cell.load_state_dict(
        {
            "weight_ih": network.read.weight,
            "bias_ih": network.read.bias,
            "weight_hh": network.recall,
            "bias_hh": torch.cat([zeros, network.bias]),
        }
    )
    return cell


def test_lines_are_packed_longest_first_and_nothing_counts_after_the_end() -> None:
    packed = Packed.of(LINES)
    assert packed.lengths.tolist() == [4, 4, 3, 2, 1]
    assert packed.order.tolist() == [3, 4, 0, 1, 2]
    assert packed.alive == [5, 4, 3, 2]
    assert packed.pack(packed.tokens).tolist() == [1, 4, 3, 2, 0, 2, 4, 1, 0, 3, 4, 0, 4, 0]
    numbers = torch.arange(1.0, 15.0)
    there = packed.unpack(numbers, 4) != 0
    assert there.sum(1).tolist() == [3, 2, 1, 4, 4]
    assert packed.unpack(packed.pack(packed.tokens), 4).tolist()[3] == [1, 2, 3, 4]


def test_backwards_turns_each_line_round() -> None:
    assert Packed.of(LINES).backwards()[:3].tolist() == [[4, 3, 2, 1], [0, 4, 4, 4], [0, 1, 3, 3]]


@pytest.mark.parametrize("told", [False, True])
def test_states_and_gradients_are_those_of_torchs_cell(told: bool) -> None:
    torch.manual_seed(0)
    network = GRU(3, 4).double()
    nn.init.normal_(network.bias)
    alive, cell = [5, 4, 3, 2], as_cell(network)
    x = torch.randn(14, 3, dtype=torch.float64, requires_grad=True)
    first = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
    gates = torch.randn(5, 12, dtype=torch.float64, requires_grad=True) if told else None
    weights = torch.randn(14, 4, dtype=torch.float64)
    states = network(x, first, alive, gates)

    h, expected, start = first, [], 0
    for n in alive:
        # Gates that a line is told at every step are a bias of its own.
        h = torch.stack(
            [step(cell, x[start + row], h[row], None if gates is None else gates[row]) for row in range(n)]
        )
        expected.append(h)
        start += n
    torch.testing.assert_close(states, torch.cat(expected))
    inputs = [x, first, *([gates] if gates is not None else [])]
    ours = torch.autograd.grad((states * weights).sum(), [*inputs, network.recall, network.read.weight, network.bias])
    theirs = torch.autograd.grad(
        (torch.cat(expected) * weights).sum(), [*inputs, cell.weight_hh, cell.weight_ih, cell.bias_hh]
    )
    for mine, other in zip(ours[:-1], theirs[:-1], strict=True):
        torch.testing.assert_close(mine, other)
    torch.testing.assert_close(ours[-1], theirs[-1][8:])


def step(cell: nn.GRUCell, x: Tensor, h: Tensor, told: Tensor | None) -> Tensor:
    if told is None:
        return cell(x.unsqueeze(0), h.unsqueeze(0))[0]
    heard = x @ cell.weight_ih.T + cell.bias_ih + told
    recalled = h @ cell.weight_hh.T + cell.bias_hh
    reset, update = (heard[:8] + recalled[:8]).sigmoid().chunk(2)
    new = (heard[8:] + reset * recalled[8:]).tanh()
    return new + update * (h - new)


def test_features_do_not_depend_on_the_batch_nor_on_what_follows_the_end() -> None:
    network = RecurrentEncoder(10, 0, embedding=4, units=5).eval()
    features = network(Batch(LINES.float()))
    assert features.shape == (5, network.features)
    torch.testing.assert_close(features[1:2], network(Batch(torch.tensor([[2.0, 0.0, 0.0, 0.0]]))))
    assert not torch.allclose(features[0], features[1])


def test_the_context_goes_beside_the_features() -> None:
    told = torch.tensor([[7.0], [8.0], [9.0], [1.0], [2.0]])
    network = RecurrentEncoder(10, 1, embedding=4, units=5)
    assert torch.equal(network(Batch(LINES.float(), context=told))[:, -1:], told)
    assert network.features == 11


def test_numbers_that_are_no_lines_are_refused() -> None:
    with pytest.raises(SettingsError, match="language"):
        RecurrentEncoder(0, 0)
    with pytest.raises(SettingsError, match="units"):
        RecurrentEncoder(5, 0, units=0)
