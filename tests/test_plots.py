"""Pictures: sheets are read back pixel by pixel, figures by where their colours lie."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from dreamgen.errors import DataError, OutputError
from dreamgen.plots import (
    as_pictures,
    reconstructions,
    save_curve,
    save_image,
    save_map,
    save_sheet,
    save_traversal,
    sheet,
)

Array = npt.NDArray[Any]


def pictures(*shape: int, seed: int = 0) -> npt.NDArray[np.float64]:
    """Random pictures whose greys are whole bytes."""
    return np.random.default_rng(seed).integers(0, 256, shape) / 255


def cut(paper: Array, row: int, column: int, height: int, width: int) -> Array:
    """The picture in one place of a sheet: two pixels of paper around and between."""
    top, left = 2 + row * (height + 2), 2 + column * (width + 2)
    return paper[top : top + height, left : left + width]


# What are pictures


def test_bytes_and_floats_are_the_same_pictures() -> None:
    x = np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)
    assert as_pictures(x).tolist() == (x / 255).tolist()
    assert as_pictures(x / 255).tolist() == (x / 255).tolist()
    assert as_pictures(np.array([[[0, 255]]], np.uint8)).tolist() == [[[0, 1]]]


def test_values_outside_zero_and_one_are_clipped() -> None:
    assert as_pictures([[[-3.0, 0.25], [0.75, 9.0]]]).tolist() == [[[0, 0.25], [0.75, 1]]]


def test_flat_rows_become_squares() -> None:
    x = pictures(3, 49)
    assert as_pictures(x).shape == (3, 7, 7)
    assert as_pictures(x)[1, 2, 3] == x[1, 2 * 7 + 3]


def test_a_shape_may_be_given() -> None:
    x = pictures(2, 24)
    assert np.array_equal(as_pictures(x, (4, 6)), x.reshape(2, 4, 6))
    assert np.array_equal(as_pictures(x, (2, 4, 3)), x.reshape(2, 2, 4, 3))


def test_one_channel_is_grey_and_three_are_colours() -> None:
    assert as_pictures(np.zeros((2, 4, 5, 1))).shape == (2, 4, 5)
    assert as_pictures(np.zeros((2, 4, 5, 3))).shape == (2, 4, 5, 3)


@pytest.mark.parametrize("event", [(), (5,), (4, 5, 2), (4, 5, 4), (3, 4, 5), (2, 2, 2, 2)])
def test_what_are_no_pictures_is_refused_with_its_shape(event: tuple[int, ...]) -> None:
    with pytest.raises(DataError) as caught:
        as_pictures(np.zeros((2, *event)))
    assert "expected pictures, (height, width) or (height, width, 3)" in str(caught.value)
    assert str(event) in str(caught.value)


def test_a_shape_that_does_not_fit_is_refused() -> None:
    with pytest.raises(DataError, match="expected"):
        as_pictures(np.zeros((3, 64)), (10, 10))


# Sheets


def test_a_sheet_has_each_picture_where_it_belongs_enlarged_eight_times() -> None:
    x = pictures(7, 8, 8)
    image = sheet(x, columns=3)
    assert image.mode == "L"
    # Three by three pictures of 64 pixels, and four strips of two pixels of paper.
    assert image.size == (3 * 64 + 4 * 2, 3 * 64 + 4 * 2)
    paper = np.asarray(image)
    for number in range(7):
        place = cut(paper, number // 3, number % 3, 64, 64)
        for y in range(8):
            for left in range(8):
                block = place[8 * y : 8 * y + 8, 8 * left : 8 * left + 8]
                assert (block == round(x[number, y, left] * 255)).all()


def test_a_sheet_is_white_where_there_is_no_picture() -> None:
    paper = np.asarray(sheet(np.zeros((4, 8, 8)), columns=3)).copy()
    for number in range(4):
        cut(paper, number // 3, number % 3, 64, 64)[:] = 255
    assert (paper == 255).all()


@pytest.mark.parametrize(
    ("height", "width", "times"),
    [
        (8, 8, 8),
        (28, 28, 2),
        (64, 64, 1),
        (32, 32, 2),
        (20, 16, 4),
        (10, 40, 2),
        (5, 100, 1),
        (200, 300, 1),
        (3, 1, 64),
    ],
)
def test_pictures_are_enlarged_by_a_whole_number(height: int, width: int, times: int) -> None:
    x = pictures(2, height, width)
    image = sheet(x, columns=2)
    assert image.size == (2 * width * times + 6, height * times + 4)
    paper = np.asarray(image)
    for number in range(2):
        place = cut(paper, 0, number, height * times, width * times)
        assert np.array_equal(place[::times, ::times], np.rint(x[number] * 255))
        assert np.array_equal(place, np.kron(place[::times, ::times], np.ones((times, times), np.uint8)))


@given(n=st.integers(1, 30))
@settings(deadline=None, max_examples=30)
def test_without_columns_a_sheet_is_nearly_square(n: int) -> None:
    width, height = ((side - 2) // 66 for side in sheet(np.zeros((n, 8, 8))).size)
    assert (width - 1) ** 2 < n <= width**2
    assert height * width >= n > (height - 1) * width


def test_a_coloured_sheet_keeps_its_colours() -> None:
    x = pictures(4, 16, 16, 3)
    image = sheet(x, columns=2)
    assert image.mode == "RGB"
    paper = np.asarray(image)
    assert paper.shape == (134, 134, 3)
    for number in range(4):
        place = cut(paper, number // 2, number % 2, 64, 64)
        assert np.array_equal(place[::4, ::4], np.rint(x[number] * 255))
    assert (paper[:2] == 255).all()


def test_a_sheet_of_flat_rows_is_a_sheet_of_squares() -> None:
    x = pictures(3, 64)
    assert np.array_equal(np.asarray(sheet(x)), np.asarray(sheet(x.reshape(3, 8, 8))))


def test_every_grey_survives_the_sheet() -> None:
    x = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    assert np.array_equal(cut(np.asarray(sheet(x)), 0, 0, 64, 64)[::4, ::4], x[0])


def test_reconstructions_lie_below_their_originals_ten_across() -> None:
    originals, again = pictures(12, 8, 8), pictures(12, 8, 8, seed=1)
    paper = np.asarray(reconstructions(originals, again))
    assert paper.shape == (4 * 66 + 2, 10 * 66 + 2)
    for number in range(12):
        row, column = 2 * (number // 10), number % 10
        for place, source in ((row, originals), (row + 1, again)):
            assert np.array_equal(cut(paper, place, column, 64, 64)[::8, ::8], np.rint(source[number] * 255))
    for column in range(2, 10):
        assert (cut(paper, 2, column, 64, 64) == 255).all()
        assert (cut(paper, 3, column, 64, 64) == 255).all()


@pytest.mark.parametrize("shape", [(64,), (8, 8, 1), (8, 8, 3)])
def test_reconstructions_of_flat_and_coloured_pictures_keep_their_place(shape: tuple[int, ...]) -> None:
    originals, again = pictures(3, *shape), pictures(3, *shape, seed=1)
    paper = np.asarray(reconstructions(originals, again))
    assert paper.shape[:2] == (2 * 66 + 2, 10 * 66 + 2)
    expected = np.rint(as_pictures(again)[2] * 255)
    assert np.array_equal(cut(paper, 1, 2, 64, 64)[::8, ::8], expected)


def test_reconstructions_may_mix_bytes_and_floats() -> None:
    originals = np.random.default_rng(0).integers(0, 256, (2, 8, 8), dtype=np.uint8)
    paper = np.asarray(reconstructions(originals, originals / 255))
    assert np.array_equal(cut(paper, 0, 1, 64, 64), cut(paper, 1, 1, 64, 64))
    assert (cut(paper, 0, 5, 64, 64) == 255).all()


# Files

HISTORY = [
    {"epoch": n, "loss": 200 / n, "validation": 210 / n, "distortion": 180 / n, "rate": 20 / n} for n in range(1, 6)
]
TICKS = np.linspace(-3, 3, 3)


def a_sheet(path: Path) -> None:
    save_sheet(pictures(4, 8, 8), path)


def a_curve(path: Path) -> None:
    save_curve(HISTORY, path)


def a_map(path: Path) -> None:
    codes = np.random.default_rng(0).standard_normal((60, 2))
    labels = np.arange(60) % 3
    grid = pictures(3, 3, 8, 8)
    save_map(grid, path, plane=[0, 1], ticks=TICKS, codes=codes, labels=labels, classes=("a", "b", "c"))


def a_traversal(path: Path) -> None:
    save_traversal(pictures(2, 5, 8, 8), path, latents=[3, 1], rates=[2.5, 0.5], span=3.0)


EACH = pytest.mark.parametrize("save", [a_sheet, a_curve, a_map, a_traversal], ids=lambda save: save.__name__)


def read(path: Path) -> npt.NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are written, to ask what is on them."""
    figures: list[Figure] = []
    save = Figure.savefig

    def spy(self: Figure, *args: Any, **options: Any) -> None:
        figures.append(self)
        save(self, *args, **options)

    monkeypatch.setattr(Figure, "savefig", spy)
    return figures


