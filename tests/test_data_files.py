"""A user's own files: what loads, how it is split, and what is refused without running or allocating anything."""

import gzip
import hashlib
import io
import os
import pickle
import struct
import tracemalloc
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.EpsImagePlugin
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from dreamgen.data import load_data
from dreamgen.data.arrays import as_examples, read_arrays
from dreamgen.data.dataset import split_by_content
from dreamgen.data.files import load_path
from dreamgen.data.images import read_image
from dreamgen.data.named import read_idx
from dreamgen.errors import DataError

Array = npt.NDArray[Any]
HEADER = "{'descr': %s, 'fortran_order': False, 'shape': %s, }\n"


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def npy_bytes(x: Array, **options: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, x, **options)
    return buffer.getvalue()


def npz_bytes(compressed: bool = True, **arrays: Array) -> bytes:
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue()


def zip_bytes(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def forged_npy(header: str, content: bytes = b"\0" * 80, version: tuple[int, int] = (1, 0)) -> bytes:
    """An .npy file whose header is written by hand."""
    length = struct.pack("<H" if version == (1, 0) else "<I", len(header))
    return b"\x93NUMPY" + bytes(version) + length + header.encode("latin1") + content


def png_bytes(pixels: Array) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def grey(seed: int = 0, height: int = 8, width: int = 6) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def rows(x: Array) -> list[bytes]:
    return sorted(row.tobytes() for row in x)


@contextmanager
def little_memory(limit: int = 50 << 20) -> Iterator[None]:
    """Fail if Python asked for more than `limit` bytes at any moment."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit, f"{peak} bytes were asked for"


# Arrays that load


@pytest.mark.parametrize("dtype", ["uint8", "bool", "int64", "uint16", "float16", "float32", "float64", ">f4", ">i4"])
def test_numbers_of_any_type_arrive_as_bytes_or_float32(tmp_path: Path, dtype: str) -> None:
    written = np.random.default_rng(1).integers(0, 2, (12, 3, 4)).astype(dtype)
    x = load_path(write(tmp_path / "a.npy", npy_bytes(written))).train.x
    assert x.dtype == (np.uint8 if dtype == "uint8" else np.float32)
    assert x.dtype.isnative
    assert x.tolist() == written.astype(float).tolist()


def test_values_survive_the_file_exactly(tmp_path: Path) -> None:
    written = np.random.default_rng(2).standard_normal((15, 5)).astype(np.float32)
    assert np.array_equal(load_path(write(tmp_path / "a.npy", npy_bytes(written))).train.x, written)


def test_bytes_stay_bytes_over_their_whole_range(tmp_path: Path) -> None:
    written = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(load_path(write(tmp_path / "a.npy", npy_bytes(written))).train.x, written)


def test_fortran_order_is_the_same_data(tmp_path: Path) -> None:
    written = np.arange(10 * 3 * 4, dtype=np.float32).reshape(10, 3, 4)
    content = npy_bytes(np.asfortranarray(written))
    assert b"'fortran_order': True" in content
    assert np.array_equal(load_path(write(tmp_path / "a.npy", content)).train.x, written)


def test_npy_of_format_two_loads(tmp_path: Path) -> None:
    written = np.arange(12, dtype=np.float64).reshape(3, 4)
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, written, version=(2, 0))
    assert np.array_equal(load_path(write(tmp_path / "a.npy", buffer.getvalue())).train.x, written)


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("name", ["x", "images", "data", "X", "anything"])
def test_npz_array_is_found_by_name_or_because_it_is_alone(tmp_path: Path, compressed: bool, name: str) -> None:
    written = np.random.default_rng(3).random((10, 4)).astype(np.float32)
    path = write(tmp_path / "a.npz", npz_bytes(compressed, **{name: written}))
    dataset = load_path(path)
    assert np.array_equal(dataset.train.x, written)
    assert (dataset.train.labels, dataset.classes, dataset.official_split) == (None, (), False)
    assert (dataset.name, dataset.source) == ("a", str(path))


def test_npz_array_named_x_wins_over_others(tmp_path: Path) -> None:
    content = npz_bytes(x=np.ones((4, 2)), images=np.zeros((4, 2)), other=np.zeros(3))
    assert load_path(write(tmp_path / "a.npz", content)).train.x.min() == 1


def test_integer_labels_keep_their_numbers(tmp_path: Path) -> None:
    content = npz_bytes(x=np.arange(8.0).reshape(4, 2), labels=np.array([3, 0, 3, 5], np.uint8))
    dataset = load_path(write(tmp_path / "a.npz", content))
    assert dataset.train.labels is not None
    assert dataset.train.labels.dtype == np.int64
    assert dataset.train.labels.tolist() == [3, 0, 3, 5]
    assert dataset.classes == ("0", "1", "2", "3", "4", "5")


@pytest.mark.parametrize("key", ["labels", "y", "label"])
def test_text_labels_become_numbers_in_alphabetical_order(tmp_path: Path, key: str) -> None:
    content = npz_bytes(x=np.arange(8.0).reshape(4, 2), **{key: np.array(["dog", "cat", "dog", "ape"])})
    dataset = load_path(write(tmp_path / "a.npz", content))
    assert dataset.classes == ("ape", "cat", "dog")
    assert dataset.train.labels is not None
    assert dataset.train.labels.tolist() == [2, 1, 2, 0]


@pytest.mark.parametrize(
    ("labels", "classes", "numbers"),
    [
        (np.array([-1, 7, -1]), ("-1", "7"), [0, 1, 0]),
        (np.array([20_000, 10, 10]), ("10", "20000"), [1, 0, 0]),
        (np.array([0.5, 2.0, 0.5]), ("0.5", "2.0"), [0, 1, 0]),
        (np.array([True, False, True]), ("False", "True"), [1, 0, 1]),
        (np.array([b"cat", b"ape", b"cat"]), ("ape", "cat"), [1, 0, 1]),
    ],
    ids=["negative", "large", "float", "bool", "bytes"],
)
def test_other_labels_are_numbered_in_order(
    tmp_path: Path, labels: Array, classes: tuple[str, ...], numbers: list[int]
) -> None:
    dataset = load_path(write(tmp_path / "a.npz", npz_bytes(x=np.eye(3), y=labels)))
    assert dataset.classes == classes
    assert dataset.train.labels is not None
    assert dataset.train.labels.tolist() == numbers


def test_labels_follow_their_rows_through_the_split(tmp_path: Path) -> None:
    x = np.random.default_rng(4).random((300, 2)).astype(np.float32)
    labels = np.arange(300)
    dataset = load_path(write(tmp_path / "a.npz", npz_bytes(x=x, y=labels)))
    for part in (dataset.train, dataset.test):
        assert len(part) > 0
        assert part.labels is not None
        assert np.array_equal(part.x, x[part.labels])


def test_an_unnamed_member_is_chosen_by_name_and_not_by_place(tmp_path: Path) -> None:
    content = npz_bytes(first=np.zeros((3, 2)), x=np.ones((3, 2)))
    assert read_arrays(write(tmp_path / "a.npz", content)).keys() == {"first", "x"}
    assert load_path(tmp_path / "a.npz").train.x.min() == 1


def test_load_data_takes_a_path_as_text_or_path(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npy", npy_bytes(np.eye(3)))
    assert np.array_equal(load_data(str(path)).train.x, load_data(path).train.x)


# Folders of images


def test_grey_folder_is_read_in_the_order_of_names(tmp_path: Path) -> None:
    for name, seed in (("b.png", 1), ("a.PNG", 0), ("c.bmp", 2)):
        Image.fromarray(grey(seed)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a picture")
    dataset = load_path(tmp_path)
    assert dataset.train.x.dtype == np.uint8
    assert np.array_equal(dataset.train.x, np.stack([grey(0), grey(1), grey(2)]))
    assert dataset.train.labels is None
    assert dataset.name == tmp_path.name


def test_coloured_folder_keeps_three_channels(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (8, 6, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / "a.png")
    assert np.array_equal(load_path(tmp_path).train.x, colours[None])


def test_black_and_white_and_transparent_pictures_lose_nothing_but_their_alpha(tmp_path: Path) -> None:
    pixels = grey()
    Image.fromarray(pixels > 127).save(tmp_path / "bits.png")
    assert np.array_equal(read_image(tmp_path / "bits.png"), np.where(pixels > 127, 255, 0))
    Image.fromarray(np.dstack([pixels, 255 - pixels]), "LA").save(tmp_path / "la.png")
    assert np.array_equal(read_image(tmp_path / "la.png"), pixels)
    Image.fromarray(np.dstack([pixels] * 4), "RGBA").save(tmp_path / "rgba.png")
    assert np.array_equal(read_image(tmp_path / "rgba.png"), np.dstack([pixels] * 3))


def test_palette_picture_with_transparency_loads_without_a_warning(tmp_path: Path) -> None:
    picture = Image.fromarray(np.dstack([grey(0), grey(1), grey(2)])).quantize(16)
    expected = np.asarray(picture.convert("RGB"))
    picture.save(tmp_path / "p.png", transparency=bytes(range(16)))
    assert np.array_equal(read_image(tmp_path / "p.png"), expected)


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_sixteen_bit_greys_are_scaled_to_bytes_and_not_cut_off(tmp_path: Path, suffix: str) -> None:
    pixels = np.linspace(0, 65535, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}")
    try:
        x = read_image(tmp_path / f"a.{suffix}")
    except DataError:
        return  # to refuse is right too; to turn nearly every pixel white is not
    assert x.shape == (8, 8)
    assert np.abs(x - pixels / 257).max() <= 1


def test_float_tiff_is_scaled_or_refused_and_not_made_black(tmp_path: Path) -> None:
    pixels = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    Image.fromarray(pixels).save(tmp_path / "a.tif")
    try:
        x = read_image(tmp_path / "a.tif")
    except DataError:
        return
    assert np.unique(x).size == 64


def test_subfolders_are_classes(tmp_path: Path) -> None:
    for number, (folder, seed) in enumerate([("dog", 0), ("cat", 1), ("dog", 2), ("ape", 3)]):
        (tmp_path / folder).mkdir(exist_ok=True)
        Image.fromarray(grey(seed)).save(tmp_path / folder / f"{number}.png")
    dataset = load_path(tmp_path)
    assert dataset.classes == ("ape", "cat", "dog")
    assert dataset.train.labels is not None
    assert dataset.train.labels.tolist() == [0, 1, 2, 2]
    assert np.array_equal(dataset.train.x, np.stack([grey(3), grey(1), grey(0), grey(2)]))


def test_pictures_beside_subfolders_have_no_labels_and_no_class_names(tmp_path: Path) -> None:
    (tmp_path / "dog").mkdir()
    Image.fromarray(grey(0)).save(tmp_path / "dog" / "a.png")
    Image.fromarray(grey(1)).save(tmp_path / "a.png")
    dataset = load_path(tmp_path)
    assert dataset.train.labels is None
    assert dataset.classes == ()


# The split


def test_split_does_not_depend_on_the_order_of_rows() -> None:
    x = np.random.default_rng(5).integers(0, 256, (400, 7), dtype=np.uint8)
    mixed = x[np.random.default_rng(6).permutation(400)]
    one, other = split_by_content("a", x, None), split_by_content("a", mixed, None)
    assert not np.array_equal(one.test.x, other.test.x)
    assert rows(one.test.x) == rows(other.test.x)
    assert rows(one.train.x) == rows(other.train.x)


def test_split_keeps_every_row_once_and_in_order() -> None:
    x = np.arange(600, dtype=np.float32).reshape(300, 2)
    dataset = split_by_content("a", x, np.arange(300))
    assert rows(np.concatenate([dataset.train.x, dataset.test.x])) == rows(x)
    for part in (dataset.train, dataset.test):
        assert part.labels is not None
        assert (np.diff(part.labels) > 0).all()


@given(st.lists(st.integers(0, 12), min_size=20, max_size=200))
@settings(deadline=None, max_examples=50)
def test_equal_rows_are_on_one_side(values: list[int]) -> None:
    dataset = split_by_content("a", np.repeat(np.array(values, np.uint8)[:, None], 3, axis=1), None)
    assert not set(rows(dataset.train.x)) & set(rows(dataset.test.x))
    assert len(dataset.train) + len(dataset.test) == len(values)


def test_split_takes_about_a_tenth() -> None:
    x = np.random.default_rng(7).random((5000, 3)).astype(np.float32)
    # Binomial(5000, 0.1) has standard deviation 21.
    assert 400 < len(split_by_content("a", x, None).test) < 600


def test_split_is_the_same_in_every_release() -> None:
    x = np.arange(400, dtype="<f4").reshape(100, 4)
    first_bytes = [hashlib.blake2b(row.tobytes(), digest_size=8).digest()[-1] for row in x]
    # The last byte is the highest digit: below 0.1 are 0..24 and a part of 25.
    assert 25 not in first_bytes
    expected = [row for row, byte in enumerate(first_bytes) if byte < 25]
    assert expected
    assert (split_by_content("a", x, None).test.x[:, 0] / 4).tolist() == expected


def test_memory_layout_changes_neither_the_split_nor_the_hash() -> None:
    x = np.random.default_rng(8).random((200, 3, 4)).astype(np.float32)
    for rows_used in (200, 10):
        one = split_by_content("a", x[:rows_used], None)
        other = split_by_content("a", np.asfortranarray(x[:rows_used]), None)
        assert np.array_equal(one.test.x, other.test.x)
        assert one.sha256 == other.sha256


def test_fewer_than_twenty_rows_are_not_split() -> None:
    for seed in range(20):
        x = np.random.default_rng(seed).random((19, 2))
        dataset = split_by_content("a", x, np.arange(19))
        assert (len(dataset.train), len(dataset.test)) == (19, 0)
    assert any(
        len(split_by_content("a", np.random.default_rng(seed).random((20, 2)), None).test) for seed in range(20)
    )


def test_an_empty_test_part_is_refused_with_the_number_of_rows() -> None:
    dataset = split_by_content("small", np.eye(5), np.arange(5))
    with pytest.raises(DataError, match=r"small has 5 rows, too few for a test part"):
        dataset.part("test")
    assert np.array_equal(dataset.part("train").x, np.eye(5))
    everything = dataset.part("all")
    assert everything.labels is not None
    assert everything.labels.tolist() == [0, 1, 2, 3, 4]


def test_all_rows_are_both_parts_in_the_order_of_the_file() -> None:
    x = np.arange(300, dtype=np.float32).reshape(100, 3)
    dataset = split_by_content("a", x, np.arange(100))
    everything = dataset.part("all")
    assert len(dataset.test) > 0
    assert np.array_equal(everything.x, x)
    assert np.array_equal(everything.labels, np.arange(100))


def test_the_training_part_is_never_empty() -> None:
    # Thirty equal rows fall on one side, for about one value in ten on the side of the test part.
    for value in range(40):
        dataset = split_by_content("same", np.full((30, 4), value, np.uint8), None)
        assert len(dataset.train) > 0, f"thirty rows of {value} are all in the test part"


def test_hash_follows_values_shape_and_type() -> None:
    x = np.arange(24, dtype=np.float32).reshape(4, 6)
    hashes = {
        split_by_content("a", changed, None).sha256
        for changed in (x, x + 1, x.reshape(4, 2, 3), x.astype(np.int32), x.view(np.int32), x[:3])
    }
    assert len(hashes) == 6
    assert split_by_content("other name", x.copy(), np.arange(4)).sha256 in hashes


# Refusals: files that are not there, not whole, or not arrays


def test_missing_file_is_refused_with_the_nearest_set() -> None:
    with pytest.raises(DataError, match=r"'mnits'.*did you mean 'mnist'\?.*or a path"):
        load_data("mnits")
    with pytest.raises(DataError, match=r"nowhere\.npy.*[Nn]o such file"):
        load_path(Path("nowhere.npy"))


def test_a_name_longer_than_any_file_is_refused() -> None:
    with pytest.raises(DataError, match="no data set"):
        load_data("a" * 5000)


@pytest.mark.parametrize("name", ["a.tsv", "a", "a.pkl", "a.pt"])
def test_unknown_kind_of_file_is_refused_with_what_is_expected(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        DataError, match=r"expected \.npy, .*\.smi.* or a folder of images, got (\.tsv|no suffix|\.pkl|\.pt)"
    ):
        load_path(write(tmp_path / name, b"1,2,3\n"))


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"PK\x03\x04", b"garbage " * 50, bytes(1000)])
def test_empty_and_garbage_files_are_refused_by_name(tmp_path: Path, suffix: str, content: bytes) -> None:
    with pytest.raises(DataError, match=rf"a\{suffix}: cannot be read as {suffix[1:]}: ."):
        load_path(write(tmp_path / f"a{suffix}", content))


@pytest.mark.parametrize("kept", [5, 9, 50, 127, 128, 200, 927])
def test_truncated_npy_is_refused(tmp_path: Path, kept: int) -> None:
    content = npy_bytes(np.ones((20, 5)))
    assert len(content) == 928
    with pytest.raises(DataError, match=r"a\.npy: "):
        load_path(write(tmp_path / "a.npy", content[:kept]))


def test_truncated_npy_says_what_it_promised_and_what_it_holds(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="promises 800 bytes, the file holds 72"):
        load_path(write(tmp_path / "a.npy", npy_bytes(np.ones((20, 5)))[:200]))


@pytest.mark.parametrize("compressed", [True, False])
@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9, 0.99])
def test_truncated_npz_is_refused(tmp_path: Path, compressed: bool, share: float) -> None:
    content = npz_bytes(compressed, x=np.random.default_rng(0).random((30, 4)))
    with pytest.raises(DataError, match=r"a\.npz: cannot be read as npz: ."):
        load_path(write(tmp_path / "a.npz", content[: int(len(content) * share)]))


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["deflate", "bzip2", "lzma"]
)
def test_damaged_compression_is_refused(tmp_path: Path, method: int) -> None:
    content = bytearray(zip_bytes({"x.npy": npy_bytes(np.random.default_rng(0).random((30, 4)))}, method))
    content[70:200] = b"\x5a" * 130
    with pytest.raises(DataError, match=r"a\.npz: "):
        load_path(write(tmp_path / "a.npz", bytes(content)))


def test_changed_member_is_refused_by_its_checksum(tmp_path: Path) -> None:
    content = npz_bytes(compressed=False, x=np.full((8, 8), 0.25))
    damaged = content.replace(np.float64(0.25).tobytes(), np.float64(0.75).tobytes(), 1)
    assert damaged != content
    with pytest.raises(DataError, match="CRC"):
        load_path(write(tmp_path / "a.npz", damaged))


def test_encrypted_member_is_refused(tmp_path: Path) -> None:
    content = bytearray(zip_bytes({"x.npy": npy_bytes(np.eye(3))}))
    content[6] |= 1
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(DataError, match="encrypted"):
        load_path(write(tmp_path / "a.npz", bytes(content)))


def test_archive_without_arrays_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected an array called x or images, got none"):
        load_path(write(tmp_path / "a.npz", zip_bytes({})))


def test_several_arrays_without_x_are_refused_by_name(tmp_path: Path) -> None:
    content = npz_bytes(left=np.eye(3), right=np.eye(3))
    with pytest.raises(DataError, match="expected an array called x or images, got left, right"):
        load_path(write(tmp_path / "a.npz", content))


@pytest.mark.parametrize(
    "name", ["../x.npy", "../../x.npy", "/x.npy", "a/../../x.npy", "..\\x.npy", "x.npy/../y.npy"]
)
def test_member_names_never_reach_the_disk(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "inner" / "deeper"
    folder.mkdir(parents=True)
    path = write(folder / "a.npz", zip_bytes({name: npy_bytes(np.eye(3))}))
    before = sorted(tmp_path.rglob("*"))
    assert np.array_equal(load_path(path).train.x, np.eye(3))
    assert sorted(tmp_path.rglob("*")) == before
    assert not Path("/x.npy").exists()


# Refusals: code


class Trap:
    """Unpickling it makes a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Path]]:
        return Path.touch, (self.marker,)


