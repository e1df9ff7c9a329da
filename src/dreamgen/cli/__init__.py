"""The command `dreamgen`: thin verbs over the library. Nothing here imports torch until a verb needs it."""

import os
import sys
from typing import Any

import click

from dreamgen import __version__
from dreamgen.cli.lazy import LazyGroup
from dreamgen.errors import DreamgenError

_VERBS = {
    "train": "dreamgen.cli.train:train",
    "dream": "dreamgen.cli.dreams:dream",
    "reconstruct": "dreamgen.cli.dreams:reconstruct",
    "fill": "dreamgen.cli.fill:fill",
    "morph": "dreamgen.cli.dreams:morph",
    "edit": "dreamgen.cli.attributes:edit",
    "map": "dreamgen.cli.worlds:map_",
    "project": "dreamgen.cli.project:project",
    "traverse": "dreamgen.cli.worlds:traverse",
    "encode": "dreamgen.cli.codes:encode",
    "decode": "dreamgen.cli.codes:decode",
    "attributes": "dreamgen.cli.attributes:attributes",
    "climb": "dreamgen.cli.climb:climb",
    "evaluate": "dreamgen.cli.evaluate:evaluate",
    "compare": "dreamgen.cli.compare:compare",
    "export": "dreamgen.cli.export:export",
    "info": "dreamgen.cli.about:info",
    "data": "dreamgen.cli.about:data",
    "recipes": "dreamgen.cli.about:recipes",
    "schema": "dreamgen.cli.schema:schema",
    "contrast": "dreamgen.cli.contrast:contrast",
    "sweep": "dreamgen.cli.sweep:sweep",
    "collapse": "dreamgen.cli.collapse:collapse",
    "blur": "dreamgen.cli.blur:blur",
    "outsiders": "dreamgen.cli.outsiders:outsiders",
    "few-labels": "dreamgen.cli.few_labels:few_labels",
    "strokes": "dreamgen.cli.strokes:strokes",
    "synthesize": "dreamgen.cli.synthesize:synthesize",
    "impute": "dreamgen.cli.impute:impute",
    "detect": "dreamgen.cli.detect:detect",
    "neighbours": "dreamgen.cli.neighbours:neighbours",
    "check": "dreamgen.cli.check:check",
    "demo": "dreamgen.cli.demo:demo",
}
_HELP = {
    "train": "Train a model on a named data set or your own files.",
    "dream": "Dream up new examples.",
    "reconstruct": "Send examples through the model and back.",
    "fill": "Fill in the hidden part of pictures.",
    "morph": "Turn one example into another, step by step.",
    "edit": "Give a picture more or less of an attribute.",
    "map": "Decode a plane of the latent space.",
    "project": "Lay codes on a plane, with thumbnails.",
    "traverse": "Move one latent at a time.",
    "encode": "Write the codes of examples.",
    "decode": "Turn codes back into examples.",
    "attributes": "Find attributes in the codes of a model.",
    "climb": "Improve a property of molecules, step by step.",
    "evaluate": "Measure the bound, the latents and the dreams.",
    "compare": "Measure several models in one way, beside real pictures.",
    "export": "Hand a model over: its decoder, an ONNX file, a web page.",
    "info": "Show the card of a model.",
    "data": "List, show or check data.",
    "recipes": "List the recipes, or print one as TOML.",
    "schema": "Find out what the columns of a table hold.",
    "contrast": "Compare an autoencoder, noise and a VAE: codes, maps, holes.",
    "sweep": "Train once for each value of a setting, and compare.",
    "collapse": "Let a posterior collapse, and cure it.",
    "blur": "Why dreams are blurred, in figures and pictures.",
    "few-labels": "What a classifier gains from unlabelled pictures and dreams.",
    "outsiders": "Which score tells strange pictures from known ones.",
    "strokes": "Which latents go with slant and thickness of strokes.",
    "synthesize": "Make rows like those of a table.",
    "impute": "Fill the gaps of a table or a sensor log.",
    "detect": "Find the odd rows of a table, and say why.",
    "neighbours": "Find the molecules around one.",
    "check": "Check molecules: valid, drug-like, easy to make, without alerts.",
    "demo": "Train the Dream Generator and draw its pictures.",
}


@click.group(cls=LazyGroup, verbs=_VERBS, verb_help=_HELP, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dreamgen")
def cli() -> None:
    """The Dream Generator: train a variational autoencoder, dream, and walk its dream world.

    \b
    dreamgen dream mnist -n 64 --out dreams.png     dream with the model that ships
    dreamgen train mnist --out RUN                  train one of your own
    """


def main(arguments: list[str] | None = None) -> None:
    """Run the command; every error on purpose is one line on stderr and an exit code."""
    try:
        result: Any = cli.main(arguments, prog_name="dreamgen", standalone_mode=False)
    except DreamgenError as error:
        _fail(str(error), error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(error.exit_code)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("interrupted", 130)
    except MemoryError:
        _fail("out of memory", 3)
    except Exception as error:
        if os.environ.get("DREAMGEN_DEBUG"):
            raise
        _fail(f"unexpected {type(error).__name__}: {error} (DREAMGEN_DEBUG=1 shows where)", 1)
    sys.exit(result if isinstance(result, int) else 0)


def _fail(text: str, code: int) -> None:
    click.echo(f"dreamgen: {' '.join(text.split())}", err=True)
    sys.exit(code)
