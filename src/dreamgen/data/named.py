"""Named sets, and where their files come from: `DREAMGEN_DATA`, then the user's cache, then a download."""

import gzip
import hashlib
import logging
import math
import os
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dreamgen.data.arrays import read_arrays
from dreamgen.data.cache import cache_folder
from dreamgen.data.celeba import SIZE, read_packed_faces
from dreamgen.data.dataset import Array, Dataset, Examples, split_by_content
from dreamgen.data.languages import Held
from dreamgen.data.named_molecules import FILES, ZINC, read_pool, read_zinc
from dreamgen.data.reading import USUAL, Reading
from dreamgen.errors import DataError
from dreamgen.files import check_regular

DOWNLOAD_TIMEOUT = 3.0  # seconds without an answer

_LARGEST = 1 << 30  # bytes in an idx file


@dataclass(frozen=True)
class NamedSet:
    """A data set that dreamgen knows.

    Attributes:
        name: what the user types.
        about: one line.
        files: relative path to SHA-256.
        mirror: where the files can be downloaded, without the folder; None: nowhere.
        read: makes the data set from the files' places.
        size: side in pixels that its pictures are brought to unless another is asked for; None: they have one.
        holds: what its examples are, "pictures" or "molecules".
    """

    name: str
    about: str
    files: Mapping[str, str]
    mirror: str | None
    read: Callable[["NamedSet", Reading], Dataset]
    size: int | None = None
    holds: Held = "pictures"

    def load(self, reading: Reading = USUAL) -> Dataset:
        """Read the set; raises DataError with what to do if its files cannot be had, or have a size already."""
        if reading.size is not None and self.size is None:
            has = "pictures of one size" if self.holds == "pictures" else self.holds
            raise DataError(f"{self.name} has {has}: --size is for faces and for folders of pictures")
        if self.holds == "pictures" and (reading.longest is not None or reading.largest_part):
            raise DataError(f"{self.name} has pictures: --longest and --largest-part are for molecules")
        return self.read(self, reading)

    def path(self, file: str) -> Path:
        """Where a file lies, after a download if need be."""
        return self.at_hand(file) or self._download(file)

    def at_hand(self, file: str) -> Path | None:
        """Where a file lies on this machine, or None."""
        folder = os.environ.get("DREAMGEN_DATA")
        candidates = [Path(folder) / file] if folder else []
        candidates.append(cache_folder() / file)
        return next((path for path in candidates if path.is_file()), None)

    def _download(self, file: str) -> Path:
        if self.mirror is None:
            raise self._absent("it cannot be downloaded ready made")
        import pooch
        import requests

        pooch.get_logger().setLevel(logging.WARNING)
        target = cache_folder() / file
        try:
            # Fetched whole into memory-sized pieces, checked, and only then renamed to its place.
            pooch.retrieve(
                self.mirror + target.name,
                known_hash=f"sha256:{self.files[file]}",
                fname=target.name,
                path=target.parent,
                downloader=pooch.HTTPDownloader(timeout=DOWNLOAD_TIMEOUT),
            )
        except requests.RequestException as error:
            raise self._absent(f"{self.mirror} does not answer ({type(error).__name__})") from error
        except OSError as error:
            raise self._absent(f"{target} cannot be written ({error.strerror})") from error
        except ValueError as error:
            raise self._absent(f"what {self.mirror} sent has another SHA-256 than expected") from error
        return target

    def _absent(self, why: str) -> DataError:
        folder = os.environ.get("DREAMGEN_DATA")
        looked = f"DREAMGEN_DATA={folder}" if folder else "DREAMGEN_DATA is not set"
        return DataError(f"{self.name} is not at hand: {looked}, {cache_folder()} does not hold it, and {why}")


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_idx(path: Path) -> Array:
    """A gzipped idx file of bytes, the format of MNIST; raises DataError."""
    try:
        check_regular(path)
        with gzip.open(path) as file:
            magic = file.read(4)
            zeros, kind, dimensions = struct.unpack(">HBB", magic)
            if zeros or kind != 8 or not 1 <= dimensions <= 4:
                raise DataError(f"{path}: expected an idx file of bytes with 1 to 4 dimensions, got {magic!r}")
            shape = struct.unpack(f">{dimensions}I", file.read(4 * dimensions))
            if not 1 <= math.prod(shape) <= _LARGEST:
                raise DataError(f"{path}: expected from 1 to {_LARGEST} bytes, got the shape {shape}")
            # One more than promised, so that neither less nor more passes, and a bomb stays packed.
            content = file.read(math.prod(shape) + 1)
    except (OSError, EOFError, struct.error, zlib.error) as error:
        raise DataError(f"{path}: not a whole gzipped idx file: {error}") from error
    if len(content) != math.prod(shape):
        raise DataError(f"{path}: expected {math.prod(shape)} bytes of shape {shape}, got {len(content)} or more")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read_mnist_like(self: NamedSet, reading: Reading) -> Dataset:
    images = {file: read_idx(self.path(file)) for file in self.files}
    train_x, train_y, test_x, test_y = images.values()
    for x, y in ((train_x, train_y), (test_x, test_y)):
        if y.shape != x.shape[:1]:
            raise DataError(f"{self.name}: expected a label for each of {len(x)} pictures, got {len(y)} labels")
    return Dataset.of_parts(
        self.name,
        Examples(train_x, train_y.astype(np.int64)),
        Examples(test_x, test_y.astype(np.int64)),
        classes=_FASHION if self.name == "fashion_mnist" else tuple("0123456789"),
        source=str(self.path(next(iter(self.files))).parent),
    )


