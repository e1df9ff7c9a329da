"""Lines found by search: the likeliest of all lines, and of those the one whose own code is meant."""

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
import torch

from dreamgen import DreamGenerator
from dreamgen.applications.molecules.dreamer import MoleculeDreamer
from dreamgen.data.batch import Batch
from dreamgen.data.vocabulary import Vocabulary
from dreamgen.distributions import Lines
from dreamgen.distributions.beam import beam_search
from dreamgen.distributions.lines import RecurrentLikelihood
from dreamgen.dreaming import decode_rows, search_rows
from dreamgen.errors import SettingsError
from dreamgen.evaluation import encode_rows

SYMBOLS, WIDTH, ROWS = 3, 5, 4
NAMES = ["anna", "hanna", "johanna", "anton", "antonia", "bert", "berta", "robert", "roberta", "albert"] * 12


@pytest.fixture
def p() -> Lines:
    torch.manual_seed(3)
    likelihood = RecurrentLikelihood((WIDTH,), SYMBOLS, embedding=5, units=6).double()
    made = likelihood(2 * torch.randn(ROWS, *likelihood.parameters_shape((WIDTH,)), dtype=torch.float64))
    assert isinstance(made, Lines)
    return made


@pytest.mark.parametrize("peaked", [1, 30])
def test_a_wide_beam_finds_the_likeliest_of_all_lines(p: Lines, peaked: float) -> None:
    p = Lines(peaked * p.told, p.writer, WIDTH)
    every = [line for line in product(range(SYMBOLS), repeat=WIDTH - 1) if all(a or not b for a, b in pairwise(line))]
    lines = torch.tensor([(*line, 0) for line in every], dtype=torch.float64)
    found, score = beam_search(p, 2 * len(every))
    for row in range(ROWS):
        # What would go on beyond the last place is ended there, which is no choice of the writer's.
        true = Lines(p.told[row], p.writer, WIDTH).log_prob(lines)[:, : WIDTH - 1].sum(1)
        order = true.argsort(descending=True)
        near = int((true > true.max() - 15).sum())
        assert found[row, :near].tolist() == lines[order[:near]].tolist()
        torch.testing.assert_close(score[row, :near], true[order[:near]])
        known = {tuple(line): float(log_prob) for line, log_prob in zip(every, true.detach(), strict=True)}
        there = score[row].isfinite()
        assert near <= there.sum() <= len(every)
        for line, log_prob in zip(found[row, there].tolist(), score[row, there].tolist(), strict=True):
            assert log_prob == pytest.approx(known[tuple(line[: WIDTH - 1])])  # and no line that was left half-way


def test_a_beam_of_one_is_the_mode_and_a_wider_one_finds_no_less(p: Lines) -> None:
    one, score = beam_search(p, 1)
    assert one[:, 0].tolist() == p.mode.tolist()
    wider = beam_search(p, 4)[1]
    assert (wider[:, 0] >= score[:, 0] - 1e-9).all()
    assert (wider.diff(dim=1) <= 0).all()


def test_of_the_likeliest_lines_the_one_whose_own_code_is_meant_is_taken(
    dreamer: MoleculeDreamer, molecules: list[str]
) -> None:
    saved = dreamer.generator.fitted()
    x = dreamer.generator.prepare(molecules[:150])
    z = encode_rows(saved.model, x).mean
    greedy = decode_rows(saved, z)
    assert torch.equal(search_rows(saved, z, width=1), greedy)
    exact = [(search_rows(saved, z, width=width) == x).all(1) for width in (1, 4, 32)]
    shares = [float(same.float().mean()) for same in exact]
    assert shares[0] + 0.1 < shares[1] < shares[2]
    assert shares[2] > 0.9
    assert (exact[0] <= exact[2]).all()  # what has its code back stays

    far = torch.randn(20, z.shape[1], generator=torch.Generator().manual_seed(0))
    found = search_rows(saved, far, width=8)
    for row in range(len(far)):
        candidates, score = beam_search(saved.model.decoder(far[row : row + 1]), 8)
        lines = candidates[0][score[0].isfinite()].float()
        nearest = encode_rows(saved.model, lines).log_prob(far[row : row + 1]).sum(1).argmax()  # type: ignore[no-untyped-call]
        assert torch.equal(found[row], lines[nearest])


