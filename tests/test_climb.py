"""Climbing: the oracle's calls, the wall, the direction, the seed; and lines that are rewritten."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from dreamgen import DreamGenerator
from dreamgen.applications.molecules.climb import climb
from dreamgen.applications.molecules.guide import Guide
from dreamgen.applications.molecules.oracle import Goal, Oracle
from dreamgen.applications.molecules.proposals import chances, rewrite, splice
from dreamgen.applications.molecules.surrogate import Surrogate
from dreamgen.chemistry.fingerprints import fingerprints, similarities
from dreamgen.chemistry.molecules import parse
from dreamgen.chemistry.properties import PROPERTIES, log_p
from dreamgen.cli import cli, main
from dreamgen.errors import DataError, SettingsError

pytest.importorskip("rdkit")

DRUGS = [
    "CC(=O)Oc1ccccc1C(=O)O",
    "CC(=O)Nc1ccc(O)cc1",
    "CC(C)Cc1ccc(C(C)C(=O)O)cc1",
    "Cn1cnc2c1c(=O)n(C)c(=O)n2C",
    "OC(=O)c1ccccc1O",
    "CCOC(=O)c1ccc(N)cc1",
    "CCN(CC)CCOC(=O)c1ccc(N)cc1",
    "CCN(CC)CC(=O)Nc1c(C)cccc1C",
    "CC(C)NCC(O)COc1cccc2ccccc12",
    "CN1CCC[C@H]1c1cccnc1",
    "NC(=O)c1cnccn1",
    "NNC(=O)c1ccncc1",
    "CC(N)Cc1ccccc1",
    "CNC(C)C(O)c1ccccc1",
    "NCCc1ccc(O)c(O)c1",
    "Clc1ccccc1CN1CCc2sccc2C1",
    "CN(C)CCCN1c2ccccc2Sc2ccccc21",
    "OCCN1CCN(CCC=C2c3ccccc3Sc3ccccc32)CC1",
]
ASPIRIN = DRUGS[0]


@pytest.fixture(scope="module")
def generator() -> DreamGenerator:
    """A model of a few drugs, some of which it writes back."""
    attributes = {"logP": [log_p(parse(text)) for text in DRUGS]}  # type: ignore[arg-type]
    model = DreamGenerator(
        latent_dim=8,
        hidden_dim=[],
        encoder={"kind": "recurrent", "units": 24},
        likelihood={"kind": "recurrent", "units": 32, "embedding": 16},
        language={"kind": "selfies", "pieces": 0},
        properties=["logP"],
        beta=0.05,
        batch_size=9,
        epochs=25,
        learning_rate=1e-2,
        validation=0.0,
        random_state=0,
    )
    return model.fit(DRUGS, attributes=attributes)


class Counted:
    """A property that notes for what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __call__(self, mol: object) -> float:
        from dreamgen.chemistry.molecules import written

        self.asked.append(written(mol))  # type: ignore[arg-type]
        return log_p(mol)  # type: ignore[arg-type]


# The oracle


def test_an_oracle_is_asked_once_for_a_molecule_however_it_is_written() -> None:
    counted = Counted()
    oracle = Oracle(Goal("mine", score=counted))
    assert oracle("OCC") == oracle("CCO") == log_p(parse("CCO"))  # type: ignore[arg-type]
    assert oracle.ask(["C(O)C", "CCN"])[0] == oracle("CCO")
    assert oracle.calls == 2
    assert counted.asked == ["CCO", "CCN"]
    with pytest.raises(DataError, match="no molecule"):
        oracle("C1CC")
    assert oracle.calls == 2


def test_an_unknown_property_names_the_nearest() -> None:
    with pytest.raises(SettingsError, match="logP"):
        Goal("logp")


# Climbs


