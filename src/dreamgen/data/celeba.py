"""CelebA: faces with forty attributes, as the publisher's folder or as one .npz of JPEGs.

Deep Learning Face Attributes in the Wild, 2015, https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html. For research that
is not commercial, and not to be passed on: neither the pictures nor what is trained on them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dreamgen.data.arrays import read_arrays
from dreamgen.data.attribute_files import Attributes, read_attributes, read_partition
from dreamgen.data.dataset import Array, Dataset, Examples
from dreamgen.data.decoded import decode, facts_of, keep
from dreamgen.data.decoding import Sources
from dreamgen.data.framing import FACE_SHARE, Framing
from dreamgen.data.images import image_files
from dreamgen.data.reading import Reading, listed, notes_of
from dreamgen.errors import DataError

SIZE = 64
"""Side in pixels of faces, where no other is asked for."""

_PICTURES = "img_align_celeba"
_TEST_SHARE = 0.1
_CUT = "the middle {share:.0%} of the width of each picture, resized to {size}x{size}"


@dataclass(frozen=True)
class CelebaFolder:
    """Where the parts of CelebA lie; the two lists may be missing."""

    pictures: Path
    attributes: Path | None
    partition: Path | None


def find_celeba(path: Path) -> CelebaFolder | None:
    """CelebA's pictures and lists, if a folder is theirs or holds theirs; as published, or as Kaggle has them."""
    pictures = path / _PICTURES
    if path.name == _PICTURES and not pictures.is_dir():
        pictures = path
    if not pictures.is_dir():
        return None
    around = [path, pictures.parent, path / "Anno", path / "Eval", pictures.parent / "Anno", pictures.parent / "Eval"]
    return CelebaFolder(pictures, _find(around, "list_attr_celeba"), _find(around, "list_eval_partition"))


def _find(folders: Sequence[Path], stem: str) -> Path | None:
    places = (folder / f"{stem}{suffix}" for folder in folders for suffix in (".txt", ".csv"))
    return next((place for place in places if place.is_file()), None)


def read_celeba(found: CelebaFolder, reading: Reading) -> Dataset:
    """The faces of a CelebA folder, (n, size, size, 3) bytes, with their attributes as 0 and 1.

    The parts are the publisher's where the list of them is at hand (validation pictures are trained on, since
    `validation` holds out rows of its own); else the last tenth by name is the test part.

    Raises:
        DataError: a picture that cannot be read, or lists that do not match the pictures; the first are named.
    """
    files = image_files(found.pictures)
    chosen = _choose(found, [file.name for file in files], reading.skip_bad)
    pictures = [files[row] for row in chosen.rows]
    size = reading.size or SIZE
    facts = facts_of(pictures, found.pictures)
    framing = Framing.square(size, FACE_SHARE)
    decoded = decode(Sources.of_files(pictures), framing, reading.skip_bad, reading.watch, facts)
    kept = keep(decoded.skipped, len(pictures))
    named = [file.name for file, good in zip(pictures, kept, strict=True) if good]
    unread = {len(files) + row: why for row, why in decoded.skipped.items()}
    return Dataset(
        "faces",
        Examples(decoded.x, attributes=chosen.attributes.rows(named) if chosen.attributes else None),
        chosen.is_test[kept],
        source=str(found.pictures),
        official_split=chosen.official,
        attribute_names=chosen.attributes.names if chosen.attributes else (),
        size=size,
        notes=(
            _CUT.format(share=FACE_SHARE, size=size),
            *chosen.notes,
            *notes_of(chosen.left_out | unread, len(files)),
        ),
        skipped=(*chosen.left_out.values(), *decoded.skipped.values()),
    )


@dataclass(frozen=True)
class _Chosen:
    """Which pictures of a folder are rows, by what the lists say.

    Attributes:
        rows: numbers of the pictures, those of the test part last, so that both parts are slices of what is mapped.
        is_test: which of them are that part.
        official: whether the publisher says so.
        attributes: the list, or None.
        left_out: numbers of the pictures that a list does not have, and which list.
        notes: what is to be said.
    """

    rows: npt.NDArray[np.int64]
    is_test: npt.NDArray[np.bool_]
    official: bool
    attributes: Attributes | None
    left_out: dict[int, str]
    notes: tuple[str, ...]


