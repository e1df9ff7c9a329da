"""scikit-learn's manners without importing scikit-learn, which takes as long to load as a dream to dream.

`clone`, pipelines and searches ask an object for these methods and nothing else; a test holds them to it.
"""

import inspect
import secrets
from typing import Any, TypeVar

from dreamgen.errors import SettingsError
from dreamgen.registry import nearest

Self = TypeVar("Self", bound="Estimator")


def chosen_seed(asked: Any) -> int:
    """The seed that was asked for: a whole number, one drawn from a numpy RandomState, or, for None, a fresh one."""
    if asked is None:
        return secrets.randbelow(2**31)
    return int(asked.randint(2**31) if hasattr(asked, "randint") else asked)


class Estimator:
    """Parameters are the constructor's arguments, kept unchanged under their names."""

    @classmethod
    def _parameter_names(cls) -> list[str]:
        return list(inspect.signature(cls).parameters)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The parameters by name; `deep` changes nothing, since no parameter is an estimator."""
        return {name: getattr(self, name) for name in self._parameter_names()}

    def set_params(self: Self, **params: Any) -> Self:
        """Change some parameters; an unknown one raises SettingsError with the nearest valid name."""
        for name, value in params.items():
            if name not in self._parameter_names():
                raise SettingsError(f"unknown parameter {name!r}: {nearest(name, self._parameter_names())}")
            setattr(self, name, value)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        raise TypeError(f"{type(self).__name__} must define __sklearn_is_fitted__")

    def _check_fitted(self) -> None:
        """Raise scikit-learn's NotFittedError where nothing was fitted or loaded."""
        if not self.__sklearn_is_fitted__():
            from sklearn.exceptions import NotFittedError

            name = type(self).__name__
            raise NotFittedError(f"this {name} is not fitted yet: call fit, or {name}.load")

    def __repr__(self) -> str:
        defaults = {name: p.default for name, p in inspect.signature(type(self)).parameters.items()}
        changed = (f"{name}={value!r}" for name, value in self.get_params().items() if value != defaults[name])
        return f"{type(self).__name__}({', '.join(changed)})"

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags, TransformerTags

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            transformer_tags=TransformerTags(preserves_dtype=[]),
            input_tags=InputTags(two_d_array=True, three_d_array=True),
        )