def _read_omniglot(self: NamedSet, reading: Reading) -> Dataset:
    path = self.path(next(iter(self.files)))
    arrays = read_arrays(path)
    if absent := {"images", "split", "alphabet", "alphabet_names"} - arrays.keys():
        raise DataError(f"{path}: expected arrays called {', '.join(sorted(absent))}, got {', '.join(arrays)}")
    rows = Examples(arrays["images"], arrays["alphabet"].astype(np.int64))
    names = tuple(str(name) for name in arrays["alphabet_names"])
    return Dataset(self.name, rows, arrays["split"] == 1, names, str(path), official_split=True)


def _read_digits(self: NamedSet, reading: Reading) -> Dataset:
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    pictures = (x / 16).astype(np.float32).reshape(-1, 8, 8)
    return split_by_content(
        self.name, pictures, y.astype(np.int64), classes=tuple("0123456789"), source="scikit-learn"
    )


def _read_faces(self: NamedSet, reading: Reading) -> Dataset:
    return read_packed_faces(self.path(next(iter(self.files))), reading)


def _draw_shapes(self: NamedSet, reading: Reading) -> Dataset:
    from dreamgen.data.shapes import load_shapes

    return load_shapes()


_FASHION = (
    "T-shirt",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

_ALL = (
    NamedSet(
        "mnist",
        "handwritten digits, 28x28 grey, 60,000 + 10,000",
        {
            "mnist/train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "mnist/train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "mnist/t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "mnist/t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        _read_mnist_like,
    ),
    NamedSet(
        "fashion_mnist",
        "clothes, 28x28 grey, 60,000 + 10,000",
        {
            "fashion_mnist/train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "fashion_mnist/train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "fashion_mnist/t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "fashion_mnist/t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        _read_mnist_like,
    ),
    NamedSet(
        "omniglot",
        "letters of 50 alphabets, 28x28 grey, 19,280 + 13,180",
        {"omniglot/omniglot_28x28.npz": "46e0a7620943e82e4c218eceecfacf534d97f4b0f87446352a725f41867638c2"},
        None,
        _read_omniglot,
    ),
    NamedSet(
        "faces",
        "CelebA's first faces with 40 attributes, 64x64 colour, 9,000 + 1,000; for research only",
        {"faces/celeba_10000_jpeg.npz": "72ee1a8f451672a3e98dce2a4be64b4838a5651a8919ac32238e783a08d6cabf"},
        None,
        _read_faces,
        SIZE,
    ),
    NamedSet("digits", "handwritten digits, 8x8 grey, 1,797, inside scikit-learn", {}, None, _read_digits),
    NamedSet("shapes", "squares, ellipses, hearts, drawn, 64x64 binary, 50,000 + 10,000", {}, None, _draw_shapes),
    NamedSet(
        "zinc250k",
        "molecules for sale, up to 38 heavy atoms, 249,455 in three parts",
        ZINC,
        None,
        read_zinc,
        holds="molecules",
    ),
    *(NamedSet(name, about, {file: sha}, None, read_pool, holds="molecules") for name, about, file, sha in FILES),
)

NAMED_SETS: dict[str, NamedSet] = {named.name: named for named in _ALL}
"""All named sets, by name."""