def trapped(marker: Path) -> Array:
    x = np.empty((3, 2), object)
    x[:] = Trap(marker)
    return x


def object_npy(marker: Path) -> bytes:
    return npy_bytes(trapped(marker), allow_pickle=True)


def object_field_npy(marker: Path) -> bytes:
    return npy_bytes(np.array([(1.0, Trap(marker))] * 3, dtype=[("a", "f8"), ("b", "O")]), allow_pickle=True)


def bare_pickle(marker: Path) -> bytes:
    return pickle.dumps(Trap(marker))


def object_npz(marker: Path) -> bytes:
    return zip_bytes({"x.npy": object_npy(marker)})


def object_labels_npz(marker: Path) -> bytes:
    return zip_bytes({"x.npy": npy_bytes(np.eye(3)), "labels.npy": object_npy(marker)})


def object_bystander_npz(marker: Path) -> bytes:
    return zip_bytes({"x.npy": npy_bytes(np.eye(3)), "z.npy": object_npy(marker)})


@pytest.mark.parametrize(
    ("suffix", "plant", "text"),
    [
        (".npy", object_npy, "holds pickled objects"),
        (".npy", object_field_npy, "holds pickled objects"),
        (".npy", bare_pickle, "cannot be read as npy"),
        (".npz", object_npz, "holds pickled objects"),
        (".npz", object_labels_npz, "holds pickled objects"),
        (".npz", object_bystander_npz, "holds pickled objects"),
        (".npz", bare_pickle, "cannot be read as npz"),
    ],
)
def test_pickles_are_refused_and_never_run(
    tmp_path: Path, suffix: str, plant: Callable[[Path], bytes], text: str
) -> None:
    marker = tmp_path / "ran"
    path = write(tmp_path / f"a{suffix}", plant(marker))
    # The trap works: numpy, when it may, springs it.
    loaded = np.load(path, allow_pickle=True)
    if isinstance(loaded, np.lib.npyio.NpzFile):
        with loaded:
            dict(loaded)
    assert marker.exists()
    marker.unlink()
    with pytest.raises(DataError, match=rf"a\{suffix}: {text}"):
        load_path(path)
    assert not marker.exists()


