"""Rows that are equal to a row of another table, counted over all rows of both."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dreamgen.evaluation.synthetic.view import Kinds, codes, labels, number


def copies(rows: pa.Table, among: pa.Table, kinds: Kinds) -> int:
    """How many of some rows are equal to one of another table in every measured column.

    Numbers are compared as float32, which is what a model makes; what is missing equals what is missing.
    """
    if not kinds.names:
        return 0
    columns = [_codes(rows, among, name, name in kinds.numbers) for name in kinds.names]
    keys = np.ascontiguousarray(np.stack(columns, 1)).view(np.dtype((np.void, 8 * len(columns))))[:, 0]
    return int(np.isin(keys[: rows.num_rows], keys[rows.num_rows :]).sum())


def _codes(rows: pa.Table, among: pa.Table, name: str, numbers: bool) -> npt.NDArray[np.int64]:
    """The cells of a column as numbers, equal where they are, (n + m,)."""
    if not numbers:
        return np.concatenate(codes([labels(table, name) for table in (rows, among)])).astype(np.int64)
    values = np.concatenate([number(table, name) for table in (rows, among)]).astype(np.float32)
    return np.unique(values, return_inverse=True)[1].astype(np.int64)
