"""Named sets: where their files are looked for, what is downloaded, and what is refused."""

import dataclasses
import gc
import gzip
import hashlib
import os
import shutil
import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.datasets import load_digits

import dreamgen.data.named as named
from dreamgen.data import Dataset, load_data
from dreamgen.data.named import NAMED_SETS, NamedSet, read_idx, sha256_of
from dreamgen.errors import DataError

Bytes = npt.NDArray[np.uint8]
FILE = "mnist/train-images-idx3-ubyte.gz"


def idx(x: Bytes) -> bytes:
    """The format of MNIST, before gzip, as its page describes it."""
    return bytes([0, 0, 8, x.ndim]) + b"".join(struct.pack(">I", n) for n in x.shape) + x.tobytes()


def hashed(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def put(folder: Path, content: bytes, file: str = FILE) -> Path:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if not path.is_dir()]


@dataclasses.dataclass
class Server:
    """A mirror on this machine.

    Attributes:
        url: with a slash at the end.
        contents: what it has, by name.
        asked: the names it was asked for.
        promise: bytes that Content-Length says beyond what is sent.
    """

    url: str
    contents: dict[str, bytes]
    asked: list[str]
    promise: int = 0


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server("", {}, [])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            state.asked.append(name)
            content = state.contents.get(name)
            self.send_response(404 if content is None else 200)
            self.send_header("Content-Length", str(len(content or b"") + state.promise))
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        state.url = f"http://127.0.0.1:{http.server_port}/mirror/"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        http.shutdown()
        thread.join()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    monkeypatch.setenv("DREAMGEN_DATA", str(folder))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return folder


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setattr("dreamgen.data.named.cache_folder", lambda: folder)
    return folder


@pytest.fixture
def mirrored(server: Server) -> NamedSet:
    """MNIST with one small file, on the mirror."""
    content = b"from the mirror"
    server.contents[Path(FILE).name] = content
    return dataclasses.replace(NAMED_SETS["mnist"], mirror=server.url, files={FILE: hashed(content)})


# Where files are looked for


def test_dreamgen_data_comes_first_then_the_cache_then_the_mirror(
    data: Path, cache: Path, server: Server, mirrored: NamedSet
) -> None:
    put(data, b"from DREAMGEN_DATA")
    put(cache, b"from the cache")
    assert mirrored.path(FILE) == data / FILE
    (data / FILE).unlink()
    assert mirrored.path(FILE) == cache / FILE
    assert mirrored.path(FILE).read_bytes() == b"from the cache"
    assert server.asked == []
    (cache / FILE).unlink()
    assert mirrored.path(FILE) == cache / FILE
    assert mirrored.path(FILE).read_bytes() == b"from the mirror"
    assert server.asked == ["train-images-idx3-ubyte.gz"]


def test_a_downloaded_file_is_kept_and_not_fetched_again(
    data: Path, cache: Path, server: Server, mirrored: NamedSet
) -> None:
    first = mirrored.path(FILE)
    again = mirrored.path(FILE)
    assert first == again
    assert server.asked == ["train-images-idx3-ubyte.gz"]
    assert files_in(cache) == [cache / FILE]


def test_nothing_is_written_beside_the_users_own_data(
    data: Path, cache: Path, server: Server, mirrored: NamedSet
) -> None:
    mirrored.path(FILE)
    assert files_in(data) == []


def test_a_folder_in_the_place_of_a_file_is_passed_over(data: Path, cache: Path, mirrored: NamedSet) -> None:
    (data / FILE).mkdir(parents=True)
    assert mirrored.path(FILE) == cache / FILE


