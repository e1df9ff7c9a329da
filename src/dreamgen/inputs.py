"""What a person hands to a generator, checked and brought to the model's shape."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dreamgen.config import Part
from dreamgen.data.arrays import as_examples
from dreamgen.data.batch import Batch, as_float
from dreamgen.data.vocabulary import Vocabulary
from dreamgen.distributions import Likelihood
from dreamgen.errors import DataError, SettingsError


def check_range(likelihood: Likelihood, x: npt.NDArray[Any]) -> None:
    """Raise DataError unless the likelihood can explain every value of x."""
    extremes = as_float(torch.tensor([x.min(), x.max()]))
    likelihood.check(*extremes.tolist())


def to_tensor(x: npt.NDArray[Any]) -> Tensor:
    """Examples as a tensor over the same memory, where it is contiguous: it is never written to."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(np.ascontiguousarray(x))


def lines_of(X: Any) -> list[str]:
    """Lines of text as a list; raises DataError for anything else."""
    lines = X.tolist() if isinstance(X, np.ndarray) else X
    if isinstance(lines, str) or not isinstance(lines, Sequence) or not all(isinstance(line, str) for line in lines):
        raise DataError(f"X: expected lines of text, a sequence of strings, got {type(X).__name__}")
    if not len(lines):
        raise DataError("X: expected at least one line")
    return list(lines)


def examples_of(X: Any, language: Part) -> tuple[npt.NDArray[Any], Vocabulary | None]:
    """What a model is trained on, (n, *event): numbers as they are, lines of a language as its tokens, with those.

    Raises:
        DataError: not numbers, or not lines; a line that cannot be written in the language, the first of them named.
    """
    if language == "none":
        return as_examples(X, "X"), None
    lines = lines_of(X)
    vocabulary = Vocabulary.learn(lines, language)
    return _written(lines, vocabulary, None), vocabulary


def tokens_of(X: Any, vocabulary: Vocabulary, width: int) -> Tensor:
    """Lines of text as the model takes them, (n, width); raises DataError that names the first which cannot be."""
    return to_tensor(_written(lines_of(X), vocabulary, width))


def _written(lines: list[str], vocabulary: Vocabulary, width: int | None) -> npt.NDArray[Any]:
    tokens, bad = vocabulary.encode(lines, width)
    if bad:
        first = min(bad)
        others = f"; {len(bad)} of {len(tokens)} lines cannot be written" if len(bad) > 1 else ""
        raise DataError(f"line {first + 1}: {bad[first]}{others}")
    return tokens


def rows_of(X: npt.ArrayLike, shape: tuple[int, ...], likelihood: Likelihood) -> Tensor:
    """Rows as the model takes them, (n, *shape).

    Flattened rows, and pictures whose one channel is left out or written out, get their shape back. Raises DataError
    for another shape, NaN or infinity, or values outside the likelihood's range.
    """
    x = as_examples(X, "X")
    flat = x.ndim == 2 and x.shape[1] == math.prod(shape)
    if flat or (*x.shape[1:], 1) == shape or x.shape[1:] == (*shape, 1):
        x = x.reshape(len(x), *shape)
    if x.shape[1:] != shape:
        raise DataError(f"X: expected rows of shape {shape}, got {x.shape[1:]}")
    check_range(likelihood, x)
    return to_tensor(x)


def parts_of(X: npt.ArrayLike, mask: npt.ArrayLike | None, shape: tuple[int, ...], likelihood: Likelihood) -> Batch:
    """Rows of which a part is seen, as the model takes them; what stands at missing elements is not read.

    Args:
        X: (n, *shape), flat or with its one channel left out or written out.
        mask: true where seen, bool, of X's shape or of one row's; None: NaN is missing.
        shape: of one example.
        likelihood: whose range the seen elements are in.

    Returns:
        x (n, *shape), 0 where missing, and mask (n, *shape).

    Raises:
        DataError: as `rows_of`, and for a mask of another shape or type.
    """
    x = np.asarray(X)
    if mask is None:
        seen = ~np.isnan(x) if x.dtype.kind == "f" else np.ones(x.shape, bool)
    else:
        seen = np.asarray(mask)
        if seen.dtype != bool or seen.shape not in (x.shape, x.shape[1:]):
            raise DataError(f"mask: expected bool of shape {x.shape} or {x.shape[1:]}, got {seen.dtype} {seen.shape}")
        seen = np.broadcast_to(seen, x.shape)
    rows = rows_of(np.where(seen, x, np.zeros((), x.dtype)), shape, likelihood)
    return Batch(rows, to_tensor(seen.reshape(rows.shape)))


def one_of(x: npt.ArrayLike, name: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """One example as a batch of one, (1, *shape); flat, or with axes of length 1 more or less. Raises DataError."""
    array = np.asarray(x)
    if array.squeeze().shape not in (tuple(n for n in shape if n > 1), (math.prod(shape),)):
        raise DataError(f"{name}: expected one example of shape {shape}, got shape {array.shape}")
    return array.reshape(1, *shape)


def codes_of(Z: npt.ArrayLike, latent_dim: int) -> Tensor:
    """Codes, (n, D), float32; raises DataError for another shape or numbers that are not finite."""
    try:
        z = torch.from_numpy(np.array(Z, dtype=np.float32))
    except (ValueError, TypeError) as error:
        raise DataError(f"Z: expected numbers: {error}") from error
    if z.dim() != 2 or z.shape[1] != latent_dim or not len(z):
        raise DataError(f"Z: expected codes of shape (n, {latent_dim}), got {tuple(z.shape)}")
    if not torch.isfinite(z).all():
        raise DataError("Z: holds NaN or infinity")
    return z


def labels_of(y: npt.ArrayLike, rows: int) -> Tensor:
    """Labels, (rows,), whole numbers; raises DataError."""
    labels = np.asarray(y)
    if labels.shape != (rows,):
        raise DataError(f"y: expected {rows} labels, got shape {labels.shape}")
    if labels.dtype.kind not in "ui" and not (labels.dtype.kind == "f" and (labels == labels.round()).all()):
        raise DataError(f"y: expected whole numbers, got {labels.dtype}")
    return torch.from_numpy(labels.astype(np.int64))


def column_of(values: npt.ArrayLike, name: str, rows: int) -> npt.NDArray[Any]:
    """An attribute of each row, (rows,), finite numbers; raises DataError."""
    column = np.asarray(values)
    if column.shape != (rows,) or column.dtype.kind not in "buif":
        raise DataError(f"{name}: expected {rows} numbers, got {column.dtype} of shape {column.shape}")
    if not np.isfinite(column).all():
        raise DataError(f"{name}: holds NaN or infinity")
    return column


def latents_of(latents: Sequence[int], latent_dim: int) -> list[int]:
    """Numbers of latents; raises SettingsError for one that does not exist."""
    for latent in latents:
        if not 0 <= latent < latent_dim:
            raise SettingsError(f"latent {latent}: expected 0 to {latent_dim - 1}")
    return list(latents)
