"""`hostile`: files that mean harm, each handed to the command in a process of its own.

Withstood means: an exit code of dreamgen's own, one line that says why, within seconds, in little memory, and with
nothing run. An audit hook listens for what unpickling, programs and networks would do, and for a file that nobody
named being opened.
"""

import contextlib
import io
import os
import resource
import sys
import sysconfig
import time
from pathlib import Path
from random import Random
from types import CodeType
from typing import Any

import dreamgen
from breaking.hostile_files import CASES, Place
from breaking.models import small_model
from breaking.outcome import Outcome
from breaking.warm import warm_server
from dreamgen.cli import main
from dreamgen.errors import DreamgenError

MEMORY = 200  # MiB that a refusal may take, what the command itself imports and holds included
_SECONDS = 5.0

_FORBIDDEN = ("pickle.find_class", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn")
_FORBIDDEN_KINDS = ("socket.", "subprocess.", "urllib.", "ftplib.", "http.client.", "smtplib.", "webbrowser.")


def run(size: int, seed: int, folder: Path) -> Outcome:
    """At most `size` cases, all if there are no more."""
    outcome, most, slowest = Outcome(), 0.0, 0.0
    names = sorted(CASES)
    small_model(folder / "model")
    warm = warm_server()
    for name in sorted(Random(seed).sample(names, min(size, len(names)))):
        outside = folder / name / "outside.json"
        outside.parent.mkdir()
        outside.write_text('{"secret": 1}')
        place = Place(folder / name / "a" / "b", folder / "model", outside)
        place.folder.mkdir(parents=True)
        command = CASES[name](place)
        ended = warm.start("be_told", folder / "jobs", command=command, outside=outside).wait(_SECONDS * 2)
        trouble = _trouble(ended.code, ended.hung, ended.result, ended.err, outside)
        outcome.count(not trouble, f"{name}: {trouble}")
        if ended.result:
            most, slowest = max(most, ended.result["memory"]), max(slowest, ended.result["seconds"])
    outcome.note = f"at most {most:.0f} MiB (allowed {MEMORY}) and {slowest:.2f} s (allowed {_SECONDS:.0f})"
    return outcome


def _trouble(code: int, hung: bool, result: Any, err: str, outside: Path) -> str:
    if hung:
        return "it hung"
    if code or not result:
        return f"the process ended with {code}: {err.strip()[-300:]}"
    said = result["said"].strip()
    declared = {kind.exit_code for kind in DreamgenError.__subclasses__()}
    if result["code"] not in declared or "out of memory" in said:
        return f"exit code {result['code']}: {said[-300:]}"
    if not said.splitlines()[-1].startswith("dreamgen: "):
        return f"the error is not one line: {said[-300:]}"
    if result["seen"]:
        return f"it did {result['seen'][:3]}"
    if outside.with_name("sprung").exists() or outside.read_text() != '{"secret": 1}':
        return "something outside was touched"
    if result["memory"] > MEMORY:
        return f"it took {result['memory']:.0f} MiB"
    return f"it took {result['seconds']:.1f} s" if result["seconds"] > _SECONDS else ""


def be_told(command: list[str], outside: Path) -> dict[str, Any]:
    """Run the command under the audit hook: its exit code, what it said and did, its memory and its seconds."""
    while "=" in command[0]:
        name, _, value = command.pop(0).partition("=")
        os.environ[name] = value
    seen: list[str] = []
    _listen(seen, outside)
    before, started, err = _peak(), time.perf_counter(), io.StringIO()
    code: Any = 0
    with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
        try:
            main(command)
        except SystemExit as end:
            code = end.code or 0
    return {
        "code": code,
        "said": err.getvalue(),
        "seen": seen,
        "memory": (_peak() - before) / 1024,
        "seconds": time.perf_counter() - started,
    }


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _listen(seen: list[str], outside: Path) -> None:
    ours = tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), str(Path(dreamgen.__file__).parent)})
    # Library code makes classes and imports modules by `exec`, from no file or from its own.
    known = (*ours, "<frozen", "<string>", "<attrs", "<generated", "/usr/lib")

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _FORBIDDEN or event.startswith(_FORBIDDEN_KINDS):
            seen.append(f"{event} {arguments}"[:200])
        elif event == "exec" and isinstance(arguments[0], CodeType):
            if not arguments[0].co_filename.startswith(known):
                seen.append(f"exec of {arguments[0].co_filename}")
        elif event == "open" and str(arguments[0]) in (str(outside), os.path.relpath(outside)):
            seen.append(f"open {arguments}")

    sys.addaudithook(hook)
