"""Structures drawn in a grid, as PNG or SVG, the same bytes for the same molecules."""

from collections.abc import Sequence
from typing import Any

from dreamgen.chemistry.extras import rdkit
from dreamgen.chemistry.molecules import parse
from dreamgen.errors import DataError, SettingsError

_CELL = (260, 220)  # pixels


def draw_png(
    smiles: Sequence[str | None],
    legends: Sequence[str] = (),
    columns: int = 5,
    *,
    highlight: Sequence[Sequence[int]] | None = None,
    cell: tuple[int, int] = _CELL,
) -> bytes:
    """A grid of structures as PNG.

    Args:
        smiles: what is no molecule has an empty cell.
        legends: a line below each, none or as many as molecules; RDKit's font draws ASCII alone.
        columns: molecules side by side.
        highlight: for each the numbers of the atoms to colour, as `matching` finds them.
        cell: width and height of each, pixels.

    Raises:
        DataError: no molecule, another number of legends or highlights, or an atom that is not there.
    """
    canvas = rdkit("Chem.Draw.rdMolDraw2D").MolDraw2DCairo(*_size(len(smiles), columns, cell), *cell)
    picture: bytes = _draw(canvas, smiles, legends, highlight)
    return picture


def draw_svg(
    smiles: Sequence[str | None],
    legends: Sequence[str] = (),
    columns: int = 5,
    *,
    highlight: Sequence[Sequence[int]] | None = None,
    cell: tuple[int, int] = _CELL,
) -> str:
    """A grid of structures as the text of an SVG; arguments and errors as for `draw_png`."""
    canvas = rdkit("Chem.Draw.rdMolDraw2D").MolDraw2DSVG(*_size(len(smiles), columns, cell), *cell)
    picture: str = _draw(canvas, smiles, legends, highlight)
    return picture[picture.index("<svg") :]  # its first line names an encoding, and stands in the way on a page


def matching(smiles: Sequence[str | None], smarts: str) -> list[list[int]]:
    """For each molecule the atoms that match a pattern anywhere, to highlight. Raises SettingsError for no SMARTS."""
    with rdkit("rdBase").BlockLogs():
        pattern = rdkit("Chem").MolFromSmarts(smarts)
    if pattern is None or not pattern.GetNumAtoms():
        raise SettingsError(f"expected a SMARTS pattern, got {smarts!r}")
    mols = map(parse, smiles)
    return [
        [] if mol is None else sorted({atom for match in mol.GetSubstructMatches(pattern) for atom in match})
        for mol in mols
    ]


def _size(count: int, columns: int, cell: tuple[int, int]) -> tuple[int, int]:
    if not count or columns < 1:
        raise DataError(f"expected molecules to draw and a column or more, got {count} and {columns}")
    across = min(columns, count)
    return across * cell[0], -(-count // across) * cell[1]


def _draw(
    canvas: Any, smiles: Sequence[str | None], legends: Sequence[str], highlight: Sequence[Sequence[int]] | None
) -> Any:
    legends = list(legends) or [""] * len(smiles)
    marked = [list(atoms) for atoms in highlight] if highlight is not None else [[] for _ in smiles]
    for name, given in (("legends", legends), ("highlights", marked)):
        if len(given) != len(smiles):
            raise DataError(f"expected as many {name} as molecules, {len(smiles)}, got {len(given)}")
    mols = [_prepared(text) for text in smiles]
    for mol, atoms in zip(mols, marked, strict=True):
        missing = [atom for atom in atoms if not 0 <= atom < mol.GetNumAtoms()]
        if missing:
            raise DataError(f"expected atoms of the molecule to highlight, it has no atom {missing[0]}")
    # What the file says of its molecules would be pickled and depend on RDKit's version.
    canvas.drawOptions().includeMetadata = False
    canvas.DrawMolecules(
        mols,
        legends=legends,
        highlightAtoms=marked,
        highlightBonds=[_between(*both) for both in zip(mols, marked, strict=True)],
    )
    canvas.FinishDrawing()
    return canvas.GetDrawingText()


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


def _between(mol: Any, atoms: list[int]) -> list[int]:
    """The bonds whose two atoms are both marked."""
    ends = set(atoms)
    return [bond.GetIdx() for bond in mol.GetBonds() if {bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()} <= ends]