def _choose(found: CelebaFolder, names: Sequence[str], skip_bad: bool) -> _Chosen:
    """Compare the pictures with the lists; raises DataError where these do not match them."""
    notes, left_out, attributes, is_test = [], {}, None, None
    if found.attributes:
        attributes = read_attributes(found.attributes)
        left_out = _unlisted(found.attributes, attributes.files, names, skip_bad)
        _refuse_strangers(found.attributes, attributes.files, names, skip_bad)
    else:
        notes.append("no list_attr_celeba.txt: no attributes")
    partition = read_partition(found.partition) if found.partition else None
    if found.partition and partition:
        left_out = _unlisted(found.partition, partition.files, names, skip_bad) | left_out
    rows = np.delete(np.arange(len(names)), sorted(left_out))
    if not len(rows):
        raise DataError(f"{found.pictures}: none of its {len(names)} pictures is listed")
    if partition:
        is_test = partition.rows([names[row] for row in rows.tolist()])[:, 0] == 2
    if is_test is None or not is_test.any():
        why = "puts no picture there" if partition else "is not at hand"
        notes.append(f"list_eval_partition.txt {why}: the last tenth by name is the test part")
        return _Chosen(rows, _last_tenth(len(rows)), False, attributes, left_out, tuple(notes))
    rows = rows[np.argsort(is_test, kind="stable")]
    return _Chosen(rows, np.sort(is_test), True, attributes, left_out, tuple(notes))


def read_packed_faces(path: Path, reading: Reading) -> Dataset:
    """The faces of an .npz with JPEGs one after the other, (n, size, size, 3) bytes, the last tenth the test part.

    Its arrays: `jpeg` (bytes,), `offsets` (n + 1,), `attributes` (n, A) 0 or 1, `attribute_names` (A,).

    Raises:
        DataError: an array is missing or does not fit the others, or a picture cannot be read; it is named.
    """
    arrays = read_arrays(path)
    if absent := {"jpeg", "offsets", "attributes", "attribute_names"} - arrays.keys():
        raise DataError(f"{path}: expected arrays called {listed(sorted(absent))}, got {listed(sorted(arrays))}")
    offsets, values = arrays["offsets"], arrays["attributes"]
    names = tuple(map(str, arrays["attribute_names"].ravel()))
    packed = _Packed(arrays["jpeg"], _offsets(path, offsets, len(arrays["jpeg"])))
    if values.shape != (len(packed), len(names)) or not np.isin(values, (0, 1)).all():
        raise DataError(
            f"{path}: expected attributes of 0 or 1, {len(packed)} rows of {len(names)}, got shape {values.shape}"
        )
    size = reading.size or SIZE
    sources = Sources(packed, lambda number: f"{path}, picture {number}")
    framing = Framing.square(size, FACE_SHARE)
    decoded = decode(sources, framing, reading.skip_bad, reading.watch, facts_of([path], path.parent))
    kept = keep(decoded.skipped, len(packed))
    return Dataset(
        "faces",
        Examples(decoded.x, attributes=values[kept].astype(np.float32)),
        _last_tenth(len(decoded.x)),
        source=str(path),
        attribute_names=names,
        size=size,
        notes=(
            _CUT.format(share=FACE_SHARE, size=size),
            "the last tenth is the test part",
            *notes_of(decoded.skipped, len(packed)),
        ),
        skipped=tuple(decoded.skipped.values()),
    )


class _Packed(Sequence[bytes]):
    """Files one after the other in an array of bytes."""

    def __init__(self, content: Array, offsets: npt.NDArray[np.int64]) -> None:
        self._content = content
        self._offsets = offsets

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        return self._content[self._offsets[number] : self._offsets[number + 1]].tobytes()


def _offsets(path: Path, offsets: Array, size: int) -> npt.NDArray[np.int64]:
    good = offsets.dtype.kind in "ui" and offsets.ndim == 1 and len(offsets) > 1
    places = offsets.astype(np.int64) if good else np.array([-1])
    if places[0] != 0 or places[-1] != size or (np.diff(places) < 0).any():
        raise DataError(f"{path}: expected offsets that rise from 0 to the {size} bytes of jpeg")
    return places


def _last_tenth(n: int) -> npt.NDArray[np.bool_]:
    """By number, as CelebA's own parts are, which is why it hardly ever has a person on both sides."""
    return np.arange(n) >= n - int(n * _TEST_SHARE)


def _unlisted(place: Path, listed_names: Sequence[str], names: Sequence[str], skip_bad: bool) -> dict[int, str]:
    """Pictures that a list does not have, by number; raises DataError for them unless they are to be skipped."""
    known = set(listed_names)
    missing = {row: f"{name}: {place} has no row for it" for row, name in enumerate(names) if name not in known}
    if missing and not skip_bad:
        absent = listed([names[row] for row in missing])
        raise DataError(
            f"{place}: no row for {len(missing)} of {len(names)} pictures: {absent}; --skip-bad leaves them out"
        )
    return missing


def _refuse_strangers(place: Path, listed_names: Sequence[str], names: Sequence[str], skip_bad: bool) -> None:
    """Raise DataError for rows that name no picture: half a download, or the list of another set."""
    there = set(names)
    extra = [name for name in listed_names if name not in there]
    if extra and not skip_bad:
        raise DataError(
            f"{place}: {len(extra)} of {len(listed_names)} rows name pictures that are not there: {listed(extra)}; "
            "--skip-bad goes on without them"
        )
