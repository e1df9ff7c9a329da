"""`dreamgen train`."""

import contextlib
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dreamgen.cli.common import common_options, device_option, plain_warnings, say
from dreamgen.errors import Interrupted

if TYPE_CHECKING:
    from dreamgen.config import Settings
    from dreamgen.data import Dataset
    from dreamgen.generator import DreamGenerator
    from dreamgen.training import Record


@click.command()
@click.argument("data")
@click.option("--recipe", help="A recipe's name or a .toml file; by default the one named like DATA, if any.")
@click.option("-o", "overrides", multiple=True, metavar="NAME=VALUE", help="Change one setting; repeatable.")
@click.option("--epochs", type=click.IntRange(1), help="Epochs to train.")
@click.option("--resume", is_flag=True, help="Go on where a stopped run in --out left off.")
@device_option
@common_options(out="Folder of the run; by default runs/DATA.")
def train(
    data: str,
    recipe: str | None,
    overrides: tuple[str, ...],
    epochs: int | None,
    resume: bool,
    device: str,
    out: Path | None,
    seed: int,
    as_json: bool,
) -> None:
    """Train a model on DATA: a named set (mnist, fashion_mnist, omniglot, digits) or a path (.npy, .npz, a folder
    of images). Ctrl-C saves; the same command with --resume goes on."""
    from dreamgen.config import apply_overrides
    from dreamgen.data import load_data
    from dreamgen.recipes import find_settings

    settings = apply_overrides(find_settings(recipe, data), overrides)
    if epochs is not None:
        settings = settings.replace(epochs=epochs)
    out = out or Path("runs") / Path(data).resolve().stem
    with plain_warnings():
        generator, result = train_on(load_data(data), settings, out, seed, device, resume)
    pictures = len(generator.saved_.event_shape) > 1
    lines = [
        f"trained {result['epochs']} epochs in {result['seconds']:.1f} s",
        f"test loss {result['test_loss']:.2f} nats per example, one sample each "
        f"(distortion {result['test_distortion']:.2f}, rate {result['test_rate']:.2f})"
        if result["test_loss"] is not None
        else "no test loss: " + ("too few rows for a test part" if generator.saved_.model.reads else "no encoder"),
        f"model in {out}; next: dreamgen dream {out} -n 64 --out dreams.{'png' if pictures else 'npz'}",
    ]
    say(result, as_json, "\n".join(lines))


def train_on(
    dataset: "Dataset", settings: "Settings", out: Path, seed: int, device: str = "auto", resume: bool = False
) -> tuple["DreamGenerator", dict[str, Any]]:
    """Train, test and save a model; what `train` and `demo` share."""
    from dreamgen.evaluation.report import one_sample_loss
    from dreamgen.generator import DreamGenerator

    generator = DreamGenerator.from_settings(settings, device, seed)
    with stop_on_signal() as stop, progress() as on_record:
        started = time.perf_counter()
        try:
            generator.fit(
                dataset.train.x, dataset.train.labels, out=out, resume=resume, stop=stop, on_record=on_record
            )
        except Interrupted as error:
            raise Interrupted(f"{error}; the same command with --resume goes on from there") from None
        seconds = time.perf_counter() - started
    saved = generator.saved_
    test: dict[str, Any] = dict.fromkeys(("test_loss", "test_distortion", "test_rate"))
    if len(dataset.test) and saved.model.reads:
        test = one_sample_loss(saved.model, generator.prepare(dataset.test.x), binarise=generator.sees_binary)
    saved.origin["data"] |= {"name": dataset.name, "classes": list(dataset.classes)}
    if "privacy" not in saved.card:  # a hash tells who has the rows already that he has them
        saved.origin["data"]["set_sha256"] = dataset.sha256
    binarisation = "drawn once, seed 0" if generator.sees_binary else "none"
    saved.card |= {**test, "test_rows": len(dataset.test), "test_binarisation": binarisation}
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


@contextlib.contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """True after Ctrl-C or a polite kill, so that the step in hand is finished and saved; a second one is obeyed at
    once."""
    asked: list[int] = []

    def ask(number: int, _frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def progress() -> Iterator[Callable[["Record"], None]]:
    """A line of progress on stderr; silent where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield lambda record: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(),
        TextColumn("{task.fields[state]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", epoch=1, state="")
        active = ""

        def show(record: "Record") -> None:
            nonlocal active
            if record.active_units is not None:
                active = f", {record.active_units} latents active"
            state = (
                f"loss {record.loss:.2f} = distortion {record.distortion:.2f} + {record.beta:g} × rate "
                f"{record.rate:.2f}{active}, {record.rows_per_second:,.0f} rows/s"
            )
            bar.update(task, total=record.total, completed=record.step, epoch=record.epoch, state=state)

        yield show
