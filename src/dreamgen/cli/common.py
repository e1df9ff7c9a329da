"""What the verbs share: options, outputs, examples named on the command line."""

import contextlib
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from dreamgen.errors import SettingsError
from dreamgen.experiments.tables import cell
from dreamgen.registry import shorten

if TYPE_CHECKING:
    from dreamgen.config import Settings
    from dreamgen.data import Dataset, Examples
    from dreamgen.generator import DreamGenerator

F = TypeVar("F", bound=Callable[..., Any])

PARTS = ["test", "validation", "train", "all"]
"""Parts of a data set; few have one to validate on."""

FIT_ROWS = 100_000  # that a model learns from; more teach it little and would have to be in memory at once


def common_options(out: str, seed: int | None = 0) -> Callable[[F], F]:
    """--json, --seed and --out, which every verb has.

    Args:
        out: help of --out.
        seed: the default; None: a fresh one.
    """

    def add(verb: F) -> F:
        verb = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")(verb)
        usual = "a fresh one" if seed is None else str(seed)
        kind = click.IntRange(0, 2**32 - 1)  # what numpy and scikit-learn take
        verb = click.option("--seed", type=kind, default=seed, help=f"Of everything random; by default {usual}.")(
            verb
        )
        return click.option("--out", type=click.Path(path_type=Path), help=out)(verb)

    return add


def was_given(name: str) -> bool:
    """Whether an option of the verb in hand was typed, and is not its default."""
    return click.get_current_context().get_parameter_source(name) is not ParameterSource.DEFAULT


def device_option(verb: F) -> F:
    """--device."""
    return click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")(verb)


def epochs_option(verb: F) -> F:
    """--epochs of an experiment."""
    return click.option("--epochs", type=click.IntRange(1), help="Epochs of each training; by default the recipe's.")(
        verb
    )


def samples_option(verb: F) -> F:
    """--samples."""
    return click.option(
        "--samples", type=click.IntRange(1), default=100, show_default=True, help="Importance samples a row."
    )(verb)


def load_generator(model: str, device: str = "auto") -> "DreamGenerator":
    """A model by folder or shipped name."""
    from dreamgen.generator import DreamGenerator

    generator = DreamGenerator.load(model, device)
    if generator.fitted().columns:
        raise SettingsError(f"{model} is a model of tables: it serves detect, impute and synthesize, by --model")
    return generator


def asked_settings(overrides: Sequence[str], base: "Settings | None" = None) -> dict[str, object]:
    """What `-o` asked for, whole where a part of it was named, and nothing else: the rest is for others to decide.

    Args:
        overrides: "epochs=3", "decoder.activation=silu".
        base: what a part named is a part of; None: the settings as they come.
    """
    from dreamgen.config import Settings, apply_overrides

    changed = apply_overrides(base or Settings(), overrides).to_dict()
    return {name: changed[name] for name in (text.partition("=")[0].partition(".")[0].strip() for text in overrides)}


def given_option(verb: F) -> F:
    """--given and --label."""
    verb = click.option("--label", help="The class to be told: --given label=LABEL.")(verb)
    return click.option(
        "--given", multiple=True, metavar="FIELD=VALUE", help="What a conditional model is told; repeatable."
    )(verb)


def parse_given(given: Sequence[str], label: str | None = None) -> dict[str, str]:
    """Texts FIELD=VALUE as names and values, texts still: only the model knows which are numbers, and which names."""
    told: dict[str, str] = {}
    for text in (*given, *([] if label is None else [f"label={label}"])):
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise SettingsError(f"--given {shorten(text)}: expected FIELD=VALUE")
        told[name.strip()] = value.strip()
    return told


def told_of(generator: "DreamGenerator", dataset: "Dataset", part: "Examples") -> dict[str, Any]:
    """What a conditional model is told of a part of a data set: its labels and attributes. Raises DataError."""
    context = generator.fitted().context
    return {} if context is None else dataset.given(part, context)


def say(result: dict[str, Any], as_json: bool, text: str) -> None:
    """The result of a verb: one JSON object, or lines for a person."""
    from dreamgen.files import without_infinity

    click.echo(json.dumps(without_infinity(result), allow_nan=False) if as_json else text)


@contextlib.contextmanager
def plain_warnings() -> Iterator[None]:
    """Warnings as one line each on stderr."""

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        click.echo(f"dreamgen: {message}", err=True)

    with warnings.catch_warnings():
        warnings.simplefilter("default", UserWarning)
        warnings.showwarning = show
        yield


def table(values: Mapping[str, Any]) -> str:
    """Names and values in two columns; what is nested gets its parents' names, and long lists are left to --json."""
    rows = dict(_flatten(values))
    width = max(map(len, rows))
    return "\n".join(f"{name:<{width}}  {cell(value)}" for name, value in rows.items())


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        elif not (isinstance(value, list) and len(value) > 5):
            yield prefix + name, value