def where(paper: Array, red: int, green: int, blue: int) -> tuple[float, float]:
    """The middle of all pixels of one colour, from the top and from the left."""
    rows, columns = np.nonzero((paper == (red, green, blue)).all(-1))
    assert len(rows) > 0, "there is no pixel of this colour"
    return rows.mean(), columns.mean()


@EACH
def test_a_file_is_a_whole_png_that_is_not_blank(save: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.png"
    save(path)
    assert [file.name for file in path.parent.iterdir()] == ["a.png"]
    with Image.open(path) as image:
        assert image.format == "PNG"
        image.verify()
    paper = read(path)
    assert min(paper.shape[:2]) > 60
    assert paper.std() > 5
    assert len(np.unique(paper)) > 20


@EACH
def test_the_same_input_gives_the_same_bytes(save: Callable[[Path], None], tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@EACH
@pytest.mark.parametrize("name", ["a.xyz", "a.npz", "a.psd", "a.h5"])
def test_an_unknown_suffix_is_refused_and_nothing_is_written(
    save: Callable[[Path], None], name: str, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match=name):
        save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@EACH
@pytest.mark.parametrize(("suffix", "kind"), [("jpg", "JPEG"), ("webp", "WEBP"), ("PNG", "PNG")])
def test_the_suffix_says_the_format(save: Callable[[Path], None], suffix: str, kind: str, tmp_path: Path) -> None:
    # The suffixes that the command line lets through.
    path = tmp_path / f"a.{suffix}"
    save(path)
    with Image.open(path) as image:
        assert image.format == kind


@EACH
def test_a_place_that_cannot_be_written_is_refused_by_name(save: Callable[[Path], None], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(OutputError, match=r"cannot write .*file"):
        save(tmp_path / "file" / "a.png")
    assert (tmp_path / "file").read_text() == "no folder"


def test_an_older_picture_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    save_sheet(np.zeros((1, 8, 8)), path)
    save_sheet(np.ones((1, 8, 8)), path)
    assert (read(path) == 255).all()


def test_a_saved_sheet_is_the_sheet(tmp_path: Path) -> None:
    x = pictures(5, 8, 8)
    save_sheet(x, tmp_path / "a.png", columns=5)
    with Image.open(tmp_path / "a.png") as image:
        assert np.array_equal(np.asarray(image), np.asarray(sheet(x, columns=5)))
    save_image(sheet(x), tmp_path / "b.jpeg")
    assert np.abs(read(tmp_path / "b.jpeg")[..., 0].astype(int) - np.asarray(sheet(x))).mean() < 8


# Maps

RED, BLUE = (1.0, 0.0, 0.0), (0.0, 0.0, 1.0)


def blue_but_one(*shape: int, red: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """Blue pictures, one of them red."""
    x = np.broadcast_to(np.array(BLUE), (*shape, 8, 8, 3)).copy()
    x[red] = RED
    return x


@pytest.mark.parametrize("place", [(0, 0), (0, 2), (2, 0), (1, 2)])
def test_a_map_shows_its_first_row_on_top_and_its_first_column_on_the_left(
    place: tuple[int, int], tmp_path: Path
) -> None:
    save_map(blue_but_one(3, 3, red=place), tmp_path / "a.png", plane=[0, 1], ticks=TICKS)
    paper = read(tmp_path / "a.png")
    red, all_rows, all_columns = where(paper, 255, 0, 0), *np.nonzero((paper[..., 1] == 0) & (paper.max(-1) == 255))
    height, width = np.ptp(all_rows) + 1, np.ptp(all_columns) + 1
    assert height == pytest.approx(width, abs=3)
    assert (red[0] - all_rows.min()) / height * 3 == pytest.approx(place[0] + 0.5, abs=0.05)
    assert (red[1] - all_columns.min()) / width * 3 == pytest.approx(place[1] + 0.5, abs=0.05)


def test_a_map_without_codes_is_the_decoded_plane_alone(tmp_path: Path) -> None:
    grid = pictures(3, 3, 8, 8)
    save_map(grid, tmp_path / "alone.png", plane=[0, 1], ticks=TICKS)
    save_map(grid, tmp_path / "empty.png", plane=[0, 1], ticks=TICKS, codes=np.zeros((0, 2)))
    a_map(tmp_path / "both.png")
    assert (tmp_path / "alone.png").read_bytes() == (tmp_path / "empty.png").read_bytes()
    alone, both = read(tmp_path / "alone.png"), read(tmp_path / "both.png")
    assert both.shape[1] > 1.5 * alone.shape[1]
    assert (alone.max(-1) == alone.min(-1)).all()
    assert (both.max(-1) != both.min(-1)).any()


def test_a_map_is_labelled_with_its_ticks_and_latents(drawn: list[Figure], tmp_path: Path) -> None:
    save_map(pictures(3, 3, 8, 8), tmp_path / "a.png", plane=[4, 7], ticks=np.array([-2.0, 0.5, 2.0]))
    (axis,) = drawn[0].axes
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("latent 4", "latent 7")
    across = zip(axis.get_xticks(), axis.get_xticklabels(), strict=True)
    assert [(place, label.get_text()) for place, label in across] == [(4, "-2.00"), (12, "0.50"), (20, "2.00")]
    # Rows of an image are counted from the top, where the second latent is largest.
    upwards = zip(axis.get_yticks(), axis.get_yticklabels(), strict=True)
    assert [(place, label.get_text()) for place, label in upwards] == [(20, "-2.00"), (12, "0.50"), (4, "2.00")]


def test_the_codes_of_a_class_share_a_colour_and_lie_where_they_are(drawn: list[Figure], tmp_path: Path) -> None:
    codes = np.random.default_rng(0).standard_normal((10, 3))
    labels = np.array([4] * 6 + [1] * 4)
    save_map(
        np.ones((3, 3, 8, 8)), tmp_path / "a.png", plane=[2, 0], ticks=TICKS, codes=codes, labels=labels,
        classes=("no", "one", "two", "three", "four"),
    )  # fmt: skip
    axis = drawn[0].axes[1]
    first, second = axis.collections
    assert np.array_equal(first.get_offsets(), codes[labels == 1][:, [2, 0]])
    assert np.array_equal(second.get_offsets(), codes[labels == 4][:, [2, 0]])
    legend = axis.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["one", "four"]
    paper = read(tmp_path / "a.png")
    for points in (first, second):
        where(paper, *np.rint(points.get_facecolor()[0, :3] * 255).astype(int))
    assert not np.array_equal(first.get_facecolor(), second.get_facecolor())


def test_a_map_over_one_latent_and_unlabelled_codes_are_drawn(tmp_path: Path) -> None:
    codes = np.random.default_rng(0).standard_normal((20, 3))
    save_map(pictures(3, 3, 64), tmp_path / "a.png", plane=[1], ticks=TICKS, codes=codes)
    assert read(tmp_path / "a.png").std() > 5


def test_many_classes_are_drawn(tmp_path: Path) -> None:
    codes = np.random.default_rng(0).standard_normal((60, 2))
    save_map(
        pictures(2, 2, 8, 8), tmp_path / "a.png", plane=[0, 1], ticks=TICKS[:2], codes=codes, labels=np.arange(60)
    )
    paper = read(tmp_path / "a.png").astype(int)
    bright = paper[paper.max(-1) - paper.min(-1) > 100] // 8
    assert len(np.unique(bright, axis=0)) > 30


# Curves and traversals


def test_a_curve_follows_its_history(drawn: list[Figure], tmp_path: Path) -> None:
    a_curve(tmp_path / "a.png")
    lines = {line.get_label(): line for axis in drawn[0].axes for line in axis.get_lines()}
    for label, name in [("training", "loss"), ("validation",) * 2, ("distortion",) * 2, ("rate",) * 2]:
        assert np.array_equal(lines[label].get_xdata(), [1, 2, 3, 4, 5])
        assert np.array_equal(lines[label].get_ydata(), [record[name] for record in HISTORY])


def test_a_curve_without_validation_has_one_line_less(drawn: list[Figure], tmp_path: Path) -> None:
    save_curve([{**record, "validation": None} for record in HISTORY], tmp_path / "a.png")
    assert [line.get_label() for line in drawn[0].axes[0].get_lines()] == ["training"]
    save_curve([{**HISTORY[0], "validation": None}], tmp_path / "a.png")
    assert read(tmp_path / "a.png").std() > 5


@pytest.mark.parametrize("place", [(0, 0), (0, 4), (1, 2)])
def test_a_traversal_has_a_row_a_latent_and_a_column_a_step(place: tuple[int, int], tmp_path: Path) -> None:
    x = blue_but_one(2, 5, red=place)
    save_traversal(x, tmp_path / "a.png", latents=[3, 1], rates=[2.5, 0.5], span=3.0)
    paper = read(tmp_path / "a.png")
    red, rows, columns = where(paper, 255, 0, 0), *np.nonzero((paper[..., 1] == 0) & (paper.max(-1) == 255))
    assert (red[0] - rows.min()) / (np.ptp(rows) + 1) * 2 == pytest.approx(place[0] + 0.5, abs=0.1)
    assert (red[1] - columns.min()) / (np.ptp(columns) + 1) * 5 == pytest.approx(place[1] + 0.5, abs=0.1)


def test_a_traversal_names_its_latents_and_rates(drawn: list[Figure], tmp_path: Path) -> None:
    save_traversal(pictures(2, 5, 8, 8), tmp_path / "a.png", [3, 1], [2.5, 0.5], 2.0)
    (axis,) = drawn[0].axes
    assert [label.get_text() for label in axis.get_yticklabels()] == ["latent 3: 2.50 nats", "latent 1: 0.50 nats"]
    assert list(axis.get_yticks()) == sorted(axis.get_yticks())
    assert [label.get_text() for label in axis.get_xticklabels()] == ["-2", "2"]


@pytest.mark.parametrize("classes", [(), ("a", "b")])
def test_labels_below_nought_and_beyond_the_classes_are_their_own_names(
    classes: tuple[str, ...], drawn: list[Figure], tmp_path: Path
) -> None:
    codes, labels = np.random.default_rng(0).random((4, 2)), np.array([-(2**62), -1, 1, 2**62])
    save_map(
        pictures(3, 3, 8, 8),
        tmp_path / "a.png",
        plane=[0, 1],
        ticks=TICKS,
        codes=codes,
        labels=labels,
        classes=classes,
    )
    shown = drawn[0].axes[1].get_legend_handles_labels()[1]
    assert shown == [str(-(2**62)), "-1", classes[1] if classes else "1", str(2**62)]
