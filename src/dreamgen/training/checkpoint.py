"""Checkpoints: one file each, replaced as a whole, checked as a whole.

RUN/checkpoints/step-00000470.safetensors   the last two
RUN/checkpoints/best.safetensors            weights of the best epoch so far
"""

import contextlib
import math
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import safetensors
import torch
from torch import Tensor

from dreamgen.errors import DivergedError, ModelFileError, OutputError, SettingsError
from dreamgen.files import check_regular, dump_json, make_folder, parse_json, reading, sha256, write_bytes, writing
from dreamgen.io import versions
from dreamgen.registry import check_type
from dreamgen.tensors import dump_tensors, is_finite, parse_tensors
from dreamgen.training.run import Best, Run

_KEEP = 2
_BEST = "best.safetensors"
_STEP = re.compile(r"step-(\d{8,})\.safetensors")


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run's folder for this process; the operating system lets go when the process dies."""
    lock = filelock.FileLock(make_folder(folder) / ".lock", timeout=0)
    try:
        lock.acquire()
    except filelock.Timeout:
        raise OutputError(f"{folder} is in use by another run; wait for it or choose another folder") from None
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, run_folder: Path) -> None:
        self.folder = run_folder / "checkpoints"
        self._best_saved = 0

    def found(self) -> list[Path]:
        """The checkpoints on disk, the newest first."""
        with reading(self.folder):
            files = list(self.folder.iterdir()) if self.folder.is_dir() else []
        return sorted((f for f in files if _STEP.fullmatch(f.name)), key=_step, reverse=True)

    def save(self, run: Run) -> None:
        """Write a checkpoint; raises DivergedError for numbers that are not finite, and OutputError."""
        update_tensors, update_values = run.update.state()
        tensors = {f"model.{k}": v for k, v in run.model.state_dict().items()}
        tensors |= {f"update.{k}": v for k, v in update_tensors.items()}
        tensors |= {f"average.{k}": v for k, v in run.average.state().items()}
        for name, tensor in tensors.items():
            if not is_finite(tensor):
                raise DivergedError(f"training diverged by step {run.step}: {name} is not finite")
        make_folder(self.folder)
        if run.best.epoch and run.best.epoch != self._best_saved:
            _write(self.folder / _BEST, run.best.weights, {"epoch": run.best.epoch})
            self._best_saved = run.best.epoch
        values = {
            **_identity(run),
            "step": run.step,
            "seconds": run.seconds,
            "sums": run.sums.tolist(),
            "history": run.history,
            "best": [run.best.epoch, run.best.loss if math.isfinite(run.best.loss) else None],
            "update": update_values,
            **_surroundings(),
        }
        _write(self.folder / f"step-{run.step:08d}.safetensors", tensors, values)
        with writing(self.folder):
            for old in self.found()[_KEEP:]:
                old.unlink(missing_ok=True)

    def remove(self) -> None:
        """Delete them all: they hold the seed, which of a private run is a secret."""
        with writing(self.folder):
            for path in (*self.found(), self.folder / _BEST):
                path.unlink(missing_ok=True)

    def seed(self) -> int | None:
        """The seed of the run that left these checkpoints; None where there are none."""
        for path in self.found():
            with contextlib.suppress(ModelFileError, KeyError, TypeError, ValueError):
                return int(_read(path)[1]["seed"])
        return None

    def restore(self, run: Run) -> bool:
        """Continue from the newest whole checkpoint.

        Returns:
            False where there is none.

        Raises:
            SettingsError: the checkpoint is of other settings, seed or data.
            ModelFileError: no checkpoint is whole.
        """
        damage: ModelFileError | None = None
        for path in self.found():
            try:
                tensors, values = _read(path)
            except ModelFileError as error:
                warnings.warn(f"{error}; trying the checkpoint before it", stacklevel=2)
                damage = error
                continue
            self._apply(run, path, tensors, values)
            return True
        if damage:
            raise damage
        return False

    def _apply(self, run: Run, path: Path, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        for name, mine in _identity(run).items():
            if values.get(name) != mine:
                raise SettingsError(f"{path.parent.parent} was begun with other {_difference(name, values, mine)}")
        for name, mine in _surroundings().items():
            if values.get(name) != mine:
                warnings.warn(
                    f"the run was begun with {name} {values.get(name)} and goes on with {mine}: "
                    "its weights will not be the same to the byte",
                    stacklevel=3,
                )
        try:
            self._take_back(run, tensors, values)
        except ModelFileError:
            raise
        except (KeyError, TypeError, ValueError, OverflowError, RuntimeError, AttributeError) as error:
            # Sealed, and yet not what this version writes for such a run.
            reason = " ".join(str(error).split())
            raise ModelFileError(f"{path}: does not fit the run: {type(error).__name__}: {reason}") from error

    def _take_back(self, run: Run, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "update": {}, "average": {}}
        for key, value in tensors.items():
            part, _, name = key.partition(".")
            parts[part][name] = value
        run.model.load_state_dict(parts["model"])
        run.update.restore(parts["update"], values["update"])
        run.average.restore(parts["average"])
        step, history, (epoch, loss) = values["step"], values["history"], values["best"]
        check_type("step", step, int)
        check_type("seconds", values["seconds"], float)
        check_type("history", history, list[dict[str, Any]])
        check_type("best", epoch, int)
        if not (
            0 <= step <= run.total and len(history) == step // run.steps_per_epoch and 0 <= epoch <= len(history)
        ):
            raise ValueError(f"step {step}, {len(history)} epochs, the best one {epoch}")
        run.step, run.history, run.seconds = step, history, values["seconds"]
        run.sums.copy_(torch.tensor(values["sums"], dtype=torch.float64))
        if epoch:
            check_type("best loss", loss, float)
            weights, told = _read(self.folder / _BEST)
            _check_alike(weights, run.model.state_dict())
            if told["epoch"] < epoch:  # a later one is of a kill between two writes; this run comes to it again
                raise ValueError(f"{_BEST} holds the weights of epoch {told['epoch']}, expected {epoch}")
            run.best = Best(epoch, loss, weights)
            self._best_saved = epoch


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))


