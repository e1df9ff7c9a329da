"""log p(x|z) of whole examples, against the same sum in float64."""

import pytest
import torch

from dreamgen.distributions import GreyBernoulli, log_prob_sum


@pytest.mark.parametrize("elements", [1, 2, 6, 7, 784])
@pytest.mark.parametrize("size", [1.0, 15.0, 60.0])
def test_the_sum_of_a_bernoullis_log_probabilities(elements: int, size: float) -> None:
    generator = torch.Generator().manual_seed(elements)
    logits = size * torch.randn(5, 4, elements, generator=generator)
    x = torch.rand(4, elements, generator=generator)
    exact = GreyBernoulli(logits.double()).log_prob(x.double()).sum(-1)
    torch.testing.assert_close(log_prob_sum(GreyBernoulli(logits), x).double(), exact, rtol=1e-5, atol=1e-4)
    reference = -torch.nn.functional.binary_cross_entropy_with_logits(
        logits.double(), x.double().expand_as(logits), reduction="none"
    ).sum(-1)
    torch.testing.assert_close(exact, reference)
