"""Faces and folders of pictures of any size: framing, lists, damage, and the file they are decoded into."""

import io
import os
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from dreamgen import load_data
from dreamgen.data import decoded, decoding
from dreamgen.data.celeba import find_celeba
from dreamgen.data.framing import FACE_SHARE, Framing, bring_to
from dreamgen.data.reading import silent
from dreamgen.errors import DataError, SettingsError

Bytes = npt.NDArray[np.uint8]
NAMES = ("Smiling", "Young", "Eyeglasses")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "dreamgen" / "pictures"


def scene(seed: int, width: int = 178, height: int = 218) -> Bytes:
    """A smooth picture, the same at any size: waves over the unit square."""
    rng = np.random.default_rng(seed)
    x, y = (np.arange(width) + 0.5) / width, (np.arange(height)[:, None] + 0.5) / height
    waves = [np.sin(a * x + b * y + c) for a, b, c in rng.uniform(0, 6, (3, 3))]
    return (127.5 + 120 * np.stack(waves, -1)).astype(np.uint8)


def jpeg(picture: Bytes) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def flags(n: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng(0).integers(0, 2, (n, len(NAMES)))


def celeba(root: Path, n: int = 30, width: int = 89, height: int = 109, kaggle: bool = False) -> Path:
    """A folder as CelebA's publisher lays it out, or as Kaggle does, with pictures that are no faces."""
    pictures = root / "img_align_celeba"
    pictures = pictures / "img_align_celeba" if kaggle else pictures
    pictures.mkdir(parents=True)
    names = [f"{i + 1:06}.jpg" for i in range(n)]
    for i, name in enumerate(names):
        (pictures / name).write_bytes(jpeg(scene(i, width, height)))
    signs = 2 * flags(n) - 1
    if kaggle:
        rows = [",".join(["image_id", *NAMES]), *(f"{a},{','.join(map(str, r))}" for a, r in zip(names, signs))]  # noqa: B905
        (root / "list_attr_celeba.csv").write_text("\n".join(rows) + "\n")
    else:
        rows = [f"{name}  {'  '.join(f'{v:>2}' for v in row)}" for name, row in zip(names, signs, strict=True)]
        (root / "list_attr_celeba.txt").write_text("\n".join([str(n), " ".join(NAMES), *rows]) + "\n")
    return root


def packed(path: Path, n: int = 30, **replaced: Any) -> Path:
    files = [jpeg(scene(i, 89, 109)) for i in range(n)]
    arrays = {
        "jpeg": np.frombuffer(b"".join(files), np.uint8),
        "offsets": np.cumsum([0, *map(len, files)]),
        "attributes": flags(n).astype(np.uint8),
        "attribute_names": np.array(NAMES),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **(arrays | replaced))
    return path


# Framing


def test_the_window_of_a_half_is_half_the_window_of_the_whole() -> None:
    framing = Framing.square(64, FACE_SHARE)
    assert framing.window(178, 218) == pytest.approx((15, 35, 163, 183))
    assert framing.window(89, 109) == pytest.approx((7.5, 17.5, 81.5, 91.5))


def test_halves_and_whole_pictures_show_the_same_part() -> None:
    framing = Framing.square(32, FACE_SHARE)
    whole, half = framing(scene(3)), framing(scene(3, 89, 109))
    assert np.abs(whole.astype(int) - half).max() <= 2
    shifted = np.roll(half, 1, axis=1)  # a pixel to the side, and the two would differ
    assert np.abs(whole.astype(int) - shifted).max() > 10


def test_framing_averages_what_lies_in_a_pixel() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    flat = np.full((40, 60, 3), 77, np.uint8)
    assert Framing.square(8)(picture).shape == (8, 8, 3)
    assert Framing.square(8)(picture).std() < picture.std() / 2
    assert (Framing.square(8)(flat) == 77).all()
    assert Framing(40, 60)(picture) is picture


@pytest.mark.parametrize("size", [0, 3, 4096])
def test_an_absurd_size_is_refused(size: int) -> None:
    with pytest.raises(SettingsError, match="size: expected 4 to 2048 pixels"):
        Framing.square(size)


def test_one_picture_is_brought_to_a_models_shape_with_a_note() -> None:
    picture, note = bring_to(scene(0, 300, 200), (32, 32, 3))
    assert picture.shape == (32, 32, 3)
    assert note == "is 300 wide and 200 high: its middle 200 by 200 are brought to 32 by 32"
    face, note = bring_to(scene(0), (64, 64, 3))
    assert (face == Framing.square(64, FACE_SHARE)(scene(0))).all()
    assert "middle 148 by 148" in note
    grey, note = bring_to(scene(0, 32, 32), (32, 32))
    assert grey.shape == (32, 32)
    assert note == "is made grey"
    same, note = bring_to(scene(0, 32, 32), (32, 32, 3))
    assert (same == scene(0, 32, 32)).all()
    assert note == ""


# CelebA


@pytest.mark.parametrize("kaggle", [False, True])
@pytest.mark.parametrize("inside", [False, True])
def test_a_celeba_folder_is_read_with_its_attributes(tmp_path: Path, kaggle: bool, inside: bool) -> None:
    root = celeba(tmp_path / "celeba", 30, kaggle=kaggle)
    faces = load_data(root / "img_align_celeba" if inside and not kaggle else root)
    assert faces.rows.x.shape == (30, 64, 64, 3)
    assert faces.attribute_names == NAMES
    assert faces.rows.attributes is not None
    assert (faces.rows.attributes == flags(30)).all()
    assert faces.rows.attributes.dtype == np.float32
    decoded_by_hand = Image.open(io.BytesIO(jpeg(scene(7, 89, 109))))
    assert (faces.rows.x[7] == Framing.square(64, FACE_SHARE)(np.asarray(decoded_by_hand))).all()
    assert list(np.flatnonzero(faces.is_test)) == [27, 28, 29]
    assert not faces.official_split
    assert "the last tenth by name is the test part" in " ".join(faces.notes)
    assert (faces.size, faces.skipped) == (64, ())


def test_the_publishers_parts_are_taken_and_are_slices(tmp_path: Path) -> None:
    root = celeba(tmp_path / "celeba", 30)
    parts = np.random.default_rng(1).integers(0, 3, 30)
    (root / "list_eval_partition.txt").write_text("".join(f"{i + 1:06}.jpg {p}\n" for i, p in enumerate(parts)))
    faces, other = load_data(root, size=16), flags(30)
    assert faces.official_split
    assert (faces.train.attributes == other[parts < 2]).all()
    assert (faces.test.attributes == other[parts == 2]).all()
    assert np.shares_memory(faces.train.x, faces.rows.x)
    assert np.shares_memory(faces.test.x, faces.rows.x)
    assert isinstance(faces.train.x, np.memmap)


def test_parts_that_leave_no_test_part_are_not_taken(tmp_path: Path) -> None:
    root = celeba(tmp_path / "celeba", 30)
    (root / "list_eval_partition.csv").write_text(
        "image_id,partition\n" + "".join(f"{i + 1:06}.jpg,0\n" for i in range(30))
    )
    faces = load_data(root)
    assert len(faces.test) == 3
    assert "puts no picture there" in " ".join(faces.notes)


def test_pictures_without_lists_are_faces_all_the_same(tmp_path: Path) -> None:
    root = celeba(tmp_path / "celeba", 12)
    (root / "list_attr_celeba.txt").unlink()
    faces = load_data(root)
    assert faces.rows.attributes is None
    assert faces.attribute_names == ()
    assert "no attributes" in " ".join(faces.notes)
    assert find_celeba(tmp_path) is None


def edited(root: Path, change: Any) -> Path:
    path = root / "list_attr_celeba.txt"
    lines = path.read_text().splitlines()
    change(lines)
    path.write_text("\n".join(lines) + "\n")
    return root


def replace_line(number: int, text: str) -> Any:
    return lambda lines: lines.__setitem__(number, text)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replace_line(0, "31"), r"its first line says '31' rows, it has 30"),
        (replace_line(4, "000003.jpg 1 1"), r"line 5: expected a name and 3 values, got 2 values"),
        (replace_line(4, "000003.jpg 1 1 7"), r"line 5: expected -1, 0, 1, got '7'"),
        (replace_line(4, "000001.jpg 1 1 1"), r"line 5: '000001.jpg' stands in line 3 already"),
        (replace_line(4, "900003.jpg 1 1 1"), r"no row for 1 of 30 pictures: 000003.jpg; --skip-bad"),
        (lambda lines: [lines.__setitem__(0, "29"), lines.pop()], r"no row for 1 of 30 pictures: 000030.jpg"),
        (
            lambda lines: [lines.__setitem__(0, "31"), lines.append("000031.jpg 1 1 1")],
            r"1 of 31 rows name pictures that are not there: 000031.jpg",
        ),
    ],
)
def test_a_list_that_does_not_match_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    root = edited(celeba(tmp_path / "celeba", 30), change)
    with pytest.raises(DataError, match=message):
        load_data(root)


