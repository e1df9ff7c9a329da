"""Structures drawn in a grid, the same bytes for the same molecules."""

from collections.abc import Sequence
from typing import Any

from dreamgen.chemistry.extras import rdkit
from dreamgen.chemistry.molecules import parse
from dreamgen.errors import DataError

_CELL = (260, 220)  # pixels


def draw_png(
    smiles: Sequence[str | None],
    legends: Sequence[str] = (),
    columns: int = 5,
    *,
    cell: tuple[int, int] = _CELL,
) -> bytes:
    """A grid of structures as PNG.

    Args:
        smiles: what is no molecule has an empty cell.
        legends: a line below each, none or as many as molecules; RDKit's font draws ASCII alone.
        columns: molecules side by side.
        cell: width and height of each, pixels.

    Raises:
        DataError: no molecule, or another number of legends.
    """
    legends = list(legends) or [""] * len(smiles)
    if len(legends) != len(smiles):
        raise DataError(f"expected as many legends as molecules, {len(smiles)}, got {len(legends)}")
    canvas = rdkit("Chem.Draw.rdMolDraw2D").MolDraw2DCairo(*_size(len(smiles), columns, cell), *cell)
    # What the file says of its molecules would be pickled and depend on RDKit's version.
    canvas.drawOptions().includeMetadata = False
    canvas.DrawMolecules([_prepared(text) for text in smiles], legends=legends)
    canvas.FinishDrawing()
    picture: bytes = canvas.GetDrawingText()
    return picture


def _size(count: int, columns: int, cell: tuple[int, int]) -> tuple[int, int]:
    if not count or columns < 1:
        raise DataError(f"expected molecules to draw and a column or more, got {count} and {columns}")
    across = min(columns, count)
    return across * cell[0], -(-count // across) * cell[1]


def _prepared(text: str | None) -> Any:
    """A molecule laid out on the plane; for none an atom that is not seen, since a cell without one has no legend."""
    chem, drawing = rdkit("Chem"), rdkit("Chem.Draw.rdMolDraw2D")
    mol = parse(text)
    if mol is None:
        blank = chem.MolFromSmiles("*")
        blank.GetAtomWithIdx(0).SetProp("_displayLabel", " ")
        return blank
    with rdkit("rdBase").BlockLogs():
        try:
            return drawing.PrepareMolForDrawing(mol)
        except ValueError:  # no alternating bonds: it is drawn aromatic
            return drawing.PrepareMolForDrawing(mol, kekulize=False)
