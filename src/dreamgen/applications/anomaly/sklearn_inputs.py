"""What scikit-learn expects of an estimator's inputs, without importing scikit-learn where it need not."""

from typing import Any

import numpy as np

from dreamgen.errors import DataError


def check_plain(X: Any) -> None:
    """Raise DataError or TypeError for what is no table of real numbers or texts."""
    if hasattr(X, "tocsr"):
        raise TypeError("expected a dense table, got a sparse matrix: X.toarray() makes one")
    if isinstance(X, list | tuple | np.ndarray):
        if isinstance(X, list | tuple) and X and isinstance(X[0], str):
            return
        array = np.asarray(X)
        if np.iscomplexobj(array):
            raise DataError("Complex data not supported: expected real numbers")
        if array.ndim != 2:
            hint = "" if array.ndim > 2 else ". Reshape your data: X.reshape(-1, 1) is one column"
            raise DataError(f"expected a 2D array (rows, columns), got {array.ndim}D of shape {array.shape}{hint}")
        if array.dtype.names is None and not array.shape[1]:
            raise DataError(f"0 feature(s) (shape={array.shape}) while a minimum of 1 is required.")
        if not array.shape[0]:
            raise DataError(f"0 sample(s) (shape={array.shape}) while a minimum of 1 is required.")


def check_width(estimator: Any, X: Any, width: int, first: bool = False) -> None:
    """Keep the number and the names of the columns at the first time, and compare them later. Raises DataError."""
    names = getattr(X, "columns", None)
    names = np.asarray(names, dtype=object) if names is not None and all(isinstance(n, str) for n in names) else None
    if first:
        estimator.n_features_in_ = width
        if names is not None:
            estimator.feature_names_in_ = names
        elif hasattr(estimator, "feature_names_in_"):
            del estimator.feature_names_in_
    elif isinstance(X, np.ndarray | list) and width != estimator.n_features_in_:
        kind = type(estimator).__name__
        raise DataError(
            f"X has {width} features, but {kind} is expecting {estimator.n_features_in_} features as input"
        )
