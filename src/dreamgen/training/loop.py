"""The loop. It yields records; whoever consumes them shows progress, and may stop asking."""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

import torch

from dreamgen.errors import DivergedError, Interrupted
from dreamgen.tensors import is_finite
from dreamgen.training.checkpoint import Checkpoints
from dreamgen.training.gauge import count_active
from dreamgen.training.run import Best, Run

_STEPS_BETWEEN_RECORDS = 20


@dataclass(frozen=True)
class Record:
    """Where a run stands.

    Losses are means over the epoch so far, in nats per example: over all of its rows, or over every 16th where the
    gradients are written out by hand and do not need the loss.

    Attributes:
        epoch, step, total: epochs begun, steps done, steps of the whole run.
        loss, distortion, rate: the objective and its two parts.
        beta, learning_rate: at this step.
        rows_per_second: of training, in this session of the run.
        validation: loss on the validation part at the end of an epoch; None within one, or without that part.
        active_units: latents whose posterior mean varies, at the end of an epoch; None within one.
        epoch_done: whether this record closes an epoch.
    """

    epoch: int
    step: int
    total: int
    loss: float
    distortion: float
    rate: float
    beta: float
    learning_rate: float
    rows_per_second: float
    validation: float | None = None
    active_units: int | None = None
    epoch_done: bool = False


def train(
    run: Run, checkpoints: Checkpoints | None = None, stop: Callable[[], bool] = lambda: False
) -> Iterator[Record]:
    """Train until the settings say so.

    At the end the model holds the weights of the best epoch by validation loss, or the last ones where no rows
    were held out, or where the update adds to the loss what they are not scored by.

    Args:
        run: the state; changed in place, so that it can be looked at between records.
        checkpoints: where to save; None: nowhere.
        stop: asked after every step; once it is true, a checkpoint is written and Interrupted raised.

    Yields:
        A record every few steps, and one with `epoch_done` after each epoch.

    Raises:
        DivergedError: a loss or weight that is not finite; nothing bad has been saved.
        Interrupted: `stop` said so.
    """
    run.model.train()
    started, first, before = time.perf_counter(), run.step, run.seconds
    while run.step < run.total and not _out_of_patience(run):
        epoch, begun = divmod(run.step, run.steps_per_epoch)
        order = run.order(epoch).to(run.data.x.device)
        for index in range(begun, run.steps_per_epoch):
            take_step(run, run.batch_rows(order))
            run.seconds = before + time.perf_counter() - started
            done, stopping = index + 1 == run.steps_per_epoch, stop()
            record = None
            if done or run.step % _STEPS_BETWEEN_RECORDS == 0:
                speed = (run.step - first) * run.settings.batch_size / (run.seconds - before)
                record = _record(run, epoch + 1, speed)
            if done:
                record = _close_epoch(run, record)
            if checkpoints and (done or stopping or _save_now(run)):
                checkpoints.save(run)
            if record:
                yield record
            if stopping:
                raise Interrupted(f"stopped after {run.step} of {run.total} steps")
    _take_final_weights(run)
    run.seconds = before + time.perf_counter() - started


def take_step(run: Run, rows: torch.Tensor) -> None:
    """One step on some rows of the run: what the model sees of them, the update, and the sums for the record."""
    noise = run.noise(run.step)
    batch = run.prepare(run.data[rows], noise)
    terms = run.update(run.model, run.objective, batch, noise, run.step, run.total)
    run.step += 1
    run.average.update(run.step)
    # Nothing here waits for a device; an update may have read the terms off some of the rows only.
    run.sums[:3] += torch.stack([terms.loss, terms.distortion, terms.rate]).detach().to(run.sums.dtype).sum(1)
    run.sums[3] += len(terms.loss)


def _record(run: Run, epoch: int, speed: float) -> Record:
    loss, distortion, rate = (run.sums[:3] / run.sums[3].clamp(min=1)).tolist()  # a drawn batch may be empty
    return Record(
        epoch=epoch,
        step=run.step,
        total=run.total,
        loss=loss,
        distortion=distortion,
        rate=rate,
        beta=run.objective.weight(run.step - 1, run.total),
        learning_rate=run.update.learning_rate(run.step - 1, run.total),
        rows_per_second=speed,
    )


def _close_epoch(run: Run, record: Record | None) -> Record:
    """Score the validation part, remember the best weights and write the history."""
    assert record is not None
    validation = run.validation_loss()
    if validation is not None and not math.isfinite(validation):
        raise DivergedError(f"training diverged in epoch {record.epoch}: the validation loss is {validation}")
    if validation is not None and run.update.scored_by_objective and validation < run.best.loss:
        with run.average.in_place():
            weights = {name: value.clone() for name, value in run.model.state_dict().items()}
        run.best = Best(record.epoch, validation, weights)
    record = replace(record, validation=validation, active_units=count_active(run), epoch_done=True)
    # A history holds no times, so that a resumed run writes the same bytes.
    run.history.append({k: v for k, v in asdict(record).items() if k not in ("rows_per_second", "epoch_done")})
    run.sums.zero_()
    return record


def _out_of_patience(run: Run) -> bool:
    waited = len(run.history) - run.best.epoch
    return bool(run.settings.patience and run.best.epoch and waited >= run.settings.patience)


def _save_now(run: Run) -> bool:
    return bool(run.settings.save_every) and run.step % run.settings.save_every == 0


def _take_final_weights(run: Run) -> None:
    """The best epoch's weights, or the averaged last ones where none was found best."""
    run.model.load_state_dict(run.best.weights if run.best.epoch else run.average.state(), strict=False)
    run.model.eval()
    for name, value in run.model.state_dict().items():
        if not is_finite(value):
            raise DivergedError(f"training diverged in its last step: {name} is not finite")