def test_an_image_that_is_a_program_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Pillow hands PostScript, whatever the file is called, to Ghostscript: a program that runs what the file says.
    started: list[Any] = []

    def ghostscript(*args: Any, **options: Any) -> Image.Image:
        started.append(args)
        return Image.new("L", (8, 8))

    monkeypatch.setattr(PIL.EpsImagePlugin, "Ghostscript", ghostscript)
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n%%EOF\n"
    with pytest.raises(DataError, match=r"a\.png: "):
        read_image(write(tmp_path / "a.png", program))
    assert started == []


# Refusals: promises


def test_a_header_that_promises_32_gigabytes_is_refused_without_memory(tmp_path: Path) -> None:
    content = forged_npy(HEADER % ("'<f8'", "(2000000000, 2)"), b"")
    path = write(tmp_path / "a.npy", content.ljust(80, b"\0")[:80])
    assert path.stat().st_size == 80
    with little_memory(), pytest.raises(DataError, match=r"promises 32000000000 bytes, the file holds \d+$"):
        load_path(path)
    archive = write(tmp_path / "a.npz", zip_bytes({"x.npy": content}, zipfile.ZIP_DEFLATED))
    with little_memory(), pytest.raises(DataError, match=r"promises 32000000000 bytes, the file holds \d+$"):
        load_path(archive)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED], ids=["stored", "deflated"])
