"""Settings: everything that decides what a run computes, in one flat, frozen, validated object.

The same names serve the TOML recipe, the command's `-o name=value`, `DreamGenerator(name=value)` and the
JSON saved with a model.
"""

import dataclasses
import tomllib
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tomli_w

from dreamgen.errors import SettingsError
from dreamgen.files import check_regular
from dreamgen.registry import check_type, nearest, plain, shorten

Part = str | float | dict[str, Any]
"""A part by name ("mlp"), with arguments ({"kind": "mlp", "hidden": [500]}), or a number for a schedule."""

_AUTO_STEPS = 2200
_LARGEST, _MOST = 1 << 20, 1 << 10
_RECIPE = 1 << 20  # bytes of a recipe file


@dataclass(frozen=True)
class Settings:
    """All settings of a run; see the comments for units. Raises SettingsError when one is not valid."""

    # The model
    model: Part = "vae"
    latent_dim: int = 20
    hidden_dim: int | list[int] = 400  # widths of the hidden layers, from the outside in
    encoder: Part = "mlp"
    posterior: Part = "gaussian"
    prior: Part = "normal"
    decoder: Part = "mlp"
    likelihood: Part = "bernoulli"
    reader: Part = "mlp"  # reads properties off the codes, where there are any
    blur: Part = "none"  # levels to which codes are blurred in training, of which the decoder is told

    # The objective
    objective: Part = "elbo"
    beta: Part = 1.0  # weight of the rate: a number or a schedule
    free_bits: float = 0.0  # nats per latent unit that cost nothing

    # The data
    context: str | list[str] = "none"  # what the model is told: "labels", "attributes", or attributes by name
    properties: str | list[str] = "none"  # what is read off the codes, named in the same way
    language: Part = "none"  # of lines of text: how they are cut into tokens; "none": examples are numbers
    augment: Part = "none"  # how a training step changes what it sees, so that little data go farther
    binarise: Literal["none", "dynamic"] = "none"  # dynamic: grey pixels are drawn as 0 or 1, anew each step
    masking: Part = "none"  # which observed elements a training step hides, so that any part explains any other
    validation: float = 0.05  # share of the training part held out for early stopping

    # The use
    mixture: int = 0  # Gaussians fitted to the codes afterwards, which dreams are drawn from; 0: the prior
    picked: int = 1  # examples written for each dream, of which one is kept by the odds that it is real; 1: no choice
    search: int = 1  # likeliest lines that are compared with a code, of which the best fit is written; 1: none are

    # The training
    start: Literal["random", "mean"] = "random"  # mean: the decoder starts at the mean of the data
    update: Part = "plain"
    optimizer: Part = "adam"
    learning_rate: Part = 3e-3  # a number: the peak of a linear rise and fall over the run; or a schedule
    batch_size: int = 256
    epochs: int | Literal["auto"] = "auto"  # auto: as many as make 2,200 steps, from 10 to 500
    patience: int = 0  # epochs without a better validation loss before stopping; 0: never stop early
    average: float = 0.0  # decay of the averaged weights that are evaluated and saved; 0: none
    gradients: Literal["auto", "autograd"] = "auto"  # auto: by hand where they are written out, which is faster
    precision: Literal["float32", "bfloat16", "auto"] = "float32"  # of matrix products; losses are always float32
    save_every: int = 0  # steps between checkpoints inside an epoch; each epoch's end is always saved

    def __post_init__(self) -> None:
        hints = typing.get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value = plain(getattr(self, field.name))
            object.__setattr__(self, field.name, value)
            check_type(field.name, value, hints[field.name])
        for name, most in (("latent_dim", _LARGEST), ("batch_size", _LARGEST), ("picked", _MOST), ("search", _MOST)):
            self._need(name, getattr(self, name) >= 1, "1 or more")
            self._need(name, getattr(self, name) <= most, f"at most {most}")
        self._need("epochs", self.epochs == "auto" or self.epochs >= 1, "1 or more, or 'auto'")
        for name in ("context", "properties"):
            asked = getattr(self, name)
            known = asked in ("none", "labels", "attributes") if isinstance(asked, str) else asked
            self._need(name, bool(known), "'none', 'labels', 'attributes', or a list of names")
        self._need("hidden_dim", all(1 <= w <= _LARGEST for w in self.hidden), f"widths from 1 to {_LARGEST}")
        self._need("validation", 0 <= self.validation < 1, "a share, 0 <= share < 1")
        self._need("average", 0 <= self.average < 1, "a decay, 0 <= decay < 1")
        for name in ("free_bits", "mixture", "patience", "save_every"):
            self._need(name, getattr(self, name) >= 0, "0 or more")

    def _need(self, name: str, holds: bool, what: str) -> None:
        if not holds:
            raise SettingsError(f"{name}: expected {what}, got {shorten(getattr(self, name))}")

    @property
    def hidden(self) -> list[int]:
        """Widths of the hidden layers as a list, from the outside in."""
        return [self.hidden_dim] if isinstance(self.hidden_dim, int) else list(self.hidden_dim)

    def resolve(self, rows: int) -> "Settings":
        """The settings with the number of epochs decided, for a number of training rows."""
        if self.epochs != "auto":
            return self
        steps_per_epoch = -(-rows // self.batch_size)
        return self.replace(epochs=min(500, max(10, round(_AUTO_STEPS / steps_per_epoch))))

    @classmethod
    def names(cls) -> list[str]:
        """The names of all settings."""
        return [field.name for field in dataclasses.fields(cls)]

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "Settings":
        """Settings from a mapping; an unknown name raises SettingsError with the nearest valid one."""
        for name in values:
            if name not in cls.names():
                raise SettingsError(f"unknown setting {name!r}: {nearest(name, cls.names())}")
        return cls(**values)

    def replace(self, **values: Any) -> "Settings":
        """A copy with some values changed, validated again."""
        return self.of({**self.to_dict(), **values})

    def to_dict(self) -> dict[str, Any]:
        """Plain values, ready for JSON or TOML."""
        return dataclasses.asdict(self)

    def to_toml(self) -> str:
        """The settings as a recipe file."""
        # TOML has no null: an argument that is None is its part's default, and is left out.
        return tomli_w.dumps({name: _without_none(value) for name, value in self.to_dict().items()})


def read_toml(path: Path) -> Settings:
    """Settings from a TOML recipe file; raises SettingsError when it cannot be read or is not valid."""
    try:
        check_regular(path)
        with path.open("rb") as file:
            content = file.read(_RECIPE + 1)
        if len(content) > _RECIPE:
            raise SettingsError(f"{path}: expected a TOML recipe, got more than {_RECIPE} bytes")
        return Settings.of(tomllib.loads(content.decode()))
    except SettingsError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise SettingsError(f"{path}: not a readable TOML recipe: {error}") from error


def apply_overrides(settings: Settings, assignments: Sequence[str]) -> Settings:
    """Apply `name=value` texts; a value is written as in TOML, and a bare word is a string.

    `part.argument=value` sets one argument of a part: `encoder.activation=tanh`.
    """
    values = settings.to_dict()
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise SettingsError(f"-o {assignment}: expected name=value")
        name, dot, argument = name.strip().partition(".")
        if dot and not argument:
            raise SettingsError(f"-o {assignment}: expected an argument's name after {name!r} and a dot")
        value = _parse_value(text.strip())
        if argument:
            part = values.get(name, "")
            if not isinstance(part, str | dict):
                raise SettingsError(f"-o {assignment}: {name} is {part!r}, which takes no arguments")
            value = {**(part if isinstance(part, dict) else {"kind": part}), argument: value}
        values[name] = value
    return Settings.of(values)


def _parse_value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):  # not TOML, or too long a number, or too deep a table
        return text
    return parsed["value"] if len(parsed) == 1 else text


def _without_none(value: Any) -> Any:
    return {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value
