"""The likelihood of lines: a probability over all lines, drawn from as it says."""

from itertools import pairwise, product

import pytest
import torch
from torch import Tensor

from dreamgen.distributions import Lines, StepNoise, draw
from dreamgen.distributions.lines import RecurrentLikelihood
from dreamgen.errors import DataError, SettingsError

SYMBOLS, WIDTH = 3, 4


@pytest.fixture
def p() -> Lines:
    """Two samples of three lines."""
    torch.manual_seed(0)
    likelihood = RecurrentLikelihood((WIDTH,), SYMBOLS, embedding=5, units=6).double()
    h = 3 * torch.randn(2, 3, *likelihood.parameters_shape((WIDTH,)), dtype=torch.float64)
    made = likelihood(h)
    assert isinstance(made, Lines)
    return made


def every_line() -> Tensor:
    """All lines of 0, 1 and 2 that end within four places, and all that fill them without an end."""
    lines = [line for line in product(range(SYMBOLS), repeat=WIDTH) if all(a or not b for a, b in pairwise(line))]
    return torch.tensor(lines, dtype=torch.float64)


def test_probabilities_of_all_lines_sum_to_one(p: Lines) -> None:
    lines = every_line()
    total = torch.stack([p.log_prob(line).sum(-1).exp() for line in lines]).sum(0)
    torch.testing.assert_close(total, torch.ones(2, 3, dtype=torch.float64))


def test_a_token_is_scored_by_those_before_it_alone(p: Lines) -> None:
    one, other = torch.tensor([1.0, 2.0, 1.0, 0.0]), torch.tensor([1.0, 2.0, 0.0, 0.0])
    scores = p.log_prob(one), p.log_prob(other)
    torch.testing.assert_close(scores[0][..., :2], scores[1][..., :2])
    assert (scores[1][..., 3] == 0).all()  # after the end


def test_lines_are_scored_alike_alone_and_together(p: Lines) -> None:
    lines = torch.tensor([[1.0, 0.0, 0.0, 0.0], [2.0, 2.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    together = p.log_prob(lines)
    for row in range(3):
        alone = Lines(p.told[:, row : row + 1], p.writer, WIDTH).log_prob(lines[row : row + 1])
        torch.testing.assert_close(together[:, row : row + 1], alone)


def test_draws_are_as_frequent_as_they_are_likely(p: Lines) -> None:
    one = Lines(p.told[0, :1], p.writer, WIDTH)
    drawn = draw(one, StepNoise(0), 20_000)[:, 0]
    assert (drawn[:, -1] == 0).all()  # every line is ended
    for line in every_line():
        if line[-1] == 0:
            # What would go on beyond the last place is ended there.
            whole = line.count_nonzero() == WIDTH - 1
            scores = one.log_prob(line)[0]
            expected = scores[: WIDTH - 1].sum().exp() if whole else scores.sum().exp()
            assert (drawn == line).all(1).double().mean().item() == pytest.approx(expected.item(), abs=0.015)


def test_cooler_draws_are_of_a_power_of_each_tokens_chance(p: Lines) -> None:
    cool = Lines(p.told[0, :1], p.writer, WIDTH, heat=0.5)
    lines = torch.tensor([[0.0, 0, 0, 0], [1.0, 0, 0, 0], [2.0, 0, 0, 0]], dtype=torch.float64)
    first = torch.stack([cool.log_prob(line)[0, 0] for line in lines]).exp()
    drawn = draw(cool, StepNoise(0), 20_000)[:, 0, 0]
    found = torch.stack([(drawn == token).double().mean() for token in range(SYMBOLS)])
    torch.testing.assert_close(found, first.square() / first.square().sum(), atol=0.01, rtol=0)
    for heat in (0.0, -1.0, float("inf")):
        with pytest.raises(SettingsError, match="heat"):
            RecurrentLikelihood((WIDTH,), SYMBOLS, heat=heat)


def test_the_mode_takes_the_likeliest_token_at_every_step(p: Lines) -> None:
    modes = p.mode
    for k, b in product(range(2), range(3)):
        one, line = Lines(p.told[k, b : b + 1], p.writer, WIDTH), torch.zeros(1, WIDTH, dtype=torch.float64)
        for place in range(WIDTH - 1):
            tried = line.repeat(SYMBOLS, 1)
            tried[:, place] = torch.arange(SYMBOLS)
            line[0, place] = torch.stack([one.log_prob(t)[0, place] for t in tried]).argmax()
            if line[0, place] == 0:
                break
        assert modes[k, b].tolist() == line[0].tolist()


def test_there_is_no_mean(p: Lines) -> None:
    with pytest.raises(SettingsError, match="no mean"):
        _ = p.mean


def test_what_is_no_line_is_refused() -> None:
    with pytest.raises(SettingsError, match="language"):
        RecurrentLikelihood((2, 2), 5)
    with pytest.raises(SettingsError, match="language"):
        RecurrentLikelihood((2,), 0)
    with pytest.raises(DataError, match="0 to 4"):
        RecurrentLikelihood((2,), 5).check(0, 5)