def test_a_zip_that_lies_about_its_sizes_is_refused_without_memory(tmp_path: Path, method: int) -> None:
    member = forged_npy(HEADER % ("'<f8'", "(500000000,)"))
    content = bytearray(zip_bytes({"x.npy": member}, method))
    struct.pack_into("<II", content, content.rfind(b"PK\x01\x02") + 20, 0xFFFFFFF0, 0xFFFFFFF0)
    with little_memory(), pytest.raises(DataError, match=r"a\.npz: (its header promises|cannot be read as npz: \S)"):
        load_path(write(tmp_path / "a.npz", bytes(content)))


@pytest.mark.parametrize(
    "shape",
    [
        "(-1, 10)",
        "(-1, -10)",
        "(10, -1)",
        "(1000000000000000000000000000000, 2)",
        "(0, 1000000000000000000000000000000)",
        "(0, 9000000000, 9000000000)",
        "(" + "1," * 70 + ")",
        "(" + "9" * 5000 + ",)",
        "(2.5, 4)",
        "('2', 5)",
        "(True, 10)",
        "10",
        "None",
    ],
    ids=lambda shape: shape[:20],
)
def test_absurd_shapes_are_refused(tmp_path: Path, shape: str) -> None:
    with little_memory(), pytest.raises(DataError, match=r"a\.npy: "):
        load_path(write(tmp_path / "a.npy", forged_npy(HEADER % ("'<f8'", shape))))


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3, \n",
        HEADER % ("()", "(2, 5)"),
        HEADER % ("[]", "(2, 5)"),
        HEADER % ("'nonsense'", "(2, 5)"),
        HEADER % ("'|V0'", "(1000000000000, 5)"),
        HEADER % ("('<f8', (2,))", "(5, 1)"),
        "{[]: 1}\n",
        "if:\n    x\n  y\n",
        "-" * 9000 + "1\n",
        "(" * 300 + "\n",
        "[" * 300 + "]" * 300 + "\n",
        "{}\n",
        "\0\n",
    ],
    ids=[
        "open bracket",
        "empty type",
        "no fields",
        "unknown type",
        "no width",
        "nested type",
        "unhashable",
        "indented",
        "minus signs",
        "round brackets",
        "square brackets",
        "no keys",
        "zero byte",
    ],
)
@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_headers_that_cannot_be_parsed_are_refused(tmp_path: Path, suffix: str, header: str) -> None:
    content = forged_npy(header)
    path = write(tmp_path / f"a{suffix}", content if suffix == ".npy" else zip_bytes({"x.npy": content}))
    with pytest.raises(DataError, match=rf"a\{suffix}: "):
        load_path(path)


