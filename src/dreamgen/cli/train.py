"""`dreamgen train`."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamgen.cli.bars import counting, progress, stop_on_signal
from dreamgen.cli.common import common_options, device_option, plain_warnings, say, told_of
from dreamgen.cli.examples import read_data, reading_options, say_notes
from dreamgen.errors import DataError, Interrupted
from dreamgen.registry import shorten

if TYPE_CHECKING:
    from dreamgen.config import Settings
    from dreamgen.data import Dataset
    from dreamgen.data.reading import Reading
    from dreamgen.generator import DreamGenerator


@click.command()
@click.argument("data")
@click.option("--recipe", help="A recipe's name or a .toml file; by default the one named like DATA, if any.")
@click.option("-o", "overrides", multiple=True, metavar="NAME=VALUE", help="Change one setting; repeatable.")
@click.option("--epochs", type=click.IntRange(1), help="Epochs to train.")
@reading_options
@click.option("--resume", is_flag=True, help="Go on where a stopped run in --out left off.")
@device_option
@common_options(out="Folder of the run; by default runs/DATA.")
def train(
    data: str,
    recipe: str | None,
    overrides: tuple[str, ...],
    epochs: int | None,
    reading: "Reading",
    resume: bool,
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Train a model on DATA: a named set (mnist, faces, zinc250k; `dreamgen data list`) or a path (.npy, .npz, a
    folder of images, CelebA's folder; molecules as .smi, or as .csv with a column smiles; lines as .txt). Ctrl-C
    saves; the same command with --resume goes on."""
    from dreamgen.cli.lines import usual_out
    from dreamgen.config import apply_overrides
    from dreamgen.recipes import find_settings

    settings = apply_overrides(find_settings(recipe, data), overrides)
    if epochs is not None:
        settings = settings.replace(epochs=epochs)
    out = out or Path("runs") / Path(data).resolve().stem
    with plain_warnings():
        generator, result = train_on(read_data(data, reading), settings, out, seed, device, resume, reading)
    saved = generator.saved_
    rows = not saved.vocabulary and len(saved.event_shape) == 1
    dreams = f"; next: dreamgen dream {out} -n 64 --out {'dreams.npz' if rows else usual_out(saved, 'dreams')}"
    lines = [
        f"trained {result['epochs']} epochs in {result['seconds']:.1f} s",
        _test_line(result),
        f"model in {out}{'' if 'test_accuracy' in result else dreams}",
    ]
    say(result, as_json, "\n".join(lines))


def _test_line(result: dict[str, Any]) -> str:
    if result["test_loss"] is None:
        return "no test loss: too few rows for a test part, or no encoder to read them"
    if right := result.get("test_accuracy"):
        mean = sum(right.values()) / len(right)
        return f"test accuracy {mean:.2%}, loss {result['test_loss']:.4f} nats per example"
    return (
        f"test loss {result['test_loss']:.2f} nats per example, one sample each "
        f"(distortion {result['test_distortion']:.2f}, rate {result['test_rate']:.2f})"
    )


def train_on(
    dataset: "Dataset",
    settings: "Settings",
    out: Path,
    seed: int,
    device: str = "auto",
    resume: bool = False,
    reading: "Reading | None" = None,
) -> tuple["DreamGenerator", dict[str, Any]]:
    """Train, test and save a model; what `train` and `demo` share."""
    from dreamgen.data.reading import USUAL
    from dreamgen.data.unwritten import leave_unwritten
    from dreamgen.generator import DreamGenerator

    generator, reading = DreamGenerator.from_settings(settings, device, seed), reading or USUAL
    dataset = _readable(dataset, settings, reading)
    with stop_on_signal() as stop, progress() as on_record:
        started = time.perf_counter()
        try:
            generator.fit_set(dataset, out=out, resume=resume, stop=stop, on_record=on_record)
        except Interrupted as error:
            raise Interrupted(f"{error}; the same command with --resume goes on from there") from None
        except DataError:
            if settings.language != "none":
                leave_unwritten(dataset, settings.language, reading)  # says which line of the whole set it is
            raise
        seconds = time.perf_counter() - started
    saved, (tested, test) = generator.saved_, _figures(generator, dataset)
    if saved.vocabulary:
        saved.card["skipped_lines"] = len(dataset.skipped)
        saved.origin["data"] |= {"longest": reading.longest, "largest_part": reading.largest_part}
    binarisation = "drawn once, seed 0" if generator.sees_binary else "none"
    if saved.seconds is not None:
        saved.card["seconds"] = round(saved.seconds, 3)
    saved.card |= {**test, "test_rows": tested, "test_binarisation": binarisation}
    generator.save(out)
    result = {
        "out": str(out),
        "data": dataset.name,
        "seed": seed,
        "epochs": saved.card["epochs"],
        "best_epoch": saved.card["best_epoch"],
        "seconds": seconds,
        **test,
        "active_units": saved.card.get("active_units"),
        "device": saved.origin["device"],
        "precision": saved.settings.precision,
    }
    return generator, result


def _readable(dataset: "Dataset", settings: "Settings", reading: "Reading") -> "Dataset":
    """A data set as a model of these settings reads it: lines that it can write, and what it is told of molecules."""
    from dreamgen.data.described import describe
    from dreamgen.data.unwritten import leave_unwritten

    lines = dataset.rows.are_lines
    if lines != (settings.language != "none"):
        held = "lines of text" if lines else "pictures"
        raise DataError(
            f"{dataset.name} holds {held}: expected a recipe for them, got the language {shorten(settings.language)}"
        )
    if lines and reading.skip_bad:
        before = len(dataset.notes)
        dataset = leave_unwritten(dataset, settings.language, reading)
        say_notes(dataset, before)
    with counting("molecules described") as watch:
        return describe(dataset, settings, watch)


def _figures(generator: "DreamGenerator", dataset: "Dataset") -> tuple[int, dict[str, Any]]:
    """How many rows of the test part the model reads, and what it makes of them; None for each figure without any."""
    from dreamgen.evaluation.report import figures_of_test

    saved, tested = generator.saved_, dataset.test
    if len(tested):
        tested = tested[generator.can_read(tested.x)]
    if not len(tested) or not saved.model.reads:
        return len(tested), dict.fromkeys(("test_loss", "test_distortion", "test_rate"))
    rows = generator.rows(tested.x, told_of(generator, dataset, tested))
    return len(tested), figures_of_test(saved.model, rows, generator.sees_binary)
