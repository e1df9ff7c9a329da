"""The two forms that examples have: as a person has them, and as a model has them.

Numbers are numbers on both sides. A text is a row of tokens to a model, and a line of a language to a person.
"""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from dreamgen.data.vocabulary import Vocabulary
from dreamgen.distributions import Likelihood
from dreamgen.inputs import lines_of, one_of, rows_of, tokens_of

Shown = npt.NDArray[Any]  # examples as numbers, or lines of text

_LINES = 5000  # read at a time, which is too few to be worth other processes


class Form(Protocol):
    """How examples go to a model, and come back."""

    each: tuple[int, ...]
    """The shape of one example as it is shown; () of a text."""
    draws_blurred: bool
    """Whether dreams of blurred codes are drawn by default: such codes leave much to be drawn."""
    evenly: bool
    """Whether the steps of a morph lie evenly, for no distance is measured between those that are shown."""

    def take(self, X: npt.ArrayLike) -> Tensor:
        """Rows as the model takes them, (n, *event), checked; raises DataError."""

    def take_one(self, x: npt.ArrayLike, name: str) -> Tensor:
        """One example as the model takes it, (1, *event); `name` is for messages. Raises DataError."""

    def readable(self, X: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Which rows the model can take, (n,)."""

    def show(self, x: Tensor) -> Shown:
        """Examples as the model has them, (n, *event), as a person has them."""

    def valid(self, x: Tensor) -> Tensor:
        """Which examples as the model has them, (n, *event), are what they should be, bool (n,)."""

    def again(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What a model wrote, (n, *event), as it would be met, and which of it can be read, bool (n,)."""


class Numbers:
    """Pictures, rows, and whatever else is an array.

    Args:
        event_shape: of one example.
        likelihood: whose range the numbers are in.
    """

    draws_blurred = False
    evenly = False

    def __init__(self, event_shape: tuple[int, ...], likelihood: Likelihood) -> None:
        self.each, self._likelihood = event_shape, likelihood

    def take(self, X: npt.ArrayLike) -> Tensor:
        return rows_of(X, self.each, self._likelihood)

    def take_one(self, x: npt.ArrayLike, name: str) -> Tensor:
        return self.take(one_of(x, name, self.each))

    def readable(self, X: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        return np.ones(len(np.asarray(X)), bool)

    def show(self, x: Tensor) -> Shown:
        return x.numpy()

    def valid(self, x: Tensor) -> Tensor:
        return torch.ones(len(x), dtype=torch.bool)

    def again(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x, self.valid(x)


class Texts:
    """Lines of a language.

    Args:
        vocabulary: the tokens.
        width: T, how many a line may have.
    """

    each: tuple[int, ...] = ()
    draws_blurred = True
    evenly = True

    def __init__(self, vocabulary: Vocabulary, width: int) -> None:
        self._vocabulary, self._width = vocabulary, width

    def take(self, X: npt.ArrayLike) -> Tensor:
        return tokens_of(X, self._vocabulary, self._width)

    def take_one(self, x: npt.ArrayLike, name: str) -> Tensor:
        one: Any = [x]
        return self.take(one)

    def readable(self, X: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        lines = lines_of(X)
        readable = np.ones(len(lines), bool)
        readable[list(self._vocabulary.encode(lines, self._width)[1])] = False
        return readable

    def show(self, x: Tensor) -> Shown:
        return np.array(self._vocabulary.decode(x.numpy()), np.str_)

    def valid(self, x: Tensor) -> Tensor:
        return torch.tensor(self._vocabulary.valid(self._vocabulary.decode(x.numpy())))

    def again(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Molecules are met in their canonical form, which may hold what no token says."""
        lines = self._vocabulary.decode(x.numpy())
        readable = torch.tensor(self._vocabulary.valid(lines))
        tokens = []
        for start in range(0, len(lines), _LINES):
            some, bad = self._vocabulary.encode(lines[start : start + _LINES], self._width)
            tokens.append(torch.from_numpy(some).float())
            readable[[start + row for row in bad]] = False
        return torch.cat(tokens), readable