def test_pictures_that_a_list_lacks_can_be_left_out(tmp_path: Path) -> None:
    root = edited(celeba(tmp_path / "celeba", 30), replace_line(4, "900003.jpg 1 1 1"))
    faces = load_data(root, skip_bad=True)
    assert len(faces.rows) == 29
    assert (faces.rows.attributes == np.delete(flags(30), 2, axis=0)).all()
    assert len(faces.skipped) == 1
    assert "000003.jpg" in faces.skipped[0]


# Damage


def bomb() -> bytes:
    """A PNG of a few bytes that asks for 60,000 x 60,000 pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (jpeg(scene(0))[:3000], "not a readable image"),
        (b"", "not a readable image"),
        (bomb(), "asks for more memory"),
        (jpeg(scene(0)[..., 0]), "expected 64x64x3, as the first has, got 64x64"),
    ],
)
def test_a_bad_picture_is_named_and_skipped_only_on_request(tmp_path: Path, content: bytes, message: str) -> None:
    root = celeba(tmp_path / "celeba", 20)
    (root / "img_align_celeba" / "000005.jpg").write_bytes(content)
    with pytest.raises(DataError, match=rf"000005\.jpg: .*{message}.*--skip-bad"):
        load_data(root)
    faces = load_data(root, skip_bad=True)
    assert len(faces.rows) == 19
    assert (faces.rows.attributes == np.delete(flags(20), 4, axis=0)).all()
    assert len(faces.skipped) == 1
    assert "000005.jpg" in faces.skipped[0]
    assert "1 of 20 pictures left out" in " ".join(faces.notes)
    with pytest.raises(DataError, match=r"000005\.jpg"):  # also once the others are in the cache
        load_data(root)


def test_nothing_but_bad_pictures_is_refused(tmp_path: Path) -> None:
    root = celeba(tmp_path / "celeba", 3)
    for file in (root / "img_align_celeba").iterdir():
        file.write_bytes(b"no picture")
    with pytest.raises(DataError, match="none of 3 pictures can be read"):
        load_data(root, skip_bad=True)


# Packed


def test_packed_faces_are_the_named_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed(tmp_path / "data" / "faces" / "celeba_10000_jpeg.npz", 40)
    monkeypatch.setenv("DREAMGEN_DATA", str(tmp_path / "data"))
    faces = load_data("faces")
    assert faces.rows.x.shape == (40, 64, 64, 3)
    assert (faces.rows.attributes == flags(40)).all()
    assert list(np.flatnonzero(faces.is_test)) == [36, 37, 38, 39]
    folder = load_data(celeba(tmp_path / "celeba", 40))
    assert (folder.rows.x == faces.rows.x).all()
    assert load_data("faces", size=16).rows.x.shape == (40, 16, 16, 3)
    with pytest.raises(DataError, match="digits has pictures of one size"):
        load_data("digits", size=16)


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"offsets": np.arange(5)}, "expected offsets that rise from 0"),
        ({"offsets": np.array([0.5])}, "expected offsets that rise from 0"),
        ({"attributes": np.zeros((29, 3), np.uint8)}, r"30 rows of 3, got shape \(29, 3\)"),
        ({"attributes": np.full((30, 3), 2, np.uint8)}, "expected attributes of 0 or 1"),
        ({"jpeg": np.zeros(10, np.uint8), "offsets": np.array([0, 10])}, "expected attributes"),
    ],
)
def test_packed_faces_that_do_not_fit_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replaced: dict[str, Any], message: str
) -> None:
    packed(tmp_path / "faces" / "celeba_10000_jpeg.npz", 30, **replaced)
    monkeypatch.setenv("DREAMGEN_DATA", str(tmp_path))
    with pytest.raises(DataError, match=message):
        load_data("faces")


# Folders of any pictures


def test_pictures_of_any_sizes_are_brought_to_one(tmp_path: Path) -> None:
    for i in range(40):
        folder = tmp_path / "mixed" / ("cats" if i % 2 else "dogs")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene(i, 40 + i, 90 - i)).save(folder / f"{i:02}.png")
    with pytest.raises(DataError, match=r"mixed sizes: .*--size 64"):
        load_data(tmp_path / "mixed")
    pictures = load_data(tmp_path / "mixed", size=24)
    assert pictures.rows.x.shape == (40, 24, 24, 3)
    assert pictures.classes == ("cats", "dogs")
    labels = pictures.rows.labels
    assert labels is not None
    mine = {Framing.square(24)(scene(i, 40 + i, 90 - i)).tobytes(): (i + 1) % 2 for i in range(40)}
    assert [mine[row.tobytes()] for row in pictures.rows.x] == labels.tolist()
    assert (np.diff(pictures.is_test.astype(int)) >= 0).all()  # the test part lies last
    assert load_data(tmp_path / "mixed", size=8).test.labels.tolist() == pictures.test.labels.tolist()  # type: ignore[union-attr]


def test_every_window_lies_within_its_picture() -> None:
    for size in (4, 7, 24, 28, 32, 64):
        for width in range(1, 90):
            for height in (1, width, width + 1, 61):
                for share in (1.0, FACE_SHARE):
                    left, top, right, bottom = Framing.square(size, share).window(width, height)
                    assert 0 <= left < right <= width
                    assert 0 <= top < bottom <= height
    assert Framing.square(28)(scene(0, 29, 29)).shape == (28, 28, 3)


def test_a_picture_that_cannot_be_resized_is_named(tmp_path: Path) -> None:
    class Refusing(Framing):
        def __call__(self, picture: Bytes) -> Bytes:
            raise ValueError("Box can't exceed original image size")

    piece = decoding.decode_piece([(jpeg(scene(0)), "a.jpg")], Refusing(8, 8), (8, 8, 3))
    assert piece.bad == {0: "a.jpg: cannot be brought to 8 x 8: Box can't exceed original image size"}


def test_skip_bad_and_size_are_for_pictures_alone(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((4, 4)))
    with pytest.raises(DataError, match="--size and --skip-bad are for faces"):
        load_data(tmp_path / "x.npy", size=8)
    Image.fromarray(scene(0, 8, 8)).save(tmp_path / "a.png")
    with pytest.raises(DataError, match="--skip-bad needs --size"):
        load_data(tmp_path, skip_bad=True)


def test_a_photograph_is_turned_as_the_camera_was_held(tmp_path: Path) -> None:
    upright = Image.fromarray(scene(0, 30, 30))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter to the right
    upright.rotate(90).save(tmp_path / "a.png", exif=exif)
    upright.save(tmp_path / "b.png")
    turned = load_data(tmp_path, size=16).rows.x
    assert (turned[0] == turned[1]).all()


# The file that pictures are decoded into


def test_pictures_are_decoded_once(tmp_path: Path, own_cache: Path) -> None:
    root, told = celeba(tmp_path / "celeba", 20), []

    def watch(done: int, total: int) -> None:
        told.append((done, total))

    first = load_data(root, watch=watch)
    assert told[-1] == (20, 20)
    told.clear()
    assert (load_data(root, watch=watch).rows.x == first.rows.x).all()
    assert told == []
    load_data(root, size=32, watch=watch)
    os.utime(root / "img_align_celeba" / "000003.jpg", (1, 1))
    load_data(root, watch=watch)
    assert len(told) == 4  # another size, and a file with another time: begun and done
    assert len(list(own_cache.glob("*.bytes"))) == 3


def test_two_folders_do_not_share_what_was_decoded(tmp_path: Path, own_cache: Path) -> None:
    for name, grey in (("a", 10), ("b", 200)):
        (tmp_path / name).mkdir()
        for i in range(10):
            path = tmp_path / name / f"{i}.bmp"  # of one size, whatever is on it
            Image.fromarray(np.full((9, 9, 3), grey, np.uint8)).save(path)
            os.utime(path, (1, 1))
    assert (load_data(tmp_path / "a", size=8).rows.x == 10).all()
    assert (load_data(tmp_path / "b", size=8).rows.x == 200).all()


def test_where_no_cache_can_be_written_few_pictures_are_kept_in_memory(tmp_path: Path, own_cache: Path) -> None:
    root = celeba(tmp_path / "celeba", 20)
    mapped = load_data(root).rows.x
    own_cache.rename(own_cache.with_name("away"))
    own_cache.write_text("in the way")
    x = load_data(root).rows.x
    assert not isinstance(x, np.memmap)
    assert (x == mapped).all()


@pytest.mark.parametrize("damage", ["cut", "no note", "bad note", "half a note"])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, own_cache: Path, damage: str) -> None:
    root = celeba(tmp_path / "celeba", 20)
    good = np.array(load_data(root).rows.x)
    (place,) = own_cache.glob("*.bytes")
    note = place.with_suffix(".json")
    if damage == "cut":
        place.write_bytes(place.read_bytes()[:-1])
    elif damage == "no note":
        note.unlink()
    else:
        note.write_text("{" if damage == "bad note" else '{"seen": 20, "shape": "x"}')
    assert (load_data(root).rows.x == good).all()


def test_stopping_keeps_what_was_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "PIECE", 5)
    root, told = celeba(tmp_path / "celeba", 23), []

    def stop(done: int, total: int) -> None:
        if done >= 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_data(root, watch=stop)
    faces = load_data(root, watch=lambda done, total: told.append(done))
    assert told == [10, 15, 20, 23]
    assert (faces.rows.x[22] == load_data(celeba(tmp_path / "again", 23)).rows.x[22]).all()


KILLED = """
import os, signal, sys
from multiprocessing import active_children
from pathlib import Path
from dreamgen import workers
from dreamgen.data import decoded, decoding, load_data

