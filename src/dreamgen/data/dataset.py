"""A data set in memory: training and test examples, with labels where there are any."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from dreamgen.errors import DataError

Array = npt.NDArray[np.generic]
Labels = npt.NDArray[np.int64]

_TEST_SHARE = 0.1
_ROWS_TO_SPLIT = 20


@dataclass(frozen=True)
class Examples:
    """Examples and their labels.

    Attributes:
        x: (n, *event), bytes 0..255 or float32.
        labels: (n,) integers, or None.
    """

    x: Array
    labels: Labels | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: slice | npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "Examples":
        return Examples(self.x[rows], None if self.labels is None else self.labels[rows])


@dataclass(frozen=True)
class Dataset:
    """A named set, or a user's file.

    Attributes:
        name: for the card.
        train, test: the two parts; `test` may be empty.
        classes: names of the labels, by number.
        source: where it was read from.
        official_split: whether the parts are the publisher's, and not ours.
    """

    name: str
    train: Examples
    test: Examples
    classes: tuple[str, ...] = ()
    source: str = ""
    official_split: bool = False

    def part(self, split: str) -> Examples:
        """`train`, `test` or `all`; raises DataError if that part is empty."""
        if split == "all":
            labels = [e.labels for e in (self.train, self.test) if e.labels is not None]
            x = np.concatenate([self.train.x, self.test.x])
            return Examples(x, np.concatenate(labels) if len(labels) == 2 else None)
        part = self.test if split == "test" else self.train
        if not len(part):
            raise DataError(f"{self.name} has {len(self.train)} rows, too few for a {split} part")
        return part

    @cached_property
    def sha256(self) -> str:
        """Hash of shapes, types and values of both parts."""
        digest = hashlib.sha256()
        for part in (self.train, self.test):
            digest.update(f"{part.x.shape} {part.x.dtype.str};".encode())
            digest.update(np.ascontiguousarray(part.x).data)
        return digest.hexdigest()


def split_by_content(name: str, x: Array, labels: Labels | None, **facts: object) -> Dataset:
    """Set a tenth of the rows aside as the test part, chosen by each row's own bytes.

    Equal rows go to the same side, so no copy of a test row is trained on, and the parts do not depend on the order
    of the file. Fewer than 20 rows are not split.
    """
    everything = Examples(x, labels)
    if len(x) < _ROWS_TO_SPLIT:
        return Dataset(name, everything, everything[:0], **facts)  # type: ignore[arg-type]
    is_test = np.fromiter((_chance(row) < _TEST_SHARE for row in x), bool, len(x))
    return Dataset(name, everything[~is_test], everything[is_test], **facts)  # type: ignore[arg-type]


def _chance(row: Array) -> float:
    """A number in [0, 1) that is a function of the row's bytes."""
    digest = hashlib.blake2b(np.ascontiguousarray(row).tobytes(), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2**64