def test_a_climb_keeps_to_its_calls_and_its_wall(generator: DreamGenerator) -> None:
    counted = Counted()
    starts = [ASPIRIN, DRUGS[5], DRUGS[8]]
    found = climb(generator, starts, Goal("logP", score=counted), similarity=0.3, calls=45, atoms=16, seed=1)
    assert len(counted.asked) == sum(one.calls for one in found)
    assert max(one.calls for one in found) <= 45
    for start, one in zip(starts, found, strict=True):
        a, b, c = (parse(text) for text in (start, one.best, one.start))
        assert a is not None
        assert b is not None
        assert c is not None
        near = similarities(fingerprints([a]), fingerprints([b]))[0, 0]
        assert near >= 0.3
        assert one.similarity == near
        assert b.GetNumHeavyAtoms() <= max(16, a.GetNumHeavyAtoms())
        assert one.best_value == pytest.approx(log_p(b), abs=1e-12)
        assert one.start_value == pytest.approx(log_p(c), abs=1e-12)
        assert np.diff([step.value for step in one.path]).min(initial=1) > 0
        assert one.path[0].smiles == one.start
        assert one.path[0].calls == 1
    assert sum(one.improvement for one in found) > 0.5


def test_a_wall_of_one_admits_only_what_looks_the_same(generator: DreamGenerator) -> None:
    (found,) = climb(generator, [ASPIRIN], "QED", similarity=1.0, calls=20)
    assert found.best == found.start
    assert found.improvement == 0
    assert found.similarity == 1


def test_a_goal_may_fall(generator: DreamGenerator) -> None:
    up, down = (climb(generator, [DRUGS[8]], Goal("logP", highest), calls=40)[0] for highest in (True, False))
    assert up.best_value > up.start_value == down.start_value > down.best_value
    assert min(up.improvement, down.improvement) > 0


def test_a_climb_is_a_function_of_the_seed_and_not_of_its_company(generator: DreamGenerator) -> None:
    alone = climb(generator, [ASPIRIN], "penalised_logP", calls=30, seed=3)
    among = climb(generator, [DRUGS[4], "O=C(O)c1ccccc1OC(C)=O"], "penalised_logP", calls=30, seed=3)
    assert alone[0] == among[1]
    assert climb(generator, [ASPIRIN], "penalised_logP", calls=30, seed=4)[0].path != alone[0].path


@pytest.mark.parametrize("way", ["rewrites", "walks", "edits"])
def test_each_way_of_making_molecules_stands_alone(generator: DreamGenerator, way: str) -> None:
    (found,) = climb(generator, [DRUGS[8]], "logP", calls=30, similarity=0, ways=(way,))
    assert 1 < found.calls <= 30
    assert found.best_value >= found.start_value
    assert found.path != climb(generator, [DRUGS[8]], "logP", calls=30, similarity=0)[0].path


def test_a_way_that_does_not_exist_is_refused(generator: DreamGenerator) -> None:
    for ways in ((), ("swims",)):
        with pytest.raises(SettingsError, match="ways: expected some of rewrites, walks, edits"):
            climb(generator, [ASPIRIN], "logP", ways=ways)


def test_one_call_is_the_start_itself(generator: DreamGenerator) -> None:
    (found,) = climb(generator, [ASPIRIN], "logP", calls=1)
    assert (found.calls, found.best, found.path[0].similarity) == (1, found.start, 1.0)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("C1CC", "molecule 2, 'C1CC': no molecule"),
        ("CCO.CCN", "molecule 2, .*mixture"),
        ("C[Se]C", "molecule 2, .*Se"),
    ],
)
def test_a_start_that_cannot_be_read_is_named(generator: DreamGenerator, start: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        climb(generator, [ASPIRIN, start], "logP")


def test_values_that_are_none_end_no_climb_but_the_starts_own(generator: DreamGenerator) -> None:
    here = parse(ASPIRIN)
    assert here is not None
    atoms = here.GetNumAtoms()
    partly = Goal("partly", score=lambda mol: 1.0 if mol.GetNumAtoms() == atoms else float("nan"))
    (found,) = climb(generator, [ASPIRIN], partly, calls=30, similarity=0.2)
    assert found.best == found.start
    with pytest.raises(DataError, match="has no none to improve"):
        climb(generator, [ASPIRIN], Goal("none", score=lambda mol: float("nan")))


def test_settings_are_checked(generator: DreamGenerator) -> None:
    for wrong in ({"calls": 0}, {"atoms": 0}, {"similarity": 1.5}):
        with pytest.raises(SettingsError, match=f"{next(iter(wrong))}: expected"):
            climb(generator, [ASPIRIN], "logP", **wrong)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="got none"):
        climb(generator, [], "logP")