def watch(done, total):
    if done >= 40:
        Path("workers").write_text(" ".join(str(child.pid) for child in active_children()))
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    decoding.FEW, decoding.PIECE, decoded._BETWEEN = 0, 8, 16
    workers.processors = lambda: 2
    load_data(sys.argv[1], watch=watch)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_kill_leaves_no_workers_and_loses_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    root = celeba(tmp_path / "celeba", 80)
    (tmp_path / "script.py").write_text(KILLED)
    done = subprocess.run([sys.executable, "script.py", str(root)], cwd=tmp_path, check=False)
    assert done.returncode == -signal.SIGKILL
    workers = [int(pid) for pid in (tmp_path / "workers").read_text().split()]
    assert len(workers) == 2
    deadline = time.monotonic() + 10
    while any(is_running(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(is_running(pid) for pid in workers)
    told: list[int] = []
    faces = load_data(root, watch=lambda done, total: told.append(done))
    assert told[0] == 32  # the last note before the kill
    assert (faces.rows.x == decoded.decode_into_memory(sources(root), FRAMING, False, silent).x).all()


FRAMING = Framing.square(64, FACE_SHARE)


def sources(root: Path) -> decoding.Sources:
    return decoding.Sources.of_files(sorted((root / "img_align_celeba").iterdir()))


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")


def test_workers_give_the_same_pictures_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "PIECE", 6)
    root = celeba(tmp_path / "celeba", 50)
    (root / "img_align_celeba" / "000020.jpg").write_bytes(b"")
    one, two = (list(decoding.decode_pieces(sources(root), FRAMING, (64, 64, 3), 3, workers)) for workers in (1, 2))
    assert [(p.seen, p.bad) for p in one] == [(p.seen, p.bad) for p in two]
    assert all((a.x == b.x).all() for a, b in zip(one, two, strict=True))
    assert [list(piece.bad) for piece in one] == [[], [], [4], [], [], [], [], []]
