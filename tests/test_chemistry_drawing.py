"""Structures in a grid: where colours lie, which cells are empty, and that no file says more than its picture."""

import io

import numpy as np
import numpy.typing as npt
import pytest

pytest.importorskip("rdkit", reason="needs RDKit")

from PIL import Image

from dreamgen.chemistry.drawing import draw_png
from dreamgen.errors import DataError

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
CAFFEINE = "Cn1c(=O)c2c(ncn2C)n(C)c1=O"
CELL = (200, 160)


def pixels(picture: bytes) -> npt.NDArray[np.uint8]:
    with Image.open(io.BytesIO(picture)) as image:
        return np.asarray(image.convert("RGB"))


def inked(picture: bytes, row: int, column: int) -> tuple[bool, bool]:
    """Whether there is anything in the upper part of a cell, and in its legend's."""
    x = pixels(picture)[row * CELL[1] : (row + 1) * CELL[1], column * CELL[0] : (column + 1) * CELL[0]] < 128
    return bool(x[: int(0.8 * CELL[1])].any()), bool(x[int(0.8 * CELL[1]) :].any())


def test_cells_stand_in_rows_and_what_is_no_molecule_has_its_legend_alone() -> None:
    picture = draw_png([ASPIRIN, "no", CAFFEINE, None], ["a", "b", "c", ""], 3, cell=CELL)
    assert pixels(picture).shape == (2 * CELL[1], 3 * CELL[0], 3)
    assert [inked(picture, 0, k) for k in range(3)] == [(True, True), (False, True), (True, True)]
    assert [inked(picture, 1, k) for k in range(3)] == [(False, False)] * 3


def test_few_molecules_take_no_more_columns_than_there_are() -> None:
    assert pixels(draw_png([ASPIRIN], columns=5, cell=CELL)).shape == (CELL[1], CELL[0], 3)


def test_the_same_molecules_have_the_same_bytes_and_no_metadata() -> None:
    picture = draw_png([ASPIRIN, CAFFEINE], ["a", "b"])
    assert picture == draw_png([ASPIRIN, CAFFEINE], ["a", "b"])
    assert b"rdkitPKL" not in picture


@pytest.mark.parametrize("smiles", ["[Na+].[Cl-]", "*C", "[U]", "C" * 120, "c1cc[nH]c1", "C[C@H](N)C(=O)O", "[H][H]"])
def test_odd_molecules_are_drawn(smiles: str) -> None:
    assert inked(draw_png([smiles], cell=CELL), 0, 0)[0]


def test_wrong_counts_are_refused() -> None:
    with pytest.raises(DataError, match="expected molecules to draw"):
        draw_png([])
    with pytest.raises(DataError, match="as many legends as molecules, 2, got 1"):
        draw_png([ASPIRIN, CAFFEINE], ["a"])