def test_a_model_of_pictures_climbs_nothing(trained: DreamGenerator) -> None:
    with pytest.raises(SettingsError, match="a model of molecules"):
        climb(trained, [ASPIRIN], "logP")


# Parts


def test_a_guide_reads_the_goal_and_its_slope_goes_up(generator: DreamGenerator) -> None:
    z = generator.transform(DRUGS[:4])
    saved, codes = generator.fitted(), torch.from_numpy(z)
    up, down = Guide(saved, Goal("logP")), Guide(saved, Goal("logP", highest=False))
    read = up.read(codes).detach().numpy()
    loc = saved.properties["logP"].loc if saved.properties else 0.0
    np.testing.assert_allclose(read + loc, generator.read_codes(z)["logP"], rtol=1e-5)
    np.testing.assert_allclose(down.read(codes).detach().numpy(), -read)
    moved = up.ascend(codes, torch.full((4,), 0.4))
    assert (up.read(moved) > up.read(codes)).all()
    assert (moved - codes).norm(dim=1).max() <= 0.4 + 1e-5
    assert Guide(saved, Goal("penalised_logP")).terms == {"logP": 1.0}
    assert not Guide(saved, Goal("QED")).terms
    assert (Guide(saved, Goal("QED")).ascend(codes, torch.ones(4)) == codes).all()