@pytest.mark.parametrize("version", [(3, 0), (0, 0), (9, 9)])
def test_unknown_npy_formats_are_refused(tmp_path: Path, version: tuple[int, int]) -> None:
    content = forged_npy(HEADER % ("'<f8'", "(2, 5)"), version=version)
    with pytest.raises(DataError, match=r"a\.npy: "):
        load_path(write(tmp_path / "a.npy", content))


# Refusals: values


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_number_that_is_not_finite_is_refused_with_its_row(tmp_path: Path, bad: float, dtype: type) -> None:
    x = np.ones((9, 2, 3), dtype)
    x[7, 1, 2] = x[4, 0, 0] = bad
    with pytest.raises(DataError, match=r"NaN or infinity in 2 of 9 rows, the first is row 4$"):
        load_path(write(tmp_path / "a.npy", npy_bytes(x)))


@pytest.mark.parametrize("large", [1e39, -1e300])
def test_numbers_too_large_for_float32_are_refused(tmp_path: Path, large: float) -> None:
    x = np.ones((5, 2))
    x[3, 1] = large
    with pytest.raises(DataError, match="too large for float32"):
        load_path(write(tmp_path / "a.npy", npy_bytes(x)))


def test_the_largest_float32_is_not_refused(tmp_path: Path) -> None:
    x = np.full((2, 2), float(np.finfo(np.float32).max))
    assert np.array_equal(load_path(write(tmp_path / "a.npy", npy_bytes(x))).train.x, x)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 8, 8)])
