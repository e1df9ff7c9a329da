"""The short form of `benchmarks/break_it.py`: kills, refusals, flips, files that mean harm, bad numbers, damage."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import break_it
from breaking.outcome import timed
from breaking.parsers import EXAMPLES, PARSERS, Bench, holds


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """As many threads as the jobs have, or a resumed run would say that its bytes may differ."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("name", [name for name in break_it.PARTS if name != "fuzz"])
def test_dreamgen_holds(name: str, tmp_path: Path) -> None:
    part, _, size = break_it.PARTS[name]
    outcome = timed(part, size, 1, tmp_path)
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.total >= size
    assert outcome.passed, outcome.line(name)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return Bench(tmp_path_factory.mktemp("bench"))


@st.composite
def damage(draw: st.DrawFn, content: bytes) -> bytes:
    """A good example with some bytes changed, a number replaced, a piece put in or taken out, or its end missing."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(0, 3))):
        changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
    place = draw(st.integers(0, len(changed)))
    match draw(st.sampled_from(["keep", "put in", "take out", "cut"])):
        case "put in":
            pieces = [b"-1", b"1e999", b"9" * 400, b"null", b"[]", b"{}", b'""', b"\0", b"\xff" * 8, b"\\ud800"]
            changed[place:place] = draw(st.sampled_from(pieces) | st.binary(min_size=1, max_size=12))
        case "take out":
            del changed[place : place + draw(st.integers(1, 12))]
        case "cut":
            del changed[place:]
    return bytes(changed)


@pytest.mark.parametrize("name", list(PARSERS))
@given(data=st.data())
@settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.large_base_example],
)
def test_every_parser_reads_or_refuses(name: str, data: st.DataObject, bench: Bench) -> None:
    example = data.draw(st.sampled_from(EXAMPLES[name](bench)))
    holds(PARSERS[name], bench, data.draw(damage(example) | st.binary(max_size=200)))
