"""What is measured on the cells that were hidden."""

import numpy as np

from imputing.tables import Table


def errors(whole: Table, hidden: Table, filled: Table) -> dict[str, float | None]:
    """RMSE of standardised numbers and error rate of categories over the hidden cells of a part."""
    numbers = np.isnan(hidden.numbers) & ~np.isnan(whole.numbers)
    codes = (hidden.codes < 0) & (whole.codes >= 0)
    difference = (filled.numbers - whole.numbers)[numbers]
    wrong = (filled.codes != whole.codes)[codes]
    return {
        "rmse": float(np.sqrt(np.mean(difference**2))) if difference.size else None,
        "error": float(np.mean(wrong)) if wrong.size else None,
    }


def coverage(whole: Table, hidden: Table, low: Table, high: Table) -> dict[str, float | None]:
    """Share of the hidden numbers inside their intervals, and the mean width of those."""
    cells = np.isnan(hidden.numbers) & ~np.isnan(whole.numbers)
    if not cells.any():
        return {"coverage": None, "width": None}
    inside = (low.numbers - 1e-9 <= whole.numbers) & (whole.numbers <= high.numbers + 1e-9)
    return {"coverage": float(inside[cells].mean()), "width": float((high.numbers - low.numbers)[cells].mean())}