def test_what_is_no_molecule_is_taken_only_where_all_are(
    dreamer: MoleculeDreamer, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = dreamer.generator.fitted()
    assert saved.vocabulary is not None
    z = torch.randn(20, saved.settings.latent_dim, generator=torch.Generator().manual_seed(0))
    usual = search_rows(saved, z, width=8)
    refused = set(saved.vocabulary.decode(usual.numpy()))
    monkeypatch.setattr(Vocabulary, "valid", lambda self, lines: [line not in refused for line in lines])
    for row, other in enumerate(search_rows(saved, z, width=8)):
        candidates, score = beam_search(saved.model.decoder(z[row : row + 1]), 8)
        lines = candidates[0][score[0].isfinite()].float()
        good = [line not in refused for line in saved.vocabulary.decode(lines.numpy())]
        assert sum(good) < len(good)
        fits = encode_rows(saved.model, Batch(lines)).log_prob(z[row : row + 1]).sum(1)  # type: ignore[no-untyped-call]
        fits[~torch.tensor(good)] = -torch.inf
        assert torch.equal(other, lines[fits.argmax()])
    monkeypatch.setattr(Vocabulary, "valid", lambda self, lines: [False] * len(lines))
    assert torch.equal(search_rows(saved, z, width=8), usual)


def test_verbs_search_and_dreams_do_not(dreamer: MoleculeDreamer, molecules: list[str]) -> None:
    saved = dreamer.generator.fitted()
    generator = DreamGenerator.of(replace(saved, settings=saved.settings.replace(search=16)), "cpu")
    some = molecules[:60]
    again = generator.reconstruct(some).tolist()
    plain = dreamer.generator.reconstruct(some).tolist()
    assert plain == generator.reconstruct(some, search=1).tolist()
    assert again == dreamer.generator.reconstruct(some, search=16).tolist()
    assert sum(a == b for a, b in zip(again, some, strict=True)) > sum(
        a == b for a, b in zip(plain, some, strict=True)
    )
    assert again == generator.inverse_transform(generator.transform(some)).tolist()
    assert generator.morph(some[0], some[1], 3).tolist()[0] == again[0]
    assert generator.dream(20, seed=1).tolist() == dreamer.generator.dream(20, seed=1).tolist()
    np.testing.assert_array_equal(
        generator.reconstruct(some[:5], sample=True), dreamer.generator.reconstruct(some[:5], sample=True)
    )


@pytest.mark.parametrize("told", [False, True])
def test_lines_of_an_autoencoder_and_of_a_conditional_model_are_searched_for(told: bool) -> None:
    lines = sorted(set(NAMES))
    settings = {"encoder": {"kind": "recurrent", "units": 12}, "likelihood": {"kind": "recurrent", "units": 16}}
    generator = DreamGenerator(
        **settings,
        language="characters",
        posterior="gaussian" if told else "point",
        context="labels" if told else "none",
        beta=0.0,
        hidden_dim=[],
        latent_dim=6,
        search=8,
        batch_size=10,
        epochs=40,
        learning_rate=1e-2,
        validation=0,
        random_state=0,
    )
    ends = np.array([name.endswith("a") for name in NAMES], int)
    generator.fit(NAMES, ends if told else None)
    given = {"label": [int(name.endswith("a")) for name in lines]} if told else None
    assert generator.reconstruct(lines, given=given).tolist() == lines


@pytest.mark.parametrize("wrong", [{"search": 0}, {"search": 4}])
def test_a_search_where_there_is_none_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match="search: expected 1"):
        DreamGenerator(epochs=1, batch_size=10, **wrong).fit(np.zeros((20, 2, 2), np.float32))


def test_how_far_a_search_is_and_what_it_is_no_search_of(dreamer: MoleculeDreamer, molecules: list[str]) -> None:
    seen: list[tuple[int, int]] = []
    dreamer.generator.reconstruct(molecules[:100], search=9, watch=lambda done, all_: seen.append((done, all_)))
    assert seen[-1] == (100, 100)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    nothing = torch.zeros(0, dreamer.generator.fitted().settings.latent_dim)
    assert search_rows(dreamer.generator.fitted(), nothing, width=4).shape == (
        0,
        *dreamer.generator.fitted().event_shape,
    )
    with pytest.raises(SettingsError, match="search: expected 1 or more"):
        dreamer.generator.reconstruct(molecules[:2], search=0)
    pictures = DreamGenerator(latent_dim=2, hidden_dim=4, batch_size=10, epochs=1).fit(np.zeros((20, 2, 2)))
    with pytest.raises(SettingsError, match="search: expected a model that writes lines"):
        pictures.inverse_transform(np.zeros((1, 2)), search=2)
