"""Lines of text as a data set: what loads, what is left out and counted, and what is refused."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dreamgen.data import Dataset, lines, load_data
from dreamgen.data.dataset import Examples
from dreamgen.data.lines import find_lines, read_lines, split_texts, text_of
from dreamgen.data.reading import Reading
from dreamgen.errors import DataError


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def texts(dataset: Dataset) -> list[str]:
    return [str(text) for text in dataset.rows.x]


# What loads


@pytest.mark.parametrize("name", ["poem.txt", "tunes.abc", "POEM.TXT", "poem.txt.gz", "poem.TXT.GZ"])
def test_lines_load_in_the_order_of_the_file(tmp_path: Path, name: str) -> None:
    content = "one\ntwo words\n  три\n".encode()
    path = write(tmp_path / name, gzip.compress(content) if name.lower().endswith(".gz") else content)
    dataset = load_data(path)
    assert texts(dataset) == ["one", "two words", "  три"]
    assert dataset.rows.x.dtype == np.dtype("<U9")
    assert (dataset.name, dataset.source) == (name.partition(".")[0], str(path))
    assert (dataset.notes, dataset.skipped, dataset.is_validation) == ((), (), None)
    assert len(dataset.validation) == 0


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_all_ends_of_lines_are_known_and_the_last_may_lack_one(tmp_path: Path, end: str, last: bool) -> None:
    path = write(tmp_path / "a.txt", end.join(["a", "b", "", "c"]) + (end if last else ""))
    found = find_lines(path)
    assert (found.texts, found.numbers, found.blank) == (["a", "b", "c"], [1, 2, 4], 1)


def test_what_ends_a_line_only_in_some_books_stays_in_it(tmp_path: Path) -> None:
    odd = ["a\x0bb", "a\x0cb", "a\x85b", "a\u2028b"]
    assert texts(load_data(write(tmp_path / "a.txt", "\n".join(odd)))) == odd


def test_blank_and_repeated_lines_are_left_out_and_counted(tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path / "a.txt", "a\n\nb\n \t\na  \nb\nc\n"))
    assert texts(dataset) == ["a", "b", "c"]
    assert dataset.notes == ("2 blank lines left out", "2 of 5 lines left out, which repeat others")


def test_a_mark_of_utf8_is_no_letter(tmp_path: Path) -> None:
    assert texts(load_data(write(tmp_path / "a.txt", b"\xef\xbb\xbfone\n"))) == ["one"]


# The split


def test_the_split_follows_what_a_line_says_and_not_its_company(tmp_path: Path) -> None:
    some = [f"line {number}" for number in range(300)]
    one = read_lines(write(tmp_path / "a.txt", "\n".join(some)))
    other = read_lines(write(tmp_path / "b.txt", "\n".join([*reversed(some), "much longer than all the others"])))
    assert 10 < len(one.test) < 60
    assert set(one.test.x) == set(other.test.x) - {"much longer than all the others"}
    assert not set(one.train.x) & set(one.test.x)
    assert len(one.train) + len(one.test) == 300


def test_a_validation_part_is_neither_trained_nor_tested_on() -> None:
    x = np.array(list("abcdef"))
    is_test, is_validation = x == "f", (x == "b") | (x == "d")
    dataset = Dataset("a", Examples(x), is_test, is_validation=is_validation)
    assert [list(part.x) for part in (dataset.train, dataset.validation, dataset.test)] == [
        ["a", "c", "e"],
        ["b", "d"],
        ["f"],
    ]
    assert dataset.part("validation").x.tolist() == ["b", "d"]
    assert dataset.sha256 != Dataset("a", Examples(x), is_test).sha256
    with pytest.raises(DataError, match="a has 6 rows, too few for a validation part"):
        Dataset("a", Examples(x), is_test).part("validation")


# Longest


def test_a_line_that_is_too_long_is_named_and_all_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "short\n\nlonger than that\nok\nlonger again\n")
    with pytest.raises(DataError) as caught:
        load_data(path, longest=5)
    assert str(caught.value) == (
        f"{path}, line 3: longer than 5 characters (2 of 4 lines are bad); --skip-bad leaves such lines out and "
        "counts them"
    )
    dataset = load_data(path, longest=5, skip_bad=True)
    assert texts(dataset) == ["short", "ok"]
    assert dataset.skipped == tuple(f"{path}, line {n}: longer than 5 characters" for n in (3, 5))
    assert dataset.notes[1].startswith(f"2 of 4 lines left out: {path}, line 3: longer than 5 characters; ")
    assert texts(load_data(path, longest=16)) == ["short", "longer than that", "ok", "longer again"]


def test_nothing_but_long_lines_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of 2 lines can be learnt from, the first because: .*line 1: longer"):
        read_lines(write(tmp_path / "a.txt", "long\nlonger\n"), Reading(skip_bad=True, longest=3))


def test_one_long_line_does_not_take_all_memory(tmp_path: Path) -> None:
    some = [str(number) for number in range(20_000)]
    path = write(tmp_path / "a.txt", "\n".join([*some, "x" * 100_000]))
    with pytest.raises(DataError, match="20001 lines, the longest of 100000 characters, need 7 GiB"):
        load_data(path)
    assert len(load_data(path, longest=5, skip_bad=True).rows) == 20_000


# Refusals


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", r"expected text, got an empty file"),
        (b"\n \n\t\n", r"expected lines of text, got 3 blank ones"),
        ("раз\nдва\n".encode("cp1251"), r"a\.txt, line 1: is not UTF-8; iconv -f cp1251"),
        (b"one\r\ntwo\rthree\n\xff\n", r"a\.txt, line 4: is not UTF-8"),
        (b"\xef\xbb\xbfa\nb\xe9\n", r"a\.txt, line 2: is not UTF-8"),
        ("раз\n".encode("utf-16"), r"is UTF-16, expected UTF-8"),
        ("one\n".encode("utf-32"), r"is UTF-32, expected UTF-8"),
        ("one\n".encode("utf-16-le"), r"a\.txt, line 1: a NUL byte"),
        (b"one\ntwo\nth\0ree\n", r"a\.txt, line 3: a NUL byte"),
    ],
    ids=["empty", "blank", "cp1251", "latin", "marked", "utf-16", "utf-32", "unmarked", "nul"],
)
@pytest.mark.parametrize("packed", [False, True])
def test_what_is_no_text_is_refused_with_its_line(tmp_path: Path, content: bytes, text: str, packed: bool) -> None:
    path = tmp_path / ("a.txt.gz" if packed else "a.txt")
    with pytest.raises(DataError, match=text.replace("txt,", r"txt\.gz,") if packed else text):
        load_data(write(path, gzip.compress(content) if packed else content))


@pytest.mark.parametrize("content", [b"plain text\n", b"", gzip.compress(b"a line\n" * 50)[:-9]])
def test_a_gz_that_is_none_or_not_whole_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"a\.txt\.gz: (cannot be read: .|expected text, got an empty file)"):
        load_data(write(tmp_path / "a.txt.gz", content))


def test_a_bomb_is_refused_before_it_is_unfolded_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.txt.gz", gzip.compress(b"\n" * (16 << 20)))
    told: list[int] = []
    monkeypatch.setattr(lines, "is_bomb", lambda unfolded, size: told.append(unfolded) or unfolded > 250 * size)
    with pytest.raises(DataError, match=rf"{path.stat().st_size} bytes unfold to \d+ and more, as a bomb does"):
        text_of(path)
    assert max(told) < 8 << 20


def test_pictures_sizes_and_parts_of_mixtures_are_not_for_lines(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "one\n")
    with pytest.raises(DataError, match="--size is for faces"):
        load_data(path, size=64)
    with pytest.raises(DataError, match="largest_part= is for molecules"):
        load_data(path, largest_part=True)
    with pytest.raises(DataError, match="longest: expected 1 character or more, got 0"):
        load_data(path, longest=0)
    with pytest.raises(DataError, match="longest= is for lines"):
        load_data(tmp_path, longest=5)
    with pytest.raises(DataError, match="mnist has pictures: longest="):
        load_data("mnist", longest=5)


@given(content=st.binary(max_size=200), packed=st.booleans())
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_load_or_are_refused_in_one_line(tmp_path: Path, content: bytes, packed: bool) -> None:
    path = write(tmp_path / ("a.txt.gz" if packed else "a.txt"), gzip.compress(content) if packed else content)
    refused, found = "", []
    try:
        found = texts(load_data(path))
    except DataError as error:
        refused = str(error)
    assert "\n" not in refused
    assert bool(refused) != bool(found)
    if refused:
        return
    expected = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    assert found == list(dict.fromkeys(line.rstrip() for line in expected if line.strip()))


def test_texts_with_attributes_keep_them_through_the_split() -> None:
    some = [f"text {number}" for number in range(200)]
    dataset = split_texts("a", some, np.arange(200, dtype=np.float32)[:, None], attribute_names=("place",))
    assert len(dataset.test) > 0
    for part in (dataset.train, dataset.test):
        assert [f"text {place:.0f}" for place in dataset.attributes_of(part)["place"]] == list(part.x)