def test_without_dreamgen_data_the_cache_comes_first(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DREAMGEN_DATA", raising=False)
    put(cache, b"here")
    assert NAMED_SETS["mnist"].at_hand(FILE) == cache / FILE
    (cache / FILE).unlink()
    assert NAMED_SETS["mnist"].at_hand(FILE) is None


def test_the_cache_is_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert named.cache_folder().name == "dreamgen"
    assert named.cache_folder().is_absolute()


# Downloads that go wrong


def refusal(of: NamedSet) -> str:
    with pytest.raises(DataError) as caught:
        of.path(FILE)
    return str(caught.value)


def test_a_wrong_hash_is_refused_and_leaves_nothing_behind(
    data: Path, cache: Path, server: Server, mirrored: NamedSet
) -> None:
    server.contents[Path(FILE).name] = b"from somebody else"
    text = refusal(mirrored)
    assert "another SHA-256 than expected" in text
    for looked in ("mnist is not at hand", f"DREAMGEN_DATA={data}", str(cache), server.url):
        assert looked in text
    assert files_in(cache) == []
    server.contents[Path(FILE).name] = b"from the mirror"
    assert mirrored.path(FILE).read_bytes() == b"from the mirror"


def test_a_file_that_the_mirror_does_not_have_is_refused(
    data: Path, cache: Path, server: Server, mirrored: NamedSet
) -> None:
    server.contents.clear()
    assert f"{server.url} does not answer (HTTPError)" in refusal(mirrored)
    assert files_in(cache) == []


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_download_that_breaks_off_is_refused_and_leaves_nothing_behind(
    data: Path, cache: Path, server: Server, mirrored: NamedSet
) -> None:
    server.promise = 1000
    assert "mnist is not at hand" in refusal(mirrored)
    gc.collect()  # urllib3 leaves the broken connection's socket to the collector, which warns
    assert files_in(cache) == []


def test_a_silent_server_is_given_up_after_the_timeout(
    data: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dreamgen.data.named.DOWNLOAD_TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        accepted: list[socket.socket] = []
        thread = threading.Thread(target=lambda: accepted.append(listening.accept()[0]))
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        began = time.monotonic()
        text = refusal(dataclasses.replace(NAMED_SETS["mnist"], mirror=url))
        waited = time.monotonic() - began
        thread.join()
        for connection in accepted:
            connection.close()
    assert len(accepted) == 1
    assert f"{url} does not answer (ReadTimeout)" in text
    assert 0.25 < waited < 3
    assert files_in(cache) == []


def test_a_refused_connection_says_what_was_looked_at(data: Path, cache: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    text = refusal(dataclasses.replace(NAMED_SETS["mnist"], mirror=url))
    assert text == (
        f"mnist is not at hand: DREAMGEN_DATA={data}, {cache} does not hold it, "
        f"and {url} does not answer (ConnectionError)"
    )


def test_a_cache_that_cannot_be_written_is_not_blamed_on_the_mirror(
    data: Path, server: Server, mirrored: NamedSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = put(data, b"a file where the cache's folder should be", "blocked")
    monkeypatch.setattr("dreamgen.data.named.cache_folder", lambda: blocked / "cache")
    text = refusal(mirrored)
    assert str(blocked) in text
    assert "does not answer" not in text


def test_a_set_without_a_mirror_says_that_it_cannot_be_downloaded(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DREAMGEN_DATA", raising=False)
    with pytest.raises(DataError, match=r"omniglot is not at hand: DREAMGEN_DATA is not set, .* downloaded"):
        load_data("omniglot")


# idx files


@pytest.mark.parametrize("shape", [(5,), (2, 3), (4, 28, 28), (1, 1, 1, 7)])
def test_idx_files_of_any_shape_are_read(tmp_path: Path, shape: tuple[int, ...]) -> None:
    written = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    x = read_idx(put(tmp_path, gzip.compress(idx(written))))
    assert x.dtype == np.uint8
    assert np.array_equal(x, written)


WHOLE = idx(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(WHOLE, id="not compressed"),
        pytest.param(gzip.compress(WHOLE)[:-12], id="end missing"),
        pytest.param(gzip.compress(WHOLE)[:5], id="only a beginning"),
        pytest.param(gzip.compress(WHOLE)[:-8] + bytes(8), id="wrong checksum"),
        pytest.param(gzip.compress(WHOLE)[:14] + b"\xff\xff" + gzip.compress(WHOLE)[16:], id="damaged inside"),
        pytest.param(gzip.compress(b""), id="nothing inside"),
        pytest.param(gzip.compress(WHOLE[:3]), id="no whole magic"),
        pytest.param(gzip.compress(WHOLE[:9]), id="no whole header"),
        pytest.param(gzip.compress(b"\x01" + WHOLE[1:]), id="wrong magic"),
        pytest.param(gzip.compress(WHOLE[:2] + b"\x0d" + WHOLE[3:]), id="floats"),
        pytest.param(gzip.compress(WHOLE[:-1]), id="promises more"),
        pytest.param(gzip.compress(WHOLE + b"x"), id="promises less"),
        pytest.param(gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12 + bytes(24)), id="promises the world"),
        pytest.param(gzip.compress(b"\0\0\x08\x04" + bytes(4) + b"\xff" * 12), id="nothing times the world"),
        pytest.param(gzip.compress(b"\0\0\x08\x64" + b"\0\0\0\x01" * 100 + b"x"), id="a hundred dimensions"),
        pytest.param(gzip.compress(b"\0\0\x08\0" + b"x"), id="no dimensions"),
    ],
)
def test_damaged_idx_files_are_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = put(tmp_path, content)
    with pytest.raises(DataError) as caught:
        read_idx(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("head", "text"),
    [
        (b"\0\0\x08\x01\xff\xff\xff\xff", "got the shape"),
        (b"\0\0\x08\x01\0\0\0\x09", "or more"),
        (b"", "bytes with 1"),
    ],
    ids=["promises it", "does not promise it", "is nothing but zeros"],
)
def test_an_idx_file_that_unfolds_to_much_more_stays_packed(tmp_path: Path, head: bytes, text: str) -> None:
    path = put(tmp_path, gzip.compress(head + bytes(200 << 20), 1))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=text):
            read_idx(path)
        assert tracemalloc.get_traced_memory()[1] < 10 << 20
    finally:
        tracemalloc.stop()


def test_a_missing_idx_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.gz: .*No such file"):
        read_idx(tmp_path / "nowhere.gz")


# Whole sets


def small_mnist(train: int = 5, labels: int = 5) -> dict[str, bytes]:
    """The four files of MNIST with a few random pictures."""
    random = np.random.default_rng(0)
    arrays = [
        random.integers(0, 256, (train, 28, 28), dtype=np.uint8),
        random.integers(0, 10, labels, dtype=np.uint8),
        random.integers(0, 256, (3, 28, 28), dtype=np.uint8),
        random.integers(0, 10, 3, dtype=np.uint8),
    ]
    return {file: gzip.compress(idx(array)) for file, array in zip(NAMED_SETS["mnist"].files, arrays, strict=True)}


def test_a_whole_set_is_downloaded_checked_and_read(data: Path, cache: Path, server: Server) -> None:
    contents = small_mnist()
    server.contents.update({Path(file).name: content for file, content in contents.items()})
    mirrored = dataclasses.replace(
        NAMED_SETS["mnist"], mirror=server.url, files={file: hashed(c) for file, c in contents.items()}
    )
    dataset = mirrored.load()
    assert sorted(server.asked) == sorted(server.contents)
    assert (dataset.train.x.shape, dataset.test.x.shape) == ((5, 28, 28), (3, 28, 28))
    random = np.random.default_rng(0)
    assert np.array_equal(dataset.train.x, random.integers(0, 256, (5, 28, 28), dtype=np.uint8))
    assert np.array_equal(dataset.train.labels, random.integers(0, 10, 5, dtype=np.uint8))
    assert np.array_equal(dataset.test.x, random.integers(0, 256, (3, 28, 28), dtype=np.uint8))
    assert dataset.official_split
    assert dataset.classes == tuple("0123456789")
    assert Path(dataset.source) == cache / "mnist"


def test_a_damaged_file_in_dreamgen_data_is_refused_by_name(data: Path, cache: Path) -> None:
    for file, content in small_mnist().items():
        put(data, content, file)
    assert len(load_data("mnist").train) == 5
    put(data, b"damaged", "mnist/t10k-images-idx3-ubyte.gz")
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz: "):
        load_data("mnist")


def test_pictures_and_labels_of_different_numbers_are_refused(data: Path, cache: Path) -> None:
    for file, content in small_mnist(train=5, labels=4).items():
        put(data, content, file)
    with pytest.raises(DataError, match=r"5.*4|4.*5"):
        load_data("mnist")


def test_an_omniglot_file_without_its_arrays_is_refused(data: Path, cache: Path) -> None:
    path = put(data, b"", "omniglot/omniglot_28x28.npz")
    np.savez(path, images=np.zeros((4, 28, 28), np.uint8))
    with pytest.raises(DataError, match=r"omniglot_28x28\.npz"):
        load_data("omniglot")


def test_digits_always_load(data: Path, cache: Path) -> None:
    dataset = load_data("digits")
    everything = dataset.part("all")
    assert everything.x.shape == (1797, 8, 8)
    assert everything.x.dtype == np.float32
    assert (everything.x.min(), everything.x.max()) == (0, 1)
    assert everything.labels is not None
    x, y = load_digits(return_X_y=True)
    expected = sorted(zip((x / 16).tolist(), y.tolist(), strict=True))
    assert sorted(zip(everything.x.reshape(-1, 64).tolist(), everything.labels.tolist(), strict=True)) == expected
    assert 130 < len(dataset.test) < 230
    assert not dataset.official_split
    assert dataset.classes == tuple("0123456789")
    assert dataset.sha256 == load_data("digits").sha256


def test_every_named_set_says_what_it_is_and_where_it_comes_from() -> None:
    pictures = {"mnist", "fashion_mnist", "omniglot", "faces", "digits", "shapes"}
    pools = {"chembl", "qm9", "moleculenet_hiv", "moleculenet_muv", "drd2_pool", "zinc_qed_pool"}
    assert NAMED_SETS.keys() == {*pictures, "zinc250k", *pools}
    assert {name for name, known in NAMED_SETS.items() if known.holds == "pictures"} == pictures
    for name, known in NAMED_SETS.items():
        assert known.name == name
        assert known.about
        assert "\n" not in known.about
        assert all(len(sha) == 64 and int(sha, 16) for sha in known.files.values())
        assert known.mirror is None or known.mirror.endswith("/")
        folder = name if known.holds == "pictures" else known.holds
        assert all(file.startswith(f"{folder}/") for file in known.files)


# The real sets, where they are


def holds(name: str) -> bool:
    folder = Path(os.environ.get("DREAMGEN_DATA", "/nowhere"))
    return all((folder / file).is_file() for file in NAMED_SETS[name].files)


def needs(name: str) -> Callable[[Any], Any]:
    return pytest.mark.skipif(not holds(name), reason=f"needs {name} in DREAMGEN_DATA")


@pytest.mark.parametrize("name", [pytest.param(n, marks=needs(n)) for n in ("mnist", "fashion_mnist", "omniglot")])
def test_real_files_have_the_hashes_of_the_table(name: str) -> None:
    known = NAMED_SETS[name]
    assert {file: sha256_of(known.path(file)) for file in known.files} == dict(known.files)


def test_real_mnist_has_its_published_numbers(mnist: Dataset) -> None:
    assert (mnist.train.x.shape, mnist.test.x.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert mnist.train.x.dtype == np.uint8
    assert mnist.train.labels is not None
    assert mnist.test.labels is not None
    train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(mnist.train.labels).tolist() == train
    assert np.bincount(mnist.test.labels).tolist() == test
    # The mean and deviation that every MNIST example normalises with.
    assert mnist.train.x.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
    assert mnist.train.x.std() / 255 == pytest.approx(0.3081, abs=5e-5)
    assert mnist.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.official_split


@needs("fashion_mnist")
def test_real_fashion_mnist_has_its_published_numbers() -> None:
    dataset = load_data("fashion_mnist")
    assert (dataset.train.x.shape, dataset.test.x.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert dataset.train.labels is not None
    assert dataset.test.labels is not None
    assert np.bincount(dataset.train.labels).tolist() == [6000] * 10
    assert np.bincount(dataset.test.labels).tolist() == [1000] * 10
    assert dataset.train.x.mean() / 255 == pytest.approx(0.2860, abs=5e-5)
    assert dataset.classes[int(dataset.train.labels[0])] == "Ankle boot"


@needs("omniglot")
def test_real_omniglot_has_its_published_numbers() -> None:
    dataset = load_data("omniglot")
    assert (dataset.train.x.shape, dataset.test.x.shape) == ((19_280, 28, 28), (13_180, 28, 28))
    assert dataset.train.x.dtype == np.uint8
    assert len(dataset.classes) == 50
    assert dataset.train.labels is not None
    assert dataset.test.labels is not None
    background, evaluation = set(dataset.train.labels.tolist()), set(dataset.test.labels.tolist())
    assert (len(background), len(evaluation)) == (30, 20)
    assert not background & evaluation


@needs("mnist")
def test_a_copy_of_real_mnist_in_the_cache_is_found(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = NAMED_SETS["mnist"]
    real = [known.path(file) for file in known.files]
    for file, path in zip(known.files, real, strict=True):
        (cache / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, cache / file)
    monkeypatch.delenv("DREAMGEN_DATA")
    assert Path(load_data("mnist").source) == cache / "mnist"
