"""A data set in memory: training and test examples, with labels where there are any."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamgen.data.context import LABEL, Context
from dreamgen.errors import DataError
from dreamgen.registry import nearest

Array = npt.NDArray[np.generic]
Labels = npt.NDArray[np.int64]

_TEST_SHARE = 0.1
_PARTS = {"train": "train", "validation": "validation", "test": "test", "all": "rows"}
_ROWS_TO_SPLIT = 20


@dataclass(frozen=True)
class Examples:
    """Examples and their labels.

    Attributes:
        x: (n, *event), bytes 0..255 or float32; or texts, (n,).
        labels: (n,) integers, or None.
        attributes: (n, A) numbers, 0 and 1 for no and yes, or None; their names are the data set's.
    """

    x: Array
    labels: Labels | None = None
    attributes: npt.NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def are_lines(self) -> bool:
        """Whether they are texts, and no numbers."""
        return self.x.dtype.kind == "U"

    def __getitem__(self, rows: slice | npt.NDArray[np.bool_] | npt.NDArray[np.int64]) -> "Examples":
        return Examples(
            self.x[rows],
            None if self.labels is None else self.labels[rows],
            None if self.attributes is None else self.attributes[rows],
        )


@dataclass(frozen=True)
class Dataset:
    """A named set, or a user's file.

    Attributes:
        name: for the card.
        rows: all examples, in the order of the file.
        is_test: which rows are the test part, (n,); there may be none.
        classes: names of the labels, by number.
        source: where it was read from.
        official_split: whether the parts are the publisher's, and not ours.
        attribute_names: names of the attributes, by column.
        size: side in pixels that pictures were brought to; None: they are as they were.
        notes: what was done to it, for a person.
        skipped: what is wrong with each picture, line or molecule that was left out.
        is_validation: which rows the publisher set aside to choose between models by, (n,), none of the test part;
            None: it set none aside.
    """

    name: str
    rows: Examples
    is_test: npt.NDArray[np.bool_]
    classes: tuple[str, ...] = ()
    source: str = ""
    official_split: bool = False
    attribute_names: tuple[str, ...] = ()
    size: int | None = None
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    is_validation: npt.NDArray[np.bool_] | None = None

    @classmethod
    def of_parts(cls, name: str, train: Examples, test: Examples, **facts: Any) -> "Dataset":
        """A set whose publisher split it; the training rows come first."""
        labels = attributes = None
        if train.labels is not None and test.labels is not None:
            labels = np.concatenate([train.labels, test.labels])
        if train.attributes is not None and test.attributes is not None:
            attributes = np.concatenate([train.attributes, test.attributes])
        is_test = np.arange(len(train) + len(test)) >= len(train)
        rows = Examples(np.concatenate([train.x, test.x]), labels, attributes)
        return cls(name, rows, is_test, official_split=True, **facts)

    @cached_property
    def train(self) -> Examples:
        """The rows to train on: neither of the test part nor of the validation part."""
        apart = self.is_test if self.is_validation is None else self.is_test | self.is_validation
        return self.rows[_places(~apart)]

    @cached_property
    def validation(self) -> Examples:
        """The rows that the publisher set aside to choose between models by; empty for most sets."""
        return self.rows[
            np.zeros(len(self.rows), bool) if self.is_validation is None else _places(self.is_validation)
        ]

    @cached_property
    def test(self) -> Examples:
        """The rows to test on; may be empty."""
        return self.rows[_places(self.is_test)]

    def attributes_of(self, part: Examples) -> dict[str, npt.NDArray[np.float32]]:
        """The attributes of a part by name, each (n,); none where there are none."""
        values = part.attributes
        return {} if values is None else {name: values[:, i] for i, name in enumerate(self.attribute_names)}

    def given(self, part: Examples, context: Context) -> dict[str, Any]:
        """What a model of that context is told of a part, by field, (n,); raises DataError for what is absent."""
        known: dict[str, Any] = dict(self.attributes_of(part))
        if part.labels is not None:
            known[LABEL] = part.labels
        if absent := [name for name in context.names if name not in known]:
            raise DataError(f"this model is told {', '.join(absent)}, which {self.name} does not have")
        return {name: known[name] for name in context.names}

    def part(self, split: str) -> Examples:
        """`train`, `validation`, `test` or `all`; raises DataError if that part is empty, or there is none such."""
        if split not in _PARTS:
            raise DataError(f"unknown part {split!r}: {nearest(split, _PARTS)}")
        part: Examples = getattr(self, _PARTS[split])  # one alone: rows chosen by what they hold are copied
        if not len(part):
            raise DataError(f"{self.name} has {len(self.rows)} rows, too few for a {split} part")
        return part

    @cached_property
    def sha256(self) -> str:
        """Hash of the rows' shape, type and values, and of the split."""
        digest = hashlib.sha256(f"{self.rows.x.shape} {self.rows.x.dtype.str};".encode())
        digest.update(np.ascontiguousarray(self.rows.x).data)
        digest.update(np.packbits(self.is_test).data)
        if self.is_validation is not None:
            digest.update(np.packbits(self.is_validation).data)
        return digest.hexdigest()


def split_by_content(
    name: str,
    x: Array,
    labels: Labels | None,
    attributes: npt.NDArray[np.float32] | None = None,
    **facts: Any,
) -> Dataset:
    """Set a tenth of the rows aside as the test part, chosen by each row's own bytes.

    Equal rows go to the same side, so no copy of a test row is trained on, and the parts do not depend on the order
    of the file. Fewer than 20 rows are not split.
    """
    is_test = is_for_test(np.ascontiguousarray(row).tobytes() for row in x)
    return Dataset(name, Examples(x, labels, attributes), is_test, **facts)


def is_for_test(contents: Iterable[bytes]) -> npt.NDArray[np.bool_]:
    """A tenth of the rows, (n,), chosen by what each holds; none of fewer than 20."""
    is_test = np.fromiter((_chance(content) < _TEST_SHARE for content in contents), bool)
    if len(is_test) < _ROWS_TO_SPLIT or is_test.all():
        is_test[:] = False
    return is_test


def _chance(content: bytes) -> float:
    """A number in [0, 1) that is a function of some bytes."""
    digest = hashlib.blake2b(content, digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2**64


def _places(chosen: npt.NDArray[np.bool_]) -> slice | npt.NDArray[np.bool_]:
    """Chosen rows as a slice where they lie side by side: then what is mapped from a file is not copied."""
    rows = np.flatnonzero(chosen)
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
        return slice(int(rows[0]), int(rows[-1]) + 1)
    return chosen
