"""Files that survive a kill at any moment and never run code.

Writing: temporary file, flush to disk, rename, flush of the folder. A folder of several files is committed by the
rename of its manifest alone, so a reader sees all of the old files or all of the new ones.
Reading: every byte is checked against the manifest before anything interprets it.
"""

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dreamgen.errors import ModelFileError, OutputError

FORMAT = 1
MANIFEST = "manifest.json"
_NEXT = ".next"  # a file that is written and not yet renamed
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*\.(safetensors|json)")
_LARGEST = {".json": 16 << 20, ".safetensors": (4 << 30) + (16 << 20)}  # 2^30 weights of four bytes, and a header


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an operating system's refusal to write into one clear OutputError."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an operating system's refusal to read into one clear ModelFileError."""
    try:
        yield
    except OSError as error:
        raise ModelFileError(f"cannot read {error.filename or path}: {error.strerror or error}") from error


def check_regular(path: Path) -> None:
    """Raise OSError unless a path is a file: a pipe may never answer, and a device never end."""
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        number = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(number, "it is a directory" if stat.S_ISDIR(mode) else "it is a pipe or a device", str(path))


def is_bomb(unfolded: int, size: int) -> bool:
    """Whether few bytes unfold to suspiciously many: to more than a gibibyte, and to 250 times as many."""
    return unfolded > max(1 << 30, 250 * size)


def make_folder(path: Path) -> Path:
    """The folder, made where it is missing; raises OutputError where it cannot be."""
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def require_empty(folder: Path) -> None:
    """Raise OutputError unless a folder for a model that is handed over is new or empty."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(
            f"{folder} is not an empty folder: choose a new one, so that nothing else leaves with the model"
        )


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all; raises OutputError."""
    with writing(path):
        _write_flushed(_next_name(path), content)
        _rename(_next_name(path), path)
        _flush_folder(path.parent)


def _next_name(path: Path) -> Path:
    return path.with_name(path.name + _NEXT)


def _write_flushed(path: Path, content: bytes) -> None:
    try:
        # A file of its own: what a killed save left is dropped, and what a link points to is left alone.
        path.unlink(missing_ok=True)
        with path.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with contextlib.suppress(OSError):
            path.unlink()
        raise


def _rename(source: Path, target: Path) -> None:
    source.replace(target)


def _flush_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sha256(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def without_infinity(value: Any) -> Any:
    """A value as JSON can write it: a float that is not finite becomes None."""
    if isinstance(value, Mapping):
        return {key: without_infinity(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_infinity(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def dump_json(value: Any) -> bytes:
    """JSON with sorted keys, so that equal values are equal bytes; what is not finite is written as null."""
    plain = without_infinity(value)
    return (json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"{digits} is too large a number")
    return value


def parse_json(content: bytes, name: str) -> Any:
    """JSON to values that can be written as JSON again; raises ModelFileError."""
    try:
        text = content.decode()
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
        if "\\ud" in text.lower():
            dump_json(value)  # half a character, which nothing can write
        return value
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{name}: not JSON: {error}") from error


def write_folder(folder: Path, contents: Mapping[str, bytes]) -> None:
    """Replace the files of a folder, all or none.

    The rename of the manifest is the moment of truth. Before it, the old manifest and files are whole; after it,
    `read_folder` finds a file that was not renamed yet under its temporary name.
    """
    make_folder(folder)
    entries = {name: {"sha256": sha256(data), "bytes": len(data)} for name, data in contents.items()}
    manifest, committed = folder / MANIFEST, False
    with writing(folder):
        _settle(folder)
        try:
            for name, data in contents.items():
                _write_flushed(_next_name(folder / name), data)
            _write_flushed(_next_name(manifest), dump_json({"format": FORMAT, "files": entries}))
            _flush_folder(folder)
            committed = True  # before the rename, for an interrupt may come just after it
            _rename(_next_name(manifest), manifest)
        except BaseException:
            if not committed:
                _drop_unfinished(folder, contents)
            raise
        _flush_folder(folder)
        _settle(folder)


def _drop_unfinished(folder: Path, names: Iterable[str]) -> None:
    for name in [*names, MANIFEST]:
        with contextlib.suppress(OSError):
            _next_name(folder / name).unlink()


def _settle(folder: Path) -> None:
    """Finish the renames that a committed manifest promised."""
    if not (folder / MANIFEST).is_file():
        return
    for name, entry in _entries(folder).items():
        waiting = _next_name(folder / name)
        if waiting.is_file() and sha256(waiting.read_bytes()) == entry["sha256"]:
            _rename(waiting, folder / name)
    _flush_folder(folder)


def read_folder(folder: Path) -> dict[str, bytes]:
    """The contents of a folder that `write_folder` made, each byte checked against the manifest.

    Raises:
        ModelFileError: a missing, changed, linked or unexpected file, or a newer format.
    """
    with reading(folder):
        if not (folder / MANIFEST).is_file():
            raise ModelFileError(f"{folder} is not a saved model: it has no {MANIFEST}")
        return {name: _read_checked(folder, name, entry) for name, entry in _entries(folder).items()}


def check_manifest(folder: Path) -> None:
    """Raise ModelFileError if a manifest says what it says in other bytes than it was written in.

    It has no sum of its own, but there is only one way to write it, so this notices a change that changes nothing.
    """
    content = _read_plain(folder / MANIFEST)
    if dump_json(parse_json(content, MANIFEST)) != content:
        raise ModelFileError(f"{folder / MANIFEST} was changed or cut short")


def _entries(folder: Path) -> dict[str, dict[str, Any]]:
    manifest = parse_json(_read_plain(folder / MANIFEST), MANIFEST)
    version = manifest.get("format") if isinstance(manifest, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise ModelFileError(f"{folder / MANIFEST}: expected a format number, got {version!r}")
    if version > FORMAT:
        raise ModelFileError(f"{folder} has format {version}, newer than this dreamgen reads ({FORMAT})")
    entries = manifest.get("files")
    if not isinstance(entries, dict) or not entries:
        raise ModelFileError(f"{folder / MANIFEST}: lists no files")
    for name, entry in entries.items():
        if not _NAME.fullmatch(name):
            raise ModelFileError(f"{folder / MANIFEST}: {name!r} is not a name that a model file can have")
        if not isinstance(entry, dict) or not isinstance(entry.get("sha256"), str):
            raise ModelFileError(f"{folder / MANIFEST}: {name} has no SHA-256")
        if not isinstance(entry.get("bytes"), int):
            raise ModelFileError(f"{folder / MANIFEST}: {name} has no size")
    return entries


def _read_plain(path: Path) -> bytes:
    with reading(path):
        if path.is_symlink():
            raise ModelFileError(f"{path} is a link; a model folder holds its own files")
        check_regular(path)
        if path.stat().st_size > _LARGEST[path.with_name(path.name.removesuffix(_NEXT)).suffix]:
            raise ModelFileError(f"{path}: {path.stat().st_size} bytes are too many for such a file")
        return path.read_bytes()


def _read_checked(folder: Path, name: str, entry: Mapping[str, Any]) -> bytes:
    found = "is missing"
    for path in (folder / name, _next_name(folder / name)):
        if not path.is_file() and not path.is_symlink():
            continue
        if not path.is_symlink() and path.stat().st_size != entry["bytes"]:
            found = f"has {path.stat().st_size} bytes, expected {entry['bytes']}"
            continue
        content = _read_plain(path)
        if sha256(content) == entry["sha256"]:
            return content
        found = "was changed: its SHA-256 is not the manifest's"
    raise ModelFileError(f"{folder / name} {found}")