def _check_alike(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    if {k: v.shape for k, v in found.items()} != {k: v.shape for k, v in expected.items()}:
        raise ValueError(f"{_BEST} holds other weights")


def _identity(run: Run) -> dict[str, Any]:
    """What must be equal for a run to go on."""
    return {"settings": run.settings.to_dict(), "seed": run.seed, "data": run.data_hash}


def _surroundings() -> dict[str, Any]:
    """What may differ when a run goes on, at the price of other bytes."""
    return {"threads": torch.get_num_threads(), "versions": versions()}


def _difference(name: str, values: dict[str, Any], mine: Any) -> str:
    theirs = values.get(name)
    if name == "settings" and isinstance(theirs, dict):
        key = next(k for k in sorted({*mine, *theirs}) if mine.get(k) != theirs.get(k))
        return f"settings: {key} = {theirs.get(key)!r}, now {mine.get(key)!r}"
    return f"{name}: {theirs}, now {mine}"


def _digest(tensors: dict[str, Tensor], values: dict[str, Any]) -> str:
    digests = {name: sha256(t.detach().cpu().contiguous().numpy().tobytes()) for name, t in tensors.items()}
    return sha256(dump_json({"tensors": digests, "values": values}))


def _write(path: Path, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
    metadata = {"values": dump_json(values).decode(), "sha256": _digest(tensors, values)}
    write_bytes(path, dump_tensors(tensors, metadata))


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        check_regular(path)
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        tensors = parse_tensors(path.read_bytes(), path.name)
    except (OSError, safetensors.SafetensorError) as error:
        raise ModelFileError(f"{path}: not a whole checkpoint: {error}") from error
    values = parse_json(metadata.get("values", "").encode(), path.name)
    if any(tensor.dtype == torch.bfloat16 for tensor in tensors.values()):
        raise ModelFileError(f"{path}: a checkpoint holds no 16-bit numbers")
    if not isinstance(values, dict) or _digest(tensors, values) != metadata.get("sha256"):
        raise ModelFileError(f"{path}: the checkpoint was changed or cut short")
    return tensors, values