def test_empty_arrays_are_refused_with_their_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError) as caught:
        load_path(write(tmp_path / "a.npy", npy_bytes(np.zeros(shape))))
    assert f"expected at least one example, got shape {shape}" in str(caught.value)


@pytest.mark.parametrize("shape", [(), (0,), (784,)])
def test_arrays_without_rows_are_refused_with_their_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError) as caught:
        load_path(write(tmp_path / "a.npy", npy_bytes(np.zeros(shape))))
    assert f"expected one row an example, (n, ...), got shape {shape}" in str(caught.value)


@pytest.mark.parametrize(
    "x",
    [
        np.array([["a", "b"]]),
        np.array([[b"a", b"b"]]),
        np.ones((2, 2), complex),
        np.zeros((2, 2), "M8[s]"),
        np.zeros((2, 2), [("a", "f8")]),
        np.zeros((2, 2), "V8"),
    ],
    ids=["text", "bytes", "complex", "dates", "records", "void"],
)
def test_what_are_no_numbers_is_refused_with_its_type(tmp_path: Path, x: Array) -> None:
    with pytest.raises(DataError) as caught:
        load_path(write(tmp_path / "a.npy", npy_bytes(x)))
    assert f"expected numbers, got {x.dtype}" in str(caught.value)


@pytest.mark.parametrize("x", [[[1, 2], [3]], [["a"]], [[None]], [[{}]], None, "text"])
def test_examples_that_are_no_array_are_refused(x: Any) -> None:
    with pytest.raises(DataError, match=r"X: expected"):
        as_examples(x, "X")