def test_chances_are_those_of_the_likelihood(generator: DreamGenerator) -> None:
    saved, z = generator.fitted(), torch.from_numpy(generator.transform(DRUGS[:3]))
    lines = generator.prepare(DRUGS[:3]).long()
    found = torch.from_numpy(chances(saved, z, lines.numpy()))
    expected = saved.model.decoder(z).log_prob(lines.float())
    told = found.gather(2, lines.unsqueeze(2)).squeeze(2)
    alive = torch.arange(lines.shape[1]) <= (lines != 0).sum(1, keepdim=True)
    torch.testing.assert_close(told[alive].log(), expected[alive], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(found.sum(2), alive.float())


def test_a_rewrite_takes_the_likely_tokens_and_keeps_the_rest() -> None:
    line, rng = np.array([5, 6, 7, 8, 0, 0, 0]), np.random.default_rng(0)
    chance = np.zeros((7, 10), np.float32)
    chance[:, 9] = 1
    new = [rewrite(line, chance, rng) for _ in range(300)]
    assert {len(one) for one in new} == {7}
    assert {token for one in new for token in one.tolist()} <= {0, 5, 6, 7, 8, 9}
    for one in new:
        kept = [token for token in one.tolist() if token in (5, 6, 7, 8)]
        assert kept == sorted(kept)
        assert (one[(one != 0).sum() :] == 0).all()
    assert {(5, 6, 9, 8), (9, 5, 6, 7, 8), (5, 7, 8), (5, 6, 7, 8, 9)} <= {tuple(one[one != 0]) for one in new}
    full = np.array([1, 2, 3, 0])
    assert max(int((rewrite(full, chance, rng) != 0).sum()) for _ in range(100)) == 3


def test_a_splice_is_a_beginning_and_an_end() -> None:
    a, b, rng = np.array([1, 2, 3, 0, 0]), np.array([4, 5, 6, 7, 0]), np.random.default_rng(0)
    for _ in range(100):
        text = [token for token in splice(a, b, rng).tolist() if token]
        first = [token for token in text if token < 4]
        assert text[: len(first)] == first == [1, 2, 3][: len(first)]
        assert (rest := text[len(first) :]) == [4, 5, 6, 7][4 - len(rest) :] or len(text) == 4


def test_a_surrogate_is_the_gaussian_process_and_corrects_the_reader() -> None:
    rng = np.random.default_rng(0)
    x = rng.poisson(1.0, (60, 30)).astype(float)
    true = x @ rng.normal(size=30)
    read = np.zeros(60)
    known = Surrogate(x[:40], read[:40], true[:40])
    mean, deviation = known.expect(x[40:], read[40:])
    assert np.corrcoef(mean, true[40:])[0, 1] > 0.8
    assert deviation.min() > 0
    again, sure = known.expect(x[:40], read[:40])
    assert sure.max() < deviation.min()
    assert np.abs(again - true[:40]).max() < 0.2 * true.std()
    shifted, _ = Surrogate(x[:40], true[:40] + 7, true[:40]).expect(x[40:], true[40:] + 7)
    np.testing.assert_allclose(shifted, true[40:], atol=1e-6)


# The command


def test_the_command_writes_a_row_for_each_start_and_draws_the_way(generator: DreamGenerator, tmp_path: Path) -> None:
    generator.save(tmp_path / "model")
    starts = tmp_path / "starts.smi"
    starts.write_text(f"{ASPIRIN} aspirin\n{DRUGS[8]} propranolol\n")
    out, picture = tmp_path / "climbed.csv", tmp_path / "way.png"
    arguments = ["climb", str(tmp_path / "model"), str(starts), "--property", "logP", "--calls", "30", "--json"]
    done = CliRunner().invoke(cli, [*arguments, "--out", str(out), "--picture", str(picture)], catch_exceptions=False)
    told, rows = json.loads(done.stdout), list(csv.DictReader(out.read_text().splitlines()))
    expected = climb(generator, [ASPIRIN, DRUGS[8]], "logP", calls=30)
    assert [row["smiles"] for row in rows] == [one.best for one in expected]
    assert [float(row["best_value"]) for row in rows] == [PROPERTIES["logP"](parse(one.best)) for one in expected]  # type: ignore[arg-type]
    assert told["calls"] == sum(int(row["calls"]) for row in rows) == sum(one.calls for one in expected)
    assert told["improvement"] == pytest.approx(np.mean([one.improvement for one in expected]))
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_lines_of_a_file_that_cannot_be_climbed_from_are_named_and_left_out(
    generator: DreamGenerator, tmp_path: Path
) -> None:
    generator.save(tmp_path / "model")
    starts, out = tmp_path / "starts.smi", tmp_path / "climbed.csv"
    starts.write_text(f"C1CC\n\n{ASPIRIN}\nCCO.CCN\n")
    arguments = ["climb", str(tmp_path / "model"), str(starts), "--property", "logP", "--calls", "3", "--json"]
    done = CliRunner().invoke(cli, [*arguments, "--out", str(out)], catch_exceptions=False)
    assert (json.loads(done.stdout)["starts"], json.loads(done.stdout)["left_out"]) == (1, 2)
    assert [row["start"] for row in csv.DictReader(out.read_text().splitlines())] == [ASPIRIN]
    assert "starts.smi, line 1: no molecule" in done.stderr
    assert "starts.smi, line 4: a mixture" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["C1CC"], "'C1CC' is no molecule: expected SMILES"),
        (["CCO", "--property", "logq"], "unknown property 'logq'"),
        (["CCO", "--out", "here.png"], "expected a name that ends in .csv"),
        (["nowhere.smi"], "nowhere.smi"),
    ],
)
def test_bad_input_is_one_line(
    generator: DreamGenerator,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    generator.save(tmp_path / "model")
    with pytest.raises(SystemExit) as end:
        main(["climb", str(tmp_path / "model"), *arguments])
    said = capsys.readouterr().err
    assert end.value.code in (2, 3)
    assert message in said
    assert said.count("\n") == 1
