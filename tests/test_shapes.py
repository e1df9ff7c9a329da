"""Shapes: the factor grid, its symmetries to the pixel, and the named set."""

import numpy as np
import pytest

from dreamgen.data import Dataset, load_data
from dreamgen.data.shapes import FACTORS, NUMBER, SIZES, draw_shapes, indices_of, number_of, values_of
from dreamgen.errors import DataError


@pytest.fixture(scope="module")
def shapes() -> Dataset:
    return load_data("shapes")


def grid(**fixed: int) -> np.ndarray:
    """The numbers of all pictures with some factors held, in the order of the factors."""
    ranges = [[fixed[name]] if name in fixed else range(size) for name, size in zip(FACTORS, SIZES, strict=True)]
    return number_of(np.stack(np.meshgrid(*ranges, indexing="ij"), -1).reshape(-1, 5))


def test_every_combination_has_one_number() -> None:
    numbers = np.arange(NUMBER)
    indices = indices_of(numbers)
    assert NUMBER == 737_280
    assert (indices.max(0) + 1).tolist() == list(SIZES)
    np.testing.assert_array_equal(number_of(indices), numbers)
    assert indices[1].tolist() == [0, 0, 0, 0, 1]  # y runs fastest
    assert indices[-1].tolist() == [2, 5, 39, 31, 31]


def test_pictures_are_binary_whole_and_all_different_but_for_symmetries() -> None:
    x = draw_shapes(grid(x=31, y=31))
    assert x.shape == (720, 64, 64)
    assert set(np.unique(x)) == {0, 255}
    # No shape is cut off: what lies in the last corner is the same as in the first, moved.
    np.testing.assert_array_equal(np.roll(draw_shapes(grid(x=0, y=0)), (31, 31), (1, 2)), x)
    assert (x.reshape(720, -1) > 0).sum(1).min() > 100
    packed = np.packbits(x.reshape(720, -1) > 0, axis=1)
    assert len(np.unique(packed, axis=0)) == 6 * (10 + 20 + 40)
    for kind, repeats in enumerate((10, 20, 40)):
        turns = draw_shapes(grid(shape=kind, scale=3, x=16, y=16))
        np.testing.assert_array_equal(turns, np.roll(turns, repeats, 0))


def test_pictures_follow_their_factors() -> None:
    numbers = np.random.default_rng(0).integers(0, NUMBER, 400)
    indices = indices_of(numbers)
    light = (draw_shapes(numbers) > 0).astype(float)
    steps = np.arange(64)
    for axis, column in ((1, 3), (2, 4)):
        # Columns are summed over rows and the other way round: x is the place across, y the one down.
        centre = light.sum(axis) @ steps / light.sum((1, 2))
        np.testing.assert_allclose(centre, indices[:, column] + 16, atol=0.35)
    radius = np.sqrt(light.sum((1, 2)))
    scale = values_of(indices)[:, 1]
    # Area tells the scale whatever the shape: it is square in the scale, within a few pixels.
    np.testing.assert_allclose(radius / scale, np.median(radius / scale), rtol=0.07)


@pytest.mark.parametrize("kind", [0, 1])
def test_turning_is_turning(kind: int) -> None:
    """Of 10 orientations, so a quarter, numpy knows a second way; of the ellipse alone it makes a difference."""
    ten, none = (draw_shapes(grid(shape=kind, scale=5, x=15, y=15, orientation=turn))[0] for turn in (10, 0))
    window = slice(15, 48)
    np.testing.assert_array_equal(ten[window, window], np.rot90(none[window, window]))
    assert (ten != none).any() == (kind == 1)


def test_the_heart_is_upright_and_then_leans() -> None:
    upright = draw_shapes(grid(shape=2, scale=5, x=15, y=15, orientation=0))[0]
    np.testing.assert_array_equal(upright[15:48, 15:48], upright[15:48, 15:48][:, ::-1])
    rows = np.flatnonzero(upright.any(1))
    assert (upright[rows[0]] > 0).sum() > (upright[rows[-1]] > 0).sum()  # two lobes above, a point below


def test_a_picture_does_not_depend_on_those_it_is_drawn_with() -> None:
    numbers = np.array([5, 700_000, 5, 123_456])
    together = draw_shapes(numbers)
    for number, picture in zip(numbers, together, strict=True):
        np.testing.assert_array_equal(draw_shapes(number)[0], picture)
    assert draw_shapes(np.array([], dtype=int)).shape == (0, 64, 64)


@pytest.mark.parametrize("number", [-1, NUMBER, 0.5, [[1]]])
def test_other_numbers_are_refused(number: object) -> None:
    with pytest.raises(DataError, match="from 0 to 737279"):
        draw_shapes(number)  # type: ignore[arg-type]


@pytest.mark.parametrize("indices", [[0, 0, 40, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0, -1], [0.0] * 5])
def test_other_factors_are_refused(indices: list[float]) -> None:
    with pytest.raises(DataError, match="shape, scale, orientation, x, y"):
        number_of(indices)


def test_the_named_set_is_a_part_of_all_with_its_factors(shapes: Dataset) -> None:
    assert (len(shapes.train), len(shapes.test)) == (50_000, 10_000)
    assert shapes.attribute_names == FACTORS
    assert shapes.classes == ("square", "ellipse", "heart")
    for part in (shapes.train, shapes.test):
        assert part.attributes is not None
        assert part.attributes.dtype == np.float32
        assert [len(np.unique(column)) for column in part.attributes.T] == list(SIZES)
        assert part.labels is not None
        np.testing.assert_array_equal(part.labels, part.attributes[:, 0])
        share = [np.bincount(np.unique(column, return_inverse=True)[1]) for column in part.attributes.T]
        assert all(counts.min() > 0.7 * counts.mean() for counts in share)  # drawn evenly
    attributes = shapes.rows.attributes
    assert attributes is not None
    units = np.array([1, 0.1, 9, 1, 1])
    indices = np.rint((attributes - [0, 0.5, 0, 16, 16]) / units).astype(int)
    assert len(np.unique(number_of(indices))) == 60_000  # none twice
    np.testing.assert_array_equal(draw_shapes(number_of(indices[:50])), shapes.rows.x[:50])