@pytest.mark.parametrize("labels", [np.zeros(3), np.zeros(5), np.zeros((4, 1)), np.array(0), np.zeros(0)])
def test_a_wrong_number_of_labels_is_refused(tmp_path: Path, labels: Array) -> None:
    with pytest.raises(DataError) as caught:
        load_path(write(tmp_path / "a.npz", npz_bytes(x=np.eye(4), labels=labels)))
    assert f"expected 4 labels, got shape {labels.shape}" in str(caught.value)


# Refusals: images


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing to see")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(DataError, match=r"holds no images \(\.png, "):
        load_path(tmp_path)


def test_mixed_sizes_are_refused_with_both_files(tmp_path: Path) -> None:
    Image.fromarray(grey(0, 8, 6)).save(tmp_path / "a.png")
    Image.fromarray(grey(1, 8, 6)).save(tmp_path / "b.png")
    Image.fromarray(grey(2, 6, 8)).save(tmp_path / "c.png")
    with pytest.raises(DataError, match=r"mixed sizes: \S+a\.png is 8x6, \S+c\.png is 6x8"):
        load_path(tmp_path)


def test_grey_among_coloured_pictures_is_refused_with_both_files(tmp_path: Path) -> None:
    Image.fromarray(grey()).save(tmp_path / "a.png")
    Image.fromarray(np.dstack([grey()] * 3)).save(tmp_path / "b.png")
    with pytest.raises(DataError, match=r"\S+a\.png is 8x6, \S+b\.png is 8x6x3"):
        load_path(tmp_path)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "tif", "ppm"])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_truncated_images_are_refused_by_name(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.dstack([grey(s, 32, 32) for s in range(3)])).save(path)
    content = path.read_bytes()
    write(path, content[: int(share * len(content))])
    with pytest.raises(DataError, match=rf"a\.{suffix}: not a readable image"):
        load_path(tmp_path)


def test_a_corrupt_image_is_refused_by_name(tmp_path: Path) -> None:
    content = bytearray(png_bytes(grey(0, 32, 32)))
    start = content.index(b"IDAT") + 4
    content[start : start + 40] = b"\xff" * 40
    Image.fromarray(grey(0, 32, 32)).save(tmp_path / "a.png")
    write(tmp_path / "b.png", bytes(content))
    with pytest.raises(DataError, match=r"b\.png: not a readable image"):
        load_path(tmp_path)


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (10_000, 10_000)])
def test_a_decompression_bomb_is_refused_without_memory(tmp_path: Path, width: int, height: int) -> None:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    pixels = png_chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    bomb = b"\x89PNG\r\n\x1a\n" + header + pixels + png_chunk(b"IEND", b"")
    path = write(tmp_path / "a.png", bomb)
    with warnings.catch_warnings(), little_memory():
        warnings.simplefilter("ignore")  # the refusal is not the tests' own filter
        with pytest.raises(DataError, match=r"a\.png: refused, its header asks for more memory"):
            read_image(path)


# Anything at all


@st.composite
def damage(draw: st.DrawFn, content: bytes) -> bytes:
    """A file with some bytes changed, a piece put in or taken out, or its end missing."""
    changed = bytearray(content)
    for _ in range(draw(st.integers(0, 6))):
        changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
    place = draw(st.integers(0, len(changed)))
    match draw(st.sampled_from(["keep", "keep", "put in", "take out", "cut"])):
        case "put in":
            changed[place:place] = draw(st.binary(min_size=1, max_size=12))
        case "take out":
            del changed[place : place + draw(st.integers(1, 12))]
        case "cut":
            del changed[place:]
    return bytes(changed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def loads_or_refuses(load: Callable[[], Any]) -> None:
    text = "it loaded"
    # A header that Python 2 wrote loads with numpy's warning, and a picture's odd metadata with Pillow's.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            load()
        except DataError as error:
            text = str(error)
    assert text.strip()
    assert "\n" not in text


FUZZ = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
VALID = np.random.default_rng(0).integers(0, 256, (5, 4), dtype=np.uint8)


@given(content=st.binary(max_size=300), suffix=st.sampled_from([".npy", ".npz", ".png", ".gz"]))
@FUZZ
def test_random_bytes_load_or_are_refused(folder: Path, content: bytes, suffix: str) -> None:
    path = write(folder / f"random{suffix}", content)
    loads_or_refuses(lambda: {".png": read_image, ".gz": read_idx}.get(suffix, load_path)(path))


@given(content=damage(npy_bytes(VALID.astype(np.float64))))
@FUZZ
def test_damaged_npy_loads_or_is_refused(folder: Path, content: bytes) -> None:
    loads_or_refuses(lambda: load_path(write(folder / "damaged.npy", content)))


@given(header=damage((HEADER % ("'<f8'", "(2, 5)")).encode()))
@FUZZ
def test_damaged_npy_header_loads_or_is_refused(folder: Path, header: bytes) -> None:
    loads_or_refuses(lambda: load_path(write(folder / "damaged.npy", forged_npy(header.decode("latin1")))))


@given(content=damage(npz_bytes(x=VALID, labels=np.array(list("abcde")))))
@FUZZ
def test_damaged_compressed_npz_loads_or_is_refused(folder: Path, content: bytes) -> None:
    loads_or_refuses(lambda: load_path(write(folder / "damaged.npz", content)))


@given(content=damage(npz_bytes(compressed=False, x=VALID, labels=np.arange(5))))
@FUZZ
def test_damaged_plain_npz_loads_or_is_refused(folder: Path, content: bytes) -> None:
    loads_or_refuses(lambda: load_path(write(folder / "damaged.npz", content)))


@given(content=damage(png_bytes(VALID)))
@FUZZ
def test_damaged_png_loads_or_is_refused(folder: Path, content: bytes) -> None:
    loads_or_refuses(lambda: read_image(write(folder / "damaged.png", content)))


@given(content=damage(gzip.compress(struct.pack(">HBBII", 0, 8, 2, *VALID.shape) + VALID.tobytes(), mtime=0)))
@FUZZ
def test_damaged_gzipped_idx_loads_or_is_refused(folder: Path, content: bytes) -> None:
    loads_or_refuses(lambda: read_idx(write(folder / "damaged.gz", content)))


@given(content=damage(struct.pack(">HBBII", 0, 8, 2, *VALID.shape) + VALID.tobytes()))
@FUZZ
def test_damaged_idx_inside_a_whole_gzip_loads_or_is_refused(folder: Path, content: bytes) -> None:
    loads_or_refuses(lambda: read_idx(write(folder / "inside.gz", gzip.compress(content, mtime=0))))


# Bombs, and what is no file


def bomb_npz(members: int, promised: int) -> bytes:
    """An archive whose directory promises more than a few bytes can honestly hold."""
    content = bytearray(zip_bytes({f"{n}.npy": npy_bytes(np.zeros((2, 2), np.uint8)) for n in range(members)}))
    place = content.find(b"PK\x01\x02")
    while place >= 0:
        struct.pack_into("<I", content, place + 24, promised)
        place = content.find(b"PK\x01\x02", place + 1)
    return bytes(content)


@pytest.mark.parametrize(("members", "promised"), [(1, 3 << 30), (40, 64 << 20)])
def test_an_archive_that_unfolds_to_gigabytes_is_refused_packed(tmp_path: Path, members: int, promised: int) -> None:
    path = write(tmp_path / "a.npz", bomb_npz(members, promised))
    with little_memory(), pytest.raises(DataError, match="as a bomb does"):
        load_path(path)


def test_a_folder_of_pictures_that_unfold_to_gigabytes_is_refused_after_the_first(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((4000, 4000), np.uint8)).save(tmp_path / "0.png")
    for number in range(1, 100):
        os.link(tmp_path / "0.png", tmp_path / f"{number}.png")
    with little_memory(80 << 20), pytest.raises(DataError, match="as a bomb does"):
        load_path(tmp_path)


@pytest.mark.parametrize("name", ["a.npy", "a.npz"])
def test_a_pipe_and_a_device_are_no_data(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match="a pipe or a device"):
        load_path(tmp_path / name)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(DataError, match="a pipe or a device"):
        load_path(tmp_path / name)
